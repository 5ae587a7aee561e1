"""However a link cuts the stream, the same frames come out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.errors import LocalMisuse, Malformed
from meshnews.limits import FRAME_BYTES_MAX
from meshnews.wire.frames import HEADER_BYTES, FrameReader, encode_frame

bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(bodies, st.lists(st.integers(0, 3000)))
def test_frames_survive_any_split(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, sent))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader()
    got = [
        body for start, end in itertools.pairwise(edges) for body in reader.feed(stream[start:end])
    ]
    assert got == sent
    assert all(type(body) is bytes for body in got)
    assert not reader.is_inside_frame


def test_the_largest_frame_survives_byte_by_byte() -> None:
    body = bytes(range(256)) * (FRAME_BYTES_MAX // 256)
    reader = FrameReader()
    got = [
        whole
        for byte in encode_frame(body) + encode_frame(b"next")
        for whole in reader.feed(bytes((byte,)))
    ]
    assert got == [body, b"next"]


@pytest.mark.parametrize("length", [0, FRAME_BYTES_MAX + 1, 2**24 - 1])
def test_a_wrong_length_is_refused_before_its_body_arrives(length: int) -> None:
    header = length.to_bytes(HEADER_BYTES, "big")
    with pytest.raises(Malformed):
        FrameReader().feed(header)
    reader = FrameReader()
    assert reader.feed(encode_frame(b"good") + header[:2]) == [b"good"]
    with pytest.raises(Malformed):
        reader.feed(header[2:])


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_garbage_is_malformed_or_frames(pieces: list[bytes]) -> None:
    reader = FrameReader()
    stream = b"".join(pieces)
    got: list[bytes] = []
    try:
        for piece in pieces:
            got += reader.feed(piece)
    except Malformed:
        return
    assert stream.startswith(b"".join(map(encode_frame, got)))


@pytest.mark.parametrize("size", [0, FRAME_BYTES_MAX + 1])
def test_we_write_no_frame_that_would_be_refused(size: int) -> None:
    with pytest.raises(LocalMisuse):
        encode_frame(bytes(size))


def test_the_reader_says_when_a_frame_has_begun() -> None:
    reader = FrameReader()
    assert not reader.is_inside_frame
    frame = encode_frame(b"body")
    for end in range(1, len(frame)):
        reader.feed(frame[end - 1 : end])
        assert reader.is_inside_frame
    assert reader.feed(frame[-1:]) == [b"body"]
    assert not reader.is_inside_frame
