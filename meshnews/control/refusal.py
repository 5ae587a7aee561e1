"""What the control room itself refuses: what happened, what it means, what to do.

A refusal is written where the fact behind it is known: those of filing,
enrolment and vaults stand beside the code that finds them out, in the node and
the stores, and those that the command line finds out before it asks in its
`complaint` modules.  A code never changes its meaning: scripts act on it.

Arguments are facts of the person's own request; nothing here quotes a file or
a peer.
"""

from meshnews.errors import Refusal

_UNCHANGED = "Nothing was changed."
_NOT_SEALED = "Nothing was sealed, and nothing left this machine."


def no_home() -> Refusal:
    """The directory is not a home yet."""
    return Refusal(
        "no-home",
        what="There is no home in this directory yet.",
        meaning="A home holds the keys and the dispatches of one identity; without it nothing "
        "can be done.",
        remedy="Make one with `meshnews init --role reporter`, or name another with --home.",
    )


def home_exists() -> Refusal:
    """`init` where there is a home."""
    return Refusal(
        "home-exists",
        what="There is already a home in this directory.",
        meaning="It was left as it is: making it afresh would destroy its keys.",
        remedy="Use it, or name another directory with --home.",
    )


def config_differs(visibility: str) -> Refusal:
    """`init` was told who may notice the home, and its configuration says something else."""
    return Refusal(
        "config-differs",
        what=f'The config.toml that is there does not say visibility = "{visibility}".',
        meaning="No home was made: a file that you wrote is not changed.",
        remedy="Write that line into it, or leave out --visibility.",
    )


def locked() -> Refusal:
    """The vault is closed and the request needs it."""
    return Refusal(
        "locked",
        what="The vault of this home is closed.",
        meaning="Dispatches and keys cannot be reached until it is opened.",
        remedy="Give the passphrase when asked, or name a file that holds it with "
        "--passphrase-file.",
    )


def no_such_item(item: str) -> Refusal:
    """No item begins with what was typed."""
    return Refusal(
        "no-such-item",
        what=f"Nothing here is called {item}.",
        meaning=_UNCHANGED,
        remedy="`meshnews status` lists what you filed and `meshnews inbox` what came in.",
    )


def stopped() -> Refusal:
    """The asker stopped a filing before it was done."""
    return Refusal(
        "stopped",
        what="Filing was stopped before it was done.",
        meaning="Nothing was filed: what had been sealed is dropped again. Your own files are "
        "untouched.",
        remedy="File it again when you want to; nothing of this attempt is left.",
    )


def disk_full() -> Refusal:
    """The disk or the home's share of it has no room."""
    return Refusal(
        "disk-full",
        what="There is no room left on the disk for this.",
        meaning="Nothing was kept; what was there before is unharmed.",
        remedy="Free some space, or attach less, and try again.",
    )


def root_unwritten() -> Refusal:
    """The root's key could not be written where it was to go."""
    return Refusal(
        "root-unwritten",
        what="The root key could not be written.",
        meaning="No desk was made: without its root key it would be lost.",
        remedy="Make room in the folder for it, or choose one on another stick, and try again.",
    )


def disk_full_late() -> Refusal:
    """The disk had no room for the last part of what was to be kept."""
    return Refusal(
        "disk-full-late",
        what="The disk had no room left at the last step.",
        meaning="A part is kept, and the rest is done again from it once there is room: what was "
        "asked for may happen all the same.",
        remedy="Free some space, and look with `meshnews status` before you repeat the command.",
    )


def node_failed() -> Refusal:
    """The daemon could not do it through a fault of its own, or of its disk."""
    return Refusal(
        "node-failed",
        what="The daemon failed at this.",
        meaning="It is a fault of the program, or of the disk under the home. It is not known "
        "whether what was asked for was done.",
        remedy="Look with `meshnews status` before you repeat the command; the daemon's log says "
        "more.",
    )


def attachment_changed(number: int) -> Refusal:
    """A file gave fewer or more bytes than it had when it was opened."""
    return Refusal(
        "attachment-changed",
        what=f"Attachment {number} changed while it was being read, or could not be read.",
        meaning=_NOT_SEALED,
        remedy="Close the program that writes to it, or copy it first, and try again.",
    )


def attachment_incomplete(number: int) -> Refusal:
    """Not all of an attachment has come in."""
    return Refusal(
        "attachment-incomplete",
        what=f"Attachment {number} has not come in completely yet.",
        meaning="It cannot be checked before it is whole, so nothing of it was written.",
        remedy="Wait; `meshnews open ID` shows how much is here.",
    )


def no_such_attachment(number: int) -> Refusal:
    """The item has fewer attachments."""
    return Refusal(
        "no-such-attachment",
        what=f"There is no attachment {number}.",
        meaning="Nothing was written.",
        remedy="`meshnews open ID` lists the attachments.",
    )


def save_failed(number: int) -> Refusal:
    """Writing an attachment failed."""
    return Refusal(
        "save-failed",
        what=f"Attachment {number} could not be written.",
        meaning="The disk may be full or have been taken out; no half-written file is left.",
        remedy="Make room or choose another folder, and save again.",
    )


def needs_daemon() -> Refusal:
    """The request makes no sense without a running daemon."""
    return Refusal(
        "no-daemon",
        what="No daemon is running for this home.",
        meaning="Without it this machine has no links and nothing changes.",
        remedy="Start it with `meshnewsd --home HOME`, or as a service, and ask again.",
    )


def not_offered() -> Refusal:
    """The daemon has no handler for the request."""
    return Refusal(
        "not-offered",
        what="The daemon of this home does not do this.",
        meaning=_UNCHANGED,
        remedy="Look into `meshnews doctor`; the home may have another role than you think.",
    )


def other_version(theirs: int, ours: int) -> Refusal:
    """The two programs come from different releases."""
    return Refusal(
        "other-version",
        what=f"The command speaks version {theirs} of the control protocol, the daemon {ours}.",
        meaning=f"They come from different releases and do not mix. {_UNCHANGED}",
        remedy="Restart the daemon, so that both are the release that is installed.",
    )


def not_understood() -> Refusal:
    """A frame was no request, or its files were not as announced."""
    return Refusal(
        "not-understood",
        what="The daemon did not understand the request.",
        meaning=_UNCHANGED,
        remedy="Restart the daemon, so that it is of the same release as the command.",
    )


def busy() -> Refusal:
    """Every connection of the daemon is in use."""
    return Refusal(
        "busy",
        what="The daemon is busy with as many commands as it can take at once.",
        meaning=_UNCHANGED,
        remedy="Wait for one of them to end, then try again.",
    )


def unproven_file() -> Refusal:
    """A file was bad in a way that its handler did not name."""
    return Refusal(
        "bad-file",
        what="What was given is damaged, or is not what it claims to be.",
        meaning=_UNCHANGED,
        remedy="Get it again from whoever made it.",
    )
