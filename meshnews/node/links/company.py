"""Where the links of a machine lead, and how many of them count.

One hostile member may call us as often as it likes, show as many beacons as it
likes, and take as many calls.  So what is counted is places rather than links,
and of those who called us at most half of what is wanted: the other half is of
our own choosing.  See docs/protocol/discovery.md and docs/decisions/0047.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshnews.node.event import Address

_OWN_HOSTS = ("127.", "[::1]", "localhost")


def place_of(address: Address) -> str:
    """Return what all streams to or from one machine share: its host, whatever the port.

    Programs of this machine are each a place of their own: nobody else can come from there.
    """
    host, _, _ = address.where.rpartition(":")
    if not host or host.startswith(_OWN_HOSTS):
        return f"{address.transport} {address.where}"
    return f"{address.transport} {host}"


@dataclass(frozen=True, slots=True)
class Company:
    """The places that the links of a machine lead to.

    Attributes:
        called: where it called, once for each link or call under way.
        callers: from where it was called, once for each link.
    """

    called: Sequence[str] = ()
    callers: Sequence[str] = ()

    def is_enough(self, enough: int) -> bool:
        """Tell whether these lead to `enough` places, whatever one more may be."""
        called = set(self.called)
        callers = set(self.callers) - called
        return len(called) + min(len(callers), enough // 2) >= enough

    def wants(self, places: Iterable[str], enough: int) -> bool:
        """Tell whether a call to one of `places` helps to have `enough` links."""
        if len(self.called) + min(len(self.callers), enough // 2) < enough:
            return True
        return not self.is_enough(enough) and any(not self.links_at(each) for each in places)

    def links_at(self, place: str) -> int:
        """Return how many links lead to one place."""
        return self.called.count(place) + self.callers.count(place)
