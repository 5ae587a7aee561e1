"""What has to hold at every step of a simulation, whoever is hostile and whatever breaks.

    nothing accepted goes without a reason        a body is the same everywhere, always
    nothing is acked that no editor has opened    an item is opened once
    quotas hold                                   age and floor never run backwards or ahead
    a relay knows nobody by key or name           who is seized betrays no words

A check that fails is our own bug, and ends the simulation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from meshnews.errors import LocalMisuse
from meshnews.ids import BundleRef, TrafficClass
from meshnews.node import shelf
from meshnews.node.person import Person
from meshnews.sim.ledger import has_body
from meshnews.sim.machine import Machine
from meshnews.sim.needle import Needles
from meshnews.sim.world import World
from meshnews.store.age import DAY_S
from meshnews.store.port import Entry, State

LIFE_BACK_S: Final = 301.0
"""After a power cut life may fall back by what was not yet written down."""

WORDS_BYTES_MIN: Final = 8
"""Fewer bytes are on any disk by chance."""

_ACKED: Final = frozenset({State.ACKED, State.ACKED_WITH_BODY})


class Broken(LocalMisuse):
    """Something that has to hold at every step did not."""


@dataclass
class Watchman:
    """Looks at every step of a world, and stops it when something does not hold.

    Attributes:
        hostile: machines of which nothing is expected.
        secrets: what must be on no relay's disk, by what it is.
        words: what must be on no disk at all but an editor's.
        dropped: bodies that were let go for want of room, by machine.
        editors: machines that open what is filed.
        filed: all bundles of what is filed for them, and `texts` those of its words.
    """

    world: World
    hostile: frozenset[str] = frozenset()
    secrets: dict[str, bytes] = field(default_factory=dict)
    words: dict[str, bytes] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    editors: frozenset[str] = frozenset()
    filed: set[BundleRef] = field(default_factory=set)
    texts: set[BundleRef] = field(default_factory=set)
    _bodies: dict[BundleRef, int] = field(default_factory=dict)
    _lived_s: dict[str, float] = field(default_factory=dict)
    _boots: dict[str, bytes] = field(default_factory=dict)

    def know_people(self) -> None:
        """Learn whose keys and names no relay may have."""
        for name, machine in sorted(self.world.machines.items()):
            secret = None if machine.vault is None else Person(machine.vault).sign_key()
            if secret is None or machine.vault is None:
                continue
            self.secrets[f"the secret of {name}"] = secret.raw
            if Person(machine.vault).certificate() is not None:
                self.secrets[f"the key of {name}"] = bytes(secret.public)

    # At every change of a store ---------------------------------------------

    def noted(
        self, machine: Machine, ref: BundleRef, before: Entry | None, after: Entry | None
    ) -> None:
        """Judge a change of what a machine knows of one bundle.

        Raises:
            Broken: it may not happen.
        """
        if machine.name in self.hostile:
            return
        if has_body(after):
            self._is_the_same(machine, ref)
        if has_body(before) and not has_body(after):
            assert before is not None
            self._has_a_reason(machine, before, after)
        if after is not None and after.state in _ACKED:
            self._was_opened(machine, ref)

    def _is_the_same(self, machine: Machine, ref: BundleRef) -> None:
        # All machines share one copy of equal bodies: another copy is another body.
        body = machine.carry.body(ref)
        known = self._bodies.setdefault(ref, id(body))
        if known != id(body):
            raise Broken(f"{machine.name} holds another body of {ref.id.hex()[:8]}")

    def _has_a_reason(self, machine: Machine, before: Entry, after: Entry | None) -> None:
        state = None if after is None else after.state
        name = f"{machine.name} lost {before.ref.id.hex()[:8]}, {before.state.name}"
        if state is State.LACKING:
            if before.pinned:
                raise Broken(f"{name} and its own, for want of room")
            self.dropped[machine.name] = self.dropped.get(machine.name, 0) + 1
        elif state is None and before.state is State.HELD:
            is_over = machine.node is None or before.expiry_day < self._floor_day(machine)
            if before.ref.traffic is not TrafficClass.NOTICE and not is_over:
                raise Broken(f"{name}, for no reason")

    @staticmethod
    def _floor_day(machine: Machine) -> int:
        assert machine.node is not None, "only who is on changes its store"
        return machine.node.home.moment.floor_day

    def _was_opened(self, machine: Machine, ref: BundleRef) -> None:
        """Look whether an editor has what the desk is said to have received.

        Of what is not filed in the plan, a reporter's receipt for the desk's own
        letters among it, nothing is known here.
        """
        if ref not in self.filed:
            return
        editors = (self.world.machines[name] for name in sorted(self.editors))
        if not any(one.vault is not None and self._has(one, ref) for one in editors):
            raise Broken(f"{machine.name} was told received of {ref.id.hex()[:8]}, not opened")

    def _has(self, editor: Machine, ref: BundleRef) -> bool:
        assert editor.vault is not None
        if ref in self.texts:
            return editor.vault.get(shelf.LETTER, ref.id) is not None
        return has_body(editor.carry.entry(ref))

    # At every event ----------------------------------------------------------

    def handled(self, machine: Machine) -> None:
        """Judge a machine after something it was handed.

        Raises:
            Broken: its time ran backwards or ahead, or it holds more than it may.
        """
        node = machine.node
        if node is None:
            return
        moment = node.home.moment
        before_s = self._lived_s.get(machine.name, 0.0)
        grace_s = 0.0 if self._boots.get(machine.name) == machine.boot_id else LIFE_BACK_S
        if moment.lived_s < before_s - grace_s:
            raise Broken(f"the life of {machine.name} ran back by {before_s - moment.lived_s} s")
        self._lived_s[machine.name], self._boots[machine.name] = moment.lived_s, machine.boot_id
        if moment.floor_day > self.world.now_s // DAY_S:
            raise Broken(f"{machine.name} knows a floor that lies ahead")
        if machine.vault is None and machine.name not in self.hostile:
            held, quota = machine.carry.usage().total, node.home.settings.quota_bytes
            if held > quota:
                raise Broken(f"{machine.name} holds {held} bytes of {quota}")

    # When a machine is taken, and at the end ---------------------------------

    def search(self, machine: Machine) -> None:
        """Look through what lies open on a machine that was taken.

        Raises:
            Broken: it says more than it may.
        """
        self._look_through(machine, Needles(self.secrets), Needles(self._said()))

    def search_all(self) -> None:
        """Look through every machine.

        Raises:
            Broken: one says more than it may.
        """
        secrets, said = Needles(self.secrets), Needles(self._said())
        for _, machine in sorted(self.world.machines.items()):
            self._look_through(machine, secrets, said)

    def _said(self) -> dict[str, bytes]:
        return {
            f"the words of {slug}": words
            for slug, words in self.words.items()
            if len(words) >= WORDS_BYTES_MIN
        }

    @staticmethod
    def _look_through(machine: Machine, secrets: Needles, said: Needles) -> None:
        lying = _lying(machine)
        for what in said.found_in(lying):
            raise Broken(f"{machine.name} has {what} on its disk")
        if machine.vault is None:
            for what in secrets.found_in(lying):
                raise Broken(f"{machine.name} has {what} on its disk")

    def opened_once(self, machine: Machine) -> None:
        """Look whether an editor, or a reporter, has an item twice.

        Raises:
            Broken: it has.
        """
        assert machine.vault is not None, "a relay opens nothing"
        ids = [identifier for _, identifier in machine.vault.scan(shelf.LETTER_ORDER)]
        if len(ids) != len(set(ids)):
            raise Broken(f"{machine.name} has an item twice")


def _lying(machine: Machine) -> bytes:
    """Return all that is on a disk and not under a person's key."""
    return b"\0".join(_pieces(machine))


def _pieces(machine: Machine) -> Iterable[bytes]:
    for name in machine.carry.shelf_names:
        for key, value in machine.carry.scan(name):
            yield key
            yield value
