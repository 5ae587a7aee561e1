"""The manifest: who edits for a desk, whose postage it honours, who is recalled.

    body = pack['man1', desk_id, version, floor_time, not_after,
                editors [[sign 32, roles] …], issuers [[key 32, expiry day] …], recalled [16 …]]
    file = the form of `meshnews.desk.root` over that body: roots, threshold, signatures

Editors, issuers and recalled ascend by their keys.  Whoever holds `desk_id`
can verify it, for the roots come with it and hash to that.  `not_after` ends
nothing: after it, what is known stays in force, and only new keys are refused.
See docs/protocol/keys.md.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meshnews.crypto.keys import Ed25519Public, Ed25519Secret
from meshnews.desk.field import (
    as_day,
    as_desk_id,
    as_sign_key,
    as_time,
    as_version,
    expect_ascending,
    expect_tag,
    ours,
)
from meshnews.desk.limits import EDITORS_MAX, ISSUERS_MAX, MANIFEST_BYTES_MAX, RECALLED_MAX
from meshnews.desk.recall import REVOCATION_ID_BYTES, revocation_id
from meshnews.desk.root import (
    Roots,
    RootSigned,
    add_signature,
    decode_root_signed,
    verify_root_signed,
)
from meshnews.errors import Forged
from meshnews.ids import Day, DeskId
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

TAG: Final = "man1"
_ROLES_MAX: Final = 255


class Role(enum.IntFlag):
    """What an editor may do.  Bits not named here are kept and mean nothing yet."""

    OPEN = 1
    """Dispatches are sealed to it."""
    PUBLISH = 2
    """Relays and endpoints in its bulletin count; it signs notices and marks."""
    ENROL = 4
    """Cards signed by it are good."""


@dataclass(frozen=True, slots=True)
class Editor:
    """One editor: the key that signs for it, and what it may do."""

    sign: Ed25519Public
    roles: Role


@dataclass(frozen=True, slots=True)
class Issuer:
    """A key whose certificates make postage, up to and including a day."""

    key: Ed25519Public
    expiry_day: Day


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the roots of a desk say.

    Attributes:
        roots: the root keys and how many must agree; they make the desk's identifier.
        version: grows with each manifest, from 1.
        floor_time: seconds since 1970; the present is not before it.
        not_after: the last day on which its word on new keys is taken.
        editors: in ascending order of sign key.
        issuers: in ascending order of key.
        recalled: revocation identifiers, ascending.
    """

    roots: Roots
    version: int
    floor_time: int
    not_after: Day
    editors: tuple[Editor, ...]
    issuers: tuple[Issuer, ...]
    recalled: tuple[bytes, ...] = ()

    @property
    def desk(self) -> DeskId:
        """The desk's identifier."""
        return self.roots.desk

    def roles_of(self, sign: bytes) -> Role:
        """Return what the holder of `sign` may do: nothing if no editor, or recalled."""
        for editor in self.editors:
            if editor.sign == sign and not self.is_recalled(sign):
                return editor.roles
        return Role(0)

    def is_editor(self, sign: bytes) -> bool:
        """Tell whether `sign` belongs to an editor that is not recalled, with or without roles."""
        return any(editor.sign == sign for editor in self.editors) and not self.is_recalled(sign)

    def holders_of(self, role: Role) -> tuple[Ed25519Public, ...]:
        """Return the sign keys of the editors with `role`, ascending, recalled ones left out."""
        return tuple(one.sign for one in self.editors if role in self.roles_of(one.sign))

    def is_recalled(self, key: bytes) -> bool:
        """Tell whether this manifest recalls the holder of a byline, static or sign key."""
        return revocation_id(key) in self.recalled

    def also_recalling(self, heard: Iterable[bytes]) -> "Manifest":
        """Return this manifest with recalls that were heard as notices beside it.

        It answers questions, and verifies bulletins and certificates; it is
        not what the roots signed, and is never stored or compared.
        """
        return replace(self, recalled=tuple(sorted({*self.recalled, *heard})))

    def encode_body(self) -> bytes:
        """Return the bytes that the roots sign, lists put in order.

        Raises:
            LocalMisuse: a field is out of its range, or something stands twice.
        """
        editors: list[Value] = [
            [one.sign, int(one.roles)] for one in sorted(self.editors, key=lambda one: one.sign)
        ]
        issuers: list[Value] = [
            [one.key, one.expiry_day] for one in sorted(self.issuers, key=lambda one: one.key)
        ]
        body = encode(
            [
                TAG,
                self.desk,
                self.version,
                self.floor_time,
                self.not_after,
                editors,
                issuers,
                sorted(self.recalled),
            ]
        )
        return ours(body, lambda encoded: _decode_body(RootSigned(encoded, self.roots)))


def unsigned_manifest(manifest: Manifest) -> bytes:
    """Return the file to be signed offline, by `meshnews.desk.root.add_signature`.

    Raises:
        LocalMisuse: a field is out of its range, or something stands twice.
    """
    unsigned = RootSigned(manifest.encode_body(), manifest.roots).encode()
    return ours(unsigned, read_unsigned_manifest)


def sign_manifest(manifest: Manifest, secrets: Sequence[Ed25519Secret]) -> bytes:
    """Return the manifest signed by each of the given root keys.

    Raises:
        LocalMisuse: a field is out of its range, or something stands twice.
        Refusal: one of `secrets` is no root of the desk.
    """
    signed = unsigned_manifest(manifest)
    for secret in secrets:
        signed = add_signature(signed, secret)
    return signed


def read_unsigned_manifest(data: bytes) -> Manifest:
    """Return what roots are asked to sign, no signature looked at.

    Raises:
        Malformed: `data` does not have this form.
        Forged: body and roots are of different desks.
    """
    return _decode_body(decode_root_signed(data))


def verify_manifest(data: bytes, desk: DeskId | None = None) -> Manifest:
    """Return a manifest that enough roots of its desk signed.

    Without `desk` the answer says only what *some* desk says: for a machine
    that has none yet.

    Raises:
        Malformed: `data` is no manifest.
        Forged: it is of another desk, or has fewer than the threshold of root
            signatures, or one that does not hold.
    """
    return _decode_body(verify_root_signed(data, desk=desk))


def supersedes(new: Manifest, old: Manifest | None) -> bool:
    """Tell whether `new` takes the place of `old`: same desk, higher version.

    Of two with one version, which only a desk's mistake makes, every machine
    keeps the one whose body sorts higher, so that all end with the same.

    Raises:
        Nothing.
    """
    if old is None:
        return True
    if new.desk != old.desk:
        return False
    if new.version != old.version:
        return new.version > old.version
    return new.encode_body() > old.encode_body()


def _decode_body(signed: RootSigned) -> Manifest:
    fields = as_list(decode(signed.body, bytes_max=MANIFEST_BYTES_MAX), size=8)
    tag, desk, version, floor_time, not_after, editors, issuers, recalled = fields
    expect_tag(tag, TAG)
    if as_desk_id(desk) != signed.roots.desk:
        raise Forged("a manifest under the roots of another desk")
    manifest = Manifest(
        roots=signed.roots,
        version=as_version(version),
        floor_time=as_time(floor_time),
        not_after=as_day(not_after),
        editors=tuple(_editor(one) for one in as_list(editors, at_most=EDITORS_MAX)),
        issuers=tuple(_issuer(one) for one in as_list(issuers, at_most=ISSUERS_MAX)),
        recalled=tuple(
            as_bytes(one, REVOCATION_ID_BYTES) for one in as_list(recalled, at_most=RECALLED_MAX)
        ),
    )
    expect_ascending([one.sign for one in manifest.editors], "editors")
    expect_ascending([one.key for one in manifest.issuers], "issuers")
    expect_ascending(manifest.recalled, "recalled")
    return manifest


def _editor(value: Value) -> Editor:
    sign, roles = as_list(value, size=2)
    return Editor(as_sign_key(sign), Role(as_int(roles, 0, _ROLES_MAX)))


def _issuer(value: Value) -> Issuer:
    key, expiry_day = as_list(value, size=2)
    return Issuer(as_sign_key(key), as_day(expiry_day))
