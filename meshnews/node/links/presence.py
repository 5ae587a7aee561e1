"""Being found and finding: this node's beacons, and what those it hears lead to.

A relay shows a beacon under its own beacon key, and for a while under the one
before; a member whose vault is open, under the mesh key of the day; a desk's
machine, besides, under each open invitation.  What is heard is tried under the
keys of every relay on the card and, by a member, under the mesh keys of the
days around.

Who is not silent also seeks: it sends one beacon under each key of those it
looks for, and whoever holds the key answers with its own.

On Bluetooth the same is said in short beacons, all the time and by everybody who
may be noticed everywhere; nobody seeks there.
See docs/protocol/discovery.md.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnews.crypto.entropy import between
from meshnews.crypto.keys import SymmetricKey
from meshnews.ids import Day
from meshnews.limits import BEACON_EPOCHS_ANSWERED
from meshnews.link import beacon
from meshnews.link.beacon import NONCE_BYTES, Flag, hear
from meshnews.link.beacon_book import BeaconBook
from meshnews.link.freshness import Hearing, Mark
from meshnews.link.handshake import LinkKeys
from meshnews.link.rendezvous import Mode, Rendezvous, members_between, mesh_key_on
from meshnews.link.short_beacon import SHORT_BEACON_BYTES, hear_short
from meshnews.node import shelf
from meshnews.node.event import Address, Advertise, Beckon, Heard, Relisten
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.links.dialler import Dialler
from meshnews.node.links.surroundings import Surroundings
from meshnews.node.links.target import Target, on_radio
from meshnews.node.person import Person
from meshnews.node.records.former import FormerKeys, beacon_of, former_own_keys
from meshnews.store.age import Clock
from meshnews.wire.codec import as_int, as_list, decode, encode

DAYS_AROUND: Final = 1
"""A member listens under the mesh keys of the day before and after its own date too."""

DAYS_AHEAD_MAX: Final = 400
"""And, when its clock is not to be believed, of this many days above the floor."""

MOVING_S_MAX: Final = 30.0
"""How long the beacons of an epoch wait for its ports, before they name those of before."""

ANSWER_S_MAX: Final = 0.5
ANSWERS_APART_S: Final = 1.0
"""What may be a beacon and was not heard before is answered within the one, once the other has
passed since the last answer began."""

JOINING_SOUGHT_S: Final = (1.0, 3.0, 9.0, 27.0)
"""Who wants to join seeks again after these times."""

NONCES_REMEMBERED_MAX: Final = 512

NETWORK: Final = "tcp"
RADIO: Final = "bluetooth"
"""The transports whose ports beacons name: the long ones and the short ones."""

_NO_EPOCH: Final = -1
"""In place of what a short beacon does not say; it moves no mark."""

_OWN: Final = b"own"
_JOINING: Final = b"joining"


@dataclass(frozen=True, slots=True)
class _Basis:
    """What decides what is shown.

    Attributes:
        epoch: counts the turns of the book.
        places: the interfaces where this node may be noticed; None: all of them.
        own: at which rendezvous it shows itself.
        sought: at which it looks for others.
        port, psm: what beacons and short beacons name; 0: nobody listens; None: it is changing.
        is_joining: it wants to join a desk, and is found everywhere for that.
    """

    epoch: int
    places: tuple[str, ...] | None
    own: tuple[Rendezvous, ...]
    sought: tuple[Rendezvous, ...]
    port: int | None
    psm: int | None
    is_joining: bool


class Presence:
    """This node's own beacons, and its ear for those of others."""

    def __init__(self, home: Home, dialler: Dialler, surroundings: Surroundings) -> None:
        self._home = home
        self._dialler = dialler
        self._surroundings = surroundings
        self._ports: dict[str, int] = {}
        count = int.from_bytes(home.carry.get(shelf.SELF, b"count") or b"", "big")
        self._book = BeaconBook(home.entropy, count=count, epoch_s=home.settings.beacon_epoch_s)
        self._hearing: Hearing[bytes] = Hearing(dict(self._kept_marks()))
        self._mesh: dict[Day, Rendezvous] = {}
        self._mesh_from: tuple[SymmetricKey, Day] | None = None
        self._mesh_ahead: tuple[SymmetricKey, tuple[Rendezvous, ...]] | None = None
        self._has_begun = False
        self._turns = 0
        self._basis: _Basis | None = None
        self._shown = Advertise(())
        self._shown_until_s = math.inf
        self._moving_until_s: dict[str, float] = {}
        self._own_before: tuple[Rendezvous, ...] = ()
        self._own_keys: tuple[SymmetricKey, ...] = ()
        self._at_own_keys: tuple[Rendezvous, ...] = ()
        self._joining_before: Rendezvous | None = None
        self._heard_nonces: OrderedDict[bytes, None] = OrderedDict()
        self._answer_at_s = 0.0
        self._answer_after_s = 0.0
        self.effects: list[Beckon | Relisten] = []

    def _kept_marks(self) -> Iterator[tuple[bytes, Mark]]:
        for key, value in self._home.carry.scan(shelf.MARK):
            epoch, count = as_list(decode(value, bytes_max=32), size=2)
            yield key, Mark(as_int(epoch, -1, 1 << 32), as_int(count, -1, 1 << 32))

    # Being found ----------------------------------------------------------

    def listening(self, transport: str, port: int) -> None:
        """Take note of the port that our beacons have to name."""
        self._ports[transport] = port
        self._moving_until_s.pop(transport, None)

    def turn(self, clock: Clock) -> bool:
        """Go to the beacons of this moment; tell whether time has ended what was last shown."""
        # What the machine vouches for and the floor belies is shown to nobody as the time.
        wall = clock.wall_s if self._home.wall.trusted else None
        turned = self._book.turn(boot_s=clock.boot_s, wall_s=wall)
        if turned:
            self._turns += 1
            self._mesh.clear()
            self._mesh_ahead = None
            count = self._book.count.to_bytes(4, "big")
            self._home.carry.put(shelf.SELF, b"count", count)
            if self._has_begun:
                kept_s = self._home.settings.beacon_epoch_s * BEACON_EPOCHS_ANSWERED
                # Ports named by the beacons of before are good as long as these are answered.
                self.effects.append(Relisten(kept_s))
                until_s = self._home.moment.lived_s + MOVING_S_MAX
                self._moving_until_s = dict.fromkeys((NETWORK, RADIO), until_s)
            self._has_begun = True
        return turned or self._home.moment.lived_s >= self._shown_until_s

    def due_in_s(self, clock: Clock) -> float:
        """Return in how many seconds `turn` wants to be called, or what is shown lapses."""
        lapses_in_s = self._shown_until_s - self._home.moment.lived_s
        return max(0.0, min(lapses_in_s, self._book.due_s - clock.boot_s))

    def shown(self) -> Advertise:
        """Return what finders are to show at this moment, and where."""
        now_s = self._home.moment.lived_s
        ends = (now_s + self._surroundings.look_left_s, *self._moving_until_s.values())
        self._shown_until_s = min((s for s in ends if s > now_s), default=math.inf)
        places = self._surroundings.places()
        basis = _Basis(
            epoch=self._turns,
            places=places,
            own=tuple(self._own()),
            sought=tuple(self._sought(is_shown=places != ())),
            port=self._port(NETWORK),
            psm=self._port(RADIO),
            is_joining=self._home.joining is not None,
        )
        if basis != self._basis:
            # Asked at most events, and mostly the same.
            self._basis, self._shown = basis, self._show(basis)
        return self._shown

    def _show(self, basis: "_Basis") -> Advertise:
        """Return what is to be shown; the beacons of a new epoch wait for its ports."""
        places, before, book = basis.places, self._shown, self._book
        beacons, seeks, short = before.beacons, before.seeks, before.short
        if basis.port is not None:
            own = basis.own if basis.port and places != () else ()
            beacons = tuple([book.beacon(one, port=basis.port) for one in own])
            seeks = tuple(map(self._seek, basis.sought))
        if places is not None:
            # To trust a network says nothing of who walks past outside.
            short = ()
        elif basis.psm is not None:
            own = basis.own if basis.psm else ()
            short = tuple([book.short_beacon(one, psm=basis.psm) for one in own])
        return Advertise(beacons, None if basis.is_joining else places, seeks, short)

    def _port(self, transport: str) -> int | None:
        """Return the port that beacons have to name; 0: nobody listens; None: it is changing."""
        if self._home.moment.lived_s < self._moving_until_s.get(transport, 0.0):
            return None
        return self._ports.get(transport, 0)

    def _sought(self, *, is_shown: bool) -> Iterator[Rendezvous]:
        if not self._surroundings.may_seek:
            return
        if is_shown:
            targets = self._dialler.targets.items()
            known = [(name, t) for name, t in targets if t.relay is not None and not t.is_radio]
            for _, target in sorted(known, key=lambda each: each[0]):
                yield from target.secrets
        if self._home.joining is not None:
            yield self._home.joining

    def _seek(self, rendezvous: Rendezvous) -> bytes:
        return self._book.beacon(rendezvous, port=0, flags=Flag.SEEK)

    def keys(self) -> LinkKeys:
        """Return what this node answers to; nothing for who is silent."""
        relay = self._home.identity.relay
        if self._surroundings.places() == ():
            return LinkKeys()
        return LinkKeys(
            beacons=self._book.answered(),
            unprompted=[own for own in self._own() if own.mode is not Mode.MEMBER],
            static=None if relay is None else relay.static,
        )

    def _own(self) -> Iterator[Rendezvous]:
        relay = self._home.identity.relay
        if relay is not None and relay.beacon_key is not None:
            keys = (relay.beacon_key, *former_own_keys(self._home))
            if keys != self._own_keys:
                # Three hashes for each key: not for every event.
                self._own_keys = keys
                self._at_own_keys = tuple(map(Rendezvous.at_relay, keys))
            yield from self._at_own_keys
        else:
            yield from self._members(0)
        yield from self._home.invitations.values()

    # Following what the home became ---------------------------------------

    def follow(self) -> None:
        """Let go of keys that are no longer ours, and of an invitation no longer pursued."""
        own = tuple(self._own())
        for gone in self._own_before:
            # Yesterday's mesh key is answered as long as its beacons are.
            if gone not in own and not self._is_of_the_mesh(gone):
                self._book.drop(gone)
        self._own_before = own
        if self._home.joining != self._joining_before:
            # Another machine invites, and counts by itself.
            self._hearing.forget(_JOINING)
            if self._home.joining is not None and self._surroundings.may_seek:
                # A person waits: one datagram that is lost shall not cost half a minute.
                seek = self._seek(self._home.joining)
                self.effects += [Beckon((seek,), after_s) for after_s in JOINING_SOUGHT_S]
        self._joining_before = self._home.joining
        for name in (_JOINING, on_radio(_JOINING)):
            target = self._dialler.targets.get(name)
            if target is not None and target.rendezvous != self._home.joining:
                self._dialler.forget(_JOINING)

    # Finding --------------------------------------------------------------

    def heard(self, event: Heard) -> Target | None:
        """Make sense of what a finder came upon; return whom it leads to."""
        if len(event.beacon) == SHORT_BEACON_BYTES:
            return self._heard_short(event)
        self._answer(event.beacon)
        found = hear(event.beacon, self._candidates())
        if found is None or self._book.is_own(found.nonce) or not self._is_fresh(found):
            return None
        if Flag.SEEK in found.flags or found.name == _OWN or not found.port:
            return None
        if self._is_outdated(found.name, found.rendezvous):
            return None
        addresses = [_with_port(address, found.port) for address in event.addresses]
        found = replace(found, name=found.name or found.nonce)
        return self._dialler.hear(found, addresses, self._home.moment.lived_s)

    def _heard_short(self, event: Heard) -> Target | None:
        short = hear_short(event.beacon, self._candidates(), epoch=self._epoch)
        if short is None or self._book.is_own(short.nonce):
            return None
        if short.name == _OWN or not short.psm or Flag.SEEK in short.flags:
            return None
        if self._is_outdated(on_radio(short.name), short.rendezvous):
            return None
        name = short.name or short.nonce
        found = beacon.Heard(name, short.rendezvous, _NO_EPOCH, short.psm, short.flags, short.nonce)
        addresses = [_with_port(address, short.psm) for address in event.addresses]
        return self._dialler.hear_radio(found, addresses, self._home.moment.lived_s)

    def _is_outdated(self, name: bytes, under: Rendezvous) -> bool:
        """Tell whether a relay shows a former key besides the new one, which we know of it."""
        target = self._dialler.targets.get(name)
        if target is None or target.beacon is None or under not in target.former:
            return False
        return target.beacon.rendezvous == target.rendezvous

    @property
    def _epoch(self) -> int | None:
        """The epoch of our clock; None when that is not to be believed."""
        return self._book.epoch if self._home.wall.trusted else None

    def _is_fresh(self, found: beacon.Heard[bytes]) -> bool:
        return self._hearing.is_fresh(found, epoch=self._epoch)

    def _answer(self, packet: bytes) -> None:
        """Show ourselves to one who may just have come, whoever that is.

        Whoever seeks us, or cannot be called, needs it.  A stranger who plays what it
        recorded elsewhere would learn who belongs together, were only that answered
        which we can read.
        """
        nonce, now_s = packet[:NONCE_BYTES], self._home.moment.lived_s
        known = nonce in self._heard_nonces
        self._heard_nonces[nonce] = None
        if len(self._heard_nonces) > NONCES_REMEMBERED_MAX:
            self._heard_nonces.popitem(last=False)
        shown = self.shown()
        # What is still to be sent answers this one too.
        if known or not shown.beacons or now_s < self._answer_at_s:
            return
        # Passed over, whoever comes within a second of another would ask in vain ever after.
        begin_s = max(now_s, self._answer_after_s)
        self._answer_after_s = begin_s + ANSWERS_APART_S
        self._answer_at_s = begin_s + between(self._home.entropy, 0.0, ANSWER_S_MAX)
        self.effects.append(Beckon(shown.beacons, self._answer_at_s - now_s))

    def linked(self, target: Target, under: Rendezvous) -> None:
        """Take note that a call became a link.

        What leads to the same machine under a former key, and older beacons, are recordings.
        """
        if target.relay is not None and target.former and under == target.rendezvous:
            FormerKeys(self._home.carry).drop(beacon_of(target.relay.static))
            target.former = ()
        if target.beacon is None or under != target.beacon.rendezvous:
            return
        mark = self._hearing.linked(target.beacon)
        if mark is not None and target.relay is not None:
            self._home.carry.put(shelf.MARK, target.name, encode([mark.epoch, mark.count]))

    def _candidates(self) -> Iterator[tuple[bytes, Rendezvous]]:
        for name, target in sorted(self._dialler.targets.items()):
            if target.relay is not None and not target.is_radio:
                for rendezvous in target.secrets:
                    yield name, rendezvous
        if self._home.joining is not None:
            yield _JOINING, self._home.joining
        for own in self._own():
            if own.mode is not Mode.MEMBER:
                yield _OWN, own
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
            yield from self._members_ahead(key, day_from)
            return
        for day in range(today - around, today + around + 1):
            if day >= day_from:
                yield self._member(key, day_from, Day(day))

    def _members_ahead(self, key: SymmetricKey, day_from: Day) -> tuple[Rendezvous, ...]:
        if self._mesh_ahead is None or self._mesh_ahead[0] != key:
            last = Day(day_from + DAYS_AHEAD_MAX)
            days = members_between(key, day_from=day_from, first=day_from, last=last)
            self._mesh_ahead = key, tuple(days)
        return self._mesh_ahead[1]

    def _is_of_the_mesh(self, shown: Rendezvous) -> bool:
        """Tell whether a member's beacon was made under the mesh key that we have now."""
        return shown.day is not None and shown in self._members(DAYS_AROUND)

    def _member(self, key: SymmetricKey, day_from: Day, day: Day) -> Rendezvous:
        # A year of the ratchet is some hundred hashes: not for every packet.
        if self._mesh_from != (key, day_from):
            self._mesh_from = key, day_from
            self._mesh.clear()
        if day not in self._mesh:
            turned = mesh_key_on(key, day_from=day_from, day_to=day)
            self._mesh[day] = Rendezvous.of_members(turned, day)
        return self._mesh[day]


def _with_port(address: Address, port: int) -> Address:
    host, _, said = address.where.rpartition(":")
    return address if said != "0" else Address(address.transport, f"{host}:{port}")
