"""Days and classes that never become alike do not keep others from being compared."""

import random

import pytest

from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import RECEIPTS_FOUND_MAX, RECONCILE_BYTES_BASE
from meshnews.store.port import Entry, State
from meshnews.sync.budget import DAY_BYTES_LEAST, Purse, ReceiptQuota, Share
from meshnews.sync.machine import SyncMachine, SyncState
from meshnews.sync.talk import WORTH_AGAIN
from tests.sync.world import MOMENT, TODAY, Contact, Node, Press

FLASH, ROUTINE, BULK = TrafficClass.FLASH, TrafficClass.ROUTINE, TrafficClass.BULK
NOISE = (7200, 3550, 1760, 880, 430, 215, 100, 48)
"""Elements that the peer takes none of, in the newest days: as many as its share pays for."""


def differ_for_ever(node: Node, traffic: TrafficClass, day: int, count: int) -> None:
    """Let a node say that it knows so many receipts, of which the peer takes none."""
    rng = random.Random(day)
    for _ in range(count):
        ref = BundleRef(traffic, Day(day), BundleId(rng.randbytes(32)))
        node.carry.add(
            Entry(ref, State.ACKED, 2048, AuthKind.STAMP, b"", Day(TODAY + 16), 1e9), b""
        )


def test_the_last_of_days_that_spend_all_they_may_has_something_left() -> None:
    days = 25
    purse = Purse()
    classes = [purse.share(behind=behind) for behind in (3, 2, 1)]
    for one in classes:
        spend_all_of(one)
    last = purse.share(behind=0)
    spent = [
        spend_all_of(purse.share(behind=behind, above=last)) for behind in reversed(range(days))
    ]
    assert min(spent) >= DAY_BYTES_LEAST
    assert spent[0] >= RECONCILE_BYTES_BASE // 2 // 16 - DAY_BYTES_LEAST


def spend_all_of(share: Share) -> int:
    """Spend what a share has, a little at a time; return how much it was."""
    spent = 0
    while share.spend(16):
        spent += 16
    return spent


@pytest.mark.parametrize("traffic", [ROUTINE, BULK])
def test_an_old_day_is_compared_though_all_newer_days_differ_for_ever(
    traffic: TrafficClass,
) -> None:
    left, right = Node("left"), Node("right")
    for at, count in enumerate(NOISE):
        differ_for_ever(left, traffic, TODAY - 2 * at, count)
    press = Press(7)
    old = [press.make(traffic, day=TODAY - 2 * len(NOISE)) for _ in range(500)]
    left.keep(*old)
    contacts = 0
    while any(right.state(one) is None for one in old) and contacts < 30:
        contacts += 1
        Contact(left, right, session=bytes([contacts]) * 64).run()
    assert all(right.state(one) is State.HELD for one in old)


def test_a_few_bundles_of_each_old_day_come_over_in_one_contact() -> None:
    left, right = Node("left"), Node("right")
    for at, count in enumerate(NOISE[:5]):
        differ_for_ever(left, ROUTINE, TODAY - 2 * at, count)
    press = Press(8)
    old = [press.make(ROUTINE, day=TODAY - 2 * at) for at in (5, 6, 7, 8) for _ in range(20)]
    left.keep(*old)
    Contact(left, right).run()
    assert [one for one in old if right.state(one) is None] == []


def test_who_compared_in_part_and_found_much_leaves_to_call_again() -> None:
    left, right, press = Node("left"), Node("right"), Press(7)
    for at, count in enumerate(NOISE):
        differ_for_ever(left, ROUTINE, TODAY - 2 * at, 2 * count)
    found = [press.make(FLASH) for _ in range(2 * WORTH_AGAIN)]
    left.keep(*found)
    contact = Contact(left, right)
    contact.run()
    assert all(right.state(one) is State.HELD for one in found)
    told = [state_after_tick(machine) for machine in contact.machines]
    assert told == [SyncState.LEAVING, SyncState.OPEN]


def test_who_has_compared_all_stays() -> None:
    left, right, press = Node("left"), Node("right"), Press(7)
    left.keep(*[press.make(ROUTINE) for _ in range(2 * WORTH_AGAIN)])
    contact = Contact(left, right)
    contact.run()
    assert [state_after_tick(machine) for machine in contact.machines] == 2 * [SyncState.OPEN]


def state_after_tick(machine: SyncMachine) -> SyncState:
    machine.tick(MOMENT)
    return machine.state


def test_receipts_of_one_class_leave_half_to_those_behind() -> None:
    quota = ReceiptQuota()

    def refs(traffic: TrafficClass) -> list[BundleRef]:
        day = Day(TODAY)
        return [
            BundleRef(traffic, day, BundleId(number.to_bytes(32, "big"))) for number in range(9000)
        ]

    admitted = [len(quota.admit(refs(traffic))) for traffic in (FLASH, ROUTINE, BULK)]
    assert admitted == [4096, 2048, 2048]
    assert sum(admitted) == RECEIPTS_FOUND_MAX
    assert len(ReceiptQuota().admit(refs(BULK))) == RECEIPTS_FOUND_MAX
