"""The safety words are the words of BIP-39, eleven bits each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.words import safety_words, word_list
from meshnews.errors import LocalMisuse
from tests.crypto.vectors import HERE


def test_the_list_is_the_english_list_of_bip_39() -> None:
    assert list(word_list()) == (HERE / "words/bip39-english.txt").read_text().split()
    assert len(set(word_list())) == 2048
    assert len({word[:4] for word in word_list()}) == 2048


@pytest.mark.parametrize(
    ("digest", "sentence"),
    [
        (bytes(16), "abandon abandon abandon abandon abandon abandon abandon abandon"),
        (b"\x7f" * 16, "legal winner thank year wave sausage worth useful"),
        (b"\x80" * 16, "letter advice cage absurd amount doctor acoustic avoid"),
        (b"\xff" * 16, "zoo zoo zoo zoo zoo zoo zoo zoo"),
    ],
)
def test_words_agree_with_the_vectors_of_bip_39(digest: bytes, sentence: str) -> None:
    # A BIP-39 sentence for 128 bits has four more words; the last holds a checksum.
    assert " ".join(word for _, word in safety_words(digest)) == sentence


@given(st.binary(min_size=11, max_size=64))
def test_numbers_and_words_say_the_same_and_hold_88_bits(digest: bytes) -> None:
    words = safety_words(digest)
    bits = 0
    for number, word in words:
        assert word_list()[number] == word
        bits = bits << 11 | number
    assert bits.to_bytes(11, "big") == digest[:11]


def test_a_digest_too_short_is_our_mistake() -> None:
    with pytest.raises(LocalMisuse):
        safety_words(bytes(10))
