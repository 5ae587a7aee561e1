"""Luck is an argument, and a fair one."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.entropy import SeededEntropy, below, between, shuffled

seeds = st.binary(min_size=1, max_size=64)


@given(seeds, st.lists(st.integers(0, 200), max_size=10))
def test_however_it_is_drawn_a_seed_gives_one_stream(seed: bytes, sizes: list[int]) -> None:
    source = SeededEntropy(seed)
    pieces = [source.draw(size) for size in sizes]
    assert [len(piece) for piece in pieces] == sizes
    assert b"".join(pieces) == SeededEntropy(seed).draw(sum(sizes))


def test_two_seeds_give_two_streams() -> None:
    assert SeededEntropy(b"a").draw(32) != SeededEntropy(b"b").draw(32)


@given(seeds, st.integers(1, 2**70))
def test_below_stays_below(seed: bytes, limit: int) -> None:
    assert 0 <= below(SeededEntropy(seed), limit) < limit


def test_below_is_even() -> None:
    source = SeededEntropy(b"even")
    counts = Counter(below(source, 5) for _ in range(5000))
    assert sorted(counts) == [0, 1, 2, 3, 4]
    assert all(880 < count < 1120 for count in counts.values())


@given(seeds, st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_between_stays_between(seed: bytes, low: float, width: float) -> None:
    assert low <= between(SeededEntropy(seed), low, low + width) <= low + width


@given(seeds, st.lists(st.integers()))
def test_shuffling_keeps_every_item(seed: bytes, items: list[int]) -> None:
    assert sorted(shuffled(SeededEntropy(seed), items)) == sorted(items)


def test_every_order_is_as_likely() -> None:
    source = SeededEntropy(b"orders")
    counts = Counter(tuple(shuffled(source, "abc")) for _ in range(6000))
    assert set(counts) == set(itertools.permutations("abc"))
    assert all(850 < count < 1150 for count in counts.values())


def test_texts_longer_than_a_seed_that_begin_alike_have_streams_of_their_own() -> None:
    one, other = (SeededEntropy.of_words("x" * 64 + end) for end in "ab")
    assert one.draw(32) != other.draw(32)
    assert SeededEntropy.of_words("short").draw(32) == SeededEntropy(b"short").draw(32)
