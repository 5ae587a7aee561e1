"""A session may be cut at any byte: the next contact finishes it, and hardly anything comes twice.

What is counted, and how, is said in `tests.sync.reunion`.  `make cut-campaign` cuts
sessions at every one of their bytes, each by a contact of its own.
"""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.node.event import Carrier
from meshnews.store.port import State
from tests.sync.cable import CountingCarry
from tests.sync.reunion import Case, Cut, Reunion
from tests.sync.test_many_receipts import know_as_acked
from tests.sync.world import Node, Press

SHORT = Case(30, count=5)
NARROW = Case(26, count=5, carrier=Carrier.BLUETOOTH, bytes_per_s=2e4)
"""Small enough to look at every byte: both sides give, one lacks what the other has, and knows
a receipt that is news to the other.  Over Bluetooth a bundle comes in several blocks."""

LINES = st.sampled_from(
    [(Carrier.LAN, 1e6), (Carrier.LAN, 6e7), (Carrier.UPLINK, 8e3), (Carrier.BLUETOOTH, 2e4)]
)


def recorded(case: Case, *, one_by_one: bool) -> list[tuple[int, bytes]]:
    """Return what crosses in one whole session."""
    cable = case.meet().contact()
    assert cable.run(each=(lambda: None) if one_by_one else None)
    return cable.recording


def test_a_session_is_the_same_to_the_byte_however_its_bytes_are_split() -> None:
    assert recorded(SHORT, one_by_one=True) == recorded(SHORT, one_by_one=False)


@functools.cache
def turning_points(case: Case) -> tuple[tuple[int, ...], int]:
    """Return after which bytes of a session either node is another than before, and its length.

    Bytes come one by one, and after each both stores are looked at.
    """
    reunion = case.meet()
    cable = reunion.contact()
    points: list[int] = []
    last = cable.told, reunion.contents

    def look() -> None:
        nonlocal last
        now = cable.told, reunion.contents
        if now != last:
            assert now[0] > last[0], "a store changes by whole messages only"
            last = now
            points.append(sum(cable.delivered))

    assert cable.run(each=look)
    return tuple(points), sum(cable.delivered)


@pytest.mark.parametrize(
    ("case", "how"),
    [*((SHORT, how) for how in Cut), (NARROW, Cut.LINK), (NARROW, Cut.RIGHT)],
)
def test_every_byte_of_a_session_is_a_place_to_be_cut(case: Case, how: Cut) -> None:
    # Between two turning points no byte reaches a node: both ends of each stretch stand
    # for all of it.
    points, length = turning_points(case)
    assert len(points) >= 15
    for byte in sorted({0, length, *points, *(point - 1 for point in points)}):
        reunion = case.meet()
        reunion.cut_at(byte, how)
        reunion.finish()


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1 << 20),
    desk=st.booleans(),
    line=LINES,
    cuts=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(Cut)), min_size=1, max_size=5),
)
def test_contacts_cut_at_any_bytes_in_a_row_lose_and_double_nothing(
    seed: int, desk: bool, line: tuple[Carrier, float], cuts: list[tuple[float, Cut]]
) -> None:
    carrier, bytes_per_s = line
    case = Case(seed, count=30, desk=desk, carrier=carrier, bytes_per_s=bytes_per_s)
    length = sum(len(piece) for _, piece in recorded(case, one_by_one=False))
    reunion = case.meet()
    for share, how in cuts:
        cable = reunion.contact()
        cable.run(bytes_max=int(share * length))
        reunion.cut(cable, how)
    reunion.finish()


def test_a_second_editor_has_all_that_a_collector_knows_as_received_however_often_it_is_cut() -> (
    None
):
    press = Press(7)
    samples = [press.make() for _ in range(1000)]
    editor = Node("editor", desk=True, carry=CountingCarry())
    collector = Node("collector", desk=True, carry=CountingCarry())
    collector.keep(*samples[:500])
    collector.acknowledge(*samples[:500])
    know_as_acked(collector, samples[500:])
    reunion = Reunion(Case(7, desk=True), [editor, collector], samples)
    for byte, how in [(5_000, Cut.LINK), (200_001, Cut.LEFT), (700_007, Cut.LINK)]:
        reunion.cut_at(byte, how)
    reunion.finish()
    states = list(reunion.nodes[0].contents().values())
    assert states.count(State.ACKED_WITH_BODY) == 500
    assert states.count(State.ACKED) == 500
