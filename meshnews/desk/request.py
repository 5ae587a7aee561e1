"""The request of somebody who wants to join a desk: public keys, and a key to answer to.

    body     = pack['req1', 1, card key 32, byline 32, reply scan 32, reply keys (72 each)]
             | pack['req1', 2, card key 32, static 32, notice 32, sign 32, flags]
             | pack['req1', 3, card key 32, sign 32, scan 32, issuer 32, epochs]
    file     = pack[body, signature 64],  Ed25519(byline | sign, 'request1' ‖ body)
    words of = b2('request', file)

The signature shows that the joiner holds the key it will sign with.  The card
is sealed to the card key, made for this request alone.  The roles are reporter,
relay and editor; reply keys and epochs have the forms of
`meshnews.desk.field` and `meshnews.desk.bulletin`.
See docs/protocol/enrolment.md.
"""

import enum
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, Prekey, X25519Public, verify
from meshnews.desk.bulletin import (
    EpochKey,
    RelayEntry,
    encode_epochs,
    read_epochs,
    read_relay_entry,
)
from meshnews.desk.field import (
    as_agree_key,
    as_sign_key,
    as_signature,
    expect_tag,
    ours,
    pack_prekeys,
    read_prekeys,
)
from meshnews.desk.limits import (
    DECODED_REMEMBERED_MAX,
    REPLY_KEYS_IN_REQUEST,
    REQUEST_BYTES_MAX,
)
from meshnews.errors import LocalMisuse, Malformed
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

TAG: Final = "req1"
_HEAD_FIELDS: Final = 3


class Joiner(enum.IntEnum):
    """As what somebody joins."""

    REPORTER = 1
    RELAY = 2
    EDITOR = 3


@dataclass(frozen=True, slots=True)
class ReporterRequest:
    """A reporter's: the key it signs statements with, and keys to be answered with."""

    card_key: X25519Public
    byline: Ed25519Public
    reply_scan: X25519Public
    reply_keys: tuple[Prekey, ...]

    @property
    def signer(self) -> Ed25519Public:
        """The key that signs the request."""
        return self.byline

    def fields(self) -> list[Value]:
        """Return what follows the head of the body."""
        return [self.byline, self.reply_scan, pack_prekeys(self.reply_keys)]


@dataclass(frozen=True, slots=True)
class RelayRequest:
    """A relay's or collector's: exactly what will stand in a bulletin about it."""

    card_key: X25519Public
    entry: RelayEntry

    @property
    def signer(self) -> Ed25519Public:
        """The key that signs the request."""
        return self.entry.sign

    def fields(self) -> list[Value]:
        """Return what follows the head of the body."""
        entry = self.entry
        return [entry.static, entry.notice, entry.sign, int(entry.flags)]


@dataclass(frozen=True, slots=True)
class EditorRequest:
    """A further editor's: the keys that manifest and bulletin will show."""

    card_key: X25519Public
    sign: Ed25519Public
    scan: X25519Public
    issuer: Ed25519Public
    epochs: tuple[EpochKey, ...]

    @property
    def signer(self) -> Ed25519Public:
        """The key that signs the request."""
        return self.sign

    def fields(self) -> list[Value]:
        """Return what follows the head of the body."""
        return [self.sign, self.scan, self.issuer, encode_epochs(self.epochs)]


EnrolmentRequest: TypeAlias = ReporterRequest | RelayRequest | EditorRequest


def role_of(request: EnrolmentRequest) -> Joiner:
    """Return as what the requester joins.

    Raises:
        Nothing.
    """
    match request:
        case ReporterRequest():
            return Joiner.REPORTER
        case RelayRequest():
            return Joiner.RELAY
        case EditorRequest():
            return Joiner.EDITOR


def sign_request(request: EnrolmentRequest, secret: Ed25519Secret) -> bytes:
    """Return the request file.

    Raises:
        LocalMisuse: `secret` does not belong to the request's signing key, or
            a field is out of its range.
    """
    if secret.public != request.signer:
        raise LocalMisuse("a request signed for somebody else")
    body = encode([TAG, int(role_of(request)), request.card_key, *request.fields()])
    return ours(encode([body, secret.sign(Label.REQUEST_1, body)]), verify_request)


def verify_request(file: bytes) -> EnrolmentRequest:
    """Return the request in `file`, made by the holder of the key that it names.

    That the file is the one the joiner made, people find out by words_digest.

    Raises:
        Malformed: `file` is no request.
        Forged: its signature does not hold.
    """
    raw, proof = as_list(decode(file, bytes_max=REQUEST_BYTES_MAX), size=2)
    body = as_bytes(raw, at_most=REQUEST_BYTES_MAX)
    request = _decode_body(body)
    verify(request.signer, as_signature(proof), Label.REQUEST_1, body)
    return request


def words_digest(file: bytes) -> bytes:
    """Return the digest whose first 88 bits both sides show as eight words.

    Raises:
        Nothing.
    """
    return b2(Label.REQUEST, file)


@lru_cache(maxsize=DECODED_REMEMBERED_MAX)
def _decode_body(body: bytes) -> EnrolmentRequest:
    fields = as_list(decode(body, bytes_max=REQUEST_BYTES_MAX))
    if len(fields) < _HEAD_FIELDS:
        raise Malformed("a request without role or keys")
    tag, role, card = fields[:_HEAD_FIELDS]
    expect_tag(tag, TAG)
    card_key, rest = as_agree_key(card), fields[_HEAD_FIELDS:]
    match as_int(role, Joiner.REPORTER, Joiner.EDITOR):
        case Joiner.REPORTER:
            byline, scan, keys = as_list(rest, size=3)
            reply_keys = read_prekeys(keys, at_most=REPLY_KEYS_IN_REQUEST)
            return ReporterRequest(card_key, as_sign_key(byline), as_agree_key(scan), reply_keys)
        case Joiner.RELAY:
            return RelayRequest(card_key, read_relay_entry(as_list(rest, size=4)))
        case _:
            sign, scan, issuer, epochs = as_list(rest, size=4)
            return EditorRequest(
                card_key,
                as_sign_key(sign),
                as_agree_key(scan),
                as_sign_key(issuer),
                read_epochs(epochs),
            )
