"""What the doctor says of Bluetooth, whatever befalls adapters and bluetoothd."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from meshnews.control.fact import RadioState
from meshnews.control.finding import Check
from meshnews_cli.findings import RADIOS, words_of
from meshnewsd.control.bluetooth_diagnosis import of_bluetooth
from meshnewsd.discovery.airtime import Habits
from tests.bluetooth.ear import HABITS, LOUD, Ear, running, until
from tests.bluetooth.fake_bluez import FakeAdapter, fake_bluez
from tests.bluetooth.private_bus import PrivateBus, private_bus

ON, ABSENT, OFF, NOBODY, DENIED, FAILING = (
    RADIOS[state].what
    for state in (
        RadioState.ON,
        RadioState.ABSENT,
        RadioState.OFF,
        RadioState.NO_SERVICE,
        RadioState.DENIED,
        RadioState.FAILING,
    )
)


@pytest.fixture(autouse=True)
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    with private_bus(tmp_path, monkeypatch) as bus:
        yield bus


def said(ear: Ear) -> list[str]:
    """Return the sentences about the radio; that on its address depends on this machine."""
    findings = of_bluetooth(ear.finder.health)
    about = [each for each in findings if each.check is not Check.BLUETOOTH_ADDRESS]
    return [words_of(finding, Path("home")).what for finding in about]


async def until_said(ear: Ear, *sentences: str) -> None:
    with trio.fail_after(8):
        while said(ear) != list(sentences):  # noqa: ASYNC110  it is said in another thread
            await trio.sleep(0.02)


def test_no_two_of_these_are_alike() -> None:
    assert len({ON, ABSENT, OFF, NOBODY, DENIED, FAILING}) == 6


async def test_no_adapter_is_said_until_one_is_plugged_in_and_when_it_is_pulled_out() -> None:
    ear = Ear()
    async with fake_bluez() as bluez, running(ear):
        await until_said(ear, ABSENT)
        await bluez.plug(FakeAdapter("hci0"))
        await until_said(ear, ON)
        await bluez.unplug("hci0")
        await until_said(ear, ABSENT)
        await bluez.plug(FakeAdapter("hci0"))
        await until_said(ear, ON)


async def test_an_adapter_that_is_powered_off_is_said_to_be() -> None:
    ear = Ear()
    async with fake_bluez(FakeAdapter("hci0", powered=False)) as bluez, running(ear):
        await until_said(ear, OFF)
        await bluez.power("hci0", on=True)
        await until_said(ear, ON)
        await bluez.power("hci0", on=False)
        await until_said(ear, OFF)


async def test_without_bluetoothd_nobody_is_said_to_answer_until_it_comes() -> None:
    ear = Ear()
    async with fake_bluez(FakeAdapter("hci0"), runs=False) as bluez, running(ear):
        await until_said(ear, NOBODY)
        await bluez.start()
        await until_said(ear, ON)


async def test_a_bluetoothd_that_is_killed_and_restarted_is_said_to_be() -> None:
    ear = Ear()
    async with fake_bluez(FakeAdapter("hci0")) as bluez, running(ear):
        await until_said(ear, ON)
        await bluez.kill()
        await until_said(ear, NOBODY)
        await bluez.start()
        await until_said(ear, ON)


async def test_of_several_adapters_the_one_in_use_is_named() -> None:
    ear = Ear()
    async with fake_bluez(FakeAdapter("hci0", powered=False)) as bluez, running(ear):
        await until_said(ear, OFF)
        for name in ("hci10", "hci2"):
            await bluez.plug(FakeAdapter(name))
        several = "Of {} Bluetooth adapters {} is in use."
        await until_said(ear, ON, several.format(3, "hci2"))
        await bluez.unplug("hci2")
        await until_said(ear, ON, several.format(2, "hci10"))
        await bluez.power("hci0", on=True)
        await until_said(ear, ON, several.format(2, "hci0"))


async def test_an_adapter_that_is_asked_for_and_not_there_is_said_to_be_missing() -> None:
    ear = Ear(Habits(adapter="hci7", survey_s=HABITS.survey_s))
    async with fake_bluez(FakeAdapter("hci0")), running(ear):
        await until_said(ear, ABSENT)


async def test_a_bus_that_does_not_let_us_ask_is_said_to_until_it_does(bus: PrivateBus) -> None:
    """As on a machine whose policy wants the group `bluetooth`."""
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez:
        bus.write('<deny send_destination="org.bluez"/>')
        await bluez.reload_bus()
        async with running(ear):
            await until_said(ear, DENIED)
            bus.write("")
            await bluez.reload_bus()
            await until_said(ear, ON)
            ear.finder.show(LOUD)
            await until(lambda: adapter.contents)


async def test_a_bluez_that_does_not_let_us_show_is_said_to_until_it_does() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    adapter.is_denied = True
    async with fake_bluez(adapter), running(ear):
        ear.finder.show(LOUD)
        await until_said(ear, DENIED)
        adapter.is_denied = False
        await until_said(ear, ON)


async def test_without_a_bus_nobody_is_said_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    ear = Ear()
    async with running(ear):
        await until_said(ear, NOBODY)
