"""What is ours alone comes out as it did when other machines learnt to read it."""

from typing import Any

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.mask import mask
from meshnews.crypto.slots import data_key, decode_slot, new_slot, open_slot
from meshnews.crypto.words import safety_words
from tests.crypto.vectors import fields, load

GOLDEN: dict[str, list[dict[str, Any]]] = load("meshnews/primitives.json")


class Fixed(Entropy):
    """Draws the salt and the nonce of a vector, in that order."""

    def __init__(self, *draws: bytes) -> None:
        self._draws = list(draws)

    def draw(self, size: int) -> bytes:
        piece = self._draws.pop(0)
        assert len(piece) == size
        return piece


def test_the_labelled_hash() -> None:
    for entry in GOLDEN["b2"]:
        data, key, expected = fields(entry, "data", "key", "hash")
        assert b2(Label(entry["label"].encode()), data, key=key, size=entry["size"]) == expected


def test_the_mask() -> None:
    for entry in GOLDEN["mask"]:
        key, data, masked = fields(entry, "key", "data", "masked")
        assert mask(Label(entry["label"].encode()), key, data) == masked


def test_the_key_slot() -> None:
    for entry in GOLDEN["slot"]:
        salt, nonce, key, slot, erase, data = fields(
            entry, "salt", "nonce", "key", "slot", "erase_secret", "data_key"
        )
        made = new_slot(
            key,
            entry["passphrase"],
            Fixed(salt, nonce),
            opslimit=entry["passes"],
            memlimit_bytes=entry["memory_bytes"],
        )
        assert made.encode() == slot
        assert open_slot(decode_slot(slot), entry["passphrase"]) == key
        assert data_key(key, erase) == data


def test_the_safety_words() -> None:
    for entry in GOLDEN["words"]:
        words = safety_words(bytes.fromhex(entry["digest"]))
        assert [number for number, _ in words] == entry["numbers"]
