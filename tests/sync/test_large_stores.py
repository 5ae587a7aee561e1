"""Stores large enough for the finer comparison, and stores full of what the peer has no use for."""

import pytest

from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.limits import RECEIPTS_FOUND_MAX
from meshnews.store.port import Entry, State
from meshnews.sync.layout import decode_message
from meshnews.sync.machine import SyncState
from meshnews.sync.question import Grid, List
from tests.sync.world import SMALL, TODAY, Contact, Node, Press, Sample

ACKED = {State.ACKED, State.ACKED_WITH_BODY}
BULK = TrafficClass.BULK


def know_as_acked(node: Node, samples: list[Sample]) -> None:
    """Let a node know receipts of bundles whose bodies it has no more."""
    for sample in samples:
        assert sample.receipt is not None
        entry = Entry(
            sample.ref, State.ACKED, sample.bundle.size, AuthKind.STAMP, b"", Day(TODAY + 16), 1e9
        )
        node.carry.add(entry, b"")
        node.carry.set_receipt(sample.ref, sample.receipt.encode())


def acked(node: Node) -> int:
    return sum(state in ACKED for state in node.contents().values())


@pytest.fixture(scope="module")
def shared() -> list[Sample]:
    press = Press(1)
    return [press.make(day=TODAY - 2 * (n % 3)) for n in range(700)]


def test_few_of_many_bundles_are_found_and_moved(shared: list[Sample]) -> None:
    left, right = Node("left"), Node("right")
    own, others = Press(2), Press(3)
    mine, theirs = [own.make() for _ in range(30)], [others.make() for _ in range(20)]
    left.keep(*shared, *mine)
    right.keep(*shared, *theirs)
    right.acknowledge(*shared[:15])
    left.acknowledge(*shared[10:25])
    contact = Contact(left, right, pace=SMALL)
    contact.run()
    asked = [decode_message(body) for body in contact.trace]
    assert any(isinstance(message, Grid) for message in asked)
    assert not any(isinstance(message, List) and message.day == TODAY for message in asked)
    for node in (left, right):
        assert {sample.ref for sample in [*mine, *theirs]} <= set(node.contents())
        assert {s.ref for s in shared[:25]} == {
            ref for ref, state in node.contents().items() if state in ACKED
        }
    assert all(times == 1 for times in contact.given.values())
    assert all(machine.is_idle for machine in contact.machines)


@pytest.mark.parametrize("cut_after", [3, 4, 5, 6, 7, 9, 12, 20])
def test_a_finer_comparison_that_is_cut_is_finished_by_the_next(
    shared: list[Sample], cut_after: int
) -> None:
    left, right = Node("left"), Node("right")
    left.keep(*shared[:680])
    right.keep(*shared[20:])
    first = Contact(left, right, pace=SMALL, room_bytes=512)
    first.run(messages_max=cut_after)
    first.end()
    Contact(left, right, session=b"t" * 64).run()
    assert len(left.contents()) == len(right.contents()) == 700
    again = Contact(left, right, session=b"u" * 64)
    again.run()
    assert not again.given


def test_thousands_of_receipts_keep_no_bundle_back_and_converge_over_contacts() -> None:
    press = Press(4)
    left, right = Node("left"), Node("right")
    know_as_acked(left, [press.make() for _ in range(9000)])
    before = 0
    for number in range(3):
        bundle = press.make(BULK)
        left.keep(bundle)
        contact = Contact(left, right, session=bytes([number]) * 64)
        contact.run()
        states = [machine.state for machine in contact.machines]
        assert states == [SyncState.OPEN, SyncState.OPEN]
        assert right.state(bundle) is State.HELD
        assert before + 2000 < acked(right) <= before + RECEIPTS_FOUND_MAX or acked(right) == 9000
        before = acked(right)
    assert before == 9000
    again = Contact(left, right, session=b"z" * 64)
    again.run()
    assert sum(again.sent_bytes) < 1024


def test_receipts_wait_behind_the_bundles() -> None:
    press = Press(5)
    left, right = Node("left"), Node("right")
    know_as_acked(left, [press.make(TrafficClass.FLASH) for _ in range(1500)])
    bundles = [press.make(BULK) for _ in range(5)]
    left.keep(*bundles)
    contact = Contact(left, right, pace=SMALL, room_bytes=1024)
    while any(right.state(bundle) is None for bundle in bundles):
        for side in (0, 1):
            contact.pull(side)
            contact.deliver(side)
    assert acked(right) < 300
    contact.run()
    assert acked(right) == 1500
