"""What is done with Bluetooth's air, and when: adverts by timetable, scans in turns.

    survey --no adapter, powered off, …--> wait for a change --> survey
       |
       +--an adapter--> show and scan --it goes, another is powered, …--> survey

Lives in the asyncio thread, for one life of bluetoothd.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from meshnewsd.discovery.advert import Shape, Timetable, dress
from meshnewsd.discovery.bluez import (
    CALL_S_MAX,
    FAULTS,
    Advertised,
    Bluez,
    BluezAdapter,
    Refused,
    make_scanner,
)
from meshnewsd.discovery.interface import Radio
from meshnewsd.platform.logs import Log

ADVERTS_MAX: Final = 4
"""Adverts at once: what nearly every controller carries, and an invitation or two besides ours."""

FAILED_S: Final = 2.0
"""How long to wait before something that failed on an adapter is tried again."""

EAGER_S: Final = 60.0
"""Scans know no pause for so long after power-on, and when somebody wants to be found."""


_log = Log("bluetooth")


@dataclass(frozen=True, slots=True)
class Habits:
    """How much of the air is used.

    Attributes:
        adapter: the only adapter to use; empty: the first that is powered.
        alias: what the adapter is called once something was shown on it.
        shape: of the adverts.
        address_s: how long a controller keeps an address.
        scan_s, pause_s: for how long to listen, and not to listen, in turns.
        is_silent: nothing is ever sent, not even to ask who is there.
        survey_s: how soon a BlueZ that had nothing for us is asked again, though it told of no
            change: that it may talk to us now, or is not stuck any more, is told by nobody.
    """

    adapter: str = ""
    alias: str = "Bluetooth"
    shape: Shape = Shape.PLAIN
    address_s: float = 900.0
    scan_s: float = 5.0
    pause_s: float = 10.0
    is_silent: bool = False
    survey_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Fares:
    """How the air fares.

    Attributes:
        radio: the state of it.
        adapters: what may be used, by name; with `Radio.ON` the first is.
    """

    radio: Radio
    adapters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of the air.

    Attributes:
        beacons: the short beacons to show.
        is_asking: somebody wants to find or be found, so that scans may send.
        is_spared: there is too little power to do anything.
    """

    beacons: tuple[bytes, ...] = ()
    is_asking: bool = False
    is_spared: bool = False


class Airtime:
    """Does what is wished with whatever adapter there is.

    Args:
        habits: how much of the air is used.
        advertised: told of every advert that is heard.
        tell: told how it fares, whenever that may have changed.
    """

    def __init__(
        self, habits: Habits, *, advertised: Advertised, tell: Callable[[Fares], object]
    ) -> None:
        self._habits = habits
        self._advertised = advertised
        self._told = tell
        self._adapters: tuple[str, ...] = ()
        self._wish = Wish()
        self._wished = asyncio.Event()
        self._timetable = Timetable(habits.address_s)
        self._names: dict[bytes, str] = {}
        self._named = 0
        self._eager_until_s = -math.inf

    def wish(self, wish: Wish) -> None:
        """Want this from now on."""
        if wish.is_asking and not self._wish.is_asking:
            self._eager_until_s = _now() + EAGER_S
        self._wish = wish
        self._timetable.show(() if wish.is_spared else wish.beacons[:ADVERTS_MAX])
        self._wished.set()

    async def run(self) -> None:
        """Do what is wished until bluetoothd or the bus has gone.

        Raises:
            OSError, EOFError, TimeoutError, Refused: there is no bus, or it does not let us in.
        """
        try:
            bluez = await Bluez.open()
        except FAULTS as exc:
            self._tell(_fares(exc))
            raise
        try:
            await _race(bluez.ended.wait(), self._follow(bluez))
        finally:
            bluez.close()

    async def _follow(self, bluez: Bluez) -> None:
        while True:
            adapter, fares = await self._survey(bluez)
            self._tell(fares)
            if adapter is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._habits.survey_s):
                        await bluez.adapters_changed.wait()
            else:
                await _race(bluez.adapters_changed.wait(), self._serve(bluez, adapter))

    async def _survey(self, bluez: Bluez) -> tuple[BluezAdapter | None, Radio]:
        """Return the adapter to use, and how we fare."""
        self._adapters = ()
        if not bluez.is_running:
            return None, Radio.NO_SERVICE
        try:
            found = await bluez.adapters()
        except FAULTS as exc:
            return None, _fares(exc)
        usable = [each for each in found if self._habits.adapter in {"", each.name}]
        # The kernel's order, which the streams follow too: hci10 comes after hci2.
        usable.sort(key=lambda each: (not each.is_powered, len(each.name), each.name))
        self._adapters = tuple(each.name for each in usable)
        if not usable:
            return None, Radio.ABSENT
        return (usable[0], Radio.ON) if usable[0].is_powered else (None, Radio.OFF)

    def _tell(self, radio: Radio) -> None:
        self._told(Fares(radio, self._adapters))

    async def _serve(self, bluez: Bluez, adapter: BluezAdapter) -> None:
        self._eager_until_s = _now() + EAGER_S
        await _race(self._show(bluez, adapter), self._scan(adapter))

    # Showing ------------------------------------------------------------------

    async def _show(self, bluez: Bluez, adapter: BluezAdapter) -> None:
        """Keep on the air what the timetable says."""
        try:
            while True:
                self._wished.clear()
                try:
                    await self._change(bluez, adapter)
                except FAULTS as exc:
                    _log.debug("cannot show", cause=exc)
                    self._tell(_fares(exc))
                    await self._clear(bluez, adapter)
                    await asyncio.sleep(FAILED_S)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(_finite(self._timetable.due_s)):
                        await self._wished.wait()
        finally:
            await self._clear(bluez, adapter)

    async def _change(self, bluez: Bluez, adapter: BluezAdapter) -> None:
        change = self._timetable.step(_now())
        for beacon in change.down:
            await bluez.withdraw(adapter, self._names.pop(beacon))
        if change.up and adapter.alias != self._habits.alias:
            await bluez.rename(adapter, self._habits.alias)
        for beacon in change.up:
            self._named += 1
            name = self._names[beacon] = f"advert{self._named}"
            company, content = dress(beacon, self._habits.shape)
            await bluez.show(adapter, name, company=company, content=content)
        if change.up:
            self._timetable.went_up(_now())
            self._tell(Radio.ON)

    async def _clear(self, bluez: Bluez, adapter: BluezAdapter) -> None:
        """Take everything off the air, as far as there is still somebody to ask."""
        self._timetable.forget()
        names, self._names = tuple(self._names.values()), {}
        for name in names:
            with contextlib.suppress(*FAULTS):
                await bluez.withdraw(adapter, name)

    # Listening ----------------------------------------------------------------

    async def _scan(self, adapter: BluezAdapter) -> None:
        """Listen in turns."""
        while True:
            sends = self._sends(adapter)
            if sends is None:
                await asyncio.sleep(self._habits.pause_s)
                continue
            scanner = make_scanner(adapter, self._advertised, sends=sends)
            try:
                async with asyncio.timeout(CALL_S_MAX):
                    await scanner.start()
            except FAULTS as exc:
                _log.debug("cannot scan", cause=exc)
                await asyncio.sleep(FAILED_S)
                continue
            _log.debug("scanning", sends=sends)
            try:
                await self._listen(adapter, sends=sends)
            finally:
                with contextlib.suppress(*FAULTS):
                    async with asyncio.timeout(CALL_S_MAX):
                        await scanner.stop()
            await asyncio.sleep(self._habits.pause_s)

    async def _listen(self, adapter: BluezAdapter, *, sends: bool) -> None:
        """Return when a scan is to pause."""
        is_eager = True
        while is_eager:
            await asyncio.sleep(self._habits.scan_s)
            is_eager = _now() < self._eager_until_s and self._sends(adapter) is sends

    def _sends(self, adapter: BluezAdapter) -> bool | None:
        """Return whether a scan is to ask or only to listen; None: there is to be none."""
        if self._wish.is_spared:
            return None
        if adapter.can_listen:
            return False
        return True if self._wish.is_asking and not self._habits.is_silent else None


async def _race(*runners: Coroutine[Any, Any, object]) -> None:
    """Run all until the first ends; when this ends, so have the others.

    Raises:
        What the first raised.
    """
    tasks = [asyncio.ensure_future(runner) for runner in runners]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _fares(fault: BaseException) -> Radio:
    if isinstance(fault, Refused):
        return Radio.DENIED if fault.is_denied else Radio.FAILING
    return Radio.NO_SERVICE


def _now() -> float:
    return asyncio.get_running_loop().time()


def _finite(at_s: float) -> float | None:
    return at_s if math.isfinite(at_s) else None
