"""Plays one link of each kind from a seed and writes down all that went into it and out of it.

Run as a module, it prints the golden file.
"""

import json
import sys

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey, X25519Secret
from meshnews.ids import Day
from meshnews.link.beacon import Flag, make_beacon
from meshnews.link.beacon_book import OwnBeacon
from meshnews.link.handshake import Answering, Calling, Established
from meshnews.link.packet import HEADER_BYTES, open_packet
from meshnews.link.party import InvitationTarget, LinkKeys, MemberTarget, RelayTarget, Target
from meshnews.link.records import RecordReader, RecordWriter
from meshnews.link.rendezvous import Mode, Rendezvous, mesh_key_on
from meshnews.link.short_beacon import make_short_beacon
from tests.link.neighbours import Guard

MESSAGE_BYTES = {Mode.RELAY: (48, 48), Mode.MEMBER: (48, 48), Mode.ENROLMENT: (48, 96, 64)}
STATIC = X25519Secret(bytes(range(32, 64)))
SECRET = bytes(range(32))
NONCE = bytes(range(0xA0, 0xB0))
DAY = Day(740)


class Recording:
    """An entropy that remembers what it gave."""

    def __init__(self, seed: bytes) -> None:
        self._entropy = SeededEntropy(seed)
        self.drawn: list[bytes] = []

    def draw(self, size: int) -> bytes:
        self.drawn.append(self._entropy.draw(size))
        return self.drawn[-1]


def rendezvous_of(mode: Mode) -> Rendezvous:
    match mode:
        case Mode.RELAY:
            return Rendezvous.at_relay(SymmetricKey(SECRET))
        case Mode.MEMBER:
            return Rendezvous.of_members(SymmetricKey(SECRET), DAY)
        case Mode.ENROLMENT:
            return Rendezvous.by_invitation(SECRET[:16], SECRET[16:])


def target_of(mode: Mode, nonce: bytes) -> Target:
    rendezvous = rendezvous_of(mode)
    match mode:
        case Mode.RELAY:
            return RelayTarget(STATIC.public, rendezvous, nonce)
        case Mode.MEMBER:
            return MemberTarget(rendezvous, nonce)
        case Mode.ENROLMENT:
            return InvitationTarget(rendezvous, nonce)


def beacons(mode: Mode) -> dict[str, object]:
    rendezvous = rendezvous_of(mode)
    flags = Flag.SEEK | Flag.CLOCKLESS
    return {
        "mode": int(mode),
        "secret": SECRET.hex(),
        "beacon_key": rendezvous.beacon_key.hex(),
        "epoch": 1_823_777,
        "port": 4242,
        "flags": int(flags),
        "nonce": NONCE.hex(),
        "beacon": make_beacon(
            rendezvous, epoch=1_823_777, port=4242, flags=flags, nonce=NONCE
        ).hex(),
        "psm": 129,
        "short_nonce": NONCE[:8].hex(),
        "short_beacon": make_short_beacon(
            rendezvous, epoch=1_823_777, psm=129, flags=flags, nonce=NONCE[:8]
        ).hex(),
    }


def link(mode: Mode, nonce: bytes) -> dict[str, object]:
    ours, theirs = Recording(b"golden caller"), Recording(b"golden responder")
    target, rendezvous = target_of(mode, nonce), rendezvous_of(mode)
    caller = Calling(target, ours)
    keys = LinkKeys(
        [OwnBeacon(rendezvous, nonce)] if nonce else [],
        [] if nonce else [rendezvous],
        STATIC if mode is Mode.RELAY else None,
    )
    responder = Answering(keys, Guard(), theirs)
    packets = [caller.start()]
    packets.append(responder.feed(packets[0]))
    if third := caller.feed(packets[1]):
        packets.append(third)
        responder.feed(third)
    assert caller.established is not None
    assert responder.established is not None
    done = caller.established
    assert done.session_id == responder.established.session_id
    static_first = mode is Mode.ENROLMENT
    return {
        "mode": int(mode),
        "secret": SECRET.hex(),
        "mask_key": rendezvous.mask_key.hex(),
        "psk": rendezvous.psk.hex(),
        "beacon_nonce": nonce.hex(),
        "prologue": (b"mesh/1" + bytes([mode]) + nonce).hex(),
        "relay_static_secret": STATIC.raw.hex() if mode is Mode.RELAY else "",
        "caller_static_secret": ours.drawn[0].hex() if static_first else "",
        "caller_ephemeral_secret": ours.drawn[static_first].hex(),
        "responder_static_secret": theirs.drawn[0].hex() if static_first else "",
        "responder_ephemeral_secret": theirs.drawn[static_first].hex(),
        "messages": [
            message(packet, rendezvous, turn, nonce).hex() for turn, packet in enumerate(packets)
        ],
        "packets": [packet.hex() for packet in packets],
        "session_id": done.session_id.hex(),
        "wire_hash": done.wire_hash.hex(),
        **records("caller", done, responder.established),
        **records("responder", responder.established, done),
    }


def message(packet: bytes, rendezvous: Rendezvous, turn: int, nonce: bytes) -> bytes:
    head = packet[: HEADER_BYTES + MESSAGE_BYTES[rendezvous.mode][turn]]
    opened = open_packet(head, mask_key=rendezvous.mask_key, turn=turn, beacon_nonce=nonce)
    assert opened is not None
    assert len(packet) == len(head) + opened[1]
    return opened[0]


def records(name: str, speaker: Established, listener: Established) -> dict[str, object]:
    """Three records and, after a new key (every two records here), one more."""
    writer = RecordWriter(speaker.send, ad=speaker.wire_hash, per_key=2)
    reader = RecordReader(listener.receive, ad=listener.wire_hash, per_key=2)
    data = [name.encode(), bytes(237) + b"the rest of a stream", b"after a new key"]
    stream = []
    for piece in data:
        writer.queue(piece)
        stream.append(writer.take(1 << 20))
    assert b"".join(piece for part in stream for piece in reader.feed(part)) == b"".join(data)
    return {f"{name}_data": [it.hex() for it in data], f"{name}_stream": [s.hex() for s in stream]}


def transcript() -> dict[str, object]:
    key = SymmetricKey(SECRET)
    return {
        "note": "per_key is 2 in these streams, not 16384",
        "mesh_days": [
            {"day": day, "key": mesh_key_on(key, day_from=DAY, day_to=Day(day)).raw.hex()}
            for day in (DAY, DAY + 1, DAY + 30)
        ],
        "beacons": [beacons(mode) for mode in Mode],
        "links": [
            link(mode, nonce)
            for mode in Mode
            for nonce in (NONCE, NONCE[:8], b"")
            if nonce or mode is not Mode.MEMBER
        ],
    }


if __name__ == "__main__":
    json.dump(transcript(), sys.stdout, indent=1)
    sys.stdout.write("\n")
