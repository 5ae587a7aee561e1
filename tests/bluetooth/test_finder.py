"""The finder, with the real bleak, on a bus of its own with a BlueZ that is not one."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from meshnews.node.event import Heard
from meshnewsd.discovery.advert import APPLE, TESTS, Shape, dress
from meshnewsd.discovery.airtime import Habits
from meshnewsd.discovery.interface import Radio, Shown
from tests.bluetooth.ear import (
    ADDRESS,
    LOUD,
    OURS,
    OURS_TOO,
    THEIRS,
    WHERE,
    Ear,
    hear_until,
    running,
    until,
)
from tests.bluetooth.fake_bluez import FakeAdapter, fake_bluez
from tests.bluetooth.private_bus import private_bus


@pytest.fixture(autouse=True)
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with private_bus(tmp_path, monkeypatch):
        yield


async def test_what_is_shown_is_on_the_air_as_those_in_shops_are_or_plain() -> None:
    for shape, company in ((Shape.IBEACON, APPLE), (Shape.PLAIN, TESTS)):
        adapter, ear = FakeAdapter("hci0"), Ear(Habits(shape=shape))
        async with fake_bluez(adapter), running(ear):
            ear.finder.show(LOUD)
            await until(functools.partial(getattr, adapter, "contents"))
            assert adapter.contents == [dict([dress(OURS, shape)])]
            assert set(adapter.contents[0]) == {company}


async def test_what_is_shown_no_more_is_off_the_air() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter), running(ear):
        ear.finder.show(Shown(short=(OURS, OURS_TOO)))
        await until(lambda: len(adapter.contents) == 2)
        ear.finder.show(LOUD)
        await until(lambda: len(adapter.contents) == 1)
        ear.finder.show(Shown())
        await until(lambda: not adapter.contents)


async def test_nothing_is_on_the_air_after_the_end() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter):
        async with running(ear):
            ear.finder.show(LOUD)
            await until(lambda: adapter.contents)
        assert adapter.contents == []


async def test_an_adapter_gets_a_name_that_says_nothing_once_something_is_shown_on_it() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter), running(ear):
        await until(lambda: ear.radio is Radio.ON)
        assert adapter.alias != "Bluetooth"
        ear.finder.show(LOUD)
        await until(lambda: adapter.contents)
        assert adapter.alias == "Bluetooth"


async def test_what_others_show_is_heard_with_where_they_are() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        for shape in Shape:
            ear.heard.clear()
            await hear_until(ear, bluez, *dress(THEIRS, shape))
            assert ear.heard[0] == Heard(THEIRS, (WHERE,))
            ear.finder.show(Shown(short=(OURS,), seeks=(bytes(48),)))


async def test_what_is_heard_again_soon_is_no_news() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))
        for _ in range(5):
            await bluez.hear("hci0", ADDRESS, *dress(THEIRS, Shape.PLAIN))
            await trio.sleep(0.05)
        assert len(ear.heard) == 1


async def test_whoever_went_long_ago_is_not_heard_again_when_a_scan_ends() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))
        await trio.sleep(1.0)
        # From now on it would be news again.
        ear.finder.show(Shown(short=(OURS,), seeks=(bytes(48),)))
        ear.heard.clear()
        for _ in range(5):
            await bluez.forget("hci0", ADDRESS)
            await trio.sleep(0.05)
        assert ear.heard == []
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))


async def test_adverts_of_another_shape_and_our_own_are_not_heard() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.scans)
        for company, content in (
            (TESTS, THEIRS + b"+"),
            (TESTS, b""),
            (APPLE, b"\x10\x05" + THEIRS),
            (0x0006, THEIRS),
            dress(OURS, Shape.PLAIN),
        ):
            await bluez.hear("hci0", ADDRESS, company, content)
        await hear_until(ear, bluez, *dress(THEIRS, Shape.IBEACON))
        assert {heard.beacon for heard in ear.heard} == {THEIRS}


async def test_who_shows_and_seeks_nothing_sends_nothing_to_listen() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter), running(ear):
        await until(lambda: ear.radio is Radio.ON)
        await trio.sleep(0.3)
        assert adapter.scans == []
        ear.finder.show(Shown(seeks=(bytes(48),)))
        await until(lambda: adapter.scans)


async def test_who_was_told_to_be_silent_never_sends_to_listen() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear(Habits(scan_s=0.05, pause_s=0.05, is_silent=True))
    async with fake_bluez(adapter), running(ear):
        ear.finder.show(Shown(seeks=(bytes(48),)))
        await until(lambda: ear.radio is Radio.ON)
        await trio.sleep(0.3)
        assert adapter.scans == []


async def test_an_adapter_that_can_listen_silently_is_let() -> None:
    adapter, ear = FakeAdapter("hci0", listens=True), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        await until(lambda: adapter.scans)
        assert set(adapter.scans) == {"passive"}
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))


async def test_without_an_adapter_it_waits_for_one() -> None:
    ear = Ear()
    async with fake_bluez() as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.ABSENT)
        adapter = FakeAdapter("hci0")
        await bluez.plug(adapter)
        await until(lambda: adapter.contents)
        await until(lambda: ear.radio is Radio.ON)


async def test_an_adapter_that_is_not_ready_at_once_is_used_when_it_is() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    adapter.is_slow = True
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.ABSENT)
        await bluez.complete("hci0")
        await until(lambda: adapter.contents)


async def test_an_adapter_that_is_pulled_out_and_plugged_in_again_is_used_again() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.contents)
        await bluez.unplug("hci0")
        await until(lambda: ear.radio is Radio.ABSENT)
        again = FakeAdapter("hci0")
        await bluez.plug(again)
        await until(lambda: again.contents)


async def test_an_adapter_that_is_powered_off_and_on_is_used_again() -> None:
    adapter, ear = FakeAdapter("hci0", powered=False), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.OFF)
        await bluez.power("hci0", on=True)
        await until(lambda: adapter.contents)
        await bluez.power("hci0", on=False)
        await until(lambda: ear.radio is Radio.OFF)
        await bluez.power("hci0", on=True)
        await until(lambda: adapter.contents)


async def test_of_two_adapters_the_powered_one_is_used() -> None:
    first, second = FakeAdapter("hci0", powered=False), FakeAdapter("hci1")
    ear = Ear()
    async with fake_bluez(first, second) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: second.contents)
        await bluez.unplug("hci1")
        await until(lambda: ear.radio is Radio.OFF)
        await bluez.power("hci0", on=True)
        await until(lambda: first.contents)


async def test_only_the_adapter_that_was_asked_for_is_used() -> None:
    first, ear = FakeAdapter("hci0"), Ear(Habits(adapter="hci1"))
    async with fake_bluez(first) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.ABSENT)
        second = FakeAdapter("hci1")
        await bluez.plug(second)
        await until(lambda: second.contents)
        assert not first.contents


async def test_without_bluetoothd_it_waits_for_it() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter, runs=False) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.NO_SERVICE)
        await bluez.start()
        await until(lambda: adapter.contents)


async def test_a_bluetoothd_that_was_killed_and_comes_back_shows_and_scans_again() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.contents and adapter.scans)
        await bluez.kill()
        await until(lambda: ear.radio is Radio.NO_SERVICE)
        adapter.scans.clear()
        await bluez.start()
        await until(lambda: adapter.contents and adapter.scans)
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))


async def test_who_is_not_permitted_says_so_and_asks_again() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    adapter.is_denied = True
    async with fake_bluez(adapter), running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.DENIED)
        adapter.is_denied = False
        await until(lambda: adapter.contents)
        await until(lambda: ear.radio is Radio.ON)


async def test_without_a_bus_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    ear = Ear()
    async with running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.NO_SERVICE)


async def test_a_low_battery_lets_bluetooth_rest() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear(battery=[10])
    async with fake_bluez(adapter), running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.SPARED)
        await trio.sleep(0.3)
        assert not adapter.contents
        assert not adapter.scans
