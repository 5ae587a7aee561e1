"""One hash, one label per purpose."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.digest import Label, b2, same

IN_FRONT = [label.value for label in Label if label.value[-1:].isdigit()]


def test_a_hash_is_blake2b_with_the_padded_label_as_person() -> None:
    expected = hashlib.blake2b(
        b"data", digest_size=24, key=b"key", person=b"bundle-id" + bytes(7)
    ).digest()
    assert b2(Label.BUNDLE_ID, b"data", key=b"key", size=24) == expected


@given(st.binary(max_size=100), st.binary(max_size=64))
def test_no_two_labels_give_one_hash(data: bytes, key: bytes) -> None:
    assert len({b2(label, data, key=key) for label in Label}) == len(Label)


def test_no_label_has_two_names() -> None:
    assert len(Label.__members__) == len(Label)


@pytest.mark.parametrize("label", Label)
def test_a_label_is_short_lower_case_ascii(label: Label) -> None:
    assert 1 <= len(label.value) <= 16
    assert label.value.decode("ascii").replace("-", "").isalnum()
    assert label.value == label.value.lower()


def test_no_label_in_front_of_signed_bytes_begins_another() -> None:
    assert IN_FRONT
    for one, other in itertools.permutations(IN_FRONT, 2):
        assert not other.startswith(one)


def test_same_compares_any_two_strings() -> None:
    assert same(b"abc", b"abc")
    assert not same(b"abc", b"abd")
    assert not same(b"abc", b"ab")
