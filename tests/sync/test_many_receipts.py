"""Stores full of receipts that the peer lacks: they cut no link and keep no bundle back."""

from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.limits import RECEIPTS_FOUND_MAX
from meshnews.store.port import Entry, State
from meshnews.sync.machine import SyncState
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
