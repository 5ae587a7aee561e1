"""Taking in what the desk sends after a card: each refresh once, in whatever order they come.

    refreshed   'r' ‖ editor ‖ time          this refresh was taken in
                'k' ‖ what                   time ‖ editor of the refresh that brought a single key

Packs and postage add to what is held, up to twice what a card brings; a key
takes the place of one that came with an earlier refresh, or from an editor who is
one no more.  A refresh from the future is passed over: its keys would stay for
good.  See docs/protocol/enrolment.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.bundle.statement import Kind, Letter
from meshnews.desk.limits import PREKEYS_PER_PACK
from meshnews.desk.manifest import Role
from meshnews.desk.refresh import Refresh, decode_refresh
from meshnews.limits import CLOCK_AHEAD_S_MAX
from meshnews.node import shelf
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role as HomeRole
from meshnews.node.person import Person
from meshnews.node.records.former import replace_notice_key, replace_own_key, replace_relay_key
from meshnews.node.records.stock import CARD_POSTAGE
from meshnews.node.records.wallet import Wallet
from meshnews.store.age import DAY_S, DAY_ZERO_S

HELD_TIMES: Final = 2
"""What is held is never more than so many times what a card brings."""

_TIME_BYTES: Final = 8


@dataclass(frozen=True, slots=True, order=True)
class _Stamp:
    """By which editor's refresh of what time a single key was set."""

    time: int
    editor: bytes

    def encode(self) -> bytes:
        return self.time.to_bytes(_TIME_BYTES, "big") + self.editor

    @classmethod
    def decode(cls, stored: bytes) -> "_Stamp":
        return cls(int.from_bytes(stored[:_TIME_BYTES], "big"), stored[_TIME_BYTES:])


class Refreshing:
    """A member's or relay's side of refresh."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def take(self, letter: Letter) -> bool:
        """Take in what an editor sent; tell whether it was a refresh by one who may send it.

        Raises:
            Malformed: it says that it is a refresh, and is none.
        """
        manifest = self._home.book.manifest
        if letter.inner.kind is not Kind.REFRESH or manifest is None:
            return False
        if not manifest.roles_of(letter.author) & (Role.ENROL | Role.OPEN | Role.PUBLISH):
            return False
        refresh = decode_refresh(letter.inner.cargo)
        if refresh.time > latest_time(self._home):
            return True
        mark = b"r" + letter.author + refresh.time.to_bytes(_TIME_BYTES, "big")
        if self._home.carry.get(shelf.REFRESHED, mark) is None:
            self._home.carry.put(shelf.REFRESHED, mark, b"")
            self._take(refresh, letter.author)
            self._home.tell(Topic.DESK)
        return True

    def _take(self, refresh: Refresh, editor: bytes) -> None:
        home, stamp = self._home, _Stamp(refresh.time, editor)
        for keys in refresh.relays:
            if self._is_later(b"relay" + keys.static, stamp):
                replace_relay_key(home, keys)
        notice_key = refresh.desk_notice_key
        if notice_key is not None and self._is_later(b"desk-notice", stamp):
            replace_notice_key(home, notice_key)
        if home.identity.role is HomeRole.RELAY:
            beacon_key = refresh.beacon_key
            if beacon_key is not None and self._is_later(b"beacon", stamp):
                replace_own_key(home, beacon_key)
        elif home.vault is not None:
            self._fill(refresh)
            self._turn_keys(refresh, stamp, Person(home.vault))

    def _fill(self, refresh: Refresh) -> None:
        wallet = Wallet(self._home.open_vault, self._home.entropy)
        manifest = self._home.book.manifest
        for pack in refresh.packs:
            room = HELD_TIMES * PREKEYS_PER_PACK - wallet.prekeys_left(pack.editor)
            if manifest is not None and manifest.is_editor(pack.editor) and room > 0:
                wallet.add_pack(pack)
        for kind, full in CARD_POSTAGE.items():
            pieces = [one for one in refresh.postage if (one.traffic, one.n) == kind]
            room = HELD_TIMES * full - wallet.pieces_left(*kind)
            for piece in pieces[: max(room, 0)]:
                wallet.add_postage(piece)

    def _turn_keys(self, refresh: Refresh, stamp: _Stamp, person: Person) -> None:
        member_key, mesh_key = refresh.member_notice_key, refresh.mesh_key
        if member_key is not None and self._is_later(b"member-notice", stamp):
            person.set_member_notice_key(member_key)
        if mesh_key is not None and self._is_later(b"mesh", stamp):
            person.set_mesh_key(mesh_key, refresh.mesh_day)

    def _is_later(self, what: bytes, stamp: _Stamp) -> bool:
        """Tell whether nothing later of this was heard; from now on it has this stamp."""
        home, key = self._home, b"k" + what
        known = home.carry.get(shelf.REFRESHED, key)
        if known is not None:
            before, manifest = _Stamp.decode(known), home.book.manifest
            is_heard = manifest is not None and manifest.is_editor(before.editor)
            if is_heard and before >= stamp:
                return False
        home.carry.put(shelf.REFRESHED, key, stamp.encode())
        return True


def latest_time(home: Home) -> int:
    """Return the latest time that a refresh may have: somewhat ahead of what we believe.

    Raises:
        Nothing.
    """
    if home.wall.trusted:
        return home.wall.s + DAY_S
    return DAY_ZERO_S + home.moment.floor_day * DAY_S + CLOCK_AHEAD_S_MAX
