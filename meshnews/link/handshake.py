"""The handshake that opens a link, fed byte by byte.

    mode        pattern      who calls whom                  message bytes
    RELAY       NKpsk0       anybody a relay or collector    48, 48
    MEMBER      NNpsk0       a member a member               48, 48
    ENROLMENT   XXpsk3       a joiner the desk's machine     48, 96, 64

    Noise_*_25519_ChaChaPoly_BLAKE2b, empty payloads, each message in a packet
    prologue = 'mesh/1' ‖ mode (1) ‖ nonce of the beacon being answered (16, 8 or 0)

The caller speaks first.  A responder that cannot place the first packet raises
and has nothing to send.  It answers beacons of its own only, or, where the
secret is held by it alone, calls without a beacon; and every ephemeral key of
a caller once.  See docs/protocol/link.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import X25519Public, X25519Secret
from meshnews.crypto.noise import CipherState, Handshake, Pattern
from meshnews.errors import Forged, OutOfTurn, PeerError
from meshnews.link.packet import HEADER_BYTES, make_packet, open_packet
from meshnews.link.party import (
    InvitationTarget,
    LinkKeys,
    MemberTarget,
    Peer,
    RelayTarget,
    ReplayGuard,
    Target,
    check_target,
)
from meshnews.link.rendezvous import Mode, Rendezvous

__all__ = [
    "Answering",
    "Calling",
    "Established",
    "InvitationTarget",
    "LinkKeys",
    "MemberTarget",
    "Peer",
    "RelayTarget",
    "ReplayGuard",
    "Target",
]
# The parties of a handshake are found here too, beside what is done with them.

_PATTERN: Final = {
    Mode.RELAY: Pattern.NKPSK0,
    Mode.MEMBER: Pattern.NNPSK0,
    Mode.ENROLMENT: Pattern.XXPSK3,
}
_MESSAGE_BYTES: Final = {
    Mode.RELAY: (48, 48),
    Mode.MEMBER: (48, 48),
    Mode.ENROLMENT: (48, 96, 64),
}
_FIRST_BYTES: Final = 48
"""First messages of all modes have one length."""


@dataclass(frozen=True, slots=True)
class Established:
    """What a finished handshake leaves.

    Attributes:
        send: cipher of what we send.
        receive: cipher of what we receive.
        session_id: the Noise handshake hash, 64 bytes.
        wire_hash: 32 bytes over all packets as they crossed the wire, junk included.
        peer: who it is.
        rest: bytes that came after the handshake.
    """

    send: CipherState
    receive: CipherState
    session_id: bytes
    wire_hash: bytes
    peer: Peer
    rest: bytes


class _Exchange:
    """One handshake whose mode and beacon are known: packets out, packets in, in turn."""

    def __init__(
        self, rendezvous: Rendezvous, nonce: bytes, noise: Handshake, entropy: Entropy
    ) -> None:
        self._rendezvous = rendezvous
        self._nonce = nonce
        self._noise = noise
        self._entropy = entropy
        self._turn = 0
        self._wire_hash = b""
        self._incoming_bytes = 0
        """Length of the packet being received, once its head has been read."""

    @property
    def is_finished(self) -> bool:
        return self._noise.finished

    def send(self) -> bytes:
        packet = make_packet(
            self._noise.write(),
            mask_key=self._rendezvous.mask_key,
            turn=self._turn,
            beacon_nonce=self._nonce,
            entropy=self._entropy,
        )
        self._end_turn(packet)
        return packet

    def expect(self, packet_bytes: int) -> None:
        """Take over after the message of the packet that is coming in was read already."""
        self._incoming_bytes = packet_bytes

    def receive(self, buffer: bytearray) -> bool:
        """Take the packet that is due from the front of `buffer`; False until it is whole."""
        if not self._incoming_bytes and not self._receive_head(buffer):
            return False
        size = self._incoming_bytes
        if len(buffer) < size:
            return False
        self._end_turn(bytes(buffer[:size]))
        self._incoming_bytes = 0
        del buffer[:size]
        return True

    def established(self, peer_static: X25519Public | None, rest: bytes) -> Established:
        send, receive = self._noise.split()
        return Established(
            send=send,
            receive=receive,
            session_id=self._noise.handshake_hash,
            wire_hash=self._wire_hash,
            peer=Peer(self._rendezvous, peer_static, self._nonce),
            rest=rest,
        )

    @property
    def remote_static(self) -> X25519Public | None:
        return self._noise.remote_static

    def _receive_head(self, buffer: bytearray) -> bool:
        size = HEADER_BYTES + _MESSAGE_BYTES[self._rendezvous.mode][self._turn]
        if len(buffer) < size:
            return False
        opened = open_packet(
            bytes(buffer[:size]),
            mask_key=self._rendezvous.mask_key,
            turn=self._turn,
            beacon_nonce=self._nonce,
        )
        if opened is None:
            raise Forged("an answer that is not to our call")
        message, junk_bytes = opened
        self._noise.read(message)
        self._incoming_bytes = size + junk_bytes
        return True

    def _end_turn(self, packet: bytes) -> None:
        self._wire_hash = b2(Label.LINK_WIRE, packet, key=self._wire_hash)
        self._turn += 1


class Calling:
    """The side that opens a handshake.

    Raises:
        LocalMisuse: the target's rendezvous is of another mode, its nonce has
            no length of a beacon's, or a member is called without a beacon.
    """

    def __init__(self, target: Target, entropy: Entropy) -> None:
        rendezvous = target.rendezvous
        check_target(target)
        remote_static = target.static if isinstance(target, RelayTarget) else None
        noise = Handshake(
            _PATTERN[rendezvous.mode],
            initiator=True,
            prologue=_prologue(rendezvous.mode, target.nonce),
            psks=[rendezvous.psk],
            static=_session_static(rendezvous.mode, entropy),
            ephemeral=X25519Secret(entropy.draw(32)),
            remote_static=remote_static,
        )
        self._exchange = _Exchange(rendezvous, target.nonce, noise, entropy)
        self._target_static = remote_static
        self._buffer = bytearray()
        self.established: Established | None = None
        """Set once the handshake is finished."""

    def start(self) -> bytes:
        """Return the first packet.

        Raises:
            Nothing.
        """
        return self._exchange.send()

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the responder; return what is to be sent.

        Raises:
            PeerError: the responder is not the one that was called.
        """
        self._buffer += data
        if not self._exchange.receive(self._buffer):
            return b""
        reply = b"" if self._exchange.is_finished else self._exchange.send()
        static = self._target_static or self._exchange.remote_static
        self.established = self._exchange.established(static, bytes(self._buffer))
        return reply


class Answering:
    """The side that is called.  Says nothing until a caller has shown that it knows a secret."""

    def __init__(self, keys: LinkKeys, replay: ReplayGuard, entropy: Entropy) -> None:
        self._keys = keys
        self._replay = replay
        self._entropy = entropy
        self._exchange: _Exchange | None = None
        self._has_answered = False
        self._buffer = bytearray()
        self.established: Established | None = None
        """Set once the handshake is finished."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the caller; return what is to be sent.

        Raises:
            PeerError: nothing that we answer; stay silent.
        """
        self._buffer += data
        exchange = self._exchange
        if exchange is None:
            if len(self._buffer) < HEADER_BYTES + _FIRST_BYTES:
                return b""
            exchange = self._exchange = self._place(
                bytes(self._buffer[: HEADER_BYTES + _FIRST_BYTES])
            )
        if not exchange.receive(self._buffer):
            return b""
        reply = b""
        if not self._has_answered:
            if self._buffer:
                raise OutOfTurn("a caller went on before it was answered")
            reply = exchange.send()
            self._has_answered = True
        if exchange.is_finished:
            self.established = exchange.established(exchange.remote_static, bytes(self._buffer))
        return reply

    def _place(self, head: bytes) -> _Exchange:
        """Find out what was called, or raise."""
        for rendezvous, nonce in self._keys.candidates():
            opened = open_packet(head, mask_key=rendezvous.mask_key, turn=0, beacon_nonce=nonce)
            if opened is None:
                continue
            message, junk_bytes = opened
            noise = self._noise(rendezvous, nonce)
            try:
                noise.read(message)
            except PeerError:
                continue
            ephemeral_hash = b2(Label.LINK_ONCE, message[:32], size=16)
            if not self._replay.first_time(ephemeral_hash, durable=not nonce):
                raise Forged("a first message that was answered before")
            exchange = _Exchange(rendezvous, nonce, noise, self._entropy)
            exchange.expect(HEADER_BYTES + _FIRST_BYTES + junk_bytes)
            return exchange
        raise Forged("a first message under no key of ours")

    def _noise(self, rendezvous: Rendezvous, nonce: bytes) -> Handshake:
        mode = rendezvous.mode
        is_relay = mode is Mode.RELAY
        return Handshake(
            _PATTERN[mode],
            initiator=False,
            prologue=_prologue(mode, nonce),
            psks=[rendezvous.psk],
            static=self._keys.static if is_relay else _session_static(mode, self._entropy),
            ephemeral=X25519Secret(self._entropy.draw(32)),
        )


def _prologue(mode: Mode, nonce: bytes) -> bytes:
    return b"mesh/1" + bytes([mode]) + nonce


def _session_static(mode: Mode, entropy: Entropy) -> X25519Secret | None:
    """Both static keys of an enrolment are made for that link alone."""
    return X25519Secret(entropy.draw(32)) if mode is Mode.ENROLMENT else None
