"""Whole nodes over the real store, whose disk is full at one write after another.

What a node has told anybody that it keeps, it keeps; what it could not keep it has
told nobody; and when there is room again it goes on, and everything arrives.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import apsw
import pytest

from meshnews.bundle.statement import Priority, Role
from meshnews.errors import StoreFull
from meshnews.ids import BundleRef, TrafficClass
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.filing import FilingDraft
from meshnews.node.node import Node
from meshnews.sim.machine import Machine, PowerCut
from meshnews.sim.world import World
from meshnews.store.memory import MemoryCarry, MemoryVault
from meshnews.store.port import WITH_BODY, Carry, Shelves
from meshnewsd.storage.store import Store, open_store
from tests.node.inbox import everything
from tests.sim.newsroom import TEXT, small_desk
from tests.store.power import VFS, Recording, recording_vfs

Answer = TypeVar("Answer")

CARRY_KEY, VAULT_KEY = b"c" * 32, b"v" * 32
PICTURE = bytes(range(256)) * 300
SAMPLES = 5


class Connection(apsw.Connection):
    """Closes without a word of a log that could not be folded: see `tests.store`."""

    def close(self, force: bool = False) -> None:
        with contextlib.suppress(apsw.FullError):
            super().close(force)


class OnDisk(Machine):
    """A machine whose stores are files.  When they are full its node ends, as in the daemon."""

    store: Store
    recording: Recording
    refused = 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what follows wholly or not at all.

        Raises:
            PowerCut: there was no room; whoever asked is told so, and the node is made anew.
        """
        store = self.store
        try:
            store._begin()
            try:
                yield
                store.carry.settle()
                if store._vault_db is not None:
                    store._vault_db.commit()
                store._carry_db.commit()
            except BaseException:
                store._roll_back()
                raise
            store.carry.committed()
        except StoreFull as exc:
            self.refused += 1
            raise PowerCut from exc


@pytest.fixture(autouse=True)
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshnewsd.storage.database.apsw.Connection", Connection)
    monkeypatch.setattr("meshnewsd.storage.database.VFS", f"multipleciphers-{VFS}")


def on_disk(machine: Machine, folder: Path) -> OnDisk:
    """Return the same machine with its stores in files."""
    recording = recording_vfs().record()
    folder.mkdir()
    store = open_store(folder, CARRY_KEY, None if machine.vault is None else VAULT_KEY)

    def copy() -> None:
        _copy_shelves(machine.carry, store.carry)
        if machine.vault is not None and store.vault is not None:
            _copy_shelves(machine.vault, store.vault)
        for ref in _refs(machine.carry):
            entry = machine.carry.entry(ref)
            assert entry is not None
            store.carry.add(entry, machine.carry.body(ref) or b"")

    store.transact(copy)
    twin = OnDisk(
        machine.name,
        store.carry,  # type: ignore[arg-type]  # another behind the same port
        store.vault,  # type: ignore[arg-type]  # likewise
        machine.entropy,
        machine.settings,
    )
    twin.boot_id, twin.booted_s = machine.boot_id, machine.booted_s
    twin.store, twin.recording = store, recording
    return twin


def _copy_shelves(source: MemoryCarry | MemoryVault, target: Shelves) -> None:
    for name in source.shelf_names:
        for key, value in source.scan(name):
            target.put(name, key, value)


def _refs(carry: Carry) -> list[BundleRef]:
    return [
        BundleRef(traffic, day, identifier)
        for traffic in TrafficClass
        for day in carry.days(traffic)
        for identifier, _ in carry.elements(traffic, day)
    ]


class Story:
    """A dispatch with a picture goes by a relay to the desk; one machine has a disk.

    Attributes:
        full_from: that disk is full from so many of its writes and syncs on; None: never.
        writes: so many there were before it was closed.
    """

    writes = 0

    def __init__(self, folder: Path, name: str, full_from: int | None) -> None:
        self.world = World(7, is_traced=False)
        self.newsroom, machines = small_desk(self.world)
        for machine in machines.values():
            self.world.crash(machine)
        self.disk = on_disk(machines[name], folder)
        self.world.machines[name] = self.disk
        self.newsroom.introduce(*self.world.machines.values())
        self.before = len(self.disk.recording.operations)
        if full_from is not None:
            self.disk.recording.full_from = self.before + full_from

    def tell(self) -> None:
        """File, meet, meet and meet; make room whenever there is none; look at the end."""
        ref = self._filed()
        for pair in (("reporter-1", "relay-1"), ("relay-1", "collector-1"), (), ()):
            self.world.meet(*(pair or self.world.machines))
            self.world.run(20.0)
            self._keeps_what_it_said(ref)
            self._go_on()
            self.world.run(40.0)
            self.world.part(*(pair or self.world.machines))
        (item,) = self.world.ask(self.world.machines["editor-1"], everything)
        assert item.ref.id == ref
        assert item.text == TEXT
        self.writes = len(self.disk.recording.operations) - self.before
        self.disk.store.close()

    def _filed(self) -> bytes:
        """File; who is told that there is no room looks whether it was filed all the same."""
        draft = self._ask(lambda node: node.filing.begin(Priority.ROUTINE))
        try:
            return self._finish(draft).id
        except PowerCut:
            self._go_on()
        filed = self._ask(lambda node: node.filing.finished_as(draft))
        if filed is not None:
            return filed.id
        return self._finish(self._ask(lambda node: node.filing.begin(Priority.ROUTINE))).id

    def _finish(self, draft: FilingDraft) -> BundleRef:
        """Seal and file, as the daemon does: in several transactions."""
        size = len(PICTURE)
        self._ask(lambda node: node.filing.attach(draft, "a.jpg", size=size, role=Role.FILE))
        self._ask(lambda node: node.filing.add(draft, PICTURE))
        self._ask(lambda node: node.filing.end_attachment(draft))
        return self._ask(
            lambda node: node.filing.finish(draft, text=TEXT, slug="a", now=True, forget=False)
        ).ref

    def _ask(self, question: Callable[[Node], Answer]) -> Answer:
        return self.world.ask(self.world.machines["reporter-1"], question)

    def _go_on(self) -> None:
        """Make room where there was none; the daemon makes its node anew."""
        if self.disk.node is None:
            self.disk.recording.full_from = None
            self.world.restart(self.disk)

    def _keeps_what_it_said(self, ref: bytes) -> None:
        """Look whether the relay has all of what the reporter was told it carries."""
        reporter = self.world.machines["reporter-1"]
        if reporter.node is None:
            return
        dispatch = reporter.node.dispatches.find(ref.hex())
        if dispatch.state is DispatchState.CARRIED:
            carry = self.world.machines["relay-1"].carry
            kept = [one for one in _refs(carry) if carry.state(one) in WITH_BODY]
            assert ref in {one.id for one in kept}
            assert sum(one.traffic is not TrafficClass.NOTICE for one in kept) >= 2


def writes_of(folder: Path, name: str) -> int:
    story = Story(folder, name, None)
    story.tell()
    return story.writes


@pytest.mark.parametrize("name", ["relay-1", "reporter-1"])
def test_what_a_machine_with_a_full_disk_has_said_it_keeps_it_keeps(
    tmp_path: Path, name: str
) -> None:
    writes = writes_of(tmp_path / "whole", name)
    refused = 0
    for at in range(1, writes, -(-writes // SAMPLES)):
        story = Story(tmp_path / f"full-{at}", name, at)
        story.tell()
        refused += story.disk.refused
    assert refused >= SAMPLES - 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relay-1", "reporter-1"])
def test_a_disk_that_is_full_at_every_write_in_turn_loses_nothing(
    tmp_path: Path, name: str
) -> None:
    for at in range(writes_of(tmp_path / "whole", name)):
        Story(tmp_path / f"full-{at}", name, at).tell()
