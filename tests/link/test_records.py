"""Records: what goes in comes out, whatever the cuts; anything else ends the link."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.noise import CipherState
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.limits import RECORD_BYTES, RECORD_BYTES_BLUETOOTH, RECORDS_PER_KEY
from meshnews.link.records import OVERHEAD_BYTES, RecordReader, RecordWriter, Sizes
from tests.link.neighbours import split

KEY = bytes(range(32))
AD = b"hash of the packets"
LARGE = RECORD_BYTES[2] - OVERHEAD_BYTES

sizes_of = st.sampled_from([RECORD_BYTES, RECORD_BYTES_BLUETOOTH])
cuts_of = st.lists(st.integers(1, 70_000), max_size=6)


def writer(sizes: Sizes = RECORD_BYTES, per_key: int = RECORDS_PER_KEY) -> RecordWriter:
    return RecordWriter(CipherState(KEY), ad=AD, sizes=sizes, per_key=per_key)


def reader(sizes: Sizes = RECORD_BYTES, per_key: int = RECORDS_PER_KEY) -> RecordReader:
    return RecordReader(CipherState(KEY), ad=AD, sizes=sizes, per_key=per_key)


def sealed(plaintext: bytes) -> bytes:
    """Return a first record that holds `plaintext`, whatever that is."""
    return CipherState(KEY).encrypt(AD, plaintext)


def feed_all(back: RecordReader, stream: bytes, cuts: Sequence[int]) -> bytes:
    return b"".join(data for piece in split(stream, cuts) for data in back.feed(piece))


def lengths(out: RecordWriter, sizes: Sequence[int]) -> list[int]:
    taken = []
    for size in sizes:
        out.queue(bytes(size))
        taken.append(len(out.take(1 << 30)))
    return taken


@given(
    st.lists(st.binary(max_size=300) | st.integers(0, 150_000).map(bytes), max_size=6),
    cuts_of,
    sizes_of,
    st.integers(0, 100_000),
    st.integers(0, 2),
)
def test_what_goes_in_comes_out_however_it_is_cut(
    pieces: list[bytes], cuts: list[int], sizes: Sizes, room: int, waiting: int
) -> None:
    out, back = writer(sizes, per_key=3), reader(sizes, per_key=3)
    stream = b""
    for piece in pieces:
        out.queue(piece)
        stream += out.take(room, waiting_bytes=waiting * 50_000)
    while out.queued_bytes:
        stream += out.take(room)
    assert feed_all(back, stream, cuts) == b"".join(pieces)
    assert back.records == out.records


@given(st.binary(max_size=700), cuts_of)
def test_garbage_is_refused_or_waits_for_more(garbage: bytes, cuts: list[int]) -> None:
    back = reader()
    if len(garbage) < 256:
        assert b"".join(back.feed(garbage)) == b""
        return
    with pytest.raises(Forged):
        feed_all(back, garbage, cuts)


def test_the_first_record_is_of_the_smallest_size() -> None:
    out = writer()
    out.queue(bytes(500_000))
    assert len(out.take(0)) == 256
    assert len(out.take(0)) == RECORD_BYTES[2]


def test_a_short_message_fills_one_small_record() -> None:
    assert lengths(writer(), [1, 237, 238]) == [256, 256, 512]


def test_a_size_is_chosen_by_what_is_left_to_send() -> None:
    after_first = 256 - OVERHEAD_BYTES
    assert lengths(writer(), [after_first + 1000]) == [256 * 6]
    assert lengths(writer(), [after_first + 2000]) == [256 + 4096]
    assert lengths(writer(), [after_first + 4077 * 2]) == [256 + 4096 * 2]
    assert lengths(writer(), [after_first + LARGE]) == [256 + RECORD_BYTES[2]]


def test_what_is_waiting_keeps_records_large() -> None:
    out = writer()
    out.queue(bytes(237))
    out.take(1 << 20, waiting_bytes=LARGE)
    out.queue(bytes(LARGE))
    assert len(out.take(1 << 20)) == RECORD_BYTES[2]


def test_a_rest_is_not_padded_while_more_is_waiting() -> None:
    out = writer()
    out.queue(bytes(237 + LARGE + 5))
    assert len(out.take(1 << 20, waiting_bytes=LARGE)) == 256 + RECORD_BYTES[2]
    assert out.queued_bytes == 5
    assert out.take(1 << 20)
    assert out.queued_bytes == 0


def test_nothing_queued_makes_no_record() -> None:
    out = writer()
    out.queue(b"")
    assert out.take(1 << 20) == b""
    assert out.records == 0


def test_a_room_is_kept_to_but_for_one_record() -> None:
    out = writer()
    out.queue(bytes(237 * 10))
    out.pace(0.0)
    assert len(out.take(0)) == 256
    assert len(out.take(256)) == 256
    assert len(out.take(256 * 4 - 1)) == 256 * 3
    assert len(out.take(256 * 9)) == 256 * 5


@pytest.mark.parametrize(
    ("bytes_per_s", "largest"),
    [(0.0, 256), (20_000.0, 256), (41_000.0, 4096), (1e6, RECORD_BYTES[2])],
)
def test_no_record_takes_longer_than_the_rate_allows(bytes_per_s: float, largest: int) -> None:
    out = writer()
    out.pace(bytes_per_s)
    out.queue(bytes(300_000))
    out.take(0)
    assert len(out.take(0)) == largest


def test_the_key_is_replaced_on_time_by_both_sides() -> None:
    out, back = writer(), reader()
    for _ in range(RECORDS_PER_KEY - 1):
        out.queue(b"x")
        assert back.feed(out.take(0)) == [b"x"]
    assert out._cipher._key == KEY
    for _ in range(3):
        out.queue(b"y")
        assert back.feed(out.take(0)) == [b"y"]
    assert out._cipher._key == back._cipher._key != KEY
    assert out._cipher.nonce == RECORDS_PER_KEY + 2


def test_sides_that_disagree_on_when_to_replace_the_key_part() -> None:
    out, back = writer(per_key=2), reader(per_key=3)
    out.queue(bytes(237 * 3))
    with pytest.raises(Forged):
        back.feed(out.take(1 << 20))


def test_records_are_bound_to_the_packets_of_the_handshake() -> None:
    out = writer()
    out.queue(b"x")
    other = RecordReader(CipherState(KEY), ad=b"other packets")
    with pytest.raises(Forged):
        other.feed(out.take(0))


@pytest.mark.parametrize("change", ["swap", "repeat", "drop"])
def test_records_keep_their_order(change: str) -> None:
    out, back = writer(), reader()
    out.queue(bytes(237 * 3))
    stream = out.take(1 << 20)
    one, two, three = stream[:256], stream[256:512], stream[512:]
    changed = {"swap": two + one, "repeat": one + one, "drop": one + three}[change]
    with pytest.raises(Forged):
        back.feed(changed)


def test_padding_carries_nothing() -> None:
    room = 256 - OVERHEAD_BYTES
    assert reader().feed(sealed(b"\0\1\0" + b"x" + bytes(room - 1))) == [b"x"]
    for at in (0, 100, room - 2):
        padding = bytearray(room - 1)
        padding[at] = 1
        with pytest.raises(Malformed):
            reader().feed(sealed(b"\0\1\0" + b"x" + padding))


def test_an_empty_record_is_let_pass() -> None:
    back = reader()
    assert back.feed(sealed(bytes(240))) == []
    assert back.records == 1


@pytest.mark.parametrize("header", [b"\0\xee\0", b"\xff\xff\0", b"\0\1\3", b"\0\1\xff"])
def test_a_header_out_of_range_is_refused(header: bytes) -> None:
    with pytest.raises(Malformed):
        reader().feed(sealed(header + bytes(237)))


def test_a_reader_keeps_less_than_one_record() -> None:
    out, back = writer(), reader()
    out.queue(bytes(400_000))
    stream = out.take(1 << 20)
    for piece in split(stream, [10_007]):
        back.feed(piece)
        assert len(back._buffer) < RECORD_BYTES[2]


@pytest.mark.parametrize("sizes", [(19, 100, 200), (256, 256, 300), (1, 2, 3), (256, 4096, 65536)])
def test_sizes_that_cannot_be_are_our_own_fault(sizes: Sizes) -> None:
    with pytest.raises(LocalMisuse):
        writer(sizes)
    with pytest.raises(LocalMisuse):
        reader(sizes)
