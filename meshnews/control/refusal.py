"""What a daemon may refuse, one sentence each for what happened, what it means, what to do.

This module and `desk_refusal` hold every refusal that crosses the control
socket.  A code never changes its meaning: scripts act on it.  The command line
has a list of its own for what it finds out before it asks
(`meshnews_cli.complaint`).

Arguments are facts of the person's own request; nothing here quotes a file or
a peer.
"""

from meshnews.errors import Refusal
from meshnews.limits import DISPATCH_TEXT_BYTES_MAX

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


def home_busy() -> Refusal:
    """Another process has the home open."""
    return Refusal(
        "home-busy",
        what="Another command is at work in this home.",
        meaning=f"Two may not write to it at once. {_UNCHANGED}",
        remedy="Wait until it has ended, then try again.",
    )


def home_damaged() -> Refusal:
    """The stores cannot be opened with the keys of the home."""
    return Refusal(
        "home-damaged",
        what="The stores of this home cannot be opened.",
        meaning="A file is missing or damaged, or it was destroyed on purpose.",
        remedy="If you have a copy of the home, put it back; otherwise make a new home and ask "
        "your desk for a new card.",
    )


def wrong_passphrase() -> Refusal:
    """The passphrase opens no slot."""
    return Refusal(
        "wrong-passphrase",
        what="The passphrase is wrong.",
        meaning="The vault stays closed. Nobody, your desk included, can open it without the "
        "passphrase.",
        remedy="Try again; look out for the keyboard's language and for capital letters.",
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


def wrong_role(needed: str) -> Refusal:
    """The home's role cannot do this; `needed` names who can, in words."""
    return Refusal(
        "wrong-role",
        what=f"This is work for {needed}, and this home is not one.",
        meaning=_UNCHANGED,
        remedy="Name the right home with --home; `meshnews doctor` says what a home is for.",
    )


def no_card() -> Refusal:
    """The home belongs to no desk yet."""
    return Refusal(
        "no-card",
        what="This home does not belong to a desk yet.",
        meaning="There is nobody to seal for, and nobody would carry or answer.",
        remedy="Make a request with `meshnews enrol --request FILE`, give FILE to your desk, and "
        "take in what it sends back with `meshnews enrol --card FILE`.",
    )


def no_such_item(item: str) -> Refusal:
    """No item begins with what was typed."""
    return Refusal(
        "no-such-item",
        what=f"Nothing here is called {item}.",
        meaning=_UNCHANGED,
        remedy="`meshnews status` lists what you filed and `meshnews inbox` what came in.",
    )


def ambiguous_item(item: str) -> Refusal:
    """Several items begin with what was typed."""
    return Refusal(
        "ambiguous-item",
        what=f"More than one item begins with {item}.",
        meaning="It is not clear which one is meant.",
        remedy="Type more of its identifier.",
    )


def text_too_long(size: int, room: int) -> Refusal:
    """The text of a dispatch or answer does not fit; both in bytes."""
    return Refusal(
        "text-too-long",
        what=f"The text has {size} bytes; at this priority, with these attachments, {room} fit.",
        meaning=_NOT_SEALED,
        remedy="Shorten it, file it in parts, file it without --flash, or attach the long part "
        "as a file.",
    )


def text_not_allowed() -> Refusal:
    """The text or slug holds characters that a dispatch may not."""
    return Refusal(
        "text-not-allowed",
        what="The text or the slug holds characters that a dispatch may not hold.",
        meaning=_NOT_SEALED,
        remedy=f"Use plain UTF-8 text of at most {DISPATCH_TEXT_BYTES_MAX} bytes without control "
        "characters, and a slug of one word.",
    )


def no_postage() -> Refusal:
    """No postage is left for this priority or a more urgent one."""
    return Refusal(
        "no-postage",
        what="The postage on your card for this priority is used up.",
        meaning=f"Relays would not carry the dispatch. {_NOT_SEALED}",
        remedy="File at another priority, or meet the desk or a colleague who has: new postage "
        "comes by itself after contact.",
    )


def no_keys() -> Refusal:
    """There is no key at all to seal with."""
    return Refusal(
        "no-keys",
        what="No key is known that this could be sealed for.",
        meaning=_NOT_SEALED,
        remedy="Ask your desk for a new card, or wait for contact with it.",
    )


def card_recalled() -> Refusal:
    """The home's card was recalled."""
    return Refusal(
        "card-recalled",
        what="The desk has recalled the card of this home.",
        meaning=f"The desk would not accept what is filed with it. {_NOT_SEALED}",
        remedy="Speak with your desk over another way; if it was a mistake, ask for a new card.",
    )


def disk_full() -> Refusal:
    """The disk or the home's share of it has no room."""
    return Refusal(
        "disk-full",
        what="There is no room left on the disk for this.",
        meaning="Nothing was kept; what was there before is unharmed.",
        remedy="Free some space, or attach less, and try again.",
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


def cannot_answer() -> Refusal:
    """The item's author cannot be written to, or it has none."""
    return Refusal(
        "cannot-answer",
        what="This item cannot be answered.",
        meaning="Either nobody is known behind it, or its author's card was recalled.",
        remedy="Reach the author over another way.",
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
