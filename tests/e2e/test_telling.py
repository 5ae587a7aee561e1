"""The search for what would tell a machine apart finds what it is meant to find."""

import base64
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.telling import find, key_forms, name_forms, streams

KEY = bytes.fromhex("8f3a91c5d27e460bb9e81f6ac35d70924e1b87fa06d3c9528ab47e31f5d0692c")
NAME = "qyran-laptop-7731"
NOISE = bytes(range(7, 250, 3))


def frame(payload: bytes, *, place: int = 1, port: int = 7117) -> bytes:
    """Return an Ethernet frame with a TCP segment over IPv4, one of many such."""
    tcp = struct.pack(">HHIIBBHHH", 40000, port, place, 0, 5 << 4, 0x18, 0, 0, 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + bytes(8)
    return bytes(12) + b"\x08\x00" + ip + tcp


def capture(folder: Path, *frames: bytes) -> Path:
    file = folder / "all.pcap"
    records = [struct.pack("<IIII", 0, 0, len(each), len(each)) + each for each in frames]
    file.write_bytes(bytes(24) + b"".join(records))
    return file


@pytest.mark.parametrize("before", range(9))
@pytest.mark.parametrize(
    "encode",
    [
        bytes,
        lambda data: data.hex().encode(),
        lambda data: data.hex().upper().encode(),
        base64.b32encode,
        lambda data: base64.b32encode(data).lower(),
        base64.b64encode,
        base64.urlsafe_b64encode,
    ],
    ids=["raw", "hex", "HEX", "base32", "base32 lower", "base64", "base64 of URLs"],
)
@pytest.mark.parametrize("part", [KEY, KEY[:15], KEY[9:24], KEY[17:]], ids=len)
def test_a_key_or_a_part_of_it_is_found_in_any_form(
    part: bytes, encode: Callable[[bytes], bytes], before: int
) -> None:
    text = encode(NOISE[:before] + part + NOISE).lower()
    assert any(form in text for form in key_forms(KEY))


@pytest.mark.parametrize(
    "text",
    [
        NAME.encode(),
        NAME.upper().encode(),
        NAME.encode("utf-16-le"),
        b"\x11" + NAME.encode() + b"\x05local\x00",
        base64.b64encode(b"host=" + NAME.encode()),
        NAME.encode().hex().encode(),
    ],
)
def test_a_name_is_found_in_any_form(text: bytes) -> None:
    assert any(form in text.lower() for form in name_forms(NAME))


def test_a_capture_is_searched_and_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    wire = capture(tmp_path, frame(NOISE + KEY[:20] + NOISE))
    assert find({"the name": NAME}, {"the key": KEY}, wire) == ["the key"]
    assert find({"the name": NAME}, {"another": bytes(range(200, 232))}, wire) == []


def test_what_is_cut_over_two_packets_is_found_whatever_their_order(tmp_path: Path) -> None:
    first, second = (
        frame(NOISE + KEY[:10], place=100),
        frame(KEY[10:] + NOISE, place=100 + len(NOISE) + 10),
    )
    for frames in ([first, second], [second, first], [first, first, second]):
        assert find({}, {"the key": KEY}, capture(tmp_path, *frames)) == ["the key"]


def test_what_two_streams_say_does_not_make_one(tmp_path: Path) -> None:
    wire = capture(tmp_path, frame(b"one", port=1), frame(b"two", port=2))
    assert sorted(streams(wire)) == [b"one", b"two"]
