"""Every handshake of the cacophony vectors comes out byte for byte."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from meshnews.crypto.keys import X25519Public, X25519Secret
from meshnews.crypto.noise import CipherState, Handshake
from meshnews.crypto.pattern import Script, script

VECTORS = (
    Path(__file__).parents[1] / "vectors" / "noise" / "cacophony-25519-chachapoly-blake2b.json"
)
ALL: list[dict[str, Any]] = json.loads(VECTORS.read_text())["vectors"]

# Revision 34, sections 7.4, 7.5 and appendix 18.1: what is known before, then the messages.
PATTERNS = {
    "N": ("r", "e es"),
    "K": ("ir", "e es ss"),
    "X": ("r", "e es s ss"),
    "NN": ("", "e, e ee"),
    "NK": ("r", "e es, e ee"),
    "NX": ("", "e, e ee s es"),
    "XN": ("", "e, e ee, s se"),
    "XK": ("r", "e es, e ee, s se"),
    "XX": ("", "e, e ee s es, s se"),
    "KN": ("i", "e, e ee se"),
    "KK": ("ir", "e es ss, e ee se"),
    "KX": ("i", "e, e ee se s es"),
    "IN": ("", "e s, e ee se"),
    "IK": ("r", "e es s ss, e ee se"),
    "IX": ("", "e s, e ee se s es"),
    "NK1": ("r", "e, e ee es"),
    "NX1": ("", "e, e ee s, es"),
    "X1N": ("", "e, e ee, s, se"),
    "X1K": ("r", "e es, e ee, s, se"),
    "XK1": ("r", "e, e ee es, s se"),
    "X1K1": ("r", "e, e ee es, s, se"),
    "X1X": ("", "e, e ee s es, s, se"),
    "XX1": ("", "e, e ee s, es s se"),
    "X1X1": ("", "e, e ee s, es s, se"),
    "K1N": ("i", "e, e ee, se"),
    "K1K": ("ir", "e es, e ee, se"),
    "KK1": ("ir", "e, e ee se es"),
    "K1K1": ("ir", "e, e ee es, se"),
    "K1X": ("i", "e, e ee s es, se"),
    "KX1": ("i", "e, e ee se s, es"),
    "K1X1": ("i", "e, e ee s, se es"),
    "I1N": ("", "e s, e ee, se"),
    "I1K": ("r", "e es s, e ee, se"),
    "IK1": ("r", "e s, e ee se es"),
    "I1K1": ("r", "e s, e ee es, se"),
    "I1X": ("", "e s, e ee s es, se"),
    "IX1": ("", "e s, e ee se s, es"),
    "I1X1": ("", "e s, e ee s, se es"),
}


def script_of(vector: dict[str, Any]) -> Script:
    pattern = vector["protocol_name"].split("_")[1]
    return script(pattern, *PATTERNS[pattern.split("psk")[0]])


def side(vector: dict[str, Any], prefix: str) -> Handshake:
    def secret(name: str) -> X25519Secret | None:
        value = vector.get(f"{prefix}_{name}")
        return X25519Secret(bytes.fromhex(value)) if value else None

    known = vector.get(f"{prefix}_remote_static")
    return Handshake(
        script_of(vector),
        initiator=prefix == "init",
        prologue=bytes.fromhex(vector[f"{prefix}_prologue"]),
        psks=[bytes.fromhex(psk) for psk in vector.get(f"{prefix}_psks", [])],
        static=secret("static"),
        ephemeral=secret("ephemeral"),
        remote_static=X25519Public(bytes.fromhex(known)) if known else None,
    )


def test_all_59_vectors_are_there() -> None:
    assert len(ALL) == 59


@pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector["protocol_name"].split("_")[1])
def test_a_handshake_agrees_with_cacophony(vector: dict[str, Any]) -> None:
    initiator, responder = side(vector, "init"), side(vector, "resp")
    messages = [
        (bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]
    ]
    is_one_way = len(script_of(vector).messages) == 1
    sides = itertools.cycle([(initiator, responder), (responder, initiator)])
    count = 0
    while not initiator.finished:
        writer, reader = next(sides)
        payload, ciphertext = messages[count]
        assert writer.write(payload) == ciphertext
        assert reader.read(ciphertext) == payload
        count += 1
    assert responder.finished
    assert initiator.handshake_hash == responder.handshake_hash
    assert initiator.handshake_hash.hex() == vector["handshake_hash"]
    ours, theirs = initiator.split(), responder.split()
    for number, (payload, ciphertext) in enumerate(messages[count:], count):
        from_initiator = is_one_way or number % 2 == 0
        sender: CipherState = ours[0] if from_initiator else theirs[0]
        receiver: CipherState = theirs[1] if from_initiator else ours[1]
        assert sender.encrypt(b"", payload) == ciphertext
        assert receiver.decrypt(b"", ciphertext) == payload
