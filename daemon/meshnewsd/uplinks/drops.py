"""Which kinds of dead drops there are, and who goes to one again and again.

    untried --> visiting --all done--> visited --every_s-->  visiting
                   |  by no way                                 ^
                   +----------> failed --20 s-------------------+

A drop is called as collectors are: without a proxy if that is allowed, and through each
proxy; the way that led there last comes first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import urlsplit

import trio

from meshnews.crypto.entropy import Entropy, between
from meshnews.node.event import Trouble
from meshnews.node.links.route import ONION
from meshnewsd.config import Config, DropPlace
from meshnewsd.platform.logs import Log
from meshnewsd.uplinks.drop import Asking, DropLost, DropService, Visitor

AFTER_LOST_S: Final = 20.0
"""How soon a drop that was not reached is tried again."""

_log = Log("drop")


class MakeService(Protocol):
    """Makes the client of a file service."""

    def __call__(self, place: DropPlace, *, proxy: str) -> DropService:
        """Return a client that calls by this proxy alone; empty: by none."""
        ...


def _webdav(place: DropPlace, *, proxy: str) -> DropService:
    # Only who has a drop pays for a client of HTTP.
    from meshnewsd.uplinks.webdav import WebDavService  # noqa: PLC0415  see above

    return WebDavService(place.url, user=place.user, password=place.password, proxy=proxy)


def _s3(place: DropPlace, *, proxy: str) -> DropService:
    from meshnewsd.uplinks.s3 import S3Service  # noqa: PLC0415  see above

    return S3Service(
        place.url,
        access_key=place.user,
        secret=place.password,
        region=place.region,
        proxy=proxy,
    )


DROPS: Final[Mapping[str, MakeService]] = MappingProxyType({"webdav": _webdav, "s3": _s3})


@dataclass(frozen=True, slots=True)
class Standing:
    """How one drop fares.  Times are in seconds of the node's life (`Moment.lived_s`).

    Attributes:
        place: which one.
        is_visiting: somebody is there now.
        proxy: by which it was last called; empty: by none.
        trouble: why the last visit was not done; None: it was, or there was none.
        visited_s: when a visit was last done whole.
        proven_s: when a receipt was last found there; at a collector, a bundle.
        objects, read, written: see `Haul`; of the last visit that was done whole.
    """

    place: DropPlace
    is_visiting: bool = False
    proxy: str = ""
    trouble: Trouble | None = None
    visited_s: float | None = None
    proven_s: float | None = None
    objects: int = 0
    read: int = 0
    written: int = 0


Standings = Callable[[], Sequence[Standing]]


def ways_to(place: DropPlace, config: Config) -> list[str]:
    """Return the proxies by which a drop may be called; an empty one stands for none.

    Raises:
        Nothing.
    """
    host = urlsplit(place.url).hostname or ""
    is_direct = config.direct and not host.endswith(ONION)
    return [*([""] if is_direct else []), *config.proxies]


class DropKeeper:
    """Visits one drop, at times that are not the same from day to day.

    Args:
        place: which one.
        ways: see `ways_to`.
        asker: the way to the node.
        entropy: for the times.
        make: makes a client of such a service.

    Attributes:
        standing: how it fares.
    """

    def __init__(
        self,
        place: DropPlace,
        ways: Sequence[str],
        asker: Asking,
        entropy: Entropy,
        make: MakeService | None = None,
    ) -> None:
        self.standing = Standing(place)
        self._ways = list(ways)
        self._asker = asker
        self._entropy = entropy
        self._make = make or DROPS[place.kind]

    async def run(self) -> None:
        """Visit until cancelled."""
        services = {way: self._make(self.standing.place, proxy=way) for way in self._ways}
        try:
            while True:
                every_s = self.standing.place.every_s
                if not await self._visit_by_any(services):
                    every_s = min(every_s, AFTER_LOST_S)
                await trio.sleep(between(self._entropy, 0.5, 1.0) * every_s)
        finally:
            with trio.move_on_after(1, shield=True):
                for service in services.values():
                    await service.aclose()

    async def _visit_by_any(self, services: Mapping[str, DropService]) -> bool:
        """Go there by the first way that leads there; tell whether one did."""
        self.standing = replace(self.standing, is_visiting=True, trouble=Trouble.NO_NETWORK)
        for way in list(self._ways):
            self.standing = replace(self.standing, proxy=way)
            if await self._visit(services[way]):
                self._ways.remove(way)
                self._ways.insert(0, way)
                return True
        self.standing = replace(self.standing, is_visiting=False)
        return False

    async def _visit(self, service: DropService) -> bool:
        visitor, haul = Visitor(service, self._asker, self.standing.place.url), None
        try:
            await visitor.visit()
            haul = visitor.haul
            _log.info("visited", objects=haul.objects, read=haul.read, written=haul.written)
        except DropLost as exc:
            _log.info("drop not reached", cause=exc, proxy=self.standing.proxy)
            self.standing = replace(self.standing, trouble=exc.trouble)
        now_s = await self._asker.ask(lambda node: node.home.moment.lived_s)
        if visitor.haul.is_proof:
            self.standing = replace(self.standing, proven_s=now_s)
        if haul is None:
            return False
        self.standing = replace(
            self.standing,
            is_visiting=False,
            trouble=None,
            visited_s=now_s,
            objects=haul.objects,
            read=haul.read,
            written=haul.written,
        )
        return True
