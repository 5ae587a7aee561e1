"""Cards: what a desk gives to each who joins it.

    press card  = pack['prs1', manifest, bulletins, desk notice key, relays, desk name,
                       certificate, packs, postage, mesh key, mesh day, member notice key]
    relay card  = pack['rly1', manifest, bulletins, desk notice key, relays, own beacon key]
    editor card = pack['edt1', manifest, bulletins, desk notice key, desk name, mesh key,
                       mesh day, member notice key,
                       relays [[static, notice, sign, flags, beacon key, name] …], members]

Certificates and members have the forms of `meshnews.desk.certificate`.
Manifest, bulletins and certificates stand in a card as the signed bytes.  A
relay's card has no name, no mesh key and no key of a person.  What a card says
of keys that nobody signed is believed because it came sealed to the request,
or through an enrolment session.  See docs/protocol/enrolment.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.keys import (
    Ed25519Public,
    PostageKey,
    SymmetricKey,
)
from meshnews.desk.bulletin import Bulletin, RelayEntry, read_relay_entry, verify_bulletin
from meshnews.desk.certificate import Member, read_member, verify_certificate
from meshnews.desk.field import (
    as_day,
    as_name,
    as_shared_key,
    expect_ascending,
    expect_tag,
    ours,
)
from meshnews.desk.limits import (
    BULLETIN_BYTES_MAX,
    CARD_BYTES_MAX,
    CERTIFICATE_BYTES_MAX,
    EDITOR_CARD_BYTES_MAX,
    EDITORS_MAX,
    MANIFEST_BYTES_MAX,
    MEMBER_BYTES_MAX,
    MEMBERS_MAX,
    POSTAGE_ON_CARD_MAX,
    RELAYS_MAX,
)
from meshnews.desk.manifest import Manifest, verify_manifest
from meshnews.desk.pack import (
    PrekeyPack,
    RelayKeys,
    encode_packs,
    encode_postage,
    encode_relay_keys,
    read_packs,
    read_postage,
    read_relay_keys,
)
from meshnews.errors import Forged
from meshnews.ids import Day, DeskId
from meshnews.wire.codec import Value, as_bytes, as_list, decode, encode

PRESS_TAG: Final = "prs1"
RELAY_TAG: Final = "rly1"
EDITOR_TAG: Final = "edt1"


@dataclass(frozen=True, slots=True)
class Verified:
    """The signed parts of a card, each verified."""

    manifest: Manifest
    bulletins: tuple[Bulletin, ...]


@dataclass(frozen=True, slots=True)
class PressCard:
    """A reporter's card.  Its lists are in the order in which they are written."""

    manifest: bytes
    bulletins: tuple[bytes, ...]
    desk_notice_key: SymmetricKey
    relays: tuple[RelayKeys, ...]
    desk_name: str
    certificate: bytes
    packs: tuple[PrekeyPack, ...]
    postage: tuple[PostageKey, ...]
    mesh_key: SymmetricKey
    mesh_day: Day
    member_notice_key: SymmetricKey

    def encode(self) -> bytes:
        """Return the canonical encoding, lists put in order.

        Raises:
            LocalMisuse: something is out of its range, or stands twice.
        """
        head = _encode_head(PRESS_TAG, self.manifest, self.bulletins, self.desk_notice_key)
        encoded = encode(
            [
                *head,
                encode_relay_keys(self.relays),
                self.desk_name,
                self.certificate,
                encode_packs(self.packs),
                encode_postage(self.postage),
                self.mesh_key.raw,
                self.mesh_day,
                self.member_notice_key.raw,
            ]
        )
        return ours(encoded, decode_press_card)

    def verify(self, byline: Ed25519Public, *, desk: DeskId | None = None) -> Verified:
        """Return what is signed in the card, after verifying all of it.

        Raises:
            Malformed: a signed part is not what it should be.
            Forged: another desk, a certificate for another byline, a pack of
                who is no editor, or a signature that does not hold.
        """
        verified = _verify_head(self.manifest, self.bulletins, desk)
        if verify_certificate(self.certificate, verified.manifest).byline != byline:
            raise Forged("a card made out to another byline")
        if not all(verified.manifest.is_editor(one.editor) for one in self.packs):
            raise Forged("a pack of prekeys of somebody who is no editor")
        return verified


@dataclass(frozen=True, slots=True)
class RelayCard:
    """A relay's card: nothing in it names or opens anything of a person."""

    manifest: bytes
    bulletins: tuple[bytes, ...]
    desk_notice_key: SymmetricKey
    relays: tuple[RelayKeys, ...]
    beacon_key: SymmetricKey

    def encode(self) -> bytes:
        """Return the canonical encoding, lists put in order.

        Raises:
            LocalMisuse: something is out of its range, or stands twice.
        """
        head = _encode_head(RELAY_TAG, self.manifest, self.bulletins, self.desk_notice_key)
        encoded = encode([*head, encode_relay_keys(self.relays), self.beacon_key.raw])
        return ours(encoded, decode_relay_card)

    def verify(self, *, desk: DeskId | None = None) -> Verified:
        """Return what is signed in the card, after verifying all of it.

        Raises:
            Malformed: a signed part is not what it should be.
            Forged: another desk, or a signature that does not hold.
        """
        return _verify_head(self.manifest, self.bulletins, desk)


@dataclass(frozen=True, slots=True)
class RelayRecord:
    """What editors know of a relay: all that is public, its beacon key, and what they call it."""

    entry: RelayEntry
    beacon_key: SymmetricKey
    name: str

    def encode(self) -> bytes:
        """Return the canonical encoding: what editors tell each other of a new relay.

        Raises:
            LocalMisuse: something is out of its range.
        """
        return ours(encode(self.fields()), decode_relay_record)

    def fields(self) -> list[Value]:
        """Return the six fields that are written."""
        entry = self.entry
        return [
            entry.static,
            entry.notice,
            entry.sign,
            int(entry.flags),
            self.beacon_key.raw,
            self.name,
        ]


@dataclass(frozen=True, slots=True)
class EditorCard:
    """A further editor's card: what it takes to work beside the others."""

    manifest: bytes
    bulletins: tuple[bytes, ...]
    desk_notice_key: SymmetricKey
    desk_name: str
    mesh_key: SymmetricKey
    mesh_day: Day
    member_notice_key: SymmetricKey
    relays: tuple[RelayRecord, ...]
    members: tuple[Member, ...]

    def encode(self) -> bytes:
        """Return the canonical encoding, relays put in order; members stand as given.

        Raises:
            LocalMisuse: something is out of its range, or a relay stands twice.
        """
        relays: list[Value] = [
            one.fields() for one in sorted(self.relays, key=lambda one: one.entry.static)
        ]
        head = _encode_head(EDITOR_TAG, self.manifest, self.bulletins, self.desk_notice_key)
        encoded = encode(
            [
                *head,
                self.desk_name,
                self.mesh_key.raw,
                self.mesh_day,
                self.member_notice_key.raw,
                relays,
                [one.fields() for one in self.members],
            ]
        )
        return ours(encoded, decode_editor_card)

    def verify(self, sign: Ed25519Public, *, desk: DeskId | None = None) -> Verified:
        """Return manifest and bulletins, after verifying them.

        Members' certificates are verified one by one by `verify_certificate`: an
        old one that no longer holds is no reason to refuse the card.

        Raises:
            Malformed: a signed part is not what it should be.
            Forged: another desk, a manifest without the editor `sign`, or a
                signature that does not hold.
        """
        verified = _verify_head(self.manifest, self.bulletins, desk)
        if not verified.manifest.is_editor(sign):
            raise Forged("a card for an editor whom the manifest does not know")
        return verified


def decode_press_card(data: bytes) -> PressCard:
    """Return a press card, nothing in it verified.

    Raises:
        Malformed: `data` is no press card, or something in it is over its limit.
    """
    fields = as_list(decode(data, bytes_max=CARD_BYTES_MAX), size=12)
    manifest, bulletins, notice_key = _read_head(PRESS_TAG, fields)
    relays, desk_name, certificate, packs, postage, mesh_key, mesh_day, member_key = fields[4:]
    return PressCard(
        manifest=manifest,
        bulletins=bulletins,
        desk_notice_key=notice_key,
        relays=read_relay_keys(relays),
        desk_name=as_name(desk_name),
        certificate=as_bytes(certificate, at_most=CERTIFICATE_BYTES_MAX),
        packs=read_packs(packs),
        postage=read_postage(postage, at_most=POSTAGE_ON_CARD_MAX),
        mesh_key=as_shared_key(mesh_key),
        mesh_day=as_day(mesh_day),
        member_notice_key=as_shared_key(member_key),
    )


def decode_relay_card(data: bytes) -> RelayCard:
    """Return a relay's card, nothing in it verified.

    Raises:
        Malformed: `data` is no relay's card, or something in it is over its limit.
    """
    fields = as_list(decode(data, bytes_max=CARD_BYTES_MAX), size=6)
    manifest, bulletins, notice_key = _read_head(RELAY_TAG, fields)
    relays, beacon_key = fields[4:]
    return RelayCard(
        manifest, bulletins, notice_key, read_relay_keys(relays), as_shared_key(beacon_key)
    )


def decode_editor_card(data: bytes) -> EditorCard:
    """Return an editor's card, nothing in it verified.

    Raises:
        Malformed: `data` is no editor's card, or something in it is over its limit.
    """
    fields = as_list(decode(data, bytes_max=EDITOR_CARD_BYTES_MAX), size=10)
    manifest, bulletins, notice_key = _read_head(EDITOR_TAG, fields)
    desk_name, mesh_key, mesh_day, member_key, relays, members = fields[4:]
    records = tuple(_relay_record(one) for one in as_list(relays, at_most=RELAYS_MAX))
    expect_ascending([one.entry.static for one in records], "relays")
    return EditorCard(
        manifest=manifest,
        bulletins=bulletins,
        desk_notice_key=notice_key,
        desk_name=as_name(desk_name),
        mesh_key=as_shared_key(mesh_key),
        mesh_day=as_day(mesh_day),
        member_notice_key=as_shared_key(member_key),
        relays=records,
        members=tuple(read_member(one) for one in as_list(members, at_most=MEMBERS_MAX)),
    )


def decode_relay_record(data: bytes) -> RelayRecord:
    """Return what one editor told another about a relay.

    Raises:
        Malformed: `data` is no such record.
    """
    return _relay_record(decode(data, bytes_max=MEMBER_BYTES_MAX))


def _relay_record(value: Value) -> RelayRecord:
    *entry, beacon_key, name = as_list(value, size=6)
    return RelayRecord(read_relay_entry(entry), as_shared_key(beacon_key), as_name(name))


def _encode_head(
    tag: str, manifest: bytes, bulletins: Sequence[bytes], notice_key: SymmetricKey
) -> list[Value]:
    return [tag, manifest, list(bulletins), notice_key.raw]


def _read_head(tag: str, fields: Sequence[Value]) -> tuple[bytes, tuple[bytes, ...], SymmetricKey]:
    first, manifest, bulletins, notice_key = fields[:4]
    expect_tag(first, tag)
    return (
        as_bytes(manifest, at_most=MANIFEST_BYTES_MAX),
        tuple(
            as_bytes(one, at_most=BULLETIN_BYTES_MAX)
            for one in as_list(bulletins, at_most=EDITORS_MAX)
        ),
        as_shared_key(notice_key),
    )


def _verify_head(manifest: bytes, bulletins: Sequence[bytes], desk: DeskId | None) -> Verified:
    known = verify_manifest(manifest, desk)
    return Verified(known, tuple(verify_bulletin(one, known) for one in bulletins))
