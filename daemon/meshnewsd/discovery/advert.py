"""Short beacons in Bluetooth adverts: how they look on the air, and when each is there.

    ibeacon    0x004C: 02 15 ‖ beacon (20) ‖ power (1)      the layout of beacons in shops
    plain      0xFFFF: beacon (20)                          the company that tests are made under

Both are manufacturer data; there is no name, no flag and no service beside them.

    silent --something to show--> up --UP--> gap --GAP--> up, with what is to be shown then
       ^---- nothing to show -----+-----------+

With privacy on, the controller's address changes a quarter of an hour after it was
made.  A beacon that changed at another moment would tie one address to the next, so
beacons are down while the address changes: up for somewhat less than that, then
down for long enough that the next ones are shown under the next address.
See docs/bluetooth.md and docs/decisions/0151.
"""

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from meshnews.link.short_beacon import SHORT_BEACON_BYTES

APPLE: Final = 0x004C
TESTS: Final = 0xFFFF
_SHOP: Final = b"\x02\x15"
_POWER: Final = b"\xc5"
"""What the layout says of the power a metre away: -59 dBm, as most have it."""

_MANUFACTURER_DATA: Final = 0xFF

MARGIN_S: Final = 5.0
"""By how much a beacon goes before the address changes, and comes after it."""


class Shape(enum.StrEnum):
    """How a short beacon looks on the air."""

    IBEACON = "ibeacon"
    PLAIN = "plain"


PATTERNS: Final = (
    (0, _MANUFACTURER_DATA, APPLE.to_bytes(2, "little") + _SHOP),
    (0, _MANUFACTURER_DATA, TESTS.to_bytes(2, "little")),
)
"""What a controller that only listens is to wake us for: position, type, bytes."""


def dress(beacon: bytes, shape: Shape) -> tuple[int, bytes]:
    """Return the company and the manufacturer data that carry a short beacon."""
    assert len(beacon) == SHORT_BEACON_BYTES, "a short beacon"
    if shape is Shape.IBEACON:
        return APPLE, _SHOP + beacon + _POWER
    return TESTS, beacon


def undress(manufacturer_data: Mapping[int, bytes]) -> Iterator[bytes]:
    """Yield what may be short beacons in an advert: never anything but 20 bytes."""
    shop = manufacturer_data.get(APPLE, b"")
    if len(shop) == len(_SHOP) + SHORT_BEACON_BYTES + 1 and shop.startswith(_SHOP):
        yield bytes(shop[len(_SHOP) : -1])
    plain = manufacturer_data.get(TESTS, b"")
    if len(plain) == SHORT_BEACON_BYTES:
        yield bytes(plain)


class Change(NamedTuple):
    """What to take off the air, and then what to put there."""

    down: tuple[bytes, ...] = ()
    up: tuple[bytes, ...] = ()


class Timetable:
    """Which beacons are on the air when.

    Args:
        address_s: how long the controller keeps an address.
    """

    def __init__(self, address_s: float) -> None:
        self._address_s = address_s
        self._shown: tuple[bytes, ...] = ()
        self._up: tuple[bytes, ...] = ()
        # The address is made between these two: the first beacon is to go up, and it is up.
        self._began_s = self._made_s = -math.inf
        self._is_made = False

    @property
    def up(self) -> tuple[bytes, ...]:
        """What is on the air."""
        return self._up

    def show(self, beacons: Iterable[bytes]) -> None:
        """Want these on the air from now on."""
        self._shown = tuple(beacons)

    def forget(self) -> None:
        """Take note that nothing of ours is on the air any more, and begin afresh."""
        self._up, self._began_s, self._made_s = (), -math.inf, -math.inf

    def step(self, now_s: float) -> Change:
        """Return what is to be done now; it is taken to be done, and `went_up` says by when."""
        if now_s >= self._made_s + self._address_s + MARGIN_S:
            self._began_s = -math.inf
        if not self._shown:
            wanted: tuple[bytes, ...] = ()
        elif now_s < self._began_s + self._address_s - MARGIN_S:
            # All others than before: an epoch ended, and those of before are good yet.
            kept = set(self._up) & set(self._shown)
            wanted = self._shown if kept or not self._up else self._up
        else:
            wanted = () if math.isfinite(self._began_s) else self._shown
        if wanted and not math.isfinite(self._began_s):
            self._began_s = self._made_s = now_s
            self._is_made = False
        before, self._up = self._up, wanted
        return Change(
            down=tuple(one for one in before if one not in wanted),
            up=tuple(one for one in wanted if one not in before),
        )

    def went_up(self, now_s: float) -> None:
        """Take note that what `step` let up is on the air: the address may be as young as that."""
        if not self._is_made:
            self._made_s, self._is_made = now_s, True

    @property
    def due_s(self) -> float:
        """When `step` has something to do, unless `show` is called before."""
        if not math.isfinite(self._began_s):
            return math.inf
        if self._up:
            return self._began_s + self._address_s - MARGIN_S
        return self._made_s + self._address_s + MARGIN_S
