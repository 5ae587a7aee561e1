"""BlueZ over D-Bus, as far as finding needs it: adapters, their names, adverts, scans.

One `Bluez` is one connection to the bus during one life of bluetoothd.  It lives in
the asyncio thread; bleak scans, dbus-fast does the rest.  Sources: org.bluez.Adapter(5),
org.bluez.LEAdvertisingManager(5), org.bluez.LEAdvertisement(5), D-Bus specification 0.43.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple, Self, TypeVar

from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast import BusType, Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusSignature, DBusStr
from dbus_fast.errors import AuthError, DBusError
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from meshnewsd.discovery.advert import PATTERNS

T = TypeVar("T")

SERVICE: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
ADVERTISING: Final = "org.bluez.LEAdvertisingManager1"
LISTENING: Final = "org.bluez.AdvertisementMonitorManager1"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
_OF_ADAPTERS: Final = frozenset({ADAPTER, ADVERTISING, LISTENING})
BUS: Final = "org.freedesktop.DBus"
BUS_PATH: Final = "/org/freedesktop/DBus"

CALL_S_MAX: Final = 10.0
"""A call over the bus that takes longer is taken to have failed."""

_DENIED: Final = frozenset(
    {
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.AuthFailed",
        "org.bluez.Error.NotPermitted",
    }
)

_NOBODY: Final = "org.freedesktop.DBus.Error.NameHasNoOwner"
_BAD_ANSWER: Final = "org.freedesktop.DBus.Error.InvalidSignature"

Advertised = Callable[[str, str, Mapping[int, bytes]], object]
"""Called with address, kind of address, and manufacturer data of each advert that is heard."""


class Refused(DBusError):
    """The bus, or BlueZ, answered with an error."""

    @property
    def is_denied(self) -> bool:
        """It would do it for somebody else."""
        return self.type in _DENIED


FAULTS: Final = (BleakError, DBusError, OSError, EOFError, TimeoutError)
"""What goes wrong when adapters and daemons come and go."""


@dataclass(frozen=True, slots=True, order=True)
class BluezAdapter:
    """One adapter as BlueZ has it."""

    path: str
    alias: str
    is_powered: bool
    can_listen: bool
    """It can scan without sending anything."""

    @property
    def name(self) -> str:
        """What the kernel calls it; ``hci0``."""
        return self.path.rpartition("/")[2]


class _Part(NamedTuple):
    """Something on the bus that can be called."""

    owner: str
    path: str
    interface: str


_THE_BUS: Final = _Part(BUS, BUS_PATH, BUS)


class _Advert(ServiceInterface):
    """One advert, as BlueZ asks for it."""

    def __init__(self, company: int, content: bytes) -> None:
        super().__init__("org.bluez.LEAdvertisement1")
        self._content = {company: Variant("ay", content)}

    @dbus_method(name="Release")
    def release(self) -> None:
        """BlueZ has let go of it."""

    @dbus_property(access=PropertyAccess.READ, name="Type")
    def type(self) -> DBusStr:
        """Others may connect."""
        return "peripheral"

    @dbus_property(access=PropertyAccess.READ, name="ManufacturerData")
    def content(self) -> Annotated[dict[int, Variant], DBusSignature("a{qv}")]:
        """All there is in it."""
        return self._content


class Bluez:
    """One connection to the bus.

    Attributes:
        adapters_changed: set whenever an adapter comes, goes, or is powered or not.
        ended: set when bluetoothd has gone, or the bus.
    """

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._owner = ""
        self.adapters_changed = asyncio.Event()
        self.ended = asyncio.Event()
        self._watching = asyncio.ensure_future(self._watch_bus())
        self._watching.add_done_callback(_look_away)

    @classmethod
    async def open(cls) -> Self:
        """Return a connection to the system's bus.

        Raises:
            OSError, TimeoutError: there is no bus.
            Refused: it does not let us in.
        """
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            async with asyncio.timeout(CALL_S_MAX):
                await bus.connect()
        except AuthError as exc:
            raise Refused("org.freedesktop.DBus.Error.AuthFailed", str(exc)) from exc
        except BaseException:
            # Cancelled or failed: a half-made connection is nobody's.
            bus.disconnect()
            raise
        bluez = cls(bus)
        bus.add_message_handler(bluez._on_message)
        for rule in (
            f"type='signal',interface='{BUS}',member='NameOwnerChanged',arg0='{SERVICE}'",
            f"type='signal',sender='{SERVICE}',interface='{OBJECTS}'",
            f"type='signal',sender='{SERVICE}',interface='{PROPERTIES}',arg0='{ADAPTER}'",
        ):
            await bluez._call(_THE_BUS, "AddMatch", "s", rule)
        await bluez._find_owner()
        return bluez

    def close(self) -> None:
        """Let go of the bus; BlueZ takes off the air what was ours."""
        self._watching.cancel()
        self._bus.disconnect()

    @property
    def is_running(self) -> bool:
        """Whether bluetoothd is there."""
        return bool(self._owner)

    async def adapters(self) -> list[BluezAdapter]:
        """Return the adapters that can show adverts.

        Raises:
            Refused: BlueZ does not let us ask.
        """
        self.adapters_changed.clear()
        (objects,) = await self._call(
            _Part(SERVICE, "/", OBJECTS), "GetManagedObjects", answer="a{oa{sa{sv}}}"
        )
        return sorted(
            BluezAdapter(
                path=path,
                alias=_value(interfaces[ADAPTER], "Alias", ""),
                is_powered=_value(interfaces[ADAPTER], "Powered", default=False),
                can_listen=LISTENING in interfaces,
            )
            for path, interfaces in objects.items()
            if ADAPTER in interfaces and ADVERTISING in interfaces
        )

    async def rename(self, adapter: BluezAdapter, alias: str) -> None:
        """Give an adapter the name that others read.

        Raises:
            Refused: BlueZ does not let us.
        """
        properties = _Part(SERVICE, adapter.path, PROPERTIES)
        await self._call(properties, "Set", "ssv", ADAPTER, "Alias", Variant("s", alias))

    async def show(self, adapter: BluezAdapter, name: str, *, company: int, content: bytes) -> None:
        """Put an advert on the air, that `withdraw` can name.

        Raises:
            Refused: BlueZ does not show it.
        """
        path = _path(name)
        self._bus.export(path, _Advert(company, content))
        try:
            manager = _Part(SERVICE, adapter.path, ADVERTISING)
            await self._call(manager, "RegisterAdvertisement", "oa{sv}", path, {})
        except BaseException:
            # Cancelled or failed: an object nobody advertises is not kept.
            self._bus.unexport(path)
            raise

    async def withdraw(self, adapter: BluezAdapter, name: str) -> None:
        """Take an advert off the air.

        Raises:
            Refused: it is not there.
        """
        path = _path(name)
        try:
            manager = _Part(SERVICE, adapter.path, ADVERTISING)
            await self._call(manager, "UnregisterAdvertisement", "o", path)
        finally:
            self._bus.unexport(path)

    async def _watch_bus(self) -> None:
        try:
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # theirs
        finally:
            self.ended.set()

    async def _find_owner(self) -> None:
        """Learn who bluetoothd is on the bus; to ask itself for something would start it."""
        try:
            (self._owner,) = await self._call(_THE_BUS, "GetNameOwner", "s", SERVICE, answer="s")
        except Refused as exc:
            if exc.type != _NOBODY:
                raise

    def _on_message(self, message: Message) -> None:
        # Any program of this machine may send a signal straight to us: its sender, which the
        # bus writes in, says whether it is one.
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.sender == BUS:
            self._on_owner(message)
        elif message.sender == self._owner:
            self._on_change(message)

    def _on_owner(self, message: Message) -> None:
        match message.member, message.body:
            case "NameOwnerChanged", [name, "", owner] if name == SERVICE:
                self._owner = owner
                self.adapters_changed.set()
            case "NameOwnerChanged", [name, *_] if name == SERVICE:
                # Who comes after it is met by another connection: bleak remembers too much.
                self.ended.set()
            case _:
                pass

    def _on_change(self, message: Message) -> None:
        match message.member, message.body:
            case "InterfacesAdded" | "InterfacesRemoved", [_, dict() | list() as interfaces]:
                # A bluetoothd that starts adds to an adapter one thing after the other.
                if not _OF_ADAPTERS.isdisjoint(interfaces):
                    self.adapters_changed.set()
            case "PropertiesChanged", [interface, dict() as properties, *_]:
                if interface == ADAPTER and "Powered" in properties:
                    self.adapters_changed.set()
            case _:
                pass

    async def _call(
        self,
        part: _Part,
        member: str,
        signature: str = "",
        *body: Any,  # noqa: ANN401  D-Bus
        answer: str = "",
    ) -> list[Any]:
        """Return what a call is answered, which has the signature `answer`.

        Raises:
            Refused: with an error, or with something else.
            OSError, EOFError, TimeoutError: not at all.
        """
        message = Message(
            destination=part.owner,
            path=part.path,
            interface=part.interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        async with asyncio.timeout(CALL_S_MAX):
            reply = await self._bus.call(message)
        if reply is None:
            raise EOFError("the bus went away")
        if reply.message_type is MessageType.ERROR:
            raise Refused(reply.error_name or "", str(reply.body[0]) if reply.body else "")
        if reply.signature != answer:
            raise Refused(_BAD_ANSWER, f"{member} is answered with {reply.signature!r}")
        return list(reply.body)


def make_scanner(adapter: BluezAdapter, advertised: Advertised, *, sends: bool) -> BleakScanner:
    """Return what listens on an adapter; `sends`: it asks each machine that it hears for more."""

    def heard(device: BLEDevice, advert: AdvertisementData) -> None:
        _, properties, *_ = advert.platform_data
        # BlueZ takes the strength back when a scan ends, and bleak tells of that like of an
        # advert: whoever went long ago is not heard again by it.
        if advert.manufacturer_data and "RSSI" in properties:
            kind = properties.get("AddressType", "public")
            advertised(device.address, kind, advert.manufacturer_data)

    args = BlueZScannerArgs(adapter=adapter.name)
    if sends:
        return BleakScanner(heard, scanning_mode="active", bluez=args)
    args["or_patterns"] = [
        (position, AdvertisementDataType(kind), content) for position, kind, content in PATTERNS
    ]
    return BleakScanner(heard, scanning_mode="passive", bluez=args)


def _look_away(task: "asyncio.Task[None]") -> None:
    """Take note of how a task went: that the bus went badly is said by its going."""
    if not task.cancelled():
        task.exception()


def _value(facts: Mapping[str, Variant], name: str, default: T) -> T:
    """Return what is said of something; `default` where it is nothing, or of another kind."""
    said = facts.get(name)
    return said.value if said is not None and isinstance(said.value, type(default)) else default


def _path(name: str) -> str:
    return f"/adverts/{name}"
