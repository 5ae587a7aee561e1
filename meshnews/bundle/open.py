"""Opening: is this bundle for us, by which key, and what is in it; see docs/protocol/bundles.md.

A reader tries its scan keys on the hints.  One that opens gives the reference
of a prekey; the private half of that opens the payload key, and the purge
commitment tells that it is the right one.  What is inside is for `statement`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.envelope import Opened, disclose, purge_of_key
from meshnews.bundle.format import Bundle, commitment
from meshnews.bundle.seal import hint_context, payload_key_of_notice, wrap_context
from meshnews.crypto.digest import same
from meshnews.crypto.hpke import open_base, open_psk, receiver
from meshnews.crypto.keys import KEY_BYTES, PrekeySecret, X25519Secret
from meshnews.errors import Forged, LocalMisuse
from meshnews.ids import KeyRef, TrafficClass
from meshnews.limits import STANZA_BYTES

__all__ = ["Found", "Opened", "find", "found_by", "open_found", "open_notice"]

HINT_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Found:
    """A stanza of ours: which prekey it was made for, and which it is."""

    ref: KeyRef
    index: int


def find(bundle: Bundle, scan: X25519Secret) -> Found | None:
    """Return the first stanza that was made for `scan`, or None when there is none.

    Raises:
        Nothing.
    """
    return next(found_by(bundle, scan), None)


def found_by(bundle: Bundle, scan: X25519Secret) -> Iterator[Found]:
    """Yield the stanzas that were made for `scan`; whoever knows it can have made more than one.

    One exchange and one key schedule, then a try on each stanza.

    Raises:
        Nothing.
    """
    try:
        context = receiver(scan, bundle.ephemeral, info=hint_context(bundle.pc))
    except Forged:
        return
    stanzas = bundle.stanzas
    for index, start in enumerate(range(0, len(stanzas), STANZA_BYTES)):
        try:
            ref = context.open(stanzas[start : start + HINT_BYTES])
        except Forged:
            continue
        yield Found(KeyRef(ref), index)
        # A context counts what it opened, and each stanza was the first of its own.
        context = receiver(scan, bundle.ephemeral, info=hint_context(bundle.pc))


def open_found(bundle: Bundle, found: Found, prekey: PrekeySecret) -> Opened:
    """Return what is in `bundle`, by the prekey that `found` names.

    Raises:
        Forged: the wrapped key, the commitment or the payload does not hold.
        Malformed: the payload is not padded as it must be.
        LocalMisuse: `prekey` is another than `found` names.
    """
    if prekey.ref != found.ref:
        raise LocalMisuse("another prekey than the hint names")
    start = found.index * STANZA_BYTES
    stanza = bundle.stanzas[start : start + STANZA_BYTES]
    hint, wrap = stanza[:HINT_BYTES], stanza[HINT_BYTES:]
    info = wrap_context(bundle.pc)
    if prekey.psk:
        key = open_psk(
            prekey.secret,
            bundle.ephemeral,
            info=info,
            aad=hint,
            ciphertext=wrap,
            psk=prekey.psk,
            psk_id=prekey.ref,
        )
    else:
        key = open_base(prekey.secret, bundle.ephemeral, info=info, aad=hint, ciphertext=wrap)
    assert len(key) == KEY_BYTES, "a wrap holds 48 bytes"
    return disclose(bundle, key)


def open_notice(bundle: Bundle, notice_key: bytes) -> Opened | None:
    """Return what is in a notice to all holders of `notice_key`, or None if it is none.

    Raises:
        Forged: it is one, but its payload does not hold.
        Malformed: it is one, but its payload is not padded as it must be.
    """
    if bundle.traffic is not TrafficClass.NOTICE:
        return None
    key = payload_key_of_notice(notice_key, bundle.ephemeral, bundle.day)
    if not same(commitment(purge_of_key(key)), bundle.pc):
        return None
    return disclose(bundle, key)
