"""Beacons as datagrams to everybody on the link.

Each beacon is one datagram of 48 bytes, sent to 255.255.255.255, 224.0.0.1 and
ff02::1 on every interface where it may be shown, from the beacon port to the
beacon port.  Every machine is in these groups already: none is ever joined, so
the kernel reports nothing about us.

Sent every 26 to 38 seconds, at once on an interface that comes up or when
something is shown for the first time; after a change of beacons at a time drawn
afresh, so that the rhythm of the old ones does not go on in the new.
See docs/protocol/discovery.md.
"""

import errno
import ipaddress
import math
import socket
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import trio

from meshnews.crypto.entropy import Entropy, between
from meshnews.link.beacon import BEACON_BYTES
from meshnews.node.event import Address, Heard
from meshnewsd.discovery.air import WAYS, Air, Datagram, DatagramSocket, Way
from meshnewsd.discovery.echo import Echoes
from meshnewsd.discovery.interface import Health, Hear, Shown, reachable
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.interfaces import AddressWatch, InterfaceAddress
from meshnewsd.platform.logs import Log

EVERY_S: Final = (26.0, 38.0)
"""Who is silent and waits to hear somebody is linked within 40 s; within 60 s where the beacons
change meanwhile, since the rhythm of before must not tell whose the new ones are."""
AFTER_CHANGE_S: Final = (0.0, 20.0)
ONCE_MORE_S: Final = ((0.3, 0.7), (1.2, 2.0))
"""When an interface that came up is called into again, and again: what a bridge or an access
point is given in its first moments may go nowhere, and nobody here hears of that."""

HEARD_AGAIN_S: Final = 10.0
"""A beacon from the same address within this time is the same news."""

HEARD_REMEMBERED_MAX: Final = 1024
HEARD_PER_S_MAX: Final = 64
"""More datagrams of a beacon's length in a second are left to the kernel, which drops them."""

ERRANDS_MAX: Final = 32
TRIES: Final = 5
TRY_AGAIN_S: Final = 0.7

_NO_SUCH_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})

_log = Log("udp")


class DatagramFinder:
    """Meets `meshnewsd.discovery.interface.Finder`.

    Args:
        port: where beacons are sent from and to.
        hear: told what was heard.
        addresses: of the interfaces to use; None: all but loopback.
        entropy: for the times.
        air: opens the sockets, and tells which interfaces there are.
    """

    name = "udp"

    def __init__(
        self,
        *,
        port: int,
        hear: Hear,
        addresses: Sequence[str] | None = None,
        entropy: Entropy | None = None,
        air: Air | None = None,
    ) -> None:
        self._port = port
        self._hear = hear
        self._addresses = addresses
        self._entropy = entropy or OsEntropy()
        self._air = air or Air()
        self._shown = Shown()
        self._own: frozenset[bytes] = frozenset()
        self._once: list[_Errand] = []
        self._next_s = math.inf
        self._changed = trio.Event()
        self._links: list[_Link] = []
        self._sockets: dict[int, DatagramSocket] = {}
        self._recent: OrderedDict[tuple[bytes, str], float] = OrderedDict()
        self._echoes = Echoes(trio.current_time)
        self.troubles: dict[str, str] = {}
        """Interfaces on which the last attempt to send failed, and why."""
        self._since_s: dict[str, float] = {}

    # What is shown ----------------------------------------------------------

    def show(self, shown: Shown) -> None:
        """Show these from now on; see the protocol."""
        before, self._shown = self._shown, shown
        if shown == before:
            return
        # What meant nothing under the keys of before may mean something now.
        self._recent.clear()
        self._own = frozenset((*shown.beacons, *shown.seeks))
        now_s = trio.current_time()
        if not shown.beacons:
            self._next_s = math.inf
        elif not before.beacons or before.interfaces != shown.interfaces:
            self._next_s = now_s
        elif shown.beacons != before.beacons:
            self._next_s = now_s + between(self._entropy, *AFTER_CHANGE_S)
        # At a new epoch all seeks are new and none is sent again: how many there
        # are would tell whose the beacons are.
        if shown.beacons == before.beacons or not before.seeks:
            self._send_once(tuple(one for one in shown.seeks if one not in before.seeks), now_s)
        self._wake()

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None:
        """Send these once more; see the protocol."""
        self._send_once(beacons, trio.current_time() + after_s)
        self._wake()

    def _send_once(
        self,
        beacons: tuple[bytes, ...] | None,
        at_s: float,
        links: "Sequence[_Link] | None" = None,
        tries: int = TRIES,
    ) -> None:
        if beacons != () and tries and len(self._once) < ERRANDS_MAX:
            self._once.append(_Errand(at_s, beacons, links, tries))

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    @property
    def health(self) -> Health:
        """What could not be sent, and what does not come in; see the protocol."""
        echoes = self._echoes
        # An address that has just come refuses at first: it is tried again meanwhile.
        early_s = trio.current_time() - TRIES * TRY_AGAIN_S
        return Health(
            troubles={
                interface: cause
                for interface, cause in self.troubles.items()
                if self._since_s[interface] <= early_s
            },
            open=echoes.open(),
            pending=echoes.pending(),
            deaf=echoes.deaf(),
            missing=echoes.missing(),
        )

    # Running ------------------------------------------------------------------

    async def run(self) -> None:
        """Show and listen until cancelled; see the protocol."""
        watch = AddressWatch(self._air.look)
        self._links = _links(reachable(watch.addresses, self._addresses))
        try:
            self._open()
            async with trio.open_nursery() as nursery:
                for sock in self._sockets.values():
                    nursery.start_soon(self._listen, sock)
                nursery.start_soon(self._send_in_time)
                nursery.start_soon(self._follow_interfaces, watch)
        finally:
            for sock in self._sockets.values():
                sock.close()
            self._sockets.clear()

    def _open(self) -> None:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                self._sockets[family] = self._air.open(family, self._port)
            except OSError as exc:
                if exc.errno not in _NO_SUCH_FAMILY:
                    raise
        if not self._sockets:
            raise OSError(errno.EAFNOSUPPORT, "neither IPv4 nor IPv6 is here")

    async def _follow_interfaces(self, watch: AddressWatch) -> None:
        while True:
            found = await watch.changed()
            before, self._links = self._links, _links(reachable(found, self._addresses))
            new = [link for link in self._links if link not in before]
            now_s = trio.current_time()
            for after_s in (0.0, *(between(self._entropy, *span) for span in ONCE_MORE_S)):
                self._send_once(None, now_s + after_s, new)
            self._wake()
            gone = {link.interface for link in before} - {link.interface for link in self._links}
            self._echoes.forget(gone)
            for interface in gone:
                self._no_trouble(interface)

    async def _send_in_time(self) -> None:
        while True:
            changed, now_s = self._changed, trio.current_time()
            if now_s >= self._next_s:
                self._next_s = now_s + between(self._entropy, *EVERY_S)
                self._send_once(self._shown.beacons, now_s)
            due = [errand for errand in self._once if errand.at_s <= now_s]
            self._once = [errand for errand in self._once if errand.at_s > now_s]
            for errand in due:
                await self._run_errand(errand)
            next_s = min([self._next_s, *(errand.at_s for errand in self._once)])
            with trio.move_on_at(next_s):
                await changed.wait()

    # Sending --------------------------------------------------------------------

    async def _run_errand(self, errand: "_Errand") -> None:
        """Send on every interface concerned, and once more where that failed.

        An address that has just come is not good for sending at once (RFC 4862,
        section 5.4).
        """
        if not (self._shown.beacons or self._shown.seeks):
            # Who has fallen silent says no more, not even what was promised before.
            return
        failed: list[_Link] = []
        beacons = errand.beacons
        if beacons is None:
            beacons = (*self._shown.beacons, *self._shown.seeks)
        for link in self._links if errand.links is None else errand.links:
            sock = self._sockets.get(link.family)
            if sock is not None and self._shown.is_on(link.interface):
                sent = [await self._send_on(sock, link, one) for one in beacons]
                if not all(sent):
                    failed.append(link)
        if failed:
            again_s = trio.current_time() + TRY_AGAIN_S
            self._send_once(errand.beacons, again_s, failed, errand.tries - 1)

    async def _send_on(self, sock: DatagramSocket, link: "_Link", beacon: bytes) -> bool:
        for way in WAYS[link.family]:
            self._echoes.sent(link.interface, way)
            try:
                await sock.send(beacon, way, link.number)
            except OSError as exc:
                self._echoes.failed(link.interface, way)
                # One network that takes nothing is no reason to be mute on the others.
                self._note_trouble(link.interface, exc.strerror or str(exc))
                return False
        self._no_trouble(link.interface)
        return True

    def _note_trouble(self, interface: str, cause: str) -> None:
        if self.troubles.get(interface) != cause:
            _log.info("cannot send", interface=interface, cause=cause)
        self.troubles[interface] = cause
        self._since_s.setdefault(interface, trio.current_time())

    def _no_trouble(self, interface: str) -> None:
        self.troubles.pop(interface, None)
        self._since_s.pop(interface, None)

    # Listening --------------------------------------------------------------------

    async def _listen(self, sock: DatagramSocket) -> None:
        second, count = math.floor(trio.current_time()), 0
        while True:
            try:
                datagram = await sock.receive(BEACON_BYTES + 1)
            except OSError as exc:
                # What befell a datagram of ours is reported here too.
                if exc.errno in {errno.EBADF, errno.ENOTSOCK}:
                    raise
                continue
            if len(datagram.data) != BEACON_BYTES:
                # What cannot be a beacon costs nothing, and must not take the place of one.
                continue
            now_s = trio.current_time()
            if math.floor(now_s) != second:
                second, count = math.floor(now_s), 0
            count += 1
            if count > HEARD_PER_S_MAX:
                await trio.sleep_until(second + 1)
                continue
            self._take(datagram, now_s)

    def _take(self, datagram: Datagram, now_s: float) -> None:
        is_own = datagram.data in self._own
        self._note_way(datagram.interface, datagram.way, is_own=is_own)
        if is_own or datagram.source is None:
            return
        key = (datagram.data, datagram.source)
        before_s = self._recent.pop(key, -math.inf)
        self._recent[key] = now_s if now_s - before_s >= HEARD_AGAIN_S else before_s
        if len(self._recent) > HEARD_REMEMBERED_MAX:
            self._recent.popitem(last=False)
        if self._recent[key] == now_s:
            self._hear(Heard(datagram.data, (Address("tcp", datagram.source),)))

    def _note_way(self, number: int, way: Way | None, *, is_own: bool) -> None:
        interface = next((link.interface for link in self._links if link.number == number), None)
        if interface is not None and way is not None:
            note = self._echoes.returned if is_own else self._echoes.came
            note(interface, way)


class _Errand(NamedTuple):
    """Something to be sent once."""

    at_s: float
    beacons: tuple[bytes, ...] | None
    """None: whatever is shown by then."""
    links: "Sequence[_Link] | None"
    """On these only; None: on all that there are then."""
    tries: int


class _Link(NamedTuple):
    """One interface in one address family: what a datagram is sent to everybody on."""

    interface: str
    number: int
    family: int


def _links(found: Iterable[InterfaceAddress]) -> list[_Link]:
    """Return the interfaces that have an address, once for each family."""
    links = set()
    for each in found:
        is_six = len(each.packed) == 16
        # All hosts of a link are reached from its own kind of address only.
        if is_six and not ipaddress.ip_address(each.address).is_link_local:
            continue
        family = socket.AF_INET6 if is_six else socket.AF_INET
        links.add(_Link(each.interface, each.index, int(family)))
    return sorted(links)
