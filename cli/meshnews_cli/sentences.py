"""What the facts of a daemon mean, said to a person.  Every such sentence is here."""

from typing import Final

from meshnews.control.fact import (
    Alarm,
    Check,
    DispatchState,
    DispatchStatus,
    FilingWarning,
    Finding,
    InboxItem,
    ItemKind,
    Level,
    NeighbourKind,
    Verdict,
    Visibility,
)
from meshnews_cli.terminal import byte_size, count, moment

NOTHING_MOVES: Final = (
    "No daemon is running for this home, so nothing moves now; `meshnewsd` starts one."
)

FILING_WARNINGS: Final = {
    FilingWarning.EPOCH_KEY: "No one-time key of the desk was left, so a key that other "
    "dispatches share was used. Contact with the desk brings new ones.",
    FilingWarning.OLD_KEY: "The newest key known of the desk is older than today. It was used "
    "all the same; contact with the desk brings a newer one.",
    FilingWarning.CLOCK_UNSURE: "This machine does not know the date, so the dispatch was given "
    "the longest life there is.",
    FilingWarning.LITTLE_POSTAGE: "Little postage is left. Contact with the desk brings more.",
}

VERDICTS: Final = {
    Verdict.VERIFIED: "The signature is that of the card with this byline, and the card was in "
    "force. That does not prove what the text says.",
    Verdict.DESK: "Signed by an editor of your desk.",
    Verdict.UNPROVEN: "UNPROVEN. The card was recalled before this was opened: whoever has the "
    "card could have written it, at any time.",
    Verdict.FORK: "UNPROVEN, AND IT DOES NOT FIT. The card was recalled before this was opened, "
    "and it does not continue what the desk had from this byline.",
    Verdict.LAPSED: "The signature is that of the card with this byline, but the card had expired.",
    Verdict.UNREADABLE: "It cannot be opened: the key that it was sealed for is gone. Ask the "
    "author to file it again.",
}

SHORT_VERDICTS: Final = {
    Verdict.VERIFIED: "Signature good.",
    Verdict.DESK: "From your desk.",
    Verdict.UNPROVEN: "UNPROVEN: opened after the card was recalled.",
    Verdict.FORK: "UNPROVEN: recalled, and it does not fit what came before.",
    Verdict.LAPSED: "Signature good, card expired.",
    Verdict.UNREADABLE: "Cannot be opened: ask for it again.",
}

ALARMS: Final = {
    Alarm.TWO_PLACES: "A one-time key was used twice: this card may be in two places. Ask its "
    "holder over another way.",
    Alarm.GAP: "Something this byline filed before it is missing here. It may still be on its way.",
    Alarm.BRANCH: "Two items of this byline follow the same one: its home may have been copied, "
    "or put back from a copy.",
}

NEIGHBOUR_KINDS: Final = {
    NeighbourKind.RELAY: "relay",
    NeighbourKind.COLLECTOR: "collector",
    NeighbourKind.MEMBER: "colleague",
    NeighbourKind.CALLER: "caller",
}

VISIBILITIES: Final = {
    Visibility.OPEN: "This machine is open: everybody on these networks can see that it is there.",
    Visibility.VEILED: "This machine is veiled: only who has its key finds it.",
    Visibility.SILENT: "This machine is silent: it sends nothing of itself and accepts no calls.",
}


def dispatch_sentence(status: DispatchStatus) -> str:
    """Say how far a dispatch has got and what that means."""
    parts = [_filed(status), _state(status), _attachments(status), _expiry(status)]
    return " ".join(part for part in parts if part)


def _filed(status: DispatchStatus) -> str:
    return f"Filed {moment(status.filed_at)}." if status.filed_at is not None else ""


def _state(status: DispatchStatus) -> str:  # noqa: PLR0911  one sentence for each state
    match status.state:
        case DispatchState.DRAFT:
            return "Not sealed yet; it is on this machine only."
        case DispatchState.FILED if status.release_at is not None:
            return (
                "Sealed, on this machine only. Held back until "
                f"{moment(status.release_at)}, so that its first sighting does not name you."
            )
        case DispatchState.FILED:
            return "Sealed, on this machine only. No other machine has taken it yet."
        case DispatchState.CARRIED:
            machines = count(status.carried_by, "other machine")
            verb = "carries" if status.carried_by == 1 else "carry"
            return f"{machines} {verb} it. No word of it from the desk yet."
        case DispatchState.ON_THE_WIRE:
            when = f" at {moment(status.on_wire_at)}" if status.on_wire_at is not None else ""
            return f"Left through the wire{when}. No word of it from the desk yet."
        case DispatchState.RECEIVED:
            when = f" at {moment(status.received_at)}" if status.received_at is not None else ""
            return (
                f"A machine of the desk has opened it; the receipt came back{when}. "
                "Whether anybody has read it is not known."
            )
        case DispatchState.READ:
            when = f" at {moment(status.read_at)}" if status.read_at is not None else ""
            return f"An editor opened it{when}."


def _attachments(status: DispatchStatus) -> str:
    if not status.attachments:
        return ""
    return f"{status.attachments_received} of {count(status.attachments, 'attachment')} received."


def _expiry(status: DispatchStatus) -> str:
    done = status.state in (DispatchState.RECEIVED, DispatchState.READ)
    complete = status.attachments_received >= status.attachments
    if status.expires_on is None or (done and complete):
        return ""
    return f"It is carried until {status.expires_on}."


def inbox_sentence(item: InboxItem) -> str:
    """Say what is known of one line of the inbox."""
    parts = []
    if item.arrived_at is not None:
        parts.append(f"Came in {moment(item.arrived_at)}.")
    parts.append(SHORT_VERDICTS[item.verdict])
    if item.attachments:
        attachments = count(item.attachments, "attachment")
        missing = item.attachments - item.attachments_complete
        parts.append(
            f"{attachments}, {item.attachments_complete} complete."
            if missing
            else f"{attachments}."
        )
    return " ".join(parts)


def author(byline: str, kind: ItemKind) -> str:
    """Name who an item is from."""
    return byline or ("the desk" if kind is not ItemKind.DISPATCH else "nobody known")


def finding_sentence(finding: Finding) -> str:
    """Say what one check of the doctor found, and what to do about it if it is not good."""
    template = _FINDINGS.get((finding.check, finding.level)) or _FINDINGS[finding.check, None]
    number = finding.number or 0
    return template.format(
        number=number,
        of=finding.of or 0,
        size=byte_size(number),
        day=finding.day or "an unknown day",
        time=moment(finding.time) if finding.time is not None else "an unknown time",
        name=finding.name,
    )


_FINDINGS: Final[dict[tuple[Check, Level | None], str]] = {
    (Check.HOME, Level.GOOD): "Only you can enter this home.",
    (Check.HOME, None): "Others on this machine can enter this home. Take it from them with "
    "`chmod -R go= HOME`.",
    (Check.DISK, Level.GOOD): "{size} are free on the disk.",
    (Check.DISK, None): "Only {size} are free on the disk. Make room, or dispatches of others "
    "are dropped first and your own are refused.",
    (Check.CLOCK, Level.GOOD): "The clock is believed.",
    (Check.CLOCK, None): "The clock is not believed; this machine goes by {day}. Everything works; "
    "`meshnews file` asks for the date. Set the clock when you can.",
    (Check.DAEMON, Level.GOOD): "The daemon is running.",
    (Check.DAEMON, None): "No daemon is running, so nothing moves. Start one with `meshnewsd`.",
    (Check.DESK, Level.GOOD): "This home belongs to the desk {name}.",
    (Check.DESK, None): "This home belongs to no desk. Use `meshnews enrol`, or `meshnews desk "
    "create`.",
    (Check.CARD, Level.GOOD): "The card for {name} is good until {day}.",
    (Check.CARD, Level.WARNING): "The card for {name} ends on {day}. Ask your desk for a new one.",
    (Check.CARD, None): "The card for {name} is no longer good. Ask your desk for a new one.",
    (Check.MANIFEST, Level.GOOD): "What the desk signed is good until {day}.",
    (
        Check.MANIFEST,
        None,
    ): "What the desk signed ended on {day}. It stays in force for filing; new "
    "keys are refused until there is contact with the desk.",
    (Check.KEYS, Level.GOOD): "{number} of {of} one-time keys are left to file with.",
    (Check.KEYS, Level.WARNING): "Only {number} of {of} one-time keys are left to file with. "
    "Contact with the desk brings more.",
    (Check.KEYS, None): "No one-time key is left. Shared keys are used instead; contact with the "
    "desk brings new ones.",
    (Check.EPOCH_KEYS, Level.GOOD): "The desk's shared keys cover today.",
    (Check.EPOCH_KEYS, None): "The desk's newest shared key ended on {day}. It is used all the "
    "same; contact with the desk brings newer ones.",
    (Check.POSTAGE, Level.GOOD): "Postage for {number} of {of} dispatches is left.",
    (Check.POSTAGE, Level.WARNING): "Postage for only {number} of {of} dispatches is left. Contact "
    "with the desk brings more.",
    (Check.POSTAGE, None): "No postage is left: no dispatch can be filed. Contact with the desk "
    "brings more.",
    (Check.FLASH_POSTAGE, Level.GOOD): "Postage for {number} of {of} flashes is left.",
    (Check.FLASH_POSTAGE, Level.WARNING): "Postage for only {number} of {of} flashes is left. "
    "Contact with the desk brings more.",
    (Check.FLASH_POSTAGE, None): "No postage for flashes is left. Contact with the desk brings "
    "more; routine dispatches are not touched by this.",
    (Check.COLLECTOR, Level.GOOD): "The addresses of the desk's collectors are known ({number}).",
    (Check.COLLECTOR, None): "No address of a collector is known: dispatches leave only through "
    "neighbours that know one.",
    (Check.CONTACT, Level.GOOD): "Another machine was last met at {time}.",
    (
        Check.CONTACT,
        None,
    ): "No other machine has been met lately. Nothing leaves this machine until "
    "it is near a relay or a colleague.",
    (Check.RECEIPTS, Level.GOOD): "The desk's last receipt came at {time}.",
    (Check.RECEIPTS, None): "No receipt has come from the desk while dispatches wait.",
    (Check.WAITING, Level.GOOD): "{number} dispatches wait for a receipt.",
    (Check.WAITING, None): "{number} dispatches wait for a receipt, the oldest since {time}.",
    (Check.ONE_MACHINE, Level.GOOD): "The desk's keys do not lie on a machine that strangers call.",
    (Check.ONE_MACHINE, None): "Editor and collector share this home: the desk's keys lie on a "
    "machine that strangers may call. Good for trying out, not for work.",
    (Check.EDITORS, Level.GOOD): "The desk has {number} editors.",
    (Check.EDITORS, None): "The desk has {number} editor. If this home is lost, nobody can open "
    "what comes in: add a second one with `meshnews desk editor`.",
    (Check.STORE, None): "This machine knows of {number} bundles.",
    (Check.NETWORKS, Level.GOOD): "{number} networks are in reach.",
    (Check.NETWORKS, None): "No network is in reach. Join a wireless network or plug in a cable.",
    (Check.CALLS, None): "Nothing can be sent to everybody on {name}. Look at its firewall, or use "
    "another network; machines whose address is written down are still called.",
    (Check.FIREWALL, Level.GOOD): "No firewall of this machine keeps others' calls away.",
    (Check.FIREWALL, None): "A firewall of this machine keeps others' calls away. Let UDP port "
    "{number} in, or others cannot be found.",
    (Check.HEARD, Level.GOOD): "{number} machines of your desk were heard lately.",
    (Check.HEARD, None): "No machine of your desk was heard lately. Some networks keep their users "
    "apart: try another, or `meshnews look`.",
    (Check.SWAP, Level.GOOD): "No memory is written to a readable swap.",
    (Check.SWAP, None): "Memory may be written, readable, to the swap {name}. Turn it off with "
    "`swapoff`, or encrypt it.",
    (Check.SERVICE, Level.GOOD): "The daemon is a service: it comes back after a power cut.",
    (Check.SERVICE, None): "The daemon was started by hand and does not come back after a power "
    "cut. Make it a service of systemd.",
    (Check.ISSUER, Level.GOOD): "You can make cards until {day}.",
    (Check.ISSUER, Level.WARNING): "You can make cards only until {day}. Let the root renew your "
    "desk's list of editors before.",
    (Check.ISSUER, None): "The key with which you make postage ended on {day}: no card can be made "
    "or refreshed. Let the root renew your desk's list of editors.",
}
