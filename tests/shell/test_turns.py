"""Turns: order within a stream, and no stream behind another's flood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnewsd.turns import ENTRY_BYTES, TURN_BYTES, Turns


def taken(turns: Turns[str]) -> list[str]:
    found = []
    while turns.peek() is not None:
        found.append(turns.take())
    return found


def test_what_waits_in_one_lane_keeps_its_order() -> None:
    turns: Turns[str] = Turns()
    for word in "abc":
        turns.put(1, word, TURN_BYTES)
    assert taken(turns) == ["a", "b", "c"]


def test_a_newcomer_waits_for_one_turn_of_each_other_and_no_longer() -> None:
    turns: Turns[str] = Turns()
    for lane in ("one", "two"):
        for number in range(8):
            turns.put(lane, f"{lane} {number}", TURN_BYTES)
    turns.put("quiet", "quiet 0")
    assert taken(turns)[:4] == ["one 0", "two 0", "quiet 0", "one 1"]


def test_small_entries_use_up_a_turn_too() -> None:
    turns: Turns[str] = Turns()
    for _ in range(10 * TURN_BYTES // ENTRY_BYTES):
        turns.put("many", "small")
    turns.put("quiet", "quiet")
    assert taken(turns).index("quiet") == TURN_BYTES // ENTRY_BYTES


def test_a_lane_that_is_empty_leaves_a_whole_turn_to_the_next() -> None:
    turns: Turns[str] = Turns()
    turns.put("one", "one 0", TURN_BYTES // 2)
    for number in range(4):
        turns.put("two", f"two {number}", TURN_BYTES // 4)
    turns.put("three", "three 0")
    assert taken(turns) == ["one 0", "two 0", "two 1", "two 2", "two 3", "three 0"]


def test_what_is_put_first_is_next() -> None:
    turns: Turns[str] = Turns()
    turns.put(1, "a")
    turns.put(None, "b")
    turns.put_first(None, "c")
    assert list(turns) == ["c", "b", "a"]
    assert taken(turns) == ["c", "b", "a"]


def test_nothing_is_taken_from_nothing() -> None:
    turns: Turns[str] = Turns()
    assert turns.peek() is None
    assert not turns
    with pytest.raises(LookupError):
        turns.take()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2 * TURN_BYTES)), max_size=60))
def test_all_that_was_put_is_taken_once_and_no_lane_waits_for_two_turns_of_another(
    put: list[tuple[int, int]],
) -> None:
    turns: Turns[tuple[int, int, int]] = Turns()
    for number, (lane, size) in enumerate(put):
        turns.put(lane, (lane, number, size), size)
    served: list[tuple[int, int, int]] = []
    since: dict[int, dict[int, int]] = {lane: {} for lane, _ in put}
    while turns:
        lane, number, size = turns.take()
        served.append((lane, number, size))
        since[lane] = {}
        waiting = {entry[0] for entry in turns}
        for other in waiting - {lane}:
            passed = since[other]
            passed[lane] = passed.get(lane, 0) + size + ENTRY_BYTES
            # A turn ends with the entry that uses it up.
            assert passed[lane] < TURN_BYTES + size + ENTRY_BYTES
    assert sorted(number for _, number, _ in served) == list(range(len(put)))
    for lane in {lane for lane, _ in put}:
        numbers = [number for one, number, _ in served if one == lane]
        assert numbers == sorted(numbers)
