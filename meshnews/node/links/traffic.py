"""What is under way on the links of a node, as far as this side of each knows.

Neither side of a link knows what it will want before all is compared (docs/protocol/sync.md,
"Comparison"), so these are amounts that are still to come, never parts of a total.
"""

from dataclasses import dataclass

from meshnews.ids import LinkId
from meshnews.node.links.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is still to cross one link.

    Attributes:
        to_send: about how many bytes the neighbour has asked for and was not sent yet.
        to_receive: how many bytes it has that are lacking here, at most: what another link
            brings in the meantime is not taken off at once.
        compared: all is compared, so that more comes only as news.
    """

    to_send: int = 0
    to_receive: int = 0
    compared: bool = False


def traffic(switchboard: Switchboard) -> dict[LinkId, Traffic]:
    """Return what is under way with each neighbour in contact."""
    under_way = {}
    for conversation in switchboard.talks.talking():
        talk = conversation.machine.talk if conversation.machine is not None else None
        under_way[conversation.link] = (
            Traffic()
            if talk is None
            else Traffic(talk.giver.waiting_bytes, talk.taker.wanted_bytes, talk.in_sync)
        )
    return under_way
