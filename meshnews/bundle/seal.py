"""Sealing a payload to its readers, or to all holders of a notice key; docs/protocol/bundles.md.

    stanza = hint ‖ wrap                                                72 bytes
    hint   = HPKE.Seal_base(skE, scan,   info 'hint1' ‖ pc, ref8)       24 bytes
    wrap   = HPKE.Seal_psk (skE, prekey, info 'wrap1' ‖ pc, aad hint, psk, psk_id ref8, k)
             base mode where the prekey has no psk                      48 bytes

One ephemeral key skE serves all stanzas of a bundle; those that nobody needs
are random bytes, and their order is random.

    notice:  E = a fresh public key,  k = b2('notice', E ‖ day u16, key = notice key)
    foreign: nonce24 ‖ XChaCha20-Poly1305(K_carry, wire),  K_carry = b2('carry', desk notice key)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.envelope import Sealed, Terms, capacity, close, purge_of_key, shape_for
from meshnews.bundle.format import Franker, Head, commitment
from meshnews.crypto.aead import LONG_NONCE_BYTES, TAG_BYTES, xseal, xunseal
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy, shuffled
from meshnews.crypto.hpke import seal_base, seal_psk
from meshnews.crypto.keys import KEY_BYTES, Prekey, X25519Public, X25519Secret
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import AuthKind, Day, KeyRef, TrafficClass
from meshnews.limits import LIVES_DAYS, STANZA_BYTES, STANZAS_LARGE, STANZAS_SMALL, WIRE_BYTES

__all__ = [
    "Draft",
    "Reader",
    "Sealed",
    "capacity",
    "draft",
    "draft_notice",
    "epoch_prekey",
    "epoch_ref",
    "seal",
    "seal_notice",
    "unwrap_foreign",
    "wrap_foreign",
]

KEY_REF_BYTES: Final = 8
FOREIGN_BYTES: Final = tuple(LONG_NONCE_BYTES + size + TAG_BYTES for size in WIRE_BYTES)
"""Sizes of the form in which bundles lie on what is not ours."""


@dataclass(frozen=True, slots=True)
class Reader:
    """To whom a bundle is sealed: a scan key that recognises it, a prekey that opens it."""

    scan: X25519Public
    prekey: Prekey


@dataclass(frozen=True, slots=True)
class Draft:
    """An envelope before anything is in it: `pc` exists already, so a statement can name it.

    Seal it once.
    """

    pc: bytes
    purge: bytes = field(repr=False)
    key: bytes = field(repr=False)
    ephemeral: X25519Secret = field(repr=False)


def draft(entropy: Entropy) -> Draft:
    """Return a fresh envelope for `seal`.

    Raises:
        Nothing.
    """
    return _draft(entropy.draw(KEY_BYTES), X25519Secret(entropy.draw(KEY_BYTES)))


def draft_notice(notice_key: bytes, *, day: Day, entropy: Entropy) -> Draft:
    """Return a fresh envelope for `seal_notice` under the same key and day.

    Raises:
        Nothing.
    """
    ephemeral = X25519Secret(entropy.draw(KEY_BYTES))
    return _draft(payload_key_of_notice(notice_key, ephemeral.public, day), ephemeral)


def _draft(key: bytes, ephemeral: X25519Secret) -> Draft:
    purge = purge_of_key(key)
    return Draft(commitment(purge), purge, key, ephemeral)


def payload_key_of_notice(notice_key: bytes, ephemeral: bytes, day: Day) -> bytes:
    """Return the payload key of the notice with this E and day (protocol §3)."""
    return b2(Label.NOTICE, ephemeral + day.to_bytes(2, "big"), key=notice_key)


def epoch_ref(public: X25519Public) -> KeyRef:
    """Return the reference under which an epoch key, or a scan key used as one, is named."""
    return KeyRef(b2(Label.EPOCH_REF, public)[:KEY_REF_BYTES])


def epoch_prekey(public: X25519Public) -> Prekey:
    """Return an epoch key, or a scan key used as one, as a prekey: named by itself, no psk."""
    return Prekey(epoch_ref(public), public, b"")


def seal(
    payload: bytes,
    readers: Sequence[Reader],
    *,
    traffic: TrafficClass,
    day: Day,
    entropy: Entropy,
    franker: Franker,
    life: int = LIVES_DAYS[-1],
    kind: AuthKind = AuthKind.POSTAGE,
    envelope: Draft | None = None,
) -> Sealed:
    """Return `payload` sealed to `readers` in the smallest bundle that holds it (protocol §3).

    Pass the `envelope` whose `pc` the payload names; without one a fresh one is drawn.

    Raises:
        LocalMisuse: no bundle of the class holds the payload; there is no reader, or
            more than STANZAS_LARGE; or a term or key is one that no bundle may have.
        Forged: a reader's public key is of low order.
    """
    if not 1 <= len(readers) <= STANZAS_LARGE:
        raise LocalMisuse("no reader, or too many")
    envelope = envelope or draft(entropy)
    size_min = WIRE_BYTES[0] if len(readers) <= STANZAS_SMALL else WIRE_BYTES[1]
    shape = shape_for(Terms(traffic, day, life, kind), len(payload), size_min=size_min)
    stanzas = [_stanza(envelope, reader) for reader in readers]
    filling = entropy.draw((shape.stanza_count - len(stanzas)) * STANZA_BYTES)
    stanzas += [
        filling[start : start + STANZA_BYTES] for start in range(0, len(filling), STANZA_BYTES)
    ]
    ordered = b"".join(shuffled(entropy, stanzas))
    head = Head(shape, envelope.pc, envelope.ephemeral.public, ordered)
    return close(envelope.key, payload, head, franker)


def _stanza(envelope: Draft, reader: Reader) -> bytes:
    prekey = reader.prekey
    if len(prekey.ref) != KEY_REF_BYTES:
        raise LocalMisuse("a key reference of the wrong length")
    hint = seal_base(
        envelope.ephemeral,
        reader.scan,
        info=hint_context(envelope.pc),
        plaintext=prekey.ref,
    )
    info = wrap_context(envelope.pc)
    if prekey.psk:
        wrap = seal_psk(
            envelope.ephemeral,
            prekey.public,
            info=info,
            aad=hint,
            plaintext=envelope.key,
            psk=prekey.psk,
            psk_id=prekey.ref,
        )
    else:
        wrap = seal_base(
            envelope.ephemeral, prekey.public, info=info, aad=hint, plaintext=envelope.key
        )
    return hint + wrap


def hint_context(pc: bytes) -> bytes:
    """Return the HPKE info of a hint."""
    return Label.HINT_1.person + pc


def wrap_context(pc: bytes) -> bytes:
    """Return the HPKE info of a wrapped payload key."""
    return Label.WRAP_1.person + pc


def seal_notice(
    payload: bytes,
    notice_key: bytes,
    *,
    day: Day,
    entropy: Entropy,
    franker: Franker,
    life: int = LIVES_DAYS[-1],
    envelope: Draft | None = None,
) -> Sealed:
    """Return `payload` sealed, in class 0, to all holders of `notice_key` (protocol §3).

    Pass the `envelope` of `draft_notice` whose `pc` the payload names, if it names one.

    Raises:
        LocalMisuse: no bundle holds the payload, `life` or `day` is one that none
            may have, or `envelope` was drafted for another key or day.
    """
    envelope = envelope or draft_notice(notice_key, day=day, entropy=entropy)
    ephemeral = envelope.ephemeral.public
    shape = shape_for(Terms(TrafficClass.NOTICE, day, life), len(payload))
    if envelope.key != payload_key_of_notice(notice_key, ephemeral, day):
        raise LocalMisuse("an envelope for another notice key or day")
    stanzas = entropy.draw(shape.stanza_count * STANZA_BYTES)
    return close(envelope.key, payload, Head(shape, envelope.pc, ephemeral, stanzas), franker)


def wrap_foreign(wire: bytes, desk_notice_key: bytes, entropy: Entropy) -> bytes:
    """Return the form in which a bundle lies on a stick, in a folder or on a drop.

    Uniform to whoever lacks the key, but for its size (protocol §3).

    Raises:
        LocalMisuse: `wire` has the size of no bundle.
    """
    if len(wire) not in WIRE_BYTES:
        raise LocalMisuse("a foreign form of what is no bundle")
    nonce = entropy.draw(LONG_NONCE_BYTES)
    return nonce + xseal(_carry_key(desk_notice_key), wire, nonce24=nonce)


def unwrap_foreign(foreign: bytes, desk_notice_key: bytes) -> bytes:
    """Return the wire form that `wrap_foreign` hid; it is still to be judged.

    Raises:
        Malformed: no foreign form has that size.
        Forged: it was hidden under another key, or changed.
    """
    if len(foreign) not in FOREIGN_BYTES:
        raise Malformed("a foreign form of the wrong size")
    nonce, hidden = foreign[:LONG_NONCE_BYTES], foreign[LONG_NONCE_BYTES:]
    return xunseal(_carry_key(desk_notice_key), hidden, nonce24=nonce)


def _carry_key(desk_notice_key: bytes) -> bytes:
    return b2(Label.CARRY, desk_notice_key)
