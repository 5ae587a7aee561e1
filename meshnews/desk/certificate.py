"""The certificate of a byline, and what editors know of its holder.

    certificate = pack[body, editor sign 32, signature 64],  Ed25519(editor, 'card1' ‖ body)
      body      = pack['card1', desk_id, byline 32, name, expiry day, scope]
    member      = pack[certificate, reply scan 32, shares [[editor sign 32, reply keys] …]]
      reply keys = one bin, 72 bytes each, never empty; shares ascend by editor

See docs/protocol/enrolment.md.
"""

import enum
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.digest import Label
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, Prekey, X25519Public, verify
from meshnews.desk.field import (
    as_agree_key,
    as_day,
    as_desk_id,
    as_name,
    as_sign_key,
    as_signature,
    expect_ascending,
    expect_distinct,
    expect_tag,
    ours,
    pack_prekeys,
    read_prekeys,
)
from meshnews.desk.limits import (
    CERTIFICATE_BYTES_MAX,
    EDITORS_MAX,
    MEMBER_BYTES_MAX,
    REPLY_KEYS_IN_REQUEST,
)
from meshnews.desk.manifest import Manifest, Role
from meshnews.errors import Forged, Malformed
from meshnews.ids import Day, DeskId
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

TAG: Final = "card1"
_SCOPE_MAX: Final = 255


class Scope(enum.IntFlag):
    """What a card is good for.  Bits not named here are kept and mean nothing yet."""

    FILE = 1
    """To file dispatches under its byline."""


@dataclass(frozen=True, slots=True)
class CardCertificate:
    """A byline, as an editor vouches for it.

    Attributes:
        desk: which desk's.
        byline: the key that signs the statements.
        name: what the desk calls it; may be a pseudonym.
        expiry_day: the last day on which the desk means to renew it; ends nothing by itself.
        scope: what it is good for.
        editor: who signed it.
    """

    desk: DeskId
    byline: Ed25519Public
    name: str
    expiry_day: Day
    scope: Scope
    editor: Ed25519Public


@dataclass(frozen=True, slots=True)
class Share:
    """One-time reply keys of a reporter that one editor may use, and no other."""

    editor: Ed25519Public
    reply_keys: tuple[Prekey, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """What editors know of a reporter; also the body of an item of kind `card` between them.

    Attributes:
        shares: whose each reply key is, in the order in which they are written.
    """

    certificate: bytes
    reply_scan: X25519Public
    shares: tuple[Share, ...]

    def encode(self) -> bytes:
        """Return the canonical encoding.

        Raises:
            LocalMisuse: something is out of its range, or stands twice.
        """
        return ours(encode(self.fields()), decode_member)

    def fields(self) -> list[Value]:
        """Return the three fields that are written."""
        shares: list[Value] = [[one.editor, pack_prekeys(one.reply_keys)] for one in self.shares]
        return [self.certificate, self.reply_scan, shares]


def sign_certificate(
    secret: Ed25519Secret,
    *,
    desk: DeskId,
    byline: Ed25519Public,
    name: str,
    expiry_day: Day,
    scope: Scope = Scope.FILE,
) -> bytes:
    """Return the certificate of a byline, signed by an editor.

    Raises:
        LocalMisuse: the name, or another field, is out of its range.
    """
    body = encode([TAG, desk, byline, name, expiry_day, int(scope)])
    encoded = encode([body, secret.public, secret.sign(Label.CARD_1, body)])
    return ours(encoded, read_certificate)


def read_certificate(data: bytes) -> CardCertificate:
    """Return a certificate whose signature was not looked at.

    Raises:
        Malformed: `data` is no certificate.
    """
    return _split_certificate(data)[0]


def verify_certificate(data: bytes, manifest: Manifest) -> CardCertificate:
    """Return a certificate that an editor with the role `enrol` signed, and nobody recalled.

    Raises:
        Malformed: `data` is no certificate.
        Forged: another desk, a signer without that role, a recalled byline, or
            a signature that does not hold.
    """
    certificate, body, proof = _split_certificate(data)
    if certificate.desk != manifest.desk:
        raise Forged("a certificate of another desk")
    if Role.ENROL not in manifest.roles_of(certificate.editor):
        raise Forged("a certificate by somebody who may not enrol")
    if manifest.is_recalled(certificate.byline):
        raise Forged("a certificate that was recalled")
    verify(certificate.editor, proof, Label.CARD_1, body)
    return certificate


def decode_member(data: bytes) -> Member:
    """Return what one editor told another about a reporter, nothing in it verified.

    Raises:
        Malformed: `data` does not have this form.
        Forged: a key in it is of low order.
    """
    return read_member(decode(data, bytes_max=MEMBER_BYTES_MAX))


def read_member(value: Value) -> Member:
    """Return the member of three decoded fields.

    Raises:
        Malformed: one of them is not what it should be, or a reply key stands twice.
        Forged: a key is of low order.
    """
    certificate, scan, shares = as_list(value, size=3)
    return Member(
        as_bytes(certificate, at_most=CERTIFICATE_BYTES_MAX),
        as_agree_key(scan),
        _read_shares(shares),
    )


def _read_shares(value: Value) -> tuple[Share, ...]:
    shares: list[Share] = []
    refs: list[bytes] = []
    for entry in as_list(value, at_most=EDITORS_MAX):
        editor, packed = as_list(entry, size=2)
        keys = read_prekeys(packed, at_most=REPLY_KEYS_IN_REQUEST - len(refs))
        if not keys:
            raise Malformed("a share with no reply keys")
        shares.append(Share(as_sign_key(editor), keys))
        refs += [key.ref for key in keys]
    expect_ascending([one.editor for one in shares], "shares of reply keys")
    expect_distinct(refs, "reply keys")
    return tuple(shares)


def _split_certificate(data: bytes) -> tuple[CardCertificate, bytes, bytes]:
    raw, editor, proof = as_list(decode(data, bytes_max=CERTIFICATE_BYTES_MAX), size=3)
    body = as_bytes(raw, at_most=CERTIFICATE_BYTES_MAX)
    fields = as_list(decode(body, bytes_max=CERTIFICATE_BYTES_MAX), size=6)
    tag, desk, byline, name, expiry_day, scope = fields
    expect_tag(tag, TAG)
    certificate = CardCertificate(
        desk=as_desk_id(desk),
        byline=as_sign_key(byline),
        name=as_name(name),
        expiry_day=as_day(expiry_day),
        scope=Scope(as_int(scope, 0, _SCOPE_MAX)),
        editor=as_sign_key(editor),
    )
    return certificate, body, as_signature(proof)
