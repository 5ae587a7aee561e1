"""Taking in what the desk sends after a card: each refresh once, in whatever order they come.

    refreshed   'r' ‖ editor ‖ time          this refresh was taken in
                'k' ‖ what                   time of the refresh that a single key came with

Packs and postage add to what is held, up to twice what a card brings; a key
takes the place of one that came with an earlier refresh.  See
docs/protocol/enrolment.md.
"""

from dataclasses import replace
from typing import Final

from meshnews.bundle.statement import Kind, Letter
from meshnews.desk.manifest import Role
from meshnews.desk.refresh import Refresh, decode_refresh
from meshnews.limits import PREKEYS_PER_PACK
from meshnews.node import shelf
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role as HomeRole
from meshnews.node.identity import save_relay, with_beacon_key
from meshnews.node.person import Person
from meshnews.node.stock import CARD_POSTAGE
from meshnews.node.wallet import Wallet

HELD_TIMES: Final = 2
"""What is held is never more than so many times what a card brings."""

_TIME_BYTES: Final = 8


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
        mark = b"r" + letter.author + refresh.time.to_bytes(_TIME_BYTES, "big")
        if self._home.carry.get(shelf.REFRESHED, mark) is None:
            self._home.carry.put(shelf.REFRESHED, mark, b"")
            self._take(refresh)
            self._home.tell(Topic.DESK)
        return True

    def _take(self, refresh: Refresh) -> None:
        home = self._home
        for keys in refresh.relays:
            if self._is_later(b"relay" + keys.static, refresh.time):
                save_relay(home.carry, keys)
        notice_key = refresh.desk_notice_key
        if notice_key is not None and self._is_later(b"desk-notice", refresh.time):
            home.become(replace(home.identity, notice_key=notice_key))
        if home.identity.role is HomeRole.RELAY:
            beacon_key = refresh.beacon_key
            if beacon_key is not None and self._is_later(b"beacon", refresh.time):
                home.become(with_beacon_key(home.identity, beacon_key))
        elif home.vault is not None:
            self._fill(refresh)
            self._turn_keys(refresh, Person(home.vault))

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

    def _turn_keys(self, refresh: Refresh, person: Person) -> None:
        member_key, mesh_key = refresh.member_notice_key, refresh.mesh_key
        if member_key is not None and self._is_later(b"member-notice", refresh.time):
            person.set_member_notice_key(member_key)
        if mesh_key is not None and self._is_later(b"mesh", refresh.time):
            person.set_mesh_key(mesh_key, refresh.mesh_day)

    def _is_later(self, what: bytes, time: int) -> bool:
        """Tell whether nothing later of this was heard; from now on it has this time."""
        carry, key = self._home.carry, b"k" + what
        known = carry.get(shelf.REFRESHED, key)
        if known is not None and int.from_bytes(known, "big") >= time:
            return False
        carry.put(shelf.REFRESHED, key, time.to_bytes(_TIME_BYTES, "big"))
        return True
