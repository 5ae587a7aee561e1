"""What is said to be still to come is what is lacking, and in the end nothing."""

import pytest

from meshnews.limits import BLOCK_BYTES_MIN, WIRE_BYTES
from meshnews.sync.machine import SyncMachine
from meshnews.sync.pace import Pace
from meshnews.sync.talk import Talk
from tests.sync.world import Contact, Node, Press, Sample

BLOCKS = Pace(block_bytes=4 * BLOCK_BYTES_MIN, window_bytes=64 * 1024)


def meeting(seed: int, count: int = 60) -> tuple[Contact, list[Sample]]:
    """Return a node that has nothing in contact with one that has `count` bundles."""
    taker, giver = Node("taker"), Node("giver")
    samples = Press(seed).some(count)
    giver.keep(*samples)
    return Contact(taker, giver, pace=BLOCKS, room_bytes=2048), samples


def talk(machine: SyncMachine) -> Talk:
    assert machine.talk is not None
    return machine.talk


@pytest.mark.parametrize("seed", range(8))
def test_what_is_wanted_is_what_is_lacking_once_all_is_compared(seed: int) -> None:
    contact, samples = meeting(seed)
    taker, giver = contact.machines
    was_told = False
    while not contact.run(messages_max=1):
        if taker.talk is None or not taker.talk.in_sync:
            continue
        lacking = sum(one.bundle.size for one in samples if contact.left.state(one) is None)
        wanted = taker.talk.taker.wanted_bytes
        # Less is wanted than is lacking only of what has begun to come, and that is little.
        assert 0 <= lacking - wanted < 2 * WIRE_BYTES[-1]
        was_told = was_told or wanted > 0
        if giver.talk is not None and giver.talk.giver.has_data:
            assert giver.talk.giver.waiting_bytes > 0
    assert was_told
    assert talk(taker).taker.wanted_bytes == 0
    assert talk(giver).giver.waiting_bytes == 0


def test_what_is_known_to_both_is_wanted_by_neither() -> None:
    contact, samples = meeting(1)
    contact.left.keep(*samples)
    contact.run()
    for machine in contact.machines:
        assert talk(machine).in_sync
        assert talk(machine).taker.wanted_bytes == 0
        assert talk(machine).giver.waiting_bytes == 0


def test_nothing_is_known_before_both_have_said_hello_and_after_the_end() -> None:
    contact, _ = meeting(1)
    assert contact.machines[0].talk is None
    contact.run()
    contact.end()
    assert contact.machines[0].talk is None


def test_a_peer_that_is_cut_off_leaves_no_wish_behind() -> None:
    contact, _ = meeting(3)
    contact.run(messages_max=40)
    taker = talk(contact.machines[0]).taker
    assert taker.wanted_bytes > 0
    contact.end()
    assert taker.wanted_bytes == 0
