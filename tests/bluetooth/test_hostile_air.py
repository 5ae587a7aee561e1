"""What others put on the air, and on the bus, to harm the finder."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import trio
from dbus_fast import PropertyAccess, Variant
from dbus_fast.annotations import DBusObjectPath, DBusSignature, DBusStr, DBusUInt16
from dbus_fast.service import ServiceInterface, dbus_property

from meshnewsd.discovery.advert import APPLE, TESTS, Shape, dress
from meshnewsd.discovery.bluetooth import HEARD_PER_S_MAX
from meshnewsd.discovery.interface import Radio
from tests.bluetooth.ear import ADDRESS, LOUD, THEIRS, Ear, hear_until, running, until
from tests.bluetooth.fake_bluez import FakeAdapter, FakeBluez, fake_bluez
from tests.bluetooth.private_bus import private_bus

ReadOnly = PropertyAccess.READ
FLOOD = 300


@pytest.fixture(autouse=True)
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with private_bus(tmp_path, monkeypatch):
        yield


def beacon(number: int) -> bytes:
    return number.to_bytes(20, "big")


async def flood(bluez: FakeBluez) -> float:
    """Let adverts of the right shape be heard, each from an address of its own; tell how long."""
    began_s = time.monotonic()
    for number in range(FLOOD):
        address = f"C0:00:00:00:{number >> 8:02X}:{number & 0xFF:02X}"
        await bluez.hear("hci0", address, *dress(beacon(number), Shape.IBEACON))
    return time.monotonic() - began_s


async def test_of_a_flood_of_adverts_little_is_heard_and_a_neighbour_still_is() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.adapter.discovering)
        took_s = await flood(bluez)
        assert len(ear.heard) <= HEARD_PER_S_MAX * (took_s + 3)
        with trio.fail_after(8):
            while THEIRS not in {heard.beacon for heard in ear.heard}:
                await bluez.hear("hci0", ADDRESS, *dress(THEIRS, Shape.IBEACON))
                await trio.sleep(0.1)


async def test_what_is_no_address_is_not_heard() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.adapter.discovering)
        for address, kind in (
            (ADDRESS, "sideways"),
            (ADDRESS, ""),
            (f"{ADDRESS}:44", "random"),
            ("C4:1F:00:11:22", "random"),
            ("C4:1F:00:11:22:GG", "public"),
        ):
            content = dress(beacon(1), Shape.PLAIN)
            await bluez.hear("hci0", address, *content, kind=kind)
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))
        assert {heard.beacon for heard in ear.heard} == {THEIRS}


@pytest.mark.parametrize("size", [0, 1, 19, 21, 22, 24, 255])
async def test_manufacturer_data_of_any_length_is_harmless(size: int) -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.adapter.discovering)
        for company in (APPLE, TESTS, 0):
            await bluez.hear(
                "hci0", "C0:00:00:00:00:01", company, (b"\x02\x15" + bytes(size))[:size]
            )
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))
        assert {heard.beacon for heard in ear.heard} == {THEIRS}


class _StrangeDevice(ServiceInterface):
    """A device of whose properties none is what it should be."""

    def __init__(self, adapter: str) -> None:
        super().__init__("org.bluez.Device1")
        self._adapter = adapter

    @dbus_property(access=ReadOnly, name="Adapter")
    def adapter(self) -> DBusObjectPath:
        return self._adapter

    @dbus_property(access=ReadOnly, name="Address")
    def address(self) -> DBusUInt16:
        return 7

    @dbus_property(access=ReadOnly, name="RSSI")
    def strength(self) -> DBusStr:
        return "loud"

    @dbus_property(access=ReadOnly, name="ManufacturerData")
    def content(self) -> Annotated[dict[int, Variant], DBusSignature("a{qv}")]:
        return {TESTS: Variant("s", "t" * 20)}


async def test_a_device_that_is_told_of_in_nonsense_is_passed_over() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.adapter.discovering)
        await bluez.hear_device("hci0", "C0:00:00:00:00:01", _StrangeDevice(adapter.path))
        await hear_until(ear, bluez, *dress(THEIRS, Shape.PLAIN))
        assert {heard.beacon for heard in ear.heard} == {THEIRS}


class _StrangeAdapter1(ServiceInterface):
    """An adapter of whose properties none is what it should be."""

    def __init__(self) -> None:
        super().__init__("org.bluez.Adapter1")

    @dbus_property(access=ReadOnly, name="Powered")
    def powered(self) -> DBusStr:
        return "very much"

    @dbus_property(access=ReadOnly, name="Alias")
    def alias(self) -> DBusUInt16:
        return 7


async def test_an_adapter_that_is_told_of_in_nonsense_is_not_used() -> None:
    strange, ear = FakeAdapter("hci0"), Ear()
    strange.adapter = _StrangeAdapter1()  # type: ignore[assignment]  # that is what is strange
    async with fake_bluez(strange) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: ear.radio is Radio.OFF)
        other = FakeAdapter("hci1")
        await bluez.plug(other)
        await until(lambda: other.contents)
        assert not strange.contents


async def test_signals_of_another_program_are_not_taken_for_those_of_the_bus_or_of_bluez() -> None:
    adapter, ear = FakeAdapter("hci0"), Ear()
    async with fake_bluez(adapter) as bluez, running(ear):
        ear.finder.show(LOUD)
        await until(lambda: adapter.contents)
        bus_itself, objects = "org.freedesktop.DBus", "org.freedesktop.DBus.ObjectManager"
        await bluez.forge(bus_itself, "NameOwnerChanged", "sss", "org.bluez", ":1.1", "")
        await bluez.forge(bus_itself, "NameOwnerChanged", "sss", "org.bluez", "", ":1.99")
        for _ in range(20):
            await bluez.forge(objects, "InterfacesRemoved", "oas", "/x", ["org.bluez.Adapter1"])
        await trio.sleep(0.3)
        assert len(adapter.contents) == 1
        assert len(adapter.history) == 1
        assert ear.radio is Radio.ON
        await bluez.power("hci0", on=False)
        await until(lambda: ear.radio is Radio.OFF)
