"""Encodings come out as they did when other machines learnt to read them."""

import json
from pathlib import Path
from typing import Any

from meshnews.wire.codec import Value, decode, encode
from meshnews.wire.frames import FrameReader, encode_frame

GOLDEN: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "meshnews" / "primitives.json").read_text()
)


def value_of(written: Any) -> Value:  # JSON has no bytes: {"bin": hex} stands in
    if isinstance(written, dict):
        return bytes.fromhex(written["bin"])
    if isinstance(written, list):
        return [value_of(item) for item in written]
    assert isinstance(written, int | str)
    return written


def test_each_value_has_its_encoding() -> None:
    for entry in GOLDEN["codec"]:
        encoding = bytes.fromhex(entry["encoding"])
        assert encode(value_of(entry["value"])) == encoding
        assert decode(encoding, bytes_max=1000) == value_of(entry["value"])


def test_frames_have_their_bytes() -> None:
    for entry in GOLDEN["frames"]:
        bodies = [bytes.fromhex(body) for body in entry["bodies"]]
        stream = bytes.fromhex(entry["stream"])
        assert b"".join(map(encode_frame, bodies)) == stream
        assert FrameReader().feed(stream) == bodies
