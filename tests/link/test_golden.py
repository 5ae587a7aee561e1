"""The bytes on the wire are those of the golden file, for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshnews.crypto.keys import SymmetricKey, X25519Public, X25519Secret
from meshnews.crypto.noise import Handshake, Pattern
from meshnews.link.rendezvous import Mode
from tests.link.transcript import transcript

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "link.json").read_text(encoding="utf-8")
)
PATTERNS = {
    Mode.RELAY: Pattern.NKPSK0,
    Mode.MEMBER: Pattern.NNPSK0,
    Mode.ENROLMENT: Pattern.XXPSK3,
}


@pytest.mark.parametrize("part", ["mesh_days", "beacons", "links"])
def test_the_same_secrets_give_the_golden_bytes(part: str) -> None:
    assert transcript()[part] == GOLDEN[part]


@pytest.mark.parametrize("index", range(len(GOLDEN["links"])))
def test_the_golden_messages_are_plain_noise_under_the_golden_prologue(index: int) -> None:
    link = GOLDEN["links"][index]
    raw = {name: bytes.fromhex(text) for name, text in link.items() if isinstance(text, str)}
    responder_static = raw["relay_static_secret"] or raw["responder_static_secret"]
    mode = Mode(link["mode"])
    sides = []
    for who, static in (
        ("caller", raw["caller_static_secret"]),
        ("responder", responder_static),
    ):
        known: X25519Public | None = None
        if mode is Mode.RELAY and who == "caller":
            known = X25519Secret(responder_static).public
        sides.append(
            Handshake(
                PATTERNS[mode],
                initiator=who == "caller",
                prologue=raw["prologue"],
                psks=[SymmetricKey(raw["psk"]).raw],
                static=X25519Secret(static) if static else None,
                ephemeral=X25519Secret(raw[f"{who}_ephemeral_secret"]),
                remote_static=known,
            )
        )
    writer, reader = sides
    for message in link["messages"]:
        assert writer.write().hex() == message
        assert reader.read(bytes.fromhex(message)) == b""
        writer, reader = reader, writer
    assert writer.handshake_hash.hex() == link["session_id"]
