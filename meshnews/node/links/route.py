"""Ways to a collector on the internet, and what is known of each.

    idle --called--> calling --stream open--> shaking --the collector answered--> linked
     ^                 | trouble                 | trouble                          |
     +-----------------+-------------------------+----------------------------------+

A route is *proven* by receipts that come back through it, and by nothing else: a
machine that takes bundles may be throwing them away.  One that has taken some
and brought no receipt for a while is *suspect*.  See docs/protocol/uplinks.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.desk.bulletin import Endpoint, EndpointKind
from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Address, Trouble
from meshnews.node.links.target import Target

DIRECT_S: Final = 8.0
TLS_S: Final = 16.0
PROXY_S: Final = 40.0
"""How long opening a stream may take: each driver gives up its own steps sooner."""

ONION: Final = ".onion"
"""Names that only a proxy can resolve (RFC 7686)."""

NO_NAME: Final = "-"


@dataclass(eq=False)
class Route:
    """One way to one collector.

    Attributes:
        relay: the collector's keys.
        address: where, and by which driver.
        within_s: how long opening a stream may take.
        attempt, link: the call, or the stream, that there is now.
        linked_s: since when the collector has been answering on it.
        tried_s: when it was last called.
        trouble: why the last call led to nobody; None: it did, or there was none.
        proven_s: when a receipt last came back through it.
        former, turn: secrets that it may still be called by, and which of all comes next.
        taken_s: since when it has been taking bundles without bringing a receipt.
    """

    relay: RelayKeys
    address: Address
    within_s: float
    attempt: int | None = None
    link: LinkId | None = None
    linked_s: float | None = None
    tried_s: float | None = None
    trouble: Trouble | None = None
    proven_s: float | None = None
    taken_s: float | None = None
    former: tuple[Rendezvous, ...] = ()
    turn: int = 0

    @property
    def is_idle(self) -> bool:
        """Neither linked nor being called."""
        return self.attempt is None and self.link is None

    @property
    def target(self) -> Target:
        """Whom a stream over it is for."""
        rendezvous = Rendezvous.at_relay(self.relay.beacon_key)
        return Target(
            self.relay.static,
            rendezvous,
            self.relay,
            former=self.former,
            turn=self.turn,
            reached=self.address,
        )

    def is_suspect(self, now_s: float, patience_s: float) -> bool:
        """Tell whether it has been taking bundles for too long without bringing a receipt."""
        return self.taken_s is not None and now_s >= self.taken_s + patience_s


def addresses_of(
    relay: bytes, endpoints: Iterable[Endpoint], proxies: Sequence[str], *, is_direct: bool = True
) -> Iterator[tuple[Address, float]]:
    """Yield where a collector can be called, and how long that may take, in the desk's order.

    What leads there through a proxy comes after what needs none, endpoint by endpoint.
    An endpoint that this version knows no driver for is left out.

    Raises:
        Nothing.
    """
    for endpoint in endpoints:
        if not relay.startswith(endpoint.relay):
            continue
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        for port in endpoint.ports:
            yield from _ways(endpoint, f"{host}:{port}", proxies, is_direct=is_direct)


def _ways(
    endpoint: Endpoint, place: str, proxies: Sequence[str], *, is_direct: bool
) -> Iterator[tuple[Address, float]]:
    if endpoint.kind == EndpointKind.TCP:
        direct, through, within_s = "direct", "socks", DIRECT_S
    elif endpoint.kind == EndpointKind.TLS and endpoint.pin:
        direct, through, within_s = "tls", "socks-tls", TLS_S
        place = f"{place} {endpoint.pin.hex()} {endpoint.name or NO_NAME}"
    else:
        return
    if is_direct and not endpoint.host.endswith(ONION):
        yield Address(direct, place), within_s
    for proxy in proxies:
        yield Address(through, f"{proxy} {place}"), PROXY_S
