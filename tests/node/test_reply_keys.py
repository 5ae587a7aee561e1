"""A one-time reply key is dealt to one editor, and taken from where it lies once."""

import pytest

from meshnews.bundle.seal import Reader
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Ed25519Secret, Prekey, X25519Secret
from meshnews.desk.limits import EDITORS_MAX, REPLY_KEYS_IN_REQUEST
from meshnews.ids import KeyRef
from meshnews.limits import REPLY_KEYS_MAX
from meshnews.node.records.reply_keys import ReplyKeys, deal, in_turn
from meshnews.store.memory import MemoryVault

BYLINE = b"b" * 32
SCAN, OTHER_SCAN = X25519Secret(b"s" * 32).public, X25519Secret(b"o" * 32).public
EDITORS = [Ed25519Secret(bytes([65 + number]) * 32).public for number in range(EDITORS_MAX)]


def prekeys(count: int) -> list[Prekey]:
    entropy = SeededEntropy(b"prekeys")
    return [
        Prekey(KeyRef(entropy.draw(8)), X25519Secret(entropy.draw(32)).public, entropy.draw(32))
        for _ in range(count)
    ]


# Dealing out ------------------------------------------------------------------


@pytest.mark.parametrize("editors", range(1, EDITORS_MAX + 1))
@pytest.mark.parametrize("count", [0, 1, REPLY_KEYS_MAX, REPLY_KEYS_IN_REQUEST])
def test_every_key_is_dealt_to_one_editor_and_nobody_has_two_more(count: int, editors: int) -> None:
    keys = prekeys(count)
    dealt = deal(keys, EDITORS[:editors])
    assert sorted(key.ref for share in dealt.values() for key in share) == sorted(
        key.ref for key in keys
    )
    sizes = [len(dealt.get(editor, ())) for editor in EDITORS[:editors]]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True), "who is first has the most"


def test_keys_that_are_dealt_to_nobody_are_nobodys() -> None:
    assert deal(prekeys(4), []) == {}


@pytest.mark.parametrize("count", range(1, EDITORS_MAX + 1))
def test_each_editor_has_its_turn_after_the_one_who_looks_after_the_reporter(count: int) -> None:
    editors, keeper = EDITORS[:count], EDITORS[count // 2]
    turns = [in_turn(editors, first=keeper, start=start) for start in range(max(1, count - 1))]
    assert all(turn[0] == keeper and sorted(turn) == sorted(editors) for turn in turns)
    seconds = [turn[1] for turn in turns if count > 1]
    assert sorted(seconds) == sorted(set(editors) - {keeper})


def test_an_editor_who_has_left_has_no_turn() -> None:
    turn = in_turn(EDITORS[:3], first=EDITORS[7], start=1)
    assert turn == [EDITORS[1], EDITORS[2], EDITORS[0]]


# One editor's keys ------------------------------------------------------------


@pytest.fixture
def keys() -> ReplyKeys:
    return ReplyKeys(MemoryVault(), BYLINE)


def add(keys: ReplyKeys, *prekeys: Prekey) -> None:
    for prekey in prekeys:
        keys.add(Reader(SCAN, prekey))


def drawn(keys: ReplyKeys) -> list[Reader]:
    found = []
    while (reader := keys.draw()) is not None:
        found.append(reader)
    return found


def test_every_key_is_drawn_once_as_it_was_taken_in(keys: ReplyKeys) -> None:
    made = prekeys(5)
    add(keys, *made)
    got = drawn(keys)
    assert {reader.prekey for reader in got} == set(made)
    assert {reader.scan for reader in got} == {SCAN}


def test_a_key_that_was_used_is_not_taken_in_again(keys: ReplyKeys) -> None:
    made = prekeys(3)
    add(keys, *made)
    assert keys.draw() is not None
    add(keys, *made)
    assert len(drawn(keys)) == 2
    assert all(keys.is_known(one.ref) for one in made)


def test_a_key_that_was_given_away_is_neither_drawn_nor_given_again(keys: ReplyKeys) -> None:
    made = prekeys(6)
    add(keys, *made)
    given = keys.give(SCAN, one_in=2)
    assert len(given) == 3
    add(keys, *made)
    again = keys.give(SCAN, one_in=3)
    left = {reader.prekey for reader in drawn(keys)}
    assert (len(again), len(left)) == (1, 2)
    assert {*given, *again, *left} == set(made)


def test_only_keys_of_the_scan_key_that_is_named_with_them_are_given(keys: ReplyKeys) -> None:
    one, other = prekeys(2)
    keys.add(Reader(SCAN, one))
    keys.add(Reader(OTHER_SCAN, other))
    assert keys.give(OTHER_SCAN, one_in=1) == (other,)
    assert keys.draw() == Reader(SCAN, one)


def test_a_key_that_is_named_as_anothers_is_not_used_whatever_came_first(keys: ReplyKeys) -> None:
    one, other = prekeys(2)
    add(keys, one)
    for key in (one, other):
        keys.pass_over(key.ref)
    add(keys, one, other)
    assert keys.draw() is None


def test_keys_of_two_reporters_are_kept_apart() -> None:
    vault = MemoryVault()
    one, other = ReplyKeys(vault, BYLINE), ReplyKeys(vault, b"c" * 32)
    (key,) = prekeys(1)
    add(one, key)
    assert not other.is_known(key.ref)
    assert other.draw() is None
    assert one.draw() is not None
