"""What a desk sends to a member or relay to fill up and replace what is on its card.

    refresh = pack['rfr1', time, packs, postage, relays, desk notice key, member notice key,
                   mesh key, mesh day, own beacon key]

A key that does not change is an empty `bin` (`mesh day` is then 0).  `time` is
the desk's, in seconds since 1970.  Packs and postage add to what is held.  A
relay's keys, and the single keys, replace those heard with an earlier `time`;
so refreshes may be read in any order, and one twice.
See docs/protocol/enrolment.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.crypto.keys import PostageKey, SymmetricKey
from meshnews.desk.field import as_day, as_shared_key, as_time, expect_tag, ours
from meshnews.desk.limits import POSTAGE_ON_REFRESH_MAX, REFRESH_BYTES_MAX
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
from meshnews.errors import Malformed
from meshnews.ids import Day
from meshnews.wire.codec import Value, as_list, decode, encode

TAG: Final = "rfr1"
_NO_DAY: Final = Day(0)


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh, complete in itself; its lists are in the order in which they are written."""

    time: int
    packs: tuple[PrekeyPack, ...] = ()
    postage: tuple[PostageKey, ...] = ()
    relays: tuple[RelayKeys, ...] = ()
    desk_notice_key: SymmetricKey | None = None
    member_notice_key: SymmetricKey | None = None
    mesh_key: SymmetricKey | None = None
    mesh_day: Day = _NO_DAY
    beacon_key: SymmetricKey | None = None
    """A relay's own, when it is the one refreshed."""

    def encode(self) -> bytes:
        """Return the canonical encoding, lists put in order.

        Raises:
            LocalMisuse: something is out of its range, or stands twice.
        """
        encoded = encode(
            [
                TAG,
                self.time,
                encode_packs(self.packs),
                encode_postage(self.postage),
                encode_relay_keys(self.relays),
                _raw(self.desk_notice_key),
                _raw(self.member_notice_key),
                _raw(self.mesh_key),
                self.mesh_day,
                _raw(self.beacon_key),
            ]
        )
        return ours(encoded, decode_refresh)


def decode_refresh(data: bytes) -> Refresh:
    """Return the refresh that an editor's statement carried.

    Raises:
        Malformed: `data` is no refresh, or something in it is over its limit.
    """
    fields = as_list(decode(data, bytes_max=REFRESH_BYTES_MAX), size=10)
    tag, time, packs, postage, relays, desk_key, member_key, mesh_key, mesh_day, beacon_key = fields
    expect_tag(tag, TAG)
    refresh = Refresh(
        time=as_time(time),
        packs=read_packs(packs),
        postage=read_postage(postage, at_most=POSTAGE_ON_REFRESH_MAX),
        relays=read_relay_keys(relays),
        desk_notice_key=_key(desk_key),
        member_notice_key=_key(member_key),
        mesh_key=_key(mesh_key),
        mesh_day=as_day(mesh_day),
        beacon_key=_key(beacon_key),
    )
    if refresh.mesh_key is None and refresh.mesh_day != _NO_DAY:
        raise Malformed("the day of a mesh key that is not there")
    return refresh


def _raw(key: SymmetricKey | None) -> bytes:
    return b"" if key is None else key.raw


def _key(value: Value) -> SymmetricKey | None:
    return None if value == b"" else as_shared_key(value)
