"""Being found and finding: this node's beacons, and what those it hears lead to.

A relay shows a beacon under its own beacon key; a member whose vault is open,
under the mesh key of the day.  What is heard is tried under the keys of every
relay on the card and, by a member, under the mesh keys of the days around.
See docs/protocol/discovery.md.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from meshnews.crypto.keys import SymmetricKey
from meshnews.ids import Day
from meshnews.link.beacon import Flag, hear
from meshnews.link.beacon_book import BeaconBook
from meshnews.link.freshness import Hearing, Mark
from meshnews.link.handshake import LinkKeys
from meshnews.link.rendezvous import Rendezvous, members_between, mesh_key_on
from meshnews.node import shelf
from meshnews.node.dialler import Dialler, Target
from meshnews.node.event import Address, Heard
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.person import Person
from meshnews.node.settings import Visibility
from meshnews.store.age import Clock
from meshnews.wire.codec import as_int, as_list, decode, encode

DAYS_AROUND: Final = 1
"""A member listens under the mesh keys of the day before and after its own date too."""

DAYS_AHEAD_MAX: Final = 400
"""And, when its clock is not to be believed, of this many days above the floor."""


class Presence:
    """This node's own beacons, and its ear for those of others."""

    def __init__(self, home: Home, dialler: Dialler) -> None:
        self._home = home
        self._dialler = dialler
        self._ports: dict[str, int] = {}
        count = int.from_bytes(home.carry.get(shelf.SELF, b"count") or b"", "big")
        self._book = BeaconBook(home.entropy, count=count)
        self._hearing: Hearing[bytes] = Hearing(dict(self._kept_marks()))
        self._clock: Clock | None = None
        self._mesh: dict[Day, Rendezvous] = {}

    def _kept_marks(self) -> Iterator[tuple[bytes, Mark]]:
        for key, value in self._home.carry.scan(shelf.MARK):
            epoch, count = as_list(decode(value, bytes_max=32), size=2)
            yield key, Mark(as_int(epoch, -1, 1 << 32), as_int(count, -1, 1 << 32))

    # Being found ----------------------------------------------------------

    @property
    def visibility(self) -> Visibility:
        """Who can notice this node: as its keeper set it, else by its role."""
        chosen = self._home.settings.visibility
        if chosen is not None:
            return chosen
        answers = self._home.identity.relay is not None
        return Visibility.OPEN if answers else Visibility.SILENT

    def listening(self, transport: str, port: int) -> None:
        """Take note of the port that our beacons have to name."""
        self._ports[transport] = port

    def turn(self, clock: Clock) -> bool:
        """Go to the beacons of this moment; tell whether they have changed."""
        self._clock = clock
        wall = clock.wall_s if clock.wall_is_trusted else None
        turned = self._book.turn(boot_s=clock.boot_s, wall_s=wall)
        if turned:
            self._mesh.clear()
            count = self._book.count.to_bytes(4, "big")
            self._home.carry.put(shelf.SELF, b"count", count)
        return turned

    def due_in_s(self, clock: Clock) -> float:
        """Return in how many seconds `turn` wants to be called."""
        return max(0.0, self._book.due_s - clock.boot_s)

    def beacons(self) -> tuple[bytes, ...]:
        """Return the beacons to show now; none for who is silent or not listening."""
        port = self._ports.get("tcp", 0)
        if not port or self.visibility is Visibility.SILENT:
            return ()
        return tuple(self._book.beacon(own, port=port) for own in self._own())

    def keys(self) -> LinkKeys:
        """Return what this node answers to; nothing for who is silent."""
        relay = self._home.identity.relay
        if self.visibility is Visibility.SILENT:
            return LinkKeys()
        unprompted = [own for own in self._own() if own.day is None]
        return LinkKeys(
            beacons=self._book.answered(),
            unprompted=unprompted,
            static=None if relay is None else relay.static,
        )

    def _own(self) -> Iterator[Rendezvous]:
        relay = self._home.identity.relay
        if relay is not None and relay.beacon_key is not None:
            yield Rendezvous.at_relay(relay.beacon_key)
        else:
            yield from self._members(0)

    # Finding --------------------------------------------------------------

    def heard(self, event: Heard) -> Target | None:
        """Make sense of what a finder came upon; return whom it leads to."""
        found = hear(event.beacon, self._candidates())
        if found is None or self._book.is_own(found.nonce) or Flag.SEEK in found.flags:
            return None
        trusted = self._clock is not None and self._clock.wall_is_trusted
        if not found.port or not self._hearing.is_fresh(
            found, epoch=self._book.epoch if trusted else None
        ):
            return None
        addresses = [_with_port(address, found.port) for address in event.addresses]
        name = found.name or found.nonce
        self._dialler.hear(name, found.rendezvous, found.nonce, addresses)
        target = self._dialler.targets[name]
        target.beacon = replace(found, name=name)
        return target

    def linked(self, target: Target) -> None:
        """Take note that the answer to a beacon became a link, so older ones are recordings."""
        if target.beacon is None:
            return
        mark = self._hearing.linked(target.beacon)
        if mark is not None:
            self._home.carry.put(shelf.MARK, target.name, encode([mark.epoch, mark.count]))

    def _candidates(self) -> Iterator[tuple[bytes, Rendezvous]]:
        for name, target in sorted(self._dialler.targets.items()):
            if target.relay is not None:
                yield name, target.rendezvous
        for rendezvous in self._members(DAYS_AROUND):
            yield b"", rendezvous

    def _members(self, around: int) -> Iterator[Rendezvous]:
        vault = self._home.vault
        if vault is None or self._home.identity.role is Role.RELAY:
            return
        stored = Person(vault).mesh_key()
        if stored is None:
            return
        key, day_from = stored
        today = self._home.moment.today
        if around and not self._home.wall.trusted:
            last = Day(day_from + DAYS_AHEAD_MAX)
            yield from members_between(key, day_from=day_from, first=day_from, last=last)
            return
        for day in range(today - around, today + around + 1):
            if day >= day_from:
                yield self._member(key, day_from, Day(day))

    def _member(self, key: SymmetricKey, day_from: Day, day: Day) -> Rendezvous:
        # A year of the ratchet is some hundred hashes: not for every packet.
        if day not in self._mesh:
            turned = mesh_key_on(key, day_from=day_from, day_to=day)
            self._mesh[day] = Rendezvous.of_members(turned, day)
        return self._mesh[day]


def _with_port(address: Address, port: int) -> Address:
    host, _, said = address.where.rpartition(":")
    return address if said != "0" else Address(address.transport, f"{host}:{port}")
