"""A log of uplinks, checked as a stranger would: by docs/protocol/uplinks.md and its key alone."""

import hashlib
from collections.abc import Iterable

import msgpack  # type: ignore[import-untyped]  # it ships no types; a stranger has no other codec
from nacl.signing import VerifyKey


def windows_of(key: bytes, signed: Iterable[bytes]) -> list[tuple[bool, int]]:
    """Return what entries say, up or down and when, once each was found to be signed and in place.

    Raises:
        nacl.exceptions.BadSignatureError, AssertionError: one is not.
    """
    said, prev = list[tuple[bool, int]](), bytes(16)
    for number, entry in enumerate(signed):
        body, signature = msgpack.unpackb(entry)
        VerifyKey(key).verify(b"wire1" + body, signature)
        tag, own_number, up, at, _, before = msgpack.unpackb(body)
        assert (tag, own_number, before) == ("wire1", number, prev)
        said.append((bool(up), at))
        prev = hashlib.blake2b(entry, digest_size=32, person=b"wire1").digest()[:16]
    return said
