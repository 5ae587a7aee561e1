"""Who this node is to its desk and on its links: kept on carry, so it works with the vault closed.

Nothing here names a person or opens a dispatch: a role, a relay's own keys,
the desk notice key, and the relays this machine was told to call.
"""

import enum
from dataclasses import dataclass, replace

from meshnews.crypto.keys import Ed25519Secret, SymmetricKey, X25519Public, X25519Secret
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.pack import RelayKeys
from meshnews.errors import LocalMisuse
from meshnews.ids import DeskId
from meshnews.limits import NEIGHBOURS_MAX, NEIGHBOURS_MAX_COLLECTOR, NEIGHBOURS_MAX_RELAY
from meshnews.node import shelf
from meshnews.store.port import Carry
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode


class Role(enum.StrEnum):
    """What a home is for."""

    REPORTER = "reporter"
    RELAY = "relay"
    EDITOR = "editor"


@dataclass(frozen=True, slots=True)
class RelaySecrets:
    """The own keys of a machine that others call: relay, collector, one-machine desk."""

    static: X25519Secret
    notice: X25519Secret
    sign: Ed25519Secret
    beacon_key: SymmetricKey | None = None
    """None until its card has come."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a home is, and what its card told it."""

    role: Role
    endpoint: bool = False
    """A relay that is a collector, or an editor whose machine is a whole desk."""
    relay: RelaySecrets | None = None
    desk: DeskId | None = None
    notice_key: SymmetricKey | None = None

    @property
    def is_collector(self) -> bool:
        """Keeps every body for the desk and releases its receipts."""
        return self.endpoint

    @property
    def links_max(self) -> int:
        """How many links it has at most."""
        if self.is_collector:
            return NEIGHBOURS_MAX_COLLECTOR
        return NEIGHBOURS_MAX if self.relay is None else NEIGHBOURS_MAX_RELAY

    @property
    def is_desk(self) -> bool:
        """Opens dispatches."""
        return self.role is Role.EDITOR


def load_identity(carry: Carry) -> Identity:
    """Return who this home is.

    Raises:
        LocalMisuse: the home was never made.
    """
    role = carry.get(shelf.SELF, b"role")
    if role is None:
        raise LocalMisuse("a home without a role")
    notice = carry.get(shelf.SELF, b"notice")
    desk = carry.get(shelf.SELF, b"desk")
    return Identity(
        role=Role(role.decode("ascii")),
        endpoint=carry.get(shelf.SELF, b"endpoint") is not None,
        relay=_load_relay(carry),
        desk=None if desk is None else DeskId(desk),
        notice_key=None if notice is None else SymmetricKey(notice),
    )


def _load_relay(carry: Carry) -> RelaySecrets | None:
    stored = carry.get(shelf.SELF, b"relay")
    if stored is None:
        return None
    static, notice, sign, beacon = as_list(decode(stored, bytes_max=256), size=4)
    beacon_key = as_bytes(beacon, at_most=32)
    return RelaySecrets(
        static=X25519Secret(as_bytes(static, 32)),
        notice=X25519Secret(as_bytes(notice, 32)),
        sign=Ed25519Secret(as_bytes(sign, 32)),
        beacon_key=SymmetricKey(beacon_key) if beacon_key else None,
    )


def save_identity(carry: Carry, identity: Identity) -> None:
    """Write who this home is."""
    carry.put(shelf.SELF, b"role", identity.role.value.encode("ascii"))
    if identity.endpoint:
        carry.put(shelf.SELF, b"endpoint", b"\x01")
    if (relay := identity.relay) is not None:
        beacon = b"" if relay.beacon_key is None else relay.beacon_key.raw
        secrets = [relay.static.raw, relay.notice.raw, relay.sign.raw, beacon]
        carry.put(shelf.SELF, b"relay", encode(secrets))
    if identity.desk is not None:
        carry.put(shelf.SELF, b"desk", identity.desk)
    if identity.notice_key is not None:
        carry.put(shelf.SELF, b"notice", identity.notice_key.raw)


def with_beacon_key(identity: Identity, beacon_key: SymmetricKey) -> Identity:
    """Return `identity` with the beacon key that its card brought.

    Raises:
        LocalMisuse: it is a machine that nobody calls.
    """
    if identity.relay is None:
        raise LocalMisuse("a beacon key for a machine that nobody calls")
    return replace(identity, relay=replace(identity.relay, beacon_key=beacon_key))


def load_relays(carry: Carry) -> list[RelayKeys]:
    """Return the relays and collectors this machine may call, in order of static key."""
    return [_relay_keys(key, value) for key, value in carry.scan(shelf.RELAY)]


def load_relay(carry: Carry, static: bytes) -> RelayKeys | None:
    """Return one relay or collector this machine may call."""
    value = carry.get(shelf.RELAY, static)
    return None if value is None else _relay_keys(static, value)


def save_relay(carry: Carry, keys: RelayKeys) -> None:
    """Add a relay or collector to those this machine may call, or replace its keys."""
    carry.put(shelf.RELAY, keys.static, encode([keys.beacon_key.raw, int(keys.flags)]))


def _relay_keys(static: bytes, value: bytes) -> RelayKeys:
    beacon_key, flags = as_list(decode(value, bytes_max=64), size=2)
    return RelayKeys(
        X25519Public(static),
        SymmetricKey(as_bytes(beacon_key, 32)),
        RelayFlags(as_int(flags, 0, 255)),
    )
