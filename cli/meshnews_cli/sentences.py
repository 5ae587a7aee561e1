"""What the facts of a daemon mean, said to a person.  Those of the doctor are in `findings`."""

from typing import Final

from meshnews.control.fact import (
    Alarm,
    DispatchState,
    DispatchStatus,
    FilingWarning,
    InboxItem,
    ItemKind,
    NeighbourKind,
    Verdict,
    Visibility,
)
from meshnews_cli.terminal import count, moment

HOME_RECALLED: Final = (
    "The desk has recalled this home: what was filed from it and not opened yet is not believed."
)

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

_NO_CARD: Final = "UNPROVEN: no card of this desk is known for it."

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
    is_strange = item.verdict is Verdict.UNPROVEN and not item.byline
    parts.append(_NO_CARD if is_strange else SHORT_VERDICTS[item.verdict])
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


def offer_of(visibility: Visibility, *, usual: Visibility) -> str:
    """Say what a degree of visibility would mean for a home of which another one is usual."""
    match visibility:
        case Visibility.OPEN:
            return "Everybody on a network can see that this machine is there; your desk finds it."
        case Visibility.VEILED:
            return "Who knows this program can see that somebody runs it; your desk finds it."
        case Visibility.SILENT if usual is Visibility.SILENT:
            return (
                "Nobody notices it and nobody calls it, but on networks that you trust and while "
                "you look for colleagues, where it is veiled. It calls relays that it hears."
            )
        case Visibility.SILENT:
            return "Nobody notices it and nobody calls it. It calls others that it hears."
