"""Short beacons on Bluetooth: shows ours, hears those of others.

Everything that BlueZ is asked happens in a thread of asyncio (`Airtime`), made
afresh for each life of bluetoothd; what it hears comes over in one hop.  Without
an adapter, or without BlueZ, this says so once and waits.
See docs/bluetooth.md.
"""

import functools
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import trio

from meshnews.node.event import Address, Heard
from meshnewsd.discovery.advert import undress
from meshnewsd.discovery.airtime import Airtime, Fares, Habits, Wish
from meshnewsd.discovery.bluez import FAULTS
from meshnewsd.discovery.interface import Health, Hear, Radio, Shown
from meshnewsd.platform.asyncio_thread import AsyncioThread
from meshnewsd.platform.battery import percent_left
from meshnewsd.platform.l2cap import is_address
from meshnewsd.platform.logs import Log

HEARD_AGAIN_S: Final = 60.0
"""A beacon from the same address within this time is the same news: shops repeat theirs all day."""

HEARD_REMEMBERED_MAX: Final = 512
HEARD_PER_S_MAX: Final = 8
"""Beacons never heard before in one second; each costs the node a hash per key and more."""

BATTERY_POLL_S: Final = 60.0
AGAIN_S: Final = (1.0, 30.0)
"""How soon BlueZ is looked for again after it went, at first and at last."""

_log = Log("bluetooth")


class BluetoothFinder:
    """Meets `meshnewsd.discovery.interface.Finder`.

    Args:
        habits: how much of the air is used.
        hear: told what was heard.
        battery_min: percentage below which nothing is sent and nobody listened to.
        read_battery: tells the percentage that is left.
    """

    name = "bluetooth"

    def __init__(
        self,
        *,
        habits: Habits,
        hear: Hear,
        battery_min: int = 0,
        read_battery: Callable[[], int] = percent_left,
    ) -> None:
        self._habits = habits
        self._hear = hear
        self._battery_min = battery_min
        self._read_battery = read_battery
        self._shown = Shown()
        self._is_spared = False
        self._fares: Fares | None = None
        self._wish_changed: Callable[[Wish], object] = lambda _: None

    def show(self, shown: Shown) -> None:
        """Show these from now on; see the protocol."""
        before, self._shown = self._shown, shown
        if shown != before:
            self._wish_changed(self._wish)

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None:
        """Do nothing: what is shown is on the air all the time."""

    @property
    def health(self) -> Health:
        """How Bluetooth fares; see the protocol."""
        fares = self._fares or Fares(Radio.NO_SERVICE)
        radio = Radio.SPARED if self._is_spared else fares.radio
        return Health(radio=radio, adapters=fares.adapters)

    @property
    def _wish(self) -> Wish:
        shown = self._shown
        is_asking = bool(shown.short or shown.seeks)
        return Wish(shown.short, is_asking=is_asking, is_spared=self._is_spared)

    async def run(self) -> None:
        """Show and listen until cancelled, as far as there is Bluetooth; see the protocol."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_battery)
            again_s, last_s = AGAIN_S
            while True:
                began_s = trio.current_time()
                await self._live()
                if trio.current_time() > began_s + last_s:
                    again_s = AGAIN_S[0]
                await trio.sleep(again_s)
                again_s = min(again_s * 2, last_s)

    async def _live(self) -> None:
        """Go through one life of bluetoothd; return when it has gone, or is not there."""
        async with AsyncioThread() as thread:
            news = _Filter()
            airtime = Airtime(
                self._habits,
                advertised=functools.partial(self._advertised, thread, news),
                tell=lambda fares: thread.tell_trio(functools.partial(self._note, fares)),
            )

            def change(wish: Wish) -> None:
                # What meant nothing under the keys of before may mean something now.
                thread.tell(news.clear)
                thread.tell(functools.partial(airtime.wish, wish))

            self._wish_changed = change
            self._wish_changed(self._wish)
            try:
                await thread.run(airtime.run)
            except FAULTS as exc:
                _log.debug("BlueZ is out of reach", cause=exc)
            finally:
                self._wish_changed = lambda _: None

    def _note(self, fares: Fares) -> None:
        if self._fares is None or fares.radio is not self._fares.radio:
            _log.info("bluetooth", state=fares.radio)
        self._fares = fares

    def _advertised(
        self,
        thread: AsyncioThread,
        news: "_Filter",
        address: str,
        kind: str,
        content: Mapping[int, bytes],
    ) -> None:
        """Pass on what may be a beacon, and is news.  Called in the thread of asyncio.

        It is sifted there: in a crowd, or a flood, nearly all of it goes no further.
        """
        place = address.lower().replace(":", ".")
        if kind not in {"public", "random"} or not is_address(place):
            return
        for beacon in undress(content):
            heard = Heard(beacon, (Address("bluetooth", f"{kind}.{place}:0"),))
            if news.lets_pass(heard, time.monotonic()):
                thread.tell_trio(functools.partial(self._heard, heard))

    def _heard(self, heard: Heard) -> None:
        if heard.beacon not in self._shown.short:
            _log.debug("heard", address=heard.addresses[0])
            self._hear(heard)

    async def _watch_battery(self) -> None:
        while True:
            spared = self._read_battery() < self._battery_min
            if spared is not self._is_spared:
                _log.info("battery low" if spared else "battery well")
                self._is_spared = spared
                self._wish_changed(self._wish)
            await trio.sleep(BATTERY_POLL_S)


class _Filter:
    """Lets each piece of news pass once in a while, and not too much at once."""

    def __init__(self) -> None:
        self._seen_s: OrderedDict[Heard, float] = OrderedDict()
        self._second = -1
        self._count = 0

    def clear(self) -> None:
        """Forget what was heard."""
        self._seen_s.clear()

    def lets_pass(self, heard: Heard, now_s: float) -> bool:
        """Tell whether this is news."""
        if now_s < self._seen_s.get(heard, -math.inf) + HEARD_AGAIN_S:
            return False
        if math.floor(now_s) != self._second:
            self._second, self._count = math.floor(now_s), 0
        self._count += 1
        if self._count > HEARD_PER_S_MAX:
            return False
        self._seen_s.pop(heard, None)
        self._seen_s[heard] = now_s
        if len(self._seen_s) > HEARD_REMEMBERED_MAX:
            self._seen_s.popitem(last=False)
        return True
