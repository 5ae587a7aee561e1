"""What two machines must share to find each other and to link.

Three kinds of secret let a machine be found: a relay's beacon key, the mesh
key of one day, an invitation.  From each come three keys that are good for
nothing but their purpose:

    K_bcn  = b2('bcn-key',  kind, key=secret)      makes and recognises beacons
    K_link = b2('link-key', kind, key=secret)      masks the handshake
    psk    = b2('link-psk', kind, key=secret)      goes into the handshake

where kind is one byte, the `Mode`.  The mesh key steps from day to day, one way:

    K(day + 1) = b2('mesh-day', day as 4 bytes big endian, key=K(day))

See docs/protocol/discovery.md.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import SymmetricKey
from meshnews.errors import LocalMisuse
from meshnews.ids import Day


class Mode(enum.IntEnum):
    """Who meets, and so which handshake they use."""

    RELAY = 1
    """Anybody who was told comes to one relay or collector: NKpsk0."""
    MEMBER = 2
    """A member comes to a member, both nameless: NNpsk0."""
    ENROLMENT = 3
    """A joiner comes to the desk's machine: XXpsk3."""


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """One secret under which machines find each other and link.

    Attributes:
        mode: the kind of the secret.
        secret: the secret itself.
        day: the day of a mesh key; None for the other kinds.
        beacon_key: K_bcn.
        mask_key: K_link.
        psk: what goes into the handshake.
    """

    mode: Mode
    secret: SymmetricKey = field(hash=False)
    day: Day | None = None
    # A secret has no hash.  What is made of it stands in, or all relays would share one bucket.
    beacon_key: bytes = field(init=False, repr=False, compare=False, hash=True)
    mask_key: bytes = field(init=False, repr=False, compare=False)
    psk: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.mode is Mode.MEMBER) != (self.day is not None):
            raise LocalMisuse("a mesh key has a day, and no other key has one")
        kind, secret = bytes([self.mode]), self.secret.raw
        object.__setattr__(self, "beacon_key", b2(Label.BCN_KEY, kind, key=secret))
        object.__setattr__(self, "mask_key", b2(Label.LINK_KEY, kind, key=secret))
        object.__setattr__(self, "psk", b2(Label.LINK_PSK, kind, key=secret))

    @classmethod
    def at_relay(cls, beacon_key: SymmetricKey) -> "Rendezvous":
        """Return the rendezvous at the relay or collector whose beacon key this is.

        Raises:
            Nothing.
        """
        return cls(Mode.RELAY, beacon_key)

    @classmethod
    def of_members(cls, mesh_key: SymmetricKey, day: Day) -> "Rendezvous":
        """Return the rendezvous of all members on `day`; `mesh_key` is that day's.

        Raises:
            Nothing.
        """
        return cls(Mode.MEMBER, mesh_key, day)

    @classmethod
    def by_invitation(cls, secret16: bytes, desk_id: bytes) -> "Rendezvous":
        """Return the rendezvous of a joiner and the desk that invited.

        Its secret is the 32 bytes of the invitation, so a code with another
        desk in it meets nobody.

        Raises:
            LocalMisuse: either is not 16 bytes.
        """
        if len(secret16) != 16 or len(desk_id) != 16:
            raise LocalMisuse("an invitation is 16 secret bytes and 16 of a desk")
        return cls(Mode.ENROLMENT, SymmetricKey(secret16 + desk_id))


def mesh_key_on(key: SymmetricKey, *, day_from: Day, day_to: Day) -> SymmetricKey:
    """Return the mesh key of `day_to`, given the one of `day_from`.

    Raises:
        LocalMisuse: `day_to` is earlier; the ratchet turns one way.
    """
    if day_to < day_from:
        raise LocalMisuse("a mesh key cannot be turned back")
    raw = key.raw
    for day in range(day_from, day_to):
        raw = _next_day(raw, day)
    return SymmetricKey(raw)


def members_between(
    key: SymmetricKey, *, day_from: Day, first: Day, last: Day
) -> Iterator[Rendezvous]:
    """Yield the rendezvous of members on each day `first` … `last`, given the key of `day_from`.

    One pass over the days: trying 400 days costs about 2,000 hashes in all.
    A `first` before `day_from` begins at `day_from`.

    Raises:
        Nothing.
    """
    first = max(first, day_from)
    if last < first:
        return
    key = mesh_key_on(key, day_from=day_from, day_to=first)
    for day in range(first, last + 1):
        yield Rendezvous.of_members(key, Day(day))
        key = SymmetricKey(_next_day(key.raw, day))


def _next_day(raw: bytes, day: int) -> bytes:
    return b2(Label.MESH_DAY, day.to_bytes(4, "big"), key=raw)
