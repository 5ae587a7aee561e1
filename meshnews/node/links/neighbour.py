"""Who is in contact with a node now, as far as it can tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from meshnews.ids import LinkId
from meshnews.node.links.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who is near, as far as this node can tell."""

    link: LinkId
    carrier: str
    called: bool
    relay: bytes
    """Static key of the relay that we called; empty: we do not know who it is."""
    collector: bool
    is_watched: bool
    """It answered to a beacon key that was replaced since: it has not heard of the new one."""
    since_s: int
    sent: int
    received: int


def neighbours_of(talks: Iterable[Conversation], now_s: float) -> list[Neighbour]:
    """Return who is at the other ends of these conversations, the longest first.

    Raises:
        Nothing.
    """
    return [
        Neighbour(
            link=talk.link,
            carrier=talk.carrier.value,
            called=talk.target is not None,
            relay=relay_of(talk),
            collector=talk.is_at_collector,
            is_watched=talk.is_watched,
            since_s=int(now_s - talk.talking_since_s),
            sent=talk.sent,
            received=talk.received,
        )
        for talk in sorted(talks, key=lambda talk: talk.talking_since_s)
    ]


def relay_of(talk: Conversation) -> bytes:
    """Return the static key of the relay that we called; nothing if it is none, or it called us.

    Raises:
        Nothing.
    """
    if talk.target is None or talk.target.relay is None:
        return b""
    return talk.target.relay.static
