"""The keys that many share, as an editor has heard of them last: by whom replaced, and when.

    keyring   name -> [time, editor, key, day]
              name = 'n' desk notice key, 'p' member notice key, 'm' mesh key of `day`,
                     'b' ‖ static: beacon key of that machine

Of two editors who replace one key, the later counts, and of one second the one
with the higher sign key: all editors end with the same.  What a key is for lies
on carry, and the vault is on disk before carry, so the vault's word counts:
`restore` puts on carry what a crash kept from it.  See docs/protocol/recall.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.card import RelayRecord
from meshnews.desk.limits import RELAYS_MAX, TIME_S_MAX
from meshnews.desk.pack import RelayKeys
from meshnews.ids import Day
from meshnews.limits import DAY_MAX
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.node.identity import load_relay
from meshnews.node.person import Person
from meshnews.node.records.former import (
    NOTICE,
    beacon_of,
    replace_notice_key,
    replace_own_key,
    replace_relay_key,
)
from meshnews.node.records.roster import Roster, keys_of
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

MEMBER_NOTICE: Final = b"p"
MESH: Final = b"m"

KEYS_MAX: Final = RELAYS_MAX + 3
"""The beacon keys of all relays that a desk can have, and three more."""

_ENTRY_BYTES_MAX: Final = 128
_NO_DAY: Final = Day(0)


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When a key was replaced, and by which editor: the greater one counts."""

    time: int
    editor: bytes


@dataclass(frozen=True, slots=True)
class SharedKey:
    """One key that was replaced."""

    name: bytes
    key: SymmetricKey
    stamp: Stamp
    day: Day = _NO_DAY
    """Of a mesh key."""


class Keyring:
    """The keys that were replaced since an editor's card was made."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def get(self, name: bytes) -> SharedKey | None:
        """Return a key that was replaced; None: it never was."""
        value = self._home.open_vault.get(shelf.KEYRING, name)
        if value is None:
            return None
        time, editor, raw, day = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=4)
        stamp = Stamp(as_int(time, 0, TIME_S_MAX), as_bytes(editor, 32))
        return SharedKey(name, SymmetricKey(as_bytes(raw, 32)), stamp, Day(as_int(day, 0, DAY_MAX)))

    def all(self) -> Iterator[SharedKey]:
        """Yield every key that was replaced."""
        for name, _ in self._home.open_vault.scan(shelf.KEYRING):
            one = self.get(name)
            if one is not None:
                yield one

    def latest(self) -> int:
        """Return the time of the newest of them; 0: there is none."""
        return max((one.stamp.time for one in self.all()), default=0)

    def put(self, new: SharedKey) -> bool:
        """Let a key count from now on, if none later does; tell whether it is another than before.

        An editor who is one no more has had no last word.
        """
        known = self.get(new.name)
        if known is not None and known.stamp >= new.stamp and self._is_heard(known.stamp.editor):
            return False
        if known is None and self._home.open_vault.count(shelf.KEYRING) >= KEYS_MAX:
            return False
        stamp = new.stamp
        value = encode([stamp.time, stamp.editor, new.key.raw, new.day])
        self._home.open_vault.put(shelf.KEYRING, new.name, value)
        if known is not None and known.key == new.key:
            return False
        self._keep(new)
        self._restore(new)
        return True

    def _is_heard(self, editor: bytes) -> bool:
        manifest = self._home.book.manifest
        return manifest is None or manifest.is_editor(editor)

    def _keep(self, new: SharedKey) -> None:
        """Write what of a new key belongs into the vault."""
        home = self._home
        if new.name == MESH:
            Person(home.open_vault).set_mesh_key(new.key, new.day)
        elif new.name == MEMBER_NOTICE:
            Person(home.open_vault).set_member_notice_key(new.key)
        roster = Roster(home.open_vault)
        record = roster.relay(static_in(new.name))
        if record is not None:
            roster.add_relay(replace(record, beacon_key=new.key))

    def corrected(self, record: RelayRecord) -> RelayRecord:
        """Return what another editor tells of a relay, with the beacon key that counts."""
        one = self.get(beacon_of(record.entry.static))
        return record if one is None else replace(record, beacon_key=one.key)

    def restore(self) -> bool:
        """Put on carry what should be there and is not; tell whether there was anything.

        The vault is on disk before carry, and may alone have been committed.
        """
        return sum(self._restore(one) for one in list(self.all())) > 0

    def _restore(self, one: SharedKey) -> bool:
        home, own = self._home, self._home.identity.relay
        if one.name == NOTICE:
            is_there = home.identity.notice_key == one.key
            if not is_there:
                replace_notice_key(home, one.key)
            return not is_there
        if own is not None and one.name == beacon_of(own.static.public):
            is_there = own.beacon_key == one.key
            if not is_there:
                replace_own_key(home, one.key)
            return not is_there
        record = Roster(home.open_vault).relay(static_in(one.name))
        return record is not None and self._restore_relay(keys_of(record))

    def _restore_relay(self, keys: RelayKeys) -> bool:
        known = load_relay(self._home.carry, keys.static)
        is_there = known is not None and known.beacon_key == keys.beacon_key
        if not is_there:
            replace_relay_key(self._home, keys)
        return not is_there


def static_in(name: bytes) -> bytes:
    """Return the static key of the machine whose beacon key has this name; else nothing's.

    Raises:
        Nothing.
    """
    return name[1:]
