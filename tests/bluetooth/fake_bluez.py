"""A BlueZ without Bluetooth: org.bluez on a private bus, for the real bleak and dbus-fast.

It has the adapters, adverts and scans that finding needs.  What an adapter shows can
be looked at; what it hears is put in by the test.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import trio
from dbus_fast import BusType, Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusDict,
    DBusInt16,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
)
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from meshnewsd.platform.asyncio_thread import AsyncioThread

Strings = Annotated[list[str], DBusSignature("as")]
Contents = Annotated[dict[int, Variant], DBusSignature("a{qv}")]
ReadOnly = PropertyAccess.READ


class FakeAdapter:
    """One adapter: what it shows, and what it hears."""

    def __init__(self, name: str, *, powered: bool = True, listens: bool = False) -> None:
        self.name = name
        self.path = f"/org/bluez/{name}"
        self.listens = listens
        self.is_denied = False
        self.is_slow = False
        """It is there before it can do anything, as when bluetoothd has just started."""
        self.shown: dict[str, dict[int, bytes]] = {}
        self.history: list[bytes] = []
        """Everything it ever showed, in order."""
        self.scans: list[str] = []
        """How it was made to scan, each time: ``active`` or ``passive``."""
        self.adapter = _Adapter1(self, powered=powered)
        self.advertising = _Advertising(self)
        self.monitoring = _Monitoring(self)
        self.bus: MessageBus | None = None
        self._heard: dict[str, ServiceInterface] = {}

    @property
    def alias(self) -> str:
        """What others read."""
        return self.adapter.alias

    @property
    def contents(self) -> list[dict[int, bytes]]:
        """What is on the air."""
        return list(self.shown.values())

    def put(self, bus: MessageBus) -> None:
        """Plug it in."""
        self.bus = bus
        bus.export(self.path, self.adapter)
        if not self.is_slow:
            self.complete()

    def complete(self) -> None:
        """Let it have what adverts need."""
        assert self.bus is not None, "it is plugged in"
        self.bus.export(self.path, self.advertising)
        if self.listens:
            self.bus.export(self.path, self.monitoring)

    def pull(self) -> None:
        """Pull it out."""
        assert self.bus is not None, "it is plugged in"
        for path in self._heard:
            self.bus.unexport(path)
        self._heard.clear()
        self.shown.clear()
        self.bus.unexport(self.path)

    def hear(self, address: str, company: int, content: bytes, *, kind: str = "random") -> None:
        """Let an advert be heard by who scans."""
        assert self.bus is not None, "it is plugged in"
        device = _Device(self.path, address, kind, {company: Variant("ay", content)})
        self.hear_device(address, device)
        device.emit_properties_changed({"RSSI": -40})

    def forget(self, address: str) -> None:
        """Take back how strongly a device was heard."""
        self._heard[self._path(address)].emit_properties_changed({}, ["RSSI"])

    def _path(self, address: str) -> str:
        return f"{self.path}/dev_{address.replace(':', '_')}"

    def hear_device(self, address: str, device: ServiceInterface) -> None:
        """Let something be heard that looks like this to BlueZ."""
        assert self.bus is not None, "it is plugged in"
        path = self._path(address)
        if path in self._heard:
            self.bus.unexport(path)
        self.bus.export(path, device)
        self._heard[path] = device


class _Adapter1(ServiceInterface):
    def __init__(self, owner: FakeAdapter, *, powered: bool) -> None:
        super().__init__("org.bluez.Adapter1")
        self._owner = owner
        self.alias = "a laptop of somebody"
        self.powered = powered
        self.discovering = False

    def power(self, *, on: bool) -> None:
        self.powered = on
        if not on:
            self._owner.shown.clear()
        self.emit_properties_changed({"Powered": on})

    @dbus_property(access=ReadOnly, name="Address")
    def address(self) -> DBusStr:
        return "00:1B:DC:00:00:01"

    @dbus_property(access=ReadOnly, name="Powered")
    def is_powered(self) -> DBusBool:
        return self.powered

    @dbus_property(access=ReadOnly, name="Roles")
    def roles(self) -> Strings:
        return ["central", "peripheral"]

    @dbus_property(access=ReadOnly, name="Discovering")
    def is_discovering(self) -> DBusBool:
        return self.discovering

    @dbus_property(name="Alias")
    def alias_property(self) -> DBusStr:
        return self.alias

    @alias_property.setter
    def set_alias(self, alias: DBusStr) -> None:
        self.alias = alias

    @dbus_method(name="SetDiscoveryFilter")
    def set_filter(self, properties: DBusDict) -> None: ...

    @dbus_method(name="StartDiscovery")
    def start(self) -> None:
        if not self.powered:
            raise DBusError("org.bluez.Error.NotReady", "Resource Not Ready")
        self.discovering = True
        self._owner.scans.append("active")

    @dbus_method(name="StopDiscovery")
    def stop(self) -> None:
        self.discovering = False


class _Advertising(ServiceInterface):
    def __init__(self, owner: FakeAdapter) -> None:
        super().__init__("org.bluez.LEAdvertisingManager1")
        self._owner = owner

    @dbus_method(name="RegisterAdvertisement")
    async def register(self, advert: DBusObjectPath, options: DBusDict) -> None:
        owner = self._owner
        if owner.is_denied:
            raise DBusError("org.bluez.Error.NotPermitted", "Not Permitted")
        assert owner.bus is not None, "it is plugged in"
        # Who calls is not told to a method; there is but one of them.
        properties = await owner.bus.call(
            Message(
                destination=_caller(owner.bus),
                path=advert,
                interface="org.freedesktop.DBus.Properties",
                member="GetAll",
                signature="s",
                body=["org.bluez.LEAdvertisement1"],
            )
        )
        assert properties is not None, "the caller is there"
        said = properties.body[0]
        assert set(said) == {"Type", "ManufacturerData"}, "nothing else is to be on the air"
        contents = said["ManufacturerData"].value
        owner.shown[advert] = {company: bytes(each.value) for company, each in contents.items()}
        owner.history += [bytes(each.value) for each in contents.values()]

    @dbus_method(name="UnregisterAdvertisement")
    def unregister(self, advert: DBusObjectPath) -> None:
        if self._owner.shown.pop(advert, None) is None:
            raise DBusError("org.bluez.Error.DoesNotExist", "Does Not Exist")


class _Monitoring(ServiceInterface):
    def __init__(self, owner: FakeAdapter) -> None:
        super().__init__("org.bluez.AdvertisementMonitorManager1")
        self._owner = owner

    @dbus_method(name="RegisterMonitor")
    def register(self, application: DBusObjectPath) -> None:
        self._owner.scans.append("passive")

    @dbus_method(name="UnregisterMonitor")
    def unregister(self, application: DBusObjectPath) -> None: ...


class _Device(ServiceInterface):
    def __init__(self, adapter: str, address: str, kind: str, content: dict[int, Variant]) -> None:
        super().__init__("org.bluez.Device1")
        self._facts = adapter, address, kind
        self._content = content

    @dbus_property(access=ReadOnly, name="Adapter")
    def adapter(self) -> DBusObjectPath:
        return self._facts[0]

    @dbus_property(access=ReadOnly, name="Address")
    def address(self) -> DBusStr:
        return self._facts[1]

    @dbus_property(access=ReadOnly, name="AddressType")
    def kind(self) -> DBusStr:
        return self._facts[2]

    @dbus_property(access=ReadOnly, name="Alias")
    def alias(self) -> DBusStr:
        return self._facts[1].replace(":", "-")

    @dbus_property(access=ReadOnly, name="Connected")
    def is_connected(self) -> DBusBool:
        return False

    @dbus_property(access=ReadOnly, name="RSSI")
    def strength(self) -> DBusInt16:
        return -40

    @dbus_property(access=ReadOnly, name="ManufacturerData")
    def content(self) -> Contents:
        return self._content


_CALLERS: dict[int, str] = {}


def _caller(bus: MessageBus) -> str:
    return _CALLERS[id(bus)]


class FakeBluez:
    """bluetoothd: there or not, with adapters that come and go.

    Its methods may be called from trio; what they do is done when they return.
    """

    def __init__(self, thread: AsyncioThread) -> None:
        self._thread = thread
        self._bus: MessageBus | None = None
        self.adapters: dict[str, FakeAdapter] = {}

    async def start(self) -> None:
        """Let bluetoothd come, with the adapters there are."""

        async def work() -> None:
            bus = self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()

            def note(message: Message) -> None:
                if message.member == "RegisterAdvertisement" and message.sender:
                    _CALLERS[id(bus)] = message.sender

            bus.add_message_handler(note)
            for adapter in self.adapters.values():
                adapter.put(bus)
            await bus.request_name("org.bluez")

        await self._thread.run(work)

    async def kill(self) -> None:
        """Let bluetoothd go as SIGKILL would have it."""

        async def work() -> None:
            if self._bus is None:
                return
            self._bus.disconnect()
            # The socket is closed once the loop has seen the end of it.
            with contextlib.suppress(Exception):
                await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # theirs
            self._bus = None
            for adapter in self.adapters.values():
                adapter.shown.clear()

        await self._thread.run(work)

    async def plug(self, adapter: FakeAdapter) -> None:
        """Plug an adapter in."""
        self.adapters[adapter.name] = adapter
        if self._bus is not None:
            bus = self._bus
            await self._do(lambda: adapter.put(bus))

    async def complete(self, name: str) -> None:
        """Let a slow adapter come to its end."""
        await self._do(self.adapters[name].complete)

    async def unplug(self, name: str) -> None:
        """Pull an adapter out."""
        await self._do(self.adapters.pop(name).pull)

    async def power(self, name: str, *, on: bool) -> None:
        """Switch an adapter on or off."""
        await self._do(lambda: self.adapters[name].adapter.power(on=on))

    async def hear(
        self, name: str, address: str, company: int, content: bytes, *, kind: str = "random"
    ) -> None:
        """Let an adapter hear an advert."""
        await self._do(lambda: self.adapters[name].hear(address, company, content, kind=kind))

    async def hear_device(self, name: str, address: str, device: ServiceInterface) -> None:
        """Let an adapter hear something that looks like this."""
        await self._do(lambda: self.adapters[name].hear_device(address, device))

    async def forget(self, name: str, address: str) -> None:
        """Let an adapter take back how strongly it heard a device, as when a scan ends."""
        await self._do(lambda: self.adapters[name].forget(address))

    async def forge(self, interface: str, member: str, signature: str, *body: Any) -> None:
        """Send a signal to whoever shows adverts here, as another program of the machine may."""

        async def work() -> None:
            assert self._bus is not None, "bluetoothd is there"
            other = await MessageBus(bus_type=BusType.SYSTEM).connect()
            signal_there = Message(
                message_type=MessageType.SIGNAL,
                destination=_caller(self._bus),
                path="/org/freedesktop/DBus",
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
            await other.send(signal_there)
            other.disconnect()
            await other.wait_for_disconnect()  # type: ignore[no-untyped-call]  # theirs

        await self._thread.run(work)

    async def reload_bus(self) -> None:
        """Have the bus read its rules anew."""

        async def work() -> None:
            assert self._bus is not None, "bluetoothd is there"
            bus = "org.freedesktop.DBus"
            asked = Message(
                destination=bus, path="/org/freedesktop/DBus", interface=bus, member="ReloadConfig"
            )
            reply = await self._bus.call(asked)
            assert reply is not None
            assert reply.message_type is MessageType.METHOD_RETURN, reply.body

        await self._thread.run(work)

    async def _do(self, say: Callable[[], Any]) -> None:
        async def work() -> None:
            say()
            await asyncio.sleep(0)

        await self._thread.run(work)


@contextlib.asynccontextmanager
async def fake_bluez(*adapters: FakeAdapter, runs: bool = True) -> AsyncIterator[FakeBluez]:
    """Yield a BlueZ on the bus of this test."""
    async with AsyncioThread() as thread:
        bluez = FakeBluez(thread)
        for adapter in adapters:
            bluez.adapters[adapter.name] = adapter
        if runs:
            await bluez.start()
        try:
            yield bluez
        finally:
            with trio.CancelScope(shield=True):
                await bluez.kill()
