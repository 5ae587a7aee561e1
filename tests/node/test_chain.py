"""A member's chain, in whatever order it comes."""

import itertools
from dataclasses import dataclass

import pytest

from meshnews.bundle.statement import FIRST_LINK
from meshnews.node.records.chain import PLACES_KEPT, Chains, Judgement
from meshnews.store.memory import MemoryVault

BYLINE = bytes([7]) * 32


@dataclass(frozen=True)
class FakeStatement:
    seq: int
    prev: bytes


@dataclass(frozen=True)
class FakeLetter:
    """What the chain looks at of a letter."""

    statement: FakeStatement
    link: bytes
    author: bytes = BYLINE


def link(seq: int, hand: int = 0) -> bytes:
    return FIRST_LINK if seq < 0 else bytes([hand]) * 8 + seq.to_bytes(8, "big")


def letter(seq: int, *, hand: int = 0, after: int = 0) -> FakeLetter:
    """Return statement `seq` as written by `hand`, following what `after` wrote."""
    return FakeLetter(FakeStatement(seq, link(seq - 1, after)), link(seq, hand))


def item(seq: int, hand: int = 0) -> bytes:
    return bytes([hand]) * 24 + seq.to_bytes(8, "big")


@pytest.fixture
def chains() -> Chains:
    vault = MemoryVault()
    with vault.transaction():
        pass
    chains = Chains(vault)
    chains.begin(BYLINE)
    return chains


def follow(chains: Chains, seq: int, *, hand: int = 0, after: int = 0) -> Judgement:
    said = letter(seq, hand=hand, after=after)
    return chains.follow(said, item(seq, hand))  # type: ignore[arg-type]  # any bytes name an item


def test_statements_in_their_order_raise_nothing(chains: Chains) -> None:
    for seq in range(10):
        assert follow(chains, seq) == Judgement(gap=False, branch=False)


def test_what_is_missing_is_a_gap_until_it_comes(chains: Chains) -> None:
    follow(chains, 0)
    assert follow(chains, 2) == Judgement(gap=True, branch=False)
    assert follow(chains, 1) == Judgement(gap=False, branch=False, settles=item(2))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_in_every_order_all_gaps_are_settled_in_the_end(
    chains: Chains, order: tuple[int, ...]
) -> None:
    open_gaps: set[bytes] = set()
    for seq in order:
        judgement = follow(chains, seq)
        assert not judgement.branch
        if judgement.gap:
            open_gaps.add(item(seq))
        open_gaps.discard(judgement.settles)
    assert open_gaps == set()


def test_two_statements_in_one_place_are_a_branch_however_late_the_second(chains: Chains) -> None:
    for seq in range(5):
        follow(chains, seq)
    assert follow(chains, 2, hand=1).branch


def test_two_statements_after_one_are_a_branch(chains: Chains) -> None:
    follow(chains, 0)
    follow(chains, 1)
    assert follow(chains, 2, after=1).branch


def test_what_a_later_one_does_not_follow_is_a_branch(chains: Chains) -> None:
    follow(chains, 0)
    follow(chains, 2, after=1)
    assert follow(chains, 1).branch


def test_a_branch_settles_no_gap(chains: Chains) -> None:
    follow(chains, 0)
    follow(chains, 2, after=1)
    assert follow(chains, 1).settles == b""


def test_who_joined_later_does_not_miss_what_was_never_sealed_to_it() -> None:
    chains = Chains(MemoryVault())
    assert follow(chains, 7) == Judgement(gap=False, branch=False)
    assert follow(chains, 9).gap
    assert not follow(chains, 5).gap


def test_a_long_chain_does_not_grow_without_end() -> None:
    vault = MemoryVault()
    chains = Chains(vault)
    for seq in range(PLACES_KEPT + 50):
        follow(chains, seq)
    assert vault.count("chain") <= PLACES_KEPT
