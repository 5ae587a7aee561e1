"""The bulletin of one editor: what changes often, signed without the root.

    body = pack['bul1', desk_id, signer 32, version, scan 32, epochs, relays, endpoints]
      epochs     [[first day, days (1 | 7), public 32] …]     ascending by both numbers
      relays     [[static 32, notice 32, sign 32, flags] …]   ascending by static
      endpoints  [[static[:8], host, [port …], kind] …]       in the order to be tried
                 [[static[:8], host, [port …], kind, pin 32, name] …]   inside TLS
    file = pack[body, signature 64],  Ed25519(signer, 'bulletin1' ‖ body)

Versions grow per signer.  Relays and endpoints count only when the signer has
the role `publish`: for anybody else `verify_bulletin` returns none.
See docs/protocol/keys.md.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, Prekey, X25519Public, verify
from meshnews.desk.field import (
    REF_BYTES,
    as_agree_key,
    as_day,
    as_desk_id,
    as_sign_key,
    as_signature,
    as_version,
    expect_ascending,
    expect_distinct,
    expect_tag,
    ours,
)
from meshnews.desk.limits import (
    BULLETIN_BYTES_MAX,
    DECODED_REMEMBERED_MAX,
    ENDPOINT_PORTS_MAX,
    ENDPOINTS_MAX,
    EPOCHS_MAX,
    HOST_CHARS_MAX,
    RELAYS_MAX,
    SERVER_NAME_CHARS_MAX,
)
from meshnews.desk.manifest import Manifest, Role
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import Day, DeskId, KeyRef
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, as_text, decode, encode

TAG: Final = "bul1"
EPOCH_DAYS: Final = (1, 7)
RELAY_PREFIX_BYTES: Final = 8
PIN_BYTES: Final = 32
_BYTE_MAX: Final = 255
_HOST: Final = re.compile(r"[a-z0-9:][a-z0-9.:-]*")


class RelayFlags(enum.IntFlag):
    """What kind of relay it is.  Bits not named here are kept and mean nothing yet."""

    COLLECTOR = 1
    """It stands on the internet and takes in for the desk."""


NO_FLAGS: Final = RelayFlags(0)


class EndpointKind(enum.IntEnum):
    """How to reach an endpoint.  Numbers not named here are kept and not dialled."""

    TCP = 1
    TLS = 2


@dataclass(frozen=True, slots=True)
class EpochKey:
    """A key to seal to when no one-time prekey is left, meant for some days."""

    first_day: Day
    days: int
    public: X25519Public

    @property
    def end_day(self) -> Day:
        """The first day that it does not cover."""
        return Day(self.first_day + self.days)

    @property
    def prekey(self) -> Prekey:
        """The key in the form in which bundles are sealed to it: base mode."""
        return Prekey(epoch_ref(self.public), self.public, b"")


class EpochChoice(NamedTuple):
    """The epoch key to seal to, and whether none covers the date."""

    epoch: EpochKey
    stale: bool


@dataclass(frozen=True, slots=True)
class RelayEntry:
    """What everybody may know of a relay: its public keys.  No name, no place, no beacon key."""

    static: X25519Public
    notice: X25519Public
    sign: Ed25519Public
    flags: RelayFlags = NO_FLAGS


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a collector can be dialled.

    Attributes:
        relay: the first 8 bytes of its static key.
        host: a DNS name or a numeric address, lower case, without brackets.
        ports: in the order to be tried.
        kind: an `EndpointKind`, or a number this version does not know.
        pin: SHA-256 of the certificate that is shown there; empty for what shows none.
        name: whom to ask for (SNI); empty: nobody.
    """

    relay: bytes
    host: str
    ports: tuple[int, ...]
    kind: int = EndpointKind.TCP
    pin: bytes = b""
    name: str = ""

    @property
    def fields(self) -> list[Value]:
        """What stands in a bulletin: the last two only where there is a certificate."""
        plain: list[Value] = [self.relay, self.host, self.ports, int(self.kind)]
        return [*plain, self.pin, self.name] if self.pin else plain


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What one editor publishes."""

    desk: DeskId
    signer: Ed25519Public
    version: int
    scan: X25519Public
    epochs: tuple[EpochKey, ...]
    relays: tuple[RelayEntry, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    def epoch_for(self, day: Day | None) -> EpochChoice | None:
        """Return this editor's epoch key to seal to on `day`; see `epoch_for`."""
        return epoch_for(self.epochs, day)

    def encode_body(self) -> bytes:
        """Return the bytes that the signer signs, lists put in order.

        Raises:
            LocalMisuse: a field is out of its range, or something stands twice.
        """
        relays = sorted(self.relays, key=lambda one: one.static)
        body = encode(
            [
                TAG,
                self.desk,
                self.signer,
                self.version,
                self.scan,
                encode_epochs(self.epochs),
                [[one.static, one.notice, one.sign, int(one.flags)] for one in relays],
                [one.fields for one in self.endpoints],
            ]
        )
        return ours(body, _decode_body)


@dataclass(frozen=True, slots=True)
class Directory:
    """The relays and endpoints of a desk, from all bulletins that count."""

    relays: tuple[RelayEntry, ...]
    endpoints: tuple[Endpoint, ...]


def epoch_ref(public: X25519Public) -> KeyRef:
    """Return the reference under which bundles name an epoch key, or a scan key used as one.

    Raises:
        Nothing.
    """
    return KeyRef(b2(Label.EPOCH_REF, public)[:REF_BYTES])


def epoch_for(epochs: Iterable[EpochKey], day: Day | None) -> EpochChoice | None:
    """Return the key to seal to: that of the day, else of its week, else the newest, stale.

    With `day` None, when nobody knows the date, it is the newest: its private
    half is kept longest.  None when there are no keys.

    Raises:
        Nothing.
    """
    known = list(epochs)
    if not known:
        return None
    if day is not None:
        covering = [one for one in known if one.first_day <= day < one.end_day]
        if covering:
            best = max(covering, key=lambda one: (-one.days, one.first_day))
            return EpochChoice(best, stale=False)
    return EpochChoice(max(known, key=lambda one: (one.end_day, one.first_day)), stale=True)


def sign_bulletin(bulletin: Bulletin, secret: Ed25519Secret) -> bytes:
    """Return the signed bulletin.

    Raises:
        LocalMisuse: `secret` is not the signer's, a field is out of its range,
            or something stands twice.
    """
    if secret.public != bulletin.signer:
        raise LocalMisuse("a bulletin signed for somebody else")
    body = bulletin.encode_body()
    return ours(encode([body, secret.sign(Label.BULLETIN_1, body)]), read_bulletin)


def read_bulletin(data: bytes) -> Bulletin:
    """Return a bulletin whose signature was not looked at, as to learn whose it is.

    Raises:
        Malformed: `data` is no bulletin.
    """
    return _split(data)[0]


def verify_bulletin(data: bytes, manifest: Manifest) -> Bulletin:
    """Return a bulletin that an editor of this manifest signed, with what counts of it.

    Raises:
        Malformed: `data` is no bulletin.
        Forged: another desk, no editor (or one recalled, or one of a manifest
            not yet heard), or a signature that does not hold.
    """
    bulletin, body, proof = _split(data)
    if bulletin.desk != manifest.desk:
        raise Forged("a bulletin of another desk")
    if not manifest.is_editor(bulletin.signer):
        raise Forged("a bulletin by somebody who is no editor")
    verify(bulletin.signer, proof, Label.BULLETIN_1, body)
    if Role.PUBLISH not in manifest.roles_of(bulletin.signer):
        return replace(bulletin, relays=(), endpoints=())
    return bulletin


def supersedes(new: Bulletin, old: Bulletin | None) -> bool:
    """Tell whether `new` takes the place of `old`: same desk and signer, higher version.

    Of two with one version, which only a signer's mistake makes, every machine
    keeps the one whose body sorts higher.

    Raises:
        Nothing.
    """
    if old is None:
        return True
    if (new.desk, new.signer) != (old.desk, old.signer):
        return False
    if new.version != old.version:
        return new.version > old.version
    return new != old and new.encode_body() > old.encode_body()


def unite(bulletins: Iterable[Bulletin], manifest: Manifest) -> Directory:
    """Return the relays and endpoints of verified bulletins, the newest of each signer.

    Where two editors describe one relay differently, the one with the lower
    sign key is heard.  What the manifest recalls is left out, with its
    endpoints, and so is the bulletin of who is no editor any more.

    Raises:
        Nothing.
    """
    newest: dict[Ed25519Public, Bulletin] = {}
    for bulletin in bulletins:
        may_publish = Role.PUBLISH in manifest.roles_of(bulletin.signer)
        if may_publish and supersedes(bulletin, newest.get(bulletin.signer)):
            newest[bulletin.signer] = bulletin
    relays: dict[X25519Public, RelayEntry] = {}
    endpoints: dict[Endpoint, None] = {}
    for _, bulletin in sorted(newest.items()):
        for relay in bulletin.relays:
            if not manifest.is_recalled(relay.static):
                relays.setdefault(relay.static, relay)
        endpoints.update(dict.fromkeys(bulletin.endpoints))
    prefixes = {static[:RELAY_PREFIX_BYTES] for static in relays}
    return Directory(
        tuple(relay for _, relay in sorted(relays.items())),
        tuple(one for one in endpoints if one.relay in prefixes),
    )


def encode_epochs(epochs: Sequence[EpochKey]) -> list[Value]:
    """Return epoch keys as a value to be packed, in order.

    Raises:
        Nothing.
    """
    ordered = sorted(epochs, key=lambda one: (one.first_day, one.days))
    return [[one.first_day, one.days, one.public] for one in ordered]


def read_epochs(value: Value) -> tuple[EpochKey, ...]:
    """Return the epoch keys that `encode_epochs` wrote.

    Raises:
        Malformed: too many, out of order, one twice, or none for 1 or 7 days.
    """
    epochs: list[EpochKey] = []
    for entry in as_list(value, at_most=EPOCHS_MAX):
        first_day, days, public = as_list(entry, size=3)
        if days not in EPOCH_DAYS:
            raise Malformed("an epoch key for neither a day nor a week")
        epochs.append(EpochKey(as_day(first_day), as_int(days, 1, 7), as_agree_key(public)))
    expect_ascending([(one.first_day, one.days) for one in epochs], "epoch keys")
    expect_distinct([one.public for one in epochs], "epoch keys")
    return tuple(epochs)


def read_relay_entry(fields: Sequence[Value]) -> RelayEntry:
    """Return the relay of four fields: static, notice, sign, flags.

    Raises:
        Malformed: one of them is not what it should be.
    """
    static, notice, sign, flags = fields
    return RelayEntry(
        as_agree_key(static),
        as_agree_key(notice),
        as_sign_key(sign),
        RelayFlags(as_int(flags, 0, _BYTE_MAX)),
    )


def _split(data: bytes) -> tuple[Bulletin, bytes, bytes]:
    raw, proof = as_list(decode(data, bytes_max=BULLETIN_BYTES_MAX), size=2)
    body = as_bytes(raw, at_most=BULLETIN_BYTES_MAX)
    return _decode_body(body), body, as_signature(proof)


@lru_cache(maxsize=DECODED_REMEMBERED_MAX)
def _decode_body(body: bytes) -> Bulletin:
    fields = as_list(decode(body, bytes_max=BULLETIN_BYTES_MAX), size=8)
    tag, desk, signer, version, scan, epochs, relays, endpoints = fields
    expect_tag(tag, TAG)
    entries = tuple(
        read_relay_entry(as_list(one, size=4)) for one in as_list(relays, at_most=RELAYS_MAX)
    )
    expect_ascending([one.static for one in entries], "relays")
    return Bulletin(
        as_desk_id(desk),
        as_sign_key(signer),
        as_version(version),
        as_agree_key(scan),
        read_epochs(epochs),
        entries,
        tuple(read_endpoint(one) for one in as_list(endpoints, at_most=ENDPOINTS_MAX)),
    )


def read_endpoint(value: Value) -> Endpoint:
    """Return the endpoint whose `Endpoint.fields` these are.

    Raises:
        Malformed: one of them is not what it should be.
    """
    given = as_list(value, at_most=6)
    if len(given) not in {4, 6}:
        raise Malformed("an endpoint of neither form")
    relay, host, ports, kind = given[:4]
    where = _host(host)
    numbers = tuple(as_int(one, 1, 65535) for one in as_list(ports, at_most=ENDPOINT_PORTS_MAX))
    if not numbers or len(set(numbers)) != len(numbers):
        raise Malformed("an endpoint without ports, or with one twice")
    number = as_int(kind, 1, _BYTE_MAX)
    pin, name = b"", ""
    if given[4:]:
        pin = as_bytes(given[4], PIN_BYTES)
        name = _host(given[5], chars_max=SERVER_NAME_CHARS_MAX) if given[5] != "" else ""
    if number == EndpointKind.TCP and pin:
        raise Malformed("a certificate where none is shown")
    return Endpoint(as_bytes(relay, RELAY_PREFIX_BYTES), where, numbers, number, pin, name)


def _host(value: Value, *, chars_max: int = HOST_CHARS_MAX) -> str:
    name = as_text(value, chars_max=chars_max)
    # What goes to a resolver or a proxy never begins like an option.
    if _HOST.fullmatch(name) is None:
        raise Malformed("a host that is neither a DNS name nor a numeric address")
    return name
