"""Which kinds of dead drops there are, and the task that visits one."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import trio

from meshnews.crypto.entropy import Entropy, between
from meshnewsd.config import DropPlace
from meshnewsd.platform.logs import Log
from meshnewsd.uplinks.drop import Asking, DropLost, DropService, Visitor

AFTER_LOST_S: Final = 20.0
"""How soon a drop that was not reached is tried again."""

_log = Log("drop")


def _webdav(place: DropPlace) -> DropService:
    # Only who has a drop pays for a client of HTTP.
    from meshnewsd.uplinks.webdav import WebDavService  # noqa: PLC0415  see above

    return WebDavService(place.url, user=place.user, password=place.password)


def _s3(place: DropPlace) -> DropService:
    from meshnewsd.uplinks.s3 import S3Service  # noqa: PLC0415  see above

    return S3Service(place.url, access_key=place.user, secret=place.password, region=place.region)


DROPS: Final[Mapping[str, Callable[[DropPlace], DropService]]] = MappingProxyType(
    {"webdav": _webdav, "s3": _s3}
)


async def keep_visiting(place: DropPlace, asker: Asking, entropy: Entropy) -> None:
    """Visit a drop again and again, at times that are not the same from day to day."""
    service = DROPS[place.kind](place)
    visitor = Visitor(service, asker)
    try:
        while True:
            every_s = place.every_s
            try:
                plan = await visitor.visit()
                _log.info("visited", gets=len(plan.gets), puts=len(plan.puts))
            except DropLost as exc:
                _log.info("drop not reached", cause=exc)
                every_s = min(every_s, AFTER_LOST_S)
            await trio.sleep(between(entropy, 0.5, 1.0) * every_s)
    finally:
        with trio.move_on_after(1, shield=True):
            await service.aclose()
