"""A slot opens with its passphrase alone, and asks for no more than we can pay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.slots import SLOT_BYTES, Slot, data_key, decode_slot, new_slot, open_slot
from meshnews.errors import Forged, LocalMisuse, Malformed, PeerError, Refusal
from meshnews.limits import PASSPHRASE_BYTES_MAX, SLOT_MEMORY_BYTES_MAX, SLOT_PASSES_MAX

KEY = b"k" * 32
SPOKEN = "correct horse"
CHEAP = {"opslimit": 1, "memlimit_bytes": 8192}


def slot(passphrase: str = SPOKEN) -> Slot:
    return new_slot(KEY, passphrase, SeededEntropy(b"slot"), **CHEAP)


def test_a_slot_gives_back_its_key() -> None:
    assert open_slot(slot(), "correct horse") == KEY


def test_a_slot_survives_being_kept() -> None:
    kept = slot().encode()
    assert len(kept) == SLOT_BYTES == 97
    assert decode_slot(kept) == slot()


def test_the_default_costs_are_within_the_limits() -> None:
    dear = new_slot(KEY, "p", SeededEntropy(b"slot"))
    assert open_slot(decode_slot(dear.encode()), "p") == KEY


def test_another_passphrase_opens_nothing() -> None:
    for wrong in ("correct horsf", "Correct horse", "correct horse ", "x"):
        with pytest.raises(Forged):
            open_slot(slot(), wrong)


@pytest.mark.parametrize("at", range(SLOT_BYTES))
def test_a_slot_with_any_byte_changed_opens_nothing(at: int) -> None:
    kept = bytearray(slot().encode())
    kept[at] ^= 1
    with pytest.raises(PeerError):
        open_slot(decode_slot(bytes(kept)), SPOKEN)


def test_one_passphrase_typed_in_two_ways_is_one() -> None:
    composed, decomposed = "caf\u00e9 noir", "cafe\u0301\u00a0noir"
    assert open_slot(slot(composed), decomposed) == KEY


@pytest.mark.parametrize("passphrase", ["", "x" * (PASSPHRASE_BYTES_MAX + 1), "\ud800"])
def test_what_is_no_passphrase_is_refused_in_words(passphrase: str) -> None:
    with pytest.raises(Refusal) as refusal:
        open_slot(slot(), passphrase)
    assert refusal.value.code == "bad-passphrase"
    with pytest.raises(Refusal):
        slot(passphrase)


@given(st.binary(max_size=120))
def test_garbage_is_malformed(kept: bytes) -> None:
    if len(kept) == SLOT_BYTES and kept[0] == 1:
        return
    with pytest.raises(Malformed):
        decode_slot(kept)


@pytest.mark.parametrize(
    ("passes", "memory_kib"),
    [
        (0, 8192),
        (SLOT_PASSES_MAX + 1, 8192),
        (2**32 - 1, 8192),
        (3, 0),
        (3, 7),
        (3, SLOT_MEMORY_BYTES_MAX // 1024 + 1),
        (3, 2**32 - 1),
    ],
)
def test_a_slot_that_asks_for_too_much_is_refused_before_it_is_tried(
    passes: int, memory_kib: int
) -> None:
    kept = slot().encode()
    changed = kept[:1] + passes.to_bytes(4, "big") + memory_kib.to_bytes(4, "big") + kept[9:]
    with pytest.raises(Malformed):
        decode_slot(changed)


def test_our_own_slots_keep_within_the_limits() -> None:
    entropy = SeededEntropy(b"slot")
    with pytest.raises(LocalMisuse):
        new_slot(KEY, "p", entropy, opslimit=SLOT_PASSES_MAX + 1, memlimit_bytes=8192)
    with pytest.raises(LocalMisuse):
        new_slot(KEY, "p", entropy, opslimit=1, memlimit_bytes=SLOT_MEMORY_BYTES_MAX + 1024)
    with pytest.raises(LocalMisuse):
        new_slot(KEY, "p", entropy, opslimit=1, memlimit_bytes=8193)
    with pytest.raises(LocalMisuse):
        new_slot(KEY[1:], "p", entropy, **CHEAP)


def test_without_the_erase_secret_there_is_no_data_key() -> None:
    secret = b"e" * 32
    assert data_key(KEY, secret) == b2(Label.DATA_KEY, secret, key=KEY)
    assert data_key(KEY, secret) != data_key(KEY, bytes(32))
    with pytest.raises(LocalMisuse):
        data_key(KEY, b"")


def test_a_slot_shows_nothing_of_what_it_wraps() -> None:
    assert slot().wrapped.hex() not in repr(slot())
    assert repr(slot().wrapped) not in repr(slot())
