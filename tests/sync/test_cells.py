"""Cells: what two sets do not share is read from sums over them."""

import random
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.sync.cells import (
    CHUNK,
    Peeler,
    Reading,
    cells_of,
    pack_cells,
    unpack_cells,
)
from meshnews.sync.question import CELL_BYTES


def keys(seed: int, count: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.getrandbits(64) for _ in range(count)]


def peeler(ours: list[int]) -> Peeler:
    return Peeler(set(ours).__contains__, lambda _: True)


def read(ours: list[int], theirs: list[int], *, cells: int) -> tuple[Reading, Peeler]:
    one = peeler(ours)
    one.extend(cells_of(theirs, 0, cells), cells_of(ours, 0, cells))
    return one.peel(), one


@given(st.integers(0, 2**32), st.integers(0, 2000), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_what_is_not_shared_is_read(seed: int, shared: int, left: int, right: int) -> None:
    drawn = keys(seed, shared + left + right)
    base, ours, theirs = drawn[:shared], drawn[shared : shared + left], drawn[shared + left :]
    reading, one = read(base + ours, base + theirs, cells=300)
    if reading is Reading.WANTS_MORE:
        # Two of the differences lie in the same cells as far as that: one set in many thousands.
        reading, one = read(base + ours, base + theirs, cells=1500)
    assert reading is Reading.COMPLETE
    assert sorted(one.only_ours) == sorted(ours)
    assert sorted(one.only_theirs) == sorted(theirs)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 700))
@settings(max_examples=40, deadline=None)
def test_cells_can_always_follow_those_sent_before(a: int, b: int, count: int) -> None:
    start, end = sorted((a, b))
    drawn = keys(7, count)
    assert cells_of(drawn, 0, end)[start:] == cells_of(drawn, start, end)


def test_more_cells_read_what_fewer_could_not() -> None:
    ours, theirs = keys(1, 60), keys(2, 60)
    one, start = peeler(ours), 0
    while True:
        one.extend(cells_of(theirs, start, start + 16), cells_of(ours, start, start + 16))
        start += 16
        if one.peel() is Reading.COMPLETE:
            break
    assert (sorted(one.only_ours), sorted(one.only_theirs)) == (sorted(ours), sorted(theirs))
    assert 120 < start < 120 * 2


@pytest.mark.parametrize(("differences", "most"), [(8, 2.9), (48, 1.9), (100, 1.75)])
def test_nine_of_ten_sets_need_few_cells_for_each_difference(differences: int, most: float) -> None:
    cells = ceil(differences * most)
    complete = sum(
        read(keys(seed, differences), [], cells=cells)[0] is Reading.COMPLETE for seed in range(100)
    )
    assert complete >= 90


def test_how_many_differ_is_told_by_the_cells() -> None:
    for differences in (20, 60, 120):
        guesses = []
        for seed in range(30):
            _, one = read(keys(seed, differences), [], cells=2 * differences)
            guesses.append(one.expected() or 0)
        assert 0.85 < sum(guesses) / 30 / differences < 1.15
    _, far = read(keys(1, 3000), [], cells=40)
    assert far.expected() is None


def test_every_element_is_in_the_first_cell_and_fewer_in_each_that_follows() -> None:
    drawn = keys(3, 4000)
    counts = [0] * (3 * CHUNK)
    for key in drawn:
        for at, cell in enumerate(cells_of([key], 0, 3 * CHUNK)):
            counts[at] += bool(cell)
    assert counts[0] == len(drawn)
    for at, count in enumerate(counts):
        assert abs(count / len(drawn) - 2 / (2 + at)) < 0.06


def test_keys_that_differ_in_the_lowest_bit_only_are_read() -> None:
    ours = keys(6, 40)
    reading, one = read(ours, [key ^ 1 for key in ours], cells=200)
    assert reading is Reading.COMPLETE
    assert {key ^ 1 for key in one.only_theirs} == set(one.only_ours) == set(ours)


def test_cells_are_packed_in_eleven_bytes() -> None:
    cells = cells_of(keys(4, 50), 0, 30)
    packed = pack_cells(cells)
    assert len(packed) == 30 * CELL_BYTES == 330
    assert unpack_cells(packed) == cells


def test_the_cells_of_a_known_set_have_not_changed() -> None:
    # A second implementation must come to the same bytes.
    known = [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB]
    assert pack_cells(cells_of(known, 0, 6)).hex() == KNOWN


KNOWN = (
    "b5bf776f709f884790b7b42b880ed60fd5f4524ff399bf58476d1ce4e5b992cb1c"
    "94d049bb133111ebdd388500000000000000000000000000000000000000000000"
)


@given(st.binary(min_size=11, max_size=11 * 60))
def test_garbage_ends(garbage: bytes) -> None:
    cells = unpack_cells(garbage[: len(garbage) // 11 * 11])
    one = peeler(keys(5, 20))
    one.extend(cells, cells_of(keys(5, 20), 0, len(cells)))
    assert one.peel() in set(Reading)


def test_cells_that_contradict_themselves_are_never_complete() -> None:
    value = cells_of([99], 0, 1)[0]
    one = peeler([])
    # It stands in every cell, also where it does not belong.
    one.extend([value] * 10, [0] * 10)
    assert one.peel() is not Reading.COMPLETE


def test_a_key_of_another_part_breaks_the_part() -> None:
    one = Peeler(lambda _: False, lambda key: key >> 63 == 0)
    one.extend(cells_of([1 << 63], 0, 4), [0] * 4)
    assert one.peel() is Reading.BROKEN
    assert not one.only_theirs
