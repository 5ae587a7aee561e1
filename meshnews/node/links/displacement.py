"""Which neighbour has to go when there is one more than there may be, or one of them twice.

See docs/protocol/discovery.md and docs/decisions/0047.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from meshnews.crypto.entropy import Entropy, shuffled
from meshnews.node.links.candidates import LINKS_WANTED, RELAYS_WANTED
from meshnews.node.links.company import place_of
from meshnews.node.links.conversation import Conversation

FRESH_S: Final = 60.0
"""What a neighbour gave in this time decides whether another takes its place; and so long is
looked at who was called in addition, before one has to go."""


def displaced_by(
    newcomer: Conversation,
    others: Sequence[Conversation],
    *,
    most: int,
    now_s: float,
    luck: Entropy,
) -> Conversation | None:
    """Return who of `others` makes room for a newcomer; None: there is room for `most`.

    Who called us takes the place of one who called us too, as long as there is any; whom we
    called, besides, of those while they have more than half of the places.
    """
    if len(others) < most:
        return None
    callers = [talk for talk in others if talk.target is None]
    is_theirs = newcomer.target is None and callers
    among = callers if is_theirs or len(callers) > most // 2 else others
    return _least_useful([*others, newcomer], among, now_s - FRESH_S, luck)


def one_too_many(
    extra: Conversation, others: Sequence[Conversation], *, now_s: float, luck: Entropy
) -> Conversation | None:
    """Return whom to let go now that there is one link more than were wanted; None: there is not.

    Like goes for like: a relay we called for a relay we called, anyone else for anyone else.
    """
    alike = [talk for talk in (*others, extra) if _leads_to_relay(talk) == _leads_to_relay(extra)]
    if len(alike) <= (RELAYS_WANTED if _leads_to_relay(extra) else LINKS_WANTED):
        return None
    return _least_useful([*others, extra], alike, now_s - FRESH_S, luck)


def needless(talk: Conversation, other: Conversation) -> Conversation:
    """Return which of two streams between one pair of nodes has to go; both sides say the same.

    The faster stays; of two that are alike, the one dialled by the smaller.
    """
    if talk.is_slow != other.is_slow:
        return talk if talk.is_slow else other
    if (other.target is None) == (talk.target is None):
        return talk
    ours, theirs = (talk, other) if talk.target is not None else (other, talk)
    if ours.own_instance != theirs.own_instance:
        # Only we can tell that both lead to one machine: it would call again, and we do not.
        return ours
    return theirs if talk.own_instance < talk.instance else ours


def _leads_to_relay(talk: Conversation) -> bool:
    return talk.target is not None and talk.target.relay is not None


def _least_useful(
    links: Sequence[Conversation], among: Sequence[Conversation], since_s: float, luck: Entropy
) -> Conversation:
    """Return whom of `among` to do without, of all these `links`.

    It is who brought the least that was new and verified since `since_s`; of equals one
    where most links lead, then who brought the least since the beginning, then anyone.
    """
    crowd = Counter(_place(talk) for talk in links)
    return min(
        shuffled(luck, sorted(among, key=lambda talk: talk.link)),
        key=lambda talk: (
            talk.fresh_bytes(since_s),
            -crowd[_place(talk)],
            talk.fresh_bytes(talk.talking_since_s),
        ),
    )


def _place(talk: Conversation) -> str:
    address = talk.address if talk.target is None else talk.target.reached
    return "" if address is None else place_of(address)
