"""A finder with the real bleak, and what it heard: for tests beside a BlueZ that is not one."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import trio

from meshnews.node.event import Address, Heard
from meshnewsd.discovery.airtime import Habits
from meshnewsd.discovery.bluetooth import BluetoothFinder
from meshnewsd.discovery.interface import Radio, Shown
from tests.bluetooth.fake_bluez import FakeBluez

OURS, OURS_TOO, THEIRS = b"o" * 20, b"2" * 20, b"t" * 20
ADDRESS = "C4:1F:00:11:22:33"
WHERE = Address("bluetooth", "random.c4.1f.00.11.22.33:0")
HABITS = Habits(scan_s=0.05, pause_s=0.05, survey_s=0.2)
LOUD = Shown(short=(OURS,))


@dataclass
class Ear:
    """A finder, and what it heard."""

    habits: Habits = HABITS
    battery: list[int] = field(default_factory=lambda: [100])
    heard: list[Heard] = field(default_factory=list)
    finder: BluetoothFinder = field(init=False)

    def __post_init__(self) -> None:
        self.finder = BluetoothFinder(
            habits=self.habits,
            hear=self.heard.append,
            battery_min=20,
            read_battery=lambda: self.battery[-1],
        )

    @property
    def radio(self) -> Radio | None:
        return self.finder.health.radio


@contextlib.asynccontextmanager
async def running(ear: Ear) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ear.finder.run)
        yield
        nursery.cancel_scope.cancel()


async def until(claim: Callable[[], object]) -> None:
    with trio.fail_after(8):
        while not claim():  # noqa: ASYNC110  what is waited for is in another thread
            await trio.sleep(0.02)


async def hear_until(ear: Ear, bluez: FakeBluez, company: int, content: bytes) -> None:
    """Let an advert be heard again and again, as adverts are, until it is news."""
    with trio.fail_after(8):
        while not ear.heard:
            await bluez.hear("hci0", ADDRESS, company, content)
            await trio.sleep(0.05)
