"""Keys that were replaced and still count for a while, so that nobody is cut off in between.

    former   'b' ‖ static ‖ number u32 -> [end s of life, beacon key]
             'n' ‖ number u32          -> [end s of life, desk notice key]

A relay that was told a new beacon key answers to the one before as well for
OVERLAP_S of its life; whoever calls it keeps the one before until the relay has
answered to the new one.  A desk notice key that was replaced is read, and written
for by editors, for OVERLAP_S.  See docs/protocol/recall.md and decision 0116.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.limits import FORMER_KEYS_MAX
from meshnews.desk.pack import RelayKeys
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.node.identity import load_relay, save_relay, with_beacon_key
from meshnews.store.port import Carry
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

OVERLAP_S: Final = 30 * 86400
"""How long a key that was replaced still counts, in the life of who had it replaced."""

NOTICE: Final = b"n"
_NEVER_S: Final = 1 << 40
_NUMBER_BYTES: Final = 4
_ENTRY_BYTES_MAX: Final = 64


def beacon_of(static: bytes) -> bytes:
    """Return the name of the beacon key of the machine with this static key.

    Raises:
        Nothing.
    """
    return b"b" + static


class FormerKeys:
    """The keys that one machine, or one desk, had before."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry

    def of(self, name: bytes, now_s: float) -> tuple[SymmetricKey, ...]:
        """Return the former keys of this name that still count, the newest first."""
        found = [key for _, end_s, key in self._entries(name) if end_s > now_s]
        return tuple(reversed(found))

    def keep(self, name: bytes, key: SymmetricKey, *, end_s: float) -> None:
        """Let a key that was just replaced count until `end_s`; of many, the newest stay."""
        self.drop(name, key)
        entries = list(self._entries(name))
        for shelved, _, _ in entries[: max(0, len(entries) + 1 - FORMER_KEYS_MAX)]:
            self._carry.delete(shelf.FORMER, shelved)
        last = int.from_bytes(entries[-1][0][len(name) :], "big") if entries else 0
        shelved = name + (last + 1).to_bytes(_NUMBER_BYTES, "big")
        self._carry.put(shelf.FORMER, shelved, encode([int(end_s), key.raw]))

    def drop(self, name: bytes, key: SymmetricKey | None = None) -> None:
        """Forget one former key of this name, or all of them."""
        for shelved, _, known in list(self._entries(name)):
            if key is None or known == key:
                self._carry.delete(shelf.FORMER, shelved)

    def _entries(self, name: bytes) -> Iterator[tuple[bytes, int, SymmetricKey]]:
        for shelved, value in self._carry.scan(shelf.FORMER, name):
            end_s, raw = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=2)
            yield shelved, as_int(end_s, 0, _NEVER_S), SymmetricKey(as_bytes(raw, 32))


def replace_relay_key(home: Home, keys: RelayKeys) -> None:
    """Call a relay by this key from now on; by the one before too, until it has answered to this.

    Raises:
        Nothing.
    """
    before, former = load_relay(home.carry, keys.static), FormerKeys(home.carry)
    name = beacon_of(keys.static)
    if before is not None and before.beacon_key != keys.beacon_key:
        former.keep(name, before.beacon_key, end_s=_NEVER_S)
    former.drop(name, keys.beacon_key)
    save_relay(home.carry, keys)


def replace_own_key(home: Home, key: SymmetricKey) -> None:
    """Answer to this beacon key from now on, and for OVERLAP_S to the one before.

    Raises:
        LocalMisuse: this is a machine that nobody calls.
    """
    own, former = home.identity.relay, FormerKeys(home.carry)
    if own is not None and own.beacon_key is not None and own.beacon_key != key:
        name = beacon_of(own.static.public)
        former.keep(name, own.beacon_key, end_s=home.moment.lived_s + OVERLAP_S)
        former.drop(name, key)
    home.become(with_beacon_key(home.identity, key))


def replace_notice_key(home: Home, key: SymmetricKey) -> None:
    """Read notices under this key from now on, and for OVERLAP_S under the one before.

    Raises:
        Nothing.
    """
    before, former = home.identity.notice_key, FormerKeys(home.carry)
    if before is not None and before != key:
        former.keep(NOTICE, before, end_s=home.moment.lived_s + OVERLAP_S)
        former.drop(NOTICE, key)
    home.become(replace(home.identity, notice_key=key))


def notice_keys(home: Home) -> tuple[SymmetricKey, ...]:
    """Return the desk notice keys that count now: that of today first.

    Raises:
        Nothing.
    """
    own = home.identity.notice_key
    if own is None:
        return ()
    return (own, *FormerKeys(home.carry).of(NOTICE, home.moment.lived_s))


def former_own_keys(home: Home) -> tuple[SymmetricKey, ...]:
    """Return the beacon keys that this machine was called by before, and still answers to.

    Raises:
        Nothing.
    """
    own = home.identity.relay
    if own is None:
        return ()
    name = beacon_of(own.static.public)
    return FormerKeys(home.carry).of(name, home.moment.lived_s)
