"""Dead drops: what gateways and a collector leave for each other on a service of files."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import trio

from meshnews.bundle.receipt import Receipt
from meshnews.bundle.seal import FOREIGN_BYTES
from meshnews.bundle.statement import Priority
from meshnews.bundle.statement import Role as Original
from meshnews.errors import Malformed
from meshnews.ids import BundleRef, TrafficClass
from meshnews.node import shelf
from meshnews.node.identity import Role
from meshnews.node.links.drop import NAME_BYTES, RECEIPTS_PER_SHEET, read_sheet, write_sheet
from meshnews.node.links.drop_memory import LOOKS_SOON, SHEET_DAYS
from meshnews.node.node import Node
from meshnews.store.port import State
from meshnewsd.uplinks.drop import AT_ONCE, DropLost, Visitor
from tests.contract.memory_drop import MemoryDrop
from tests.node.newsroom import Machine, add_editor, enrolled, make_desk, make_home

T = TypeVar("T")
LARGE_BYTES = 2 * 1024 * 1024
TEXT = "Алаңда атыс естілді."
PLACE = "https://files.example/folder"
NAME = "ab" * 16


@dataclass(frozen=True)
class Asked:
    """The way to a machine's node, as the daemon has it."""

    machine: Machine

    async def ask(self, question: Callable[[Node], T]) -> T:
        await trio.lowlevel.checkpoint()
        return self.machine.ask(question)


@dataclass
class Story:
    """A desk and its drop."""

    editor: Machine
    collector: Machine
    reporter: Machine
    drop: MemoryDrop = field(default_factory=MemoryDrop)
    place: str = PLACE

    async def visit(self, *machines: Machine) -> None:
        for machine in machines:
            await Visitor(self.drop, Asked(machine), self.place).visit()

    def file(self, machine: Machine | None = None) -> BundleRef:
        def act(node: Node) -> BundleRef:
            draft = node.filing.begin(Priority.ROUTINE)
            return node.filing.finish(draft, text=TEXT, slug="s", now=True, forget=False).ref

        return (machine or self.reporter).ask(act)

    def state(self, ref: BundleRef) -> str:
        return self.reporter.ask(lambda node: node.dispatches.find(ref.id.hex())).state.value

    def holds(self, machine: Machine, ref: BundleRef) -> State | None:
        entry = machine.ask(lambda node: node.home.custody.entry(ref))
        return None if entry is None else entry.state

    def carry_to_editor(self) -> None:
        """Let the editor open all that the collector holds, and hand over its receipts."""
        wires = self.collector.ask(
            lambda node: [
                wire for ref, _ in node.drop._elements() if (wire := node.home.custody.body(ref))
            ]
        )

        own = self.collector.node.home.identity.relay
        assert own is not None, "a collector"
        static = own.static.public

        def read(node: Node) -> list[Receipt]:
            for wire in wires:
                taken = node.home.custody.accept(wire, age_s=0, moment=node.home.moment)
                node.work.arrived(taken.bundle)
            return list(node.work.due(static))

        for receipt in self.editor.ask(read):
            self.collector.ask(functools.partial(_acknowledge, receipt=receipt))
        self.collector.later(days=0.1)
        self.collector.ask(lambda node: node._sweep())


def written_by(node: Node) -> set[str]:
    """Return the sheets that a collector wrote, by what it remembers."""
    found = node.home.carry.scan(shelf.DROP, b"s")
    return {key[-NAME_BYTES:].hex() for key, _ in found}


def _acknowledge(node: Node, *, receipt: Receipt) -> None:
    node.home.custody.acknowledge(receipt, node.home.moment)


@pytest.fixture(scope="module")
def desk() -> Story:
    editor, _ = make_desk()
    collector = enrolled(editor, "far", Role.RELAY, endpoint=True)
    return Story(editor, collector, enrolled(editor, "near", Role.REPORTER))


@pytest.fixture
def story(desk: Story) -> Story:
    desk.drop = MemoryDrop()
    return desk


async def test_what_a_gateway_leaves_the_collector_finds_and_the_receipt_comes_back(
    story: Story,
) -> None:
    ref = story.file()
    await story.visit(story.reporter)
    assert story.state(ref) == "on the wire"
    await story.visit(story.collector)
    assert story.holds(story.collector, ref) is State.HELD
    story.carry_to_editor()
    assert story.holds(story.collector, ref) is State.ACKED_WITH_BODY
    await story.visit(story.collector, story.reporter)
    assert story.state(ref) == "received"


async def test_a_receipt_is_what_proves_a_drop_and_at_a_collector_a_bundle(story: Story) -> None:
    async def proves(machine: Machine) -> bool:
        visitor = Visitor(story.drop, Asked(machine), PLACE)
        await visitor.visit()
        return visitor.haul.is_proof

    story.file()
    assert not await proves(story.reporter)
    assert await proves(story.collector)
    assert not await proves(story.reporter)
    story.carry_to_editor()
    assert not await proves(story.collector)
    assert await proves(story.reporter)
    assert not await proves(story.reporter)


async def test_over_a_metered_link_large_files_do_not_cross(story: Story) -> None:
    gateway = enrolled(story.editor, "paying", Role.REPORTER)

    def act(node: Node) -> None:
        draft = node.filing.begin(Priority.FLASH)
        node.filing.attach(draft, "film.mp4", size=LARGE_BYTES, role=Original.FILE)
        node.filing.add(draft, bytes(LARGE_BYTES))
        node.filing.end_attachment(draft)
        node.filing.finish(draft, text=TEXT, slug="s", now=True, forget=False)

    def put(node: Node) -> set[TrafficClass]:
        return {ref.traffic for _, ref in node.drop.plan([], PLACE).puts}

    gateway.ask(act)
    assert TrafficClass.BULK in gateway.ask(put)
    home = gateway.node.home
    home.settings = dataclasses.replace(home.settings, is_metered=True)
    assert TrafficClass.FLASH in gateway.ask(put)
    assert TrafficClass.BULK not in gateway.ask(put)


async def test_a_service_that_takes_and_forgets_makes_nothing_received(story: Story) -> None:
    ref = story.file()
    await story.visit(story.reporter)
    story.drop.files.clear()
    await story.visit(story.collector, story.reporter)
    assert story.state(ref) == "on the wire"
    assert story.drop.files, "it is put again at the next visit"


async def test_what_was_acked_is_taken_away_and_its_receipt_lies_there_instead(
    story: Story,
) -> None:
    ref = story.file()
    await story.visit(story.reporter, story.collector)
    name = story.collector.ask(lambda node: node.drop.name_of(ref))
    assert name in story.drop.files
    story.carry_to_editor()
    await story.visit(story.collector)
    await story.visit(story.collector)
    assert name not in story.drop.files
    assert story.drop.files
    await story.visit(story.reporter)
    assert name not in story.drop.files, "nobody brings it back"


async def test_two_gateways_bring_one_bundle_and_one_object_lies_there(story: Story) -> None:
    ref = story.file()
    second = enrolled(story.editor, "second", Role.RELAY)
    wire = story.reporter.ask(lambda node: node.home.custody.body(ref))
    assert wire is not None
    second.ask(lambda node: node.home.custody.accept(wire, age_s=0, moment=node.home.moment))
    await story.visit(story.reporter)
    before = set(story.drop.files)
    await story.visit(second)
    assert set(story.drop.files) == before
    await story.visit(story.collector)
    held = story.collector.ask(lambda node: [r for r, _ in node.drop._elements() if r == ref])
    assert held == [ref]


async def test_what_the_collector_brings_is_collected_by_gateways(story: Story) -> None:
    await story.visit(story.collector)
    fresh = enrolled(story.editor, "third", Role.RELAY)
    await story.visit(fresh)
    notices = story.collector.ask(
        lambda node: [ref for ref, state in node.drop._elements() if state is State.HELD]
    )
    for ref in notices:
        assert story.holds(fresh, ref) is State.HELD


async def test_nothing_is_read_twice(story: Story) -> None:
    story.file()
    await story.visit(story.reporter, story.collector)
    calls: list[str] = []
    real = story.drop.read

    async def note(name: str) -> bytes | None:
        calls.append(name)
        return await real(name)

    story.drop.read = note  # type: ignore[method-assign]  # the same, noting who asks
    await story.visit(story.reporter, story.collector)
    assert calls == []


# Who looks at it from outside ------------------------------------------------


async def test_names_and_objects_are_noise_and_of_four_sizes(story: Story) -> None:
    for _ in range(3):
        story.file()
    await story.visit(story.reporter, story.collector)
    seen = b"".join(story.drop.files.values())
    assert all(len(data) in FOREIGN_BYTES for data in story.drop.files.values())
    assert all(len(name) == 32 for name in story.drop.files)
    for secret in (TEXT.encode(), b"near", story.reporter.node.home.identity.desk or b""):
        assert secret not in seen
    ones = sum(byte.bit_count() for byte in seen)
    assert 0.49 < ones / (8 * len(seen)) < 0.51


async def test_the_same_bundle_looks_different_each_time(story: Story) -> None:
    ref = story.file()
    made = {story.reporter.ask(lambda node: node.drop.object_of(ref)) for _ in range(4)}
    assert len(made) == 4


async def test_of_another_desk_nothing_is_understood_and_nothing_is_touched(story: Story) -> None:
    other_editor, _ = make_desk("editor-9")
    other = enrolled(other_editor, "other", Role.RELAY, endpoint=True)
    story.file()
    await story.visit(story.reporter)
    ours = dict(story.drop.files)
    known = len(list(other.ask(lambda node: list(node.drop._elements()))))
    await story.visit(other, other)
    assert ours.items() <= story.drop.files.items()
    assert len(other.ask(lambda node: list(node.drop._elements()))) == known


GARBAGE = [b"", b"x", bytes(2088), bytes(2089), bytes(66600)]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_left_alone(story: Story, garbage: bytes) -> None:
    story.drop.files[NAME] = garbage
    for _ in range(LOOKS_SOON):
        await story.visit(story.reporter, story.collector)
    assert story.drop.files[NAME] == garbage
    assert not wants(story.reporter, NAME)


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_what_something_else_answered_once_is_read_at_the_next_visit(
    story: Story, garbage: bytes
) -> None:
    # A sign-in page came up in the middle of a visit, or the file was half written.
    ref = story.file()
    await story.visit(story.reporter)
    name = story.reporter.ask(lambda node: node.drop.name_of(ref))
    whole, story.drop.files[name] = story.drop.files[name], garbage
    await story.visit(story.collector)
    assert story.holds(story.collector, ref) is None
    story.drop.files[name] = whole
    await story.visit(story.collector)
    assert story.holds(story.collector, ref) is State.HELD


async def test_what_is_none_of_ours_is_looked_at_after_longer_and_longer(story: Story) -> None:
    machine = enrolled(story.editor, "patient", Role.RELAY)
    story.drop.files[NAME] = bytes(2088)
    looked = []
    for day in range(20):
        for _ in range(4):
            looked += [day] if wants(machine, NAME) else []
            await story.visit(machine)
        machine.later(days=1)
    assert looked == [0, 0, 0, 1, 3, 7, 15]


def sheet_there(story: Story) -> str:
    """Return a sheet that lies in the drop."""
    return next(iter(story.collector.ask(written_by) & set(story.drop.files)))


def wants(machine: Machine, name: str) -> bool:
    """Tell whether a machine would read a name that it finds."""
    return name in machine.ask(lambda node: node.drop.plan([name], PLACE).gets)


async def test_a_name_that_is_none_is_not_asked_for(story: Story) -> None:
    odd = ["../etc/passwd", "AB" * 16, "a" * 31, "", "ab" * 16 + "\n"]
    assert story.reporter.ask(lambda node: node.drop.plan(odd, PLACE).gets) == ()


async def test_an_object_under_anothers_name_hides_nothing(story: Story) -> None:
    ref, other = story.file(), story.file()
    await story.visit(story.reporter)
    names = story.reporter.ask(lambda node: list(map(node.drop.name_of, (ref, other))))
    lying = dict(story.drop.files)
    # Somebody on the way answers every question with one object of ours.
    story.drop.files[names[1]] = lying[names[0]]
    await story.visit(story.collector)
    assert story.holds(story.collector, other) is None
    story.drop.files |= lying
    await story.visit(story.collector)
    assert story.holds(story.collector, ref) is story.holds(story.collector, other) is State.HELD


async def test_a_sheet_under_anothers_name_hides_nothing(story: Story) -> None:
    ref = story.file()
    await story.visit(story.reporter, story.collector)
    story.carry_to_editor()
    await story.visit(story.collector)
    sheet = sheet_there(story)
    other = story.file()
    await story.visit(story.reporter)
    name = story.reporter.ask(lambda node: node.drop.name_of(other))
    whole, story.drop.files[name] = story.drop.files[name], story.drop.files[sheet]
    await story.visit(story.collector)
    story.drop.files[name] = whole
    await story.visit(story.collector)
    assert story.holds(story.collector, other) is State.HELD
    assert story.holds(story.collector, ref) is State.ACKED_WITH_BODY


async def test_of_what_is_none_of_ours_a_visit_reads_so_much_and_no_more(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshnewsd.uplinks.drop.STRANGERS_MAX", 5)
    ref = story.file()
    await story.visit(story.reporter)
    # Somebody with the account has laid much, under names that come first.
    story.drop.files |= {f"{number:032x}": bytes(2088) for number in range(40)}
    fresh = enrolled(story.editor, "far-off", Role.RELAY, endpoint=True)
    visits = 0
    while story.holds(fresh, ref) is None:
        visitor = Visitor(story.drop, Asked(fresh), PLACE)
        await visitor.visit()
        assert visitor.haul.strangers <= 5 + AT_ONCE
        visits += 1
    assert visits <= 3 * 40 / 5


async def test_what_is_remembered_of_a_drop_has_an_end(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshnews.node.links.drop_memory.NAMES_MAX", 20)
    machine = enrolled(story.editor, "flooded", Role.RELAY)
    for visit in range(10):
        # A hostile service shows other names each time.
        story.drop.files = {f"{visit:016x}{number:016x}": bytes(2088) for number in range(10)}
        await story.visit(machine)
    rows = machine.ask(lambda node: len(list(node.home.carry.scan(shelf.DROP, b"d"))))
    assert rows <= 20 + 10
    kept = next(iter(story.drop.files))
    for _ in range(LOOKS_SOON):
        await story.visit(machine)
    assert not wants(machine, kept), "what still lies there is remembered"


# Cuts --------------------------------------------------------------------------


async def test_a_visit_cut_anywhere_loses_nothing(story: Story) -> None:
    refs = [story.file() for _ in range(3)]
    for calls in range(12):
        story.drop.breaks_after = calls
        try:
            await story.visit(story.reporter, story.collector)
        except DropLost:
            continue
    story.drop.breaks_after = None
    await story.visit(story.reporter, story.collector)
    for ref in refs:
        assert story.holds(story.collector, ref) is State.HELD


async def test_receipts_are_there_before_the_bundles_go(story: Story) -> None:
    ref = story.file()
    await story.visit(story.reporter, story.collector)
    story.carry_to_editor()
    before = set(story.drop.files)
    await story.visit(story.collector)
    assert before < set(story.drop.files)
    await story.visit(story.reporter)
    assert story.state(ref) == "received"


async def test_bundles_stay_until_their_receipts_are_seen_to_lie_there(story: Story) -> None:
    ref = story.file()
    await story.visit(story.reporter, story.collector)
    name = story.reporter.ask(lambda node: node.drop.name_of(ref))
    story.carry_to_editor()
    for _ in range(3):
        before = set(story.drop.files)
        await story.visit(story.collector)
        # Something else took the sheet: a sign-in page says 200 to everything.
        for lost in set(story.drop.files) - before:
            del story.drop.files[lost]
        assert name in story.drop.files
    await story.visit(story.collector, story.collector)
    assert name not in story.drop.files
    await story.visit(story.reporter)
    assert story.state(ref) == "received"


async def test_a_service_that_removes_nothing_is_not_filled_with_sheets(story: Story) -> None:
    story.file()
    await story.visit(story.reporter, story.collector)
    story.carry_to_editor()
    await story.visit(story.collector)
    lying = dict(story.drop.files)
    for _ in range(5):
        await story.visit(story.collector)
        assert set(story.drop.files) <= set(lying)
        story.drop.files = dict(lying)


async def test_each_drop_has_the_receipts_of_what_lies_there(story: Story) -> None:
    ref = story.file()
    first, second = MemoryDrop(), MemoryDrop()
    drops = {PLACE: first, "https://other.example/folder": second}

    async def to_both(*machines: Machine) -> None:
        for story.place, story.drop in drops.items():
            await story.visit(*machines)
        story.place = PLACE

    await to_both(story.reporter)
    await to_both(story.collector)
    name = story.reporter.ask(lambda node: node.drop.name_of(ref))
    assert name in first.files
    assert name in second.files
    story.carry_to_editor()
    for _ in range(2):
        await to_both(story.collector)
    for drop in (first, second):
        assert name not in drop.files
        assert drop.files, "a sheet with the receipt"


async def test_old_sheets_are_taken_away(story: Story) -> None:
    story.file()
    await story.visit(story.reporter, story.collector)
    story.carry_to_editor()
    await story.visit(story.collector)
    sheets = set(story.drop.files)
    assert sheets
    story.collector.later(days=SHEET_DAYS + 1)
    await story.visit(story.collector)
    assert not sheets & set(story.drop.files)


async def test_what_has_expired_is_taken_away_by_the_collector_alone(story: Story) -> None:
    ref = story.file()
    await story.visit(story.reporter, story.collector)
    name = story.collector.ask(lambda node: node.drop.name_of(ref))
    for machine in (story.reporter, story.collector):
        machine.later(days=16)
    await story.visit(story.reporter)
    assert name in story.drop.files
    await story.visit(story.collector)
    assert name not in story.drop.files
    await story.visit(story.reporter)
    assert name not in story.drop.files, "nobody brings it back"


async def test_what_had_expired_before_the_collector_came_is_taken_away_too(story: Story) -> None:
    editor, _ = make_desk("editor-5")
    reporter = enrolled(editor, "late", Role.REPORTER)
    collector = enrolled(editor, "later", Role.RELAY, endpoint=True)
    ref = story.file(reporter)
    await story.visit(reporter)
    assert reporter.ask(lambda node: node.drop.name_of(ref)) in story.drop.files
    collector.later(days=60)
    await story.visit(collector)
    await story.visit(collector)
    ours = {collector.ask(lambda node: node.drop.name_of(ref))}
    assert not ours & set(story.drop.files)


async def test_what_was_refused_is_read_again_once_the_desk_is_known_better(story: Story) -> None:
    editor, root = make_desk("editor-6")
    collector = enrolled(editor, "early", Role.RELAY, endpoint=True)
    second = make_home("editor-7", Role.EDITOR)
    add_editor(editor, root, second)
    reporter = enrolled(second, "new", Role.REPORTER)
    ref = story.file(reporter)
    await story.visit(reporter)
    name = reporter.ask(lambda node: node.drop.name_of(ref))
    await story.visit(collector)
    assert story.holds(collector, ref) is None, "nobody that it knows has franked this"
    assert name not in collector.ask(lambda node: node.drop.plan([name], PLACE).gets)
    await story.visit(editor)
    assert len(story.drop.files) > 1, "with the list of editors"
    await story.visit(collector, collector)
    assert story.holds(collector, ref) is State.HELD


# Sheets ------------------------------------------------------------------------


SHEET = bytes(range(16))


def test_a_full_sheet_fits_an_object() -> None:
    assert len(write_sheet(SHEET, [bytes(400)] * RECEIPTS_PER_SHEET)) + 40 in FOREIGN_BYTES


@pytest.mark.parametrize(
    "content",
    [b"\x00", b"\x00\xff\xff\xff\xff", b"\x00\x00\x00\x00\x01\xc0\x01", bytes(2048)],
)
def test_what_is_no_sheet_is_malformed(content: bytes) -> None:
    with pytest.raises(Malformed):
        read_sheet(content, SHEET)


def test_a_sheet_says_under_which_name_it_lies() -> None:
    assert read_sheet(write_sheet(SHEET, []), SHEET) == []
    with pytest.raises(Malformed):
        read_sheet(write_sheet(SHEET, []), bytes(16))
