"""Two nodes that meet end with the union of what they want, and move nothing twice."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from meshnews.crypto.entropy import SeededEntropy, below
from meshnews.store.memory import MemoryCarry
from meshnews.store.port import WITH_BODY, State
from meshnews.sync.event import Arrived, Carried, InSync, Receipted
from tests.sync.world import LAN, SMALL, Contact, Node, Press, Sample

ACKED = {State.ACKED, State.ACKED_WITH_BODY}


def lack(node: Node, sample: Sample) -> None:
    """Let a node know of a bundle whose body it had no room for."""
    node.keep(sample)
    entry = node.carry.entry(sample.ref)
    assert entry is not None
    node.carry.change(replace(entry, state=State.LACKING))


def seeded(
    seed: int,
    *,
    count: int = 60,
    desk: bool = False,
    carry: Callable[[], MemoryCarry] = MemoryCarry,
) -> tuple[Node, Node, list[Sample]]:
    """Return two nodes whose stores the seed has filled: held, lacking, acked, with body."""
    press = Press(seed)
    entropy = SeededEntropy(b"stores %d" % seed)
    left, right = Node("left", desk=desk, carry=carry()), Node("right", carry=carry())
    samples = press.some(count)
    for sample in samples:
        for node in (left, right):
            fate = below(entropy, 6)
            if fate in {1, 2, 5}:
                node.keep(sample)
            if fate in {3, 5} and sample.receipt is not None:
                node.acknowledge(sample)
            if fate == 4:
                lack(node, sample)
    return left, right, samples


def expected(mine: State | None, theirs: State | None, *, desk: bool) -> tuple[bool, bool]:
    """Return whether one side must end with the body, and whether as acked."""
    acked = mine in ACKED or theirs in ACKED
    had = mine in WITH_BODY
    comes = theirs is State.HELD and not acked
    if desk:
        comes = theirs in WITH_BODY
    return had or comes, acked


def check(
    seed: int, contact: Contact, samples: list[Sample], before: Sequence[tuple[State | None, ...]]
) -> None:
    for sample, states in zip(samples, before, strict=True):
        for side, node in enumerate((contact.left, contact.right)):
            body, acked = expected(states[side], states[1 - side], desk=node.desk)
            state = node.state(sample)
            where = f"seed {seed}: {sample.ref} at {node.name} was {states}, is {state}"
            if body:
                assert state in WITH_BODY or (acked and state is State.ACKED), where
            if any(one is not None for one in states) and (acked or body):
                assert (state in ACKED) == acked, where
    assert all(times == 1 for times in contact.given.values()), f"seed {seed}"
    assert all(machine.is_idle for machine in contact.machines), f"seed {seed}"


@pytest.mark.parametrize("pace", [LAN, SMALL], ids=["lan", "bluetooth"])
@pytest.mark.parametrize("seed", range(12))
def test_both_end_with_the_union_of_what_they_want(seed: int, pace: object) -> None:
    left, right, samples = seeded(seed)
    before = [(left.state(sample), right.state(sample)) for sample in samples]
    contact = Contact(left, right, pace=LAN if pace is LAN else SMALL)
    contact.run()
    check(seed, contact, samples, before)


@pytest.mark.parametrize("seed", range(6))
def test_a_desk_gets_the_bodies_of_what_was_received_already(seed: int) -> None:
    left, right, samples = seeded(seed, desk=True)
    before = [(left.state(sample), right.state(sample)) for sample in samples]
    contact = Contact(left, right)
    contact.run()
    check(seed, contact, samples, before)


@pytest.mark.parametrize("seed", range(4))
def test_a_second_contact_has_nothing_left_to_say(seed: int) -> None:
    left, right, _ = seeded(seed)
    Contact(left, right).run()
    again = Contact(left, right, session=b"t" * 64)
    again.run()
    assert not again.given
    assert all(machine.in_sync for machine in again.machines)


def test_two_equal_stores_find_it_out_in_less_than_a_kilobyte() -> None:
    left, right = Node("left"), Node("right")
    for sample in Press(1).some(40):
        left.keep(sample)
        right.keep(sample)
    contact = Contact(left, right)
    contact.run()
    assert sum(contact.sent_bytes) < 1024
    assert [InSync() in events for events in contact.events] == [True, True]


def test_two_empty_stores_are_in_sync_at_once() -> None:
    contact = Contact(Node("left"), Node("right"))
    contact.run()
    assert all(machine.is_idle for machine in contact.machines)


def test_every_bundle_is_reported_where_it_arrives_and_where_it_came_from() -> None:
    left, right = Node("left"), Node("right")
    samples = Press(2).some(30)
    left.keep(*samples)
    contact = Contact(left, right)
    contact.run()
    arrived = {event.bundle.ref for event in contact.events[1] if isinstance(event, Arrived)}
    carried = {event.ref for event in contact.events[0] if isinstance(event, Carried)}
    assert arrived == carried == {sample.ref for sample in samples}
    copies = {entry.copies for s in samples if (entry := left.carry.entry(s.ref)) is not None}
    assert copies == {1}


def test_a_receipt_is_reported_once_where_it_is_new() -> None:
    left, right = Node("left"), Node("right")
    sample = Press(3).make()
    left.keep(sample)
    right.keep(sample)
    left.acknowledge(sample)
    contact = Contact(left, right)
    contact.run()
    assert contact.events[1].count(Receipted(sample.ref)) == 1
    assert right.state(sample) in ACKED


def test_the_most_urgent_bundle_arrives_first() -> None:
    left, right = Node("left"), Node("right")
    samples = Press(4).some(60)
    left.keep(*samples)
    contact = Contact(left, right, pace=SMALL, room_bytes=2048)
    contact.run()
    order = [
        (event.bundle.traffic, -event.bundle.day)
        for event in contact.events[1]
        if isinstance(event, Arrived) and event.bundle.size <= 8192
    ]
    assert order == sorted(order)


def test_the_bytes_beside_the_bundles_are_few() -> None:
    left, right = Node("left"), Node("right")
    press = Press(5)
    samples = [press.make() for _ in range(500)]
    left.keep(*samples)
    contact = Contact(left, right)
    contact.run()
    assert len(right.contents()) == 500
    assert sum(contact.sent_bytes) / sum(sample.bundle.size for sample in samples) <= 1.06


@pytest.mark.parametrize("cut_after", [1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
def test_a_contact_cut_anywhere_is_finished_by_the_next(cut_after: int) -> None:
    left, right, samples = seeded(21)
    before = [(left.state(sample), right.state(sample)) for sample in samples]
    first = Contact(left, right, pace=SMALL, room_bytes=4096)
    first.run(messages_max=cut_after)
    first.end()
    assert not len(left.inflight)
    assert not len(right.inflight)
    second = Contact(left, right, session=b"t" * 64)
    second.run()
    check(21, second, samples, before)


def replay() -> str:
    """Return what went over the wire in a few contacts, as one digest."""
    digest = hashlib.sha256()
    for seed in (1, 2):
        left, right, _ = seeded(seed, count=40)
        contact = Contact(left, right)
        contact.run()
        for body in contact.trace:
            digest.update(body)
    return digest.hexdigest()


def test_a_contact_replays_to_the_byte_in_another_process() -> None:
    program = "from tests.sync.test_convergence import replay; print(replay())"
    found = {
        subprocess.run(  # our own interpreter, our own words
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {replay() + "\n"}
