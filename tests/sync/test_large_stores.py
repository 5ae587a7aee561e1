"""Stores large enough for the finer comparison."""

import pytest

from meshnews.ids import TrafficClass
from meshnews.store.port import State
from meshnews.sync.layout import decode_message
from meshnews.sync.question import Grid, List
from tests.sync.world import SMALL, TODAY, Contact, Node, Press, Sample

ACKED = {State.ACKED, State.ACKED_WITH_BODY}
BULK = TrafficClass.BULK


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


def test_a_second_editor_gets_the_bodies_of_a_thousand_acked_bundles() -> None:
    press = Press(6)
    samples = [press.make() for _ in range(1000)]
    collector, editor = Node("collector", desk=True), Node("editor", desk=True)
    collector.keep(*samples)
    collector.acknowledge(*samples)
    contact = Contact(editor, collector)
    contact.run()
    assert set(editor.contents().values()) == {State.ACKED_WITH_BODY}
    assert len(editor.contents()) == 1000
    again = Contact(collector, editor, session=b"t" * 64)
    again.run()
    assert not again.given
