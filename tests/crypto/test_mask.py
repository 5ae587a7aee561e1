"""A mask undoes itself and looks like nothing."""

from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.mask import keystream, mask

keys = st.binary(min_size=1, max_size=64)


@given(keys, st.binary(max_size=400))
def test_a_mask_undoes_itself(key: bytes, message: bytes) -> None:
    masked = mask(Label.LINK_STREAM, key, message)
    assert len(masked) == len(message)
    assert mask(Label.LINK_STREAM, key, masked) == message


@given(keys, st.integers(0, 300), st.integers(0, 300))
def test_a_shorter_stream_begins_a_longer_one(key: bytes, one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert keystream(Label.LINK_STREAM, key, long).startswith(
        keystream(Label.LINK_STREAM, key, short)
    )


def test_a_stream_is_the_hashes_of_a_counter() -> None:
    blocks = [
        b2(Label.LINK_STREAM, index.to_bytes(8, "big"), key=b"key", size=64) for index in range(3)
    ]
    assert keystream(Label.LINK_STREAM, b"key", 150) == b"".join(blocks)[:150]


def test_masked_zeros_are_the_stream() -> None:
    assert mask(Label.LINK_STREAM, b"key", bytes(70)) == keystream(Label.LINK_STREAM, b"key", 70)
