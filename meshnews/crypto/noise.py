"""The Noise handshake, in one suite: 25519, ChaChaPoly, BLAKE2b.

A pattern is a list of messages, each a list of tokens; a handshake walks it.
`Pattern` holds the three that links use; the engine takes any `Script`.

    message = per token: e 32 | s 32, or 48 once there is a key | ee es se ss psk 0
              ‖ payload, 16 longer once there is a key

Source: The Noise Protocol Framework, revision 34.
"""

import enum
import hmac
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from meshnews.crypto.aead import TAG_BYTES, seal, unseal
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import KEY_BYTES, X25519Public, X25519Secret
from meshnews.crypto.pattern import Script, script
from meshnews.errors import Exceeded, LocalMisuse, Malformed, OutOfTurn

MESSAGE_BYTES_MAX: Final = 65535
"""Longest message, of a handshake or after it (revision 34, section 3)."""

HASH_BYTES: Final = 64
_NONCE_LAST: Final = 2**64 - 1
_NONCE_PREFIX: Final = bytes(4)
_REKEY_NONCE: Final = _NONCE_PREFIX + b"\xff" * 8
_SUITE: Final = "25519_ChaChaPoly_BLAKE2b"


class Pattern(enum.Enum):
    """The handshakes that links use (protocol section 6)."""

    NKPSK0 = script("NKpsk0", "r", "e es, e ee")
    """Anyone to a relay or collector: its static key, psk of its beacon key."""
    NNPSK0 = script("NNpsk0", "", "e, e ee")
    """Member to member: psk of a day's mesh key."""
    XXPSK3 = script("XXpsk3", "", "e, e ee s es, s se")
    """Enrolment: psk of the invitation."""


class CipherState:
    """One direction of a link: a key and a count of what went under it."""

    __slots__ = ("_key", "_nonce")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._nonce = 0

    @property
    def nonce(self) -> int:
        """How many messages went by.  A new key does not set it back."""
        return self._nonce

    def encrypt(self, ad: bytes, plaintext: bytes) -> bytes:
        """Return the next message, 16 bytes longer than `plaintext`.

        Source: revision 34, section 5.1, EncryptWithAd.

        Raises:
            LocalMisuse: the message would be above 65,535 bytes.
            Exceeded: 2^64 - 1 messages went by.
        """
        if len(plaintext) > MESSAGE_BYTES_MAX - TAG_BYTES:
            raise LocalMisuse("a message longer than Noise allows")
        ciphertext = seal(self._key, plaintext, nonce12=self._next(), ad=ad)
        self._nonce += 1
        return ciphertext

    def decrypt(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Return the plaintext of the next message; a failure uses up no nonce.

        Source: revision 34, section 5.1, DecryptWithAd.

        Raises:
            Forged: it is not the next message under this key.
            Malformed: it is above 65,535 bytes.
            Exceeded: 2^64 - 1 messages went by.
        """
        if len(ciphertext) > MESSAGE_BYTES_MAX:
            raise Malformed("a message longer than Noise allows")
        plaintext = unseal(self._key, ciphertext, nonce12=self._next(), ad=ad)
        self._nonce += 1
        return plaintext

    def rekey(self) -> None:
        """Replace the key by one from which the old one does not follow.

        Source: revision 34, sections 4.2 and 11.3.

        Raises:
            Nothing.
        """
        self._key = seal(self._key, bytes(KEY_BYTES), nonce12=_REKEY_NONCE)[:KEY_BYTES]

    def _next(self) -> bytes:
        if self._nonce >= _NONCE_LAST:
            raise Exceeded("a key that is used up")
        return _NONCE_PREFIX + self._nonce.to_bytes(8, "little")

    def __repr__(self) -> str:
        return f"CipherState(nonce={self._nonce})"


class _Symmetric:
    """Chaining key, transcript hash and cipher: section 5.2."""

    __slots__ = ("chaining_key", "cipher", "hash")

    def __init__(self, protocol: bytes) -> None:
        short = len(protocol) <= HASH_BYTES
        self.hash = protocol.ljust(HASH_BYTES, b"\0") if short else blake2b(protocol).digest()
        self.chaining_key = self.hash
        self.cipher: CipherState | None = None

    def mix_hash(self, data: bytes) -> None:
        self.hash = blake2b(self.hash + data).digest()

    def mix_key(self, material: bytes) -> None:
        self.chaining_key, key = self.expand(material, 2)
        self.cipher = CipherState(key[:KEY_BYTES])

    def mix_key_and_hash(self, material: bytes) -> None:
        self.chaining_key, hashed, key = self.expand(material, 3)
        self.mix_hash(hashed)
        self.cipher = CipherState(key[:KEY_BYTES])

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        cipher = self.cipher
        ciphertext = plaintext if cipher is None else cipher.encrypt(self.hash, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        cipher = self.cipher
        plaintext = ciphertext if cipher is None else cipher.decrypt(self.hash, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext

    def expand(self, material: bytes, count: int) -> list[bytes]:
        """Section 4.3, HKDF; never more than three outputs."""
        key = hmac.new(self.chaining_key, material, blake2b).digest()
        outputs: list[bytes] = []
        last = b""
        for index in range(1, count + 1):
            last = hmac.new(key, last + bytes((index,)), blake2b).digest()
            outputs.append(last)
        return outputs


class Handshake:
    """One side of one handshake.

        write ─▶ read ─▶ write … ─▶ finished ─▶ split      the initiator writes first

    A message that is refused ends it: nothing but silence may follow.

    Args:
        pattern: which handshake.
        initiator: whether this side writes first.
        prologue: what both sides must agree on beforehand.
        psks: 32-byte pre-shared keys, in the order of their tokens.
        static: our lasting key, where the pattern has one.
        ephemeral: our key of this handshake; drawn from `entropy` when absent.
        remote_static: the peer's lasting key, where the pattern knows it.
        entropy: where an ephemeral key is drawn from.

    Raises:
        LocalMisuse: a key that the pattern needs is missing, or of the wrong size.
    """

    def __init__(
        self,
        pattern: Pattern | Script,
        *,
        initiator: bool,
        prologue: bytes,
        psks: Sequence[bytes],
        static: X25519Secret | None = None,
        ephemeral: X25519Secret | None = None,
        remote_static: X25519Public | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        plan = pattern if isinstance(pattern, Script) else pattern.value
        if len(psks) != plan.psks or any(len(psk) != KEY_BYTES for psk in psks):
            raise LocalMisuse("not as many psks of 32 bytes as the pattern has")
        if ephemeral is None and entropy is None and plan.draws(initiator=initiator):
            raise LocalMisuse("neither an ephemeral key nor a source of one")
        if static is None and plan.uses_static(initiator=initiator):
            raise LocalMisuse("the pattern needs a static key of ours")
        self._messages = plan.messages
        self._has_psk = plan.psks > 0
        self._initiator = initiator
        self._psks = list(psks)
        self._static = static
        self._ephemeral = ephemeral
        self._entropy = entropy
        self._remote_static = remote_static
        self._remote_ephemeral: X25519Public | None = None
        self._done = 0
        self._broken = False
        self._symmetric = _Symmetric(f"Noise_{plan.name}_{_SUITE}".encode())
        self._symmetric.mix_hash(prologue)
        for is_known, is_ours in (
            (plan.initiator_known, initiator),
            (plan.responder_known, not initiator),
        ):
            if is_known:
                self._symmetric.mix_hash(self._own() if is_ours else self._known_peer())

    @property
    def finished(self) -> bool:
        """Every message went by."""
        return self._done == len(self._messages)

    @property
    def handshake_hash(self) -> bytes:
        """64 bytes that both sides share, and that no two handshakes have (section 11.2)."""
        return self._symmetric.hash

    @property
    def remote_static(self) -> X25519Public | None:
        """The peer's lasting key, as known beforehand or as received."""
        return self._remote_static

    @property
    def is_our_turn(self) -> bool:
        """The next message is ours to write."""
        return not self.finished and (self._done % 2 == 0) == self._initiator

    def write(self, payload: bytes = b"") -> bytes:
        """Return our next message.

        Source: revision 34, section 5.3, WriteMessage.

        Raises:
            Forged: the peer's key of this handshake is of low order.
            LocalMisuse: it is not our turn, or the message would be too long.
        """
        if not self.is_our_turn or self._broken:
            raise LocalMisuse("a handshake message out of turn")
        parts = []
        self._broken = True
        for token in self._messages[self._done]:
            match token:
                case "e":
                    parts.append(self._write_ephemeral())
                case "s":
                    parts.append(self._symmetric.encrypt_and_hash(self._own()))
                case _:
                    self._mix(token)
        parts.append(self._symmetric.encrypt_and_hash(payload))
        message = b"".join(parts)
        if len(message) > MESSAGE_BYTES_MAX:
            raise LocalMisuse("a message longer than Noise allows")
        self._broken = False
        self._done += 1
        return message

    def read(self, message: bytes) -> bytes:
        """Return the payload of the peer's next message.

        Source: revision 34, section 5.3, ReadMessage.

        Raises:
            Forged: a tag does not hold, or a key is of low order.
            Malformed: it is too short or too long.
            OutOfTurn: no message of the peer's belongs here.
        """
        if self.finished or self.is_our_turn or self._broken:
            raise OutOfTurn("a handshake message out of turn")
        if len(message) > MESSAGE_BYTES_MAX:
            raise Malformed("a message longer than Noise allows")
        self._broken = True
        start = 0
        for token in self._messages[self._done]:
            match token:
                case "e":
                    start = self._read_ephemeral(message, start)
                case "s":
                    start = self._read_static(message, start)
                case _:
                    self._mix(token)
        payload = self._symmetric.decrypt_and_hash(message[start:])
        self._broken = False
        self._done += 1
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """Return the states of what we send and of what we receive.

        Source: revision 34, section 5.2, Split.

        Raises:
            LocalMisuse: the handshake is not finished.
        """
        if not self.finished:
            raise LocalMisuse("an unfinished handshake has no keys")
        first, second = (CipherState(key[:KEY_BYTES]) for key in self._symmetric.expand(b"", 2))
        return (first, second) if self._initiator else (second, first)

    def _write_ephemeral(self) -> bytes:
        if self._ephemeral is None:
            assert self._entropy is not None, "checked when the handshake was made"
            self._ephemeral = X25519Secret(self._entropy.draw(KEY_BYTES))
        self._take_in_ephemeral(self._ephemeral.public)
        return self._ephemeral.public

    def _read_ephemeral(self, message: bytes, start: int) -> int:
        end = start + KEY_BYTES
        public = X25519Public(_cut(message, start, end))
        self._remote_ephemeral = public
        self._take_in_ephemeral(public)
        return end

    def _take_in_ephemeral(self, public: X25519Public) -> None:
        self._symmetric.mix_hash(public)
        if self._has_psk:
            self._symmetric.mix_key(public)

    def _read_static(self, message: bytes, start: int) -> int:
        end = start + KEY_BYTES + (0 if self._symmetric.cipher is None else TAG_BYTES)
        sealed = _cut(message, start, end)
        self._remote_static = X25519Public(self._symmetric.decrypt_and_hash(sealed))
        return end

    def _mix(self, token: str) -> None:
        """Mix in a psk, or what two keys agree on; the initiator's key is named first."""
        if token == "psk":  # noqa: S105  # a token of a pattern
            self._symmetric.mix_key_and_hash(self._psks.pop(0))
            return
        initiators, responders = token[0], token[1]
        own, theirs = (initiators, responders) if self._initiator else (responders, initiators)
        secret = self._static if own == "s" else self._ephemeral
        public = self._remote_static if theirs == "s" else self._remote_ephemeral
        if secret is None or public is None:
            raise LocalMisuse("a key that the pattern needs is missing")
        self._symmetric.mix_key(secret.exchange(public))

    def _own(self) -> bytes:
        if self._static is None:
            raise LocalMisuse("the pattern needs a static key of ours")
        return self._static.public

    def _known_peer(self) -> bytes:
        if self._remote_static is None or len(self._remote_static) != KEY_BYTES:
            raise LocalMisuse("the pattern needs the peer's static key")
        return self._remote_static


def _cut(message: bytes, start: int, end: int) -> bytes:
    if len(message) < end:
        raise Malformed("a handshake message that is too short")
    return message[start:end]
