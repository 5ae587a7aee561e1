"""What would tell whose a machine is, and a search for it in a recording of its network.

A key or a name may hide as it is, in hexadecimal, base32 or base64, at any
alignment and in either case, whole or as any fifteen bytes of it, in one packet
or over several of a stream.
"""

import base64
import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from meshnews.node.book import DeskBook
from meshnews.node.identity import load_identity, load_relays
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.store.port import Carry, Vault
from meshnewsd.compose import open_home
from meshnewsd.platform.entropy import OsEntropy
from tests.e2e.world import PASSPHRASE, Machine

PIECE_BYTES = 8
"""Of so many bytes each, one after another: any fifteen bytes in a row contain one."""

IPV4, IPV6, TCP = b"\x08\x00", b"\x86\xdd", 6
ENCODINGS: Sequence[tuple[int, Callable[[bytes], bytes]]] = (
    (4, base64.b16encode),
    (5, base64.b32encode),
    (5, base64.b32hexencode),
    (6, base64.b64encode),
    (6, base64.urlsafe_b64encode),
)
"""How many bits a character holds, and what makes it."""


def forms_of(value: bytes) -> set[bytes]:
    """Return every form in which `value` may stand in a longer text, in lower case."""
    forms = {value, value[::-1], value.hex(":").encode()}
    for bits, encode in ENCODINGS:
        for before in range(math.lcm(8, bits) // 8):
            text = encode(bytes(before) + value + bytes(8))
            first, last = -(-8 * before // bits), 8 * (before + len(value)) // bits
            forms.add(text[first:last])
    return {form.lower() for form in forms}


def name_forms(name: str) -> set[bytes]:
    """Return every form in which a name may stand, in lower case."""
    return forms_of(name.encode()) | forms_of(name.lower().encode()) | {name.encode("utf-16-le")}


def key_forms(key: bytes) -> set[bytes]:
    """Return every form in which a key, or any fifteen bytes of it, may stand, in lower case."""
    starts = range(0, len(key) - PIECE_BYTES + 1, PIECE_BYTES)
    return set().union(*(forms_of(key[start : start + PIECE_BYTES]) for start in starts))


def find(names: Mapping[str, str], keys: Mapping[str, bytes], capture: Path) -> list[str]:
    """Return which names and keys stand in a capture, in any form."""
    haystacks = [capture.read_bytes().lower(), *(each.lower() for each in streams(capture))]
    needles = {what: name_forms(name) for what, name in names.items()}
    needles |= {what: key_forms(key) for what, key in keys.items()}
    return [
        what
        for what, forms in needles.items()
        if any(form in haystack for form in forms for haystack in haystacks)
    ]


def streams(capture: Path) -> Iterator[bytes]:
    """Yield what was said in each direction of each TCP stream of a capture, in order."""
    said: dict[bytes, dict[int, bytes]] = {}
    for frame in _frames(capture.read_bytes()):
        found = _segment(frame)
        if found is None:
            continue
        addresses, segment = found
        start = (segment[12] >> 4) * 4
        said.setdefault(addresses + segment[:4], {})[int.from_bytes(segment[4:8], "big")] = segment[
            start:
        ]
    for pieces in said.values():
        yield b"".join(_in_order(pieces))


def _in_order(pieces: Mapping[int, bytes]) -> Iterator[bytes]:
    """Yield pieces by their place in the stream, what was sent again left out."""
    end = 0
    for place, data in sorted(pieces.items()):
        yield data[max(0, end - place) :]
        end = max(end, place + len(data))


def _frames(data: bytes) -> Iterator[bytes]:
    at = 24
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        yield data[at + 16 : at + 16 + size]
        at += 16 + size


def _segment(frame: bytes) -> tuple[bytes, bytes] | None:
    """Return the addresses and the TCP segment in a frame, if it has one."""
    packet = frame[14:]
    if frame[12:14] == IPV4 and packet[9] == TCP:
        size = int.from_bytes(packet[2:4], "big")
        return packet[12:20], packet[(packet[0] & 15) * 4 : size]
    if frame[12:14] == IPV6 and packet[6] == TCP:
        return packet[8:40], packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
    return None


def keys_of(machine: Machine) -> dict[str, bytes]:
    """Return the keys and identifiers in the home of a stopped machine that would tell it apart."""
    passphrase = PASSPHRASE if machine.has_vault else None
    with contextlib.closing(open_home(machine.home, passphrase=passphrase)) as opened:
        store = opened.store
        found = opened.transact(lambda: dict(_keys(store.carry, store.vault)))
    return {f"{what}, {machine.name}": key for what, key in found.items()}


def _keys(carry: Carry, vault: Vault | None) -> Iterator[tuple[str, bytes]]:
    identity = load_identity(carry)
    if identity.desk is not None:
        yield "desk id", identity.desk
    if (relay := identity.relay) is not None:
        yield "static key", relay.static.public
        yield "notice key", relay.notice.public
        yield "relay's sign key", relay.sign.public
        yield "beacon key", b"" if relay.beacon_key is None else relay.beacon_key.raw
    for number, known in enumerate(load_relays(carry)):
        yield f"static key {number} on the card", known.static
        yield f"beacon key {number} on the card", known.beacon_key.raw
    manifest = DeskBook(carry, identity.desk).manifest
    if manifest is not None:
        yield from ((f"root key {n}", key) for n, key in enumerate(manifest.roots.keys))
        yield from ((f"editor's key {n}", one.sign) for n, one in enumerate(manifest.editors))
        yield from ((f"issuer's key {n}", one.key) for n, one in enumerate(manifest.issuers))
    if vault is None:
        return
    person = Person(vault)
    if (sign := person.sign_key()) is not None:
        yield "author's key", sign.public
    if (mesh := person.mesh_key()) is not None:
        yield "mesh key", mesh[0].raw
    yield from (
        (f"scan key {n}", secret.public)
        for n, secret in enumerate(DeskKeys(vault, OsEntropy()).scans())
    )
