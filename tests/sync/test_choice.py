"""How a day is compared is chosen by its size, and what it may cost is shared out."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.ids import BundleId, Day, TrafficClass
from meshnews.limits import CELLS_MAX, GRID_BITS_MAX, PART_BITS_MAX
from meshnews.store.port import State
from meshnews.sync.choice import cut_of, differences, grid_bits, is_best_listed, more_cells
from meshnews.sync.compare import FAST, SLOW, Manner
from meshnews.sync.question import Method
from tests.sync.meeting import Buckets, Meeting, ident

FLASH, ROUTINE = TrafficClass.FLASH, TrafficClass.ROUTINE
DAY = Day(2100)


@pytest.mark.parametrize(
    ("ours", "theirs", "listed"),
    [
        (0, 0, True),
        (32, 32, True),
        (33, 33, False),
        (10, 5000, True),
        (5000, 0, True),
        (5000, 4000, False),
        (100_000, 99_900, False),
    ],
)
def test_small_days_and_days_with_little_in_common_are_listed(
    ours: int, theirs: int, listed: bool
) -> None:
    assert is_best_listed(ours, theirs) is listed


@given(st.integers(0, 2_000_000), st.sampled_from([SLOW, FAST]))
def test_a_range_has_about_as_many_elements_as_the_carrier_bears(
    elements: int, manner: Manner
) -> None:
    bits = grid_bits(elements, manner)
    assert 0 <= bits <= GRID_BITS_MAX
    assert elements >> bits <= manner.range_elements or bits == GRID_BITS_MAX
    assert bits == 0 or elements >> bits > manner.range_elements // 2 - 1


@pytest.mark.parametrize("thrown", [1, 5, 30, 100, 300, 1000])
def test_how_many_differ_is_reckoned_from_how_many_ranges_do(thrown: int) -> None:
    rng = random.Random(thrown)
    guesses = [
        differences(differing=len({rng.randrange(256) for _ in range(thrown)}), ranges=256, least=0)
        for _ in range(40)
    ]
    assert 0.85 * thrown <= sum(guesses) / 40 <= 1.3 * thrown + 1


def test_what_is_known_to_differ_is_reckoned_with() -> None:
    assert differences(differing=1, ranges=64, least=500) == 500
    assert differences(differing=1, ranges=1, least=0) == 1


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.sampled_from([SLOW, FAST]))
def test_cells_are_made_only_when_they_take_less_than_a_list(
    count: int, listed: int, manner: Manner
) -> None:
    cut = cut_of(count, listed=listed, manner=manner)
    if cut is None:
        assert 8.25 * listed <= 11 * (1.5 * count + 6 * max(1, count / 32)) + 4 * count
    else:
        assert 0 <= cut.bits <= PART_BITS_MAX
        assert 1 <= cut.cells <= CELLS_MAX
        assert 11 * 1.5 * count < 8.25 * listed


@given(st.integers(1, CELLS_MAX - 1), st.one_of(st.none(), st.floats(0, 10**6)))
def test_more_cells_are_always_more_and_never_too_many(cells: int, expected: float | None) -> None:
    assert cells < more_cells(cells, expected) <= CELLS_MAX


def held(count: int, *, start: int = 0) -> dict[BundleId, State]:
    return {ident(n): State.HELD for n in range(start, start + count)}


@pytest.mark.parametrize("full", [(FLASH, DAY), (ROUTINE, DAY)], ids=["a class", "a day"])
def test_what_the_peer_does_not_take_keeps_nothing_else_back(
    full: tuple[TrafficClass, Day],
) -> None:
    left: Buckets = {full: held(40_000), (ROUTINE, Day(DAY - 2)): held(40, start=50_000)}
    meeting = Meeting.of(left, {})
    meeting.run()
    named = {ref.id for ref in meeting.found[0].names}
    assert set(held(40, start=50_000)) <= named
    assert len(named) < 40_040
    assert meeting.budget.left > 0


def test_crowding_a_page_changes_little() -> None:
    def sides(*, crowded: bool) -> list[Buckets]:
        rng = random.Random(8)

        def some(count: int) -> dict[BundleId, State]:
            return {
                BundleId((b"\x2a" if crowded else rng.randbytes(1)) + rng.randbytes(31)): State.HELD
                for _ in range(count)
            }

        shared = some(8000)
        return [{(ROUTINE, DAY): {**shared, **some(60)}} for _ in range(2)]

    took = []
    for crowded in (False, True):
        left, right = sides(crowded=crowded)
        meeting = Meeting.of(left, right, methods=Method.LISTS | Method.CELLS)
        meeting.run()
        assert len(meeting.found[0].names) == len(meeting.found[1].names) == 60
        took.append(meeting.counts)
    plain, crowd = took
    assert crowd.bytes < 1.25 * plain.bytes
    assert crowd.turns <= plain.turns + 8
