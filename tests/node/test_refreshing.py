"""What a member or relay takes from a refresh, and what it does not."""

from dataclasses import dataclass, replace

import pytest

from meshnews.bundle.statement import Inner, Kind, Letter, Priority, Statement
from meshnews.bundle.tree import WIDEST
from meshnews.bundle.tree import Role as FileRole
from meshnews.crypto.keys import (
    Ed25519Public,
    Ed25519Secret,
    PostageKey,
    Prekey,
    SymmetricKey,
    X25519Public,
)
from meshnews.desk.limits import PREKEYS_PER_PACK
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.pack import PrekeyPack, RelayKeys
from meshnews.desk.recall import recall_oneself
from meshnews.desk.refresh import Refresh
from meshnews.errors import Malformed
from meshnews.ids import Day, IssuerId, KeyRef, TrafficClass
from meshnews.node.identity import Role, load_relays
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.stock import CARD_POSTAGE, Stock
from meshnews.node.records.wallet import Wallet
from tests.node.newsroom import Machine, add_editor, enrolled, make_desk, make_home

OTHER = X25519Public(bytes(31) + b"\x09")


@dataclass
class Holder:
    """One who has a card, and the sign key of the editor who made it."""

    machine: Machine
    editor: Ed25519Public

    def take(self, refresh: Refresh, *, author: Ed25519Public | None = None) -> bool:
        inner = Inner(Kind.REFRESH, "", Priority.ROUTINE, cargo=refresh.encode())
        return self.take_inner(inner, author=author)

    def take_inner(self, inner: Inner, *, author: Ed25519Public | None = None) -> bool:
        signer = author or self.editor
        letter = _letter(inner, signer)
        return self.machine.ask(lambda node: node.work.refreshing.take(letter))

    @property
    def wallet(self) -> Wallet:
        assert self.machine.vault is not None
        return Wallet(self.machine.vault, self.machine.entropy)

    def beacon_key(self) -> bytes:
        (found,) = [k.beacon_key.raw for k in load_relays(self.machine.carry) if k.static == OTHER]
        return found


def _letter(inner: Inner, author: Ed25519Public) -> Letter:
    # Whose it is was proven before; what its statement says plays no part here.
    return Letter(object.__new__(Statement), inner, author, bytes(16))


def sign_key(machine: Machine) -> Ed25519Secret:
    assert machine.vault is not None
    key = Person(machine.vault).sign_key()
    assert key is not None
    return key


def holder(role: Role) -> Holder:
    editor, _ = make_desk()
    return Holder(enrolled(editor, f"{role.value}-1", role), sign_key(editor).public)


@pytest.fixture
def member() -> Holder:
    return holder(Role.REPORTER)


def relay_keys(beacon: int) -> RelayKeys:
    return RelayKeys(OTHER, SymmetricKey(bytes([beacon]) * 32))


def prekeys(count: int, *, first: int = 0) -> tuple[Prekey, ...]:
    return tuple(
        Prekey(KeyRef((first + n).to_bytes(8, "big")), X25519Public(bytes(31) + b"\x09"), bytes(32))
        for n in range(count)
    )


def postage(count: int) -> tuple[PostageKey, ...]:
    return tuple(
        PostageKey(
            seed=n.to_bytes(32, "big"),
            expiry_day=Day(2900),
            traffic=TrafficClass.FLASH,
            n=1,
            issuer=IssuerId(b"abcd"),
            certificate=bytes(64),
        )
        for n in range(count)
    )


def test_a_relay_is_known_from_then_on(member: Holder) -> None:
    assert member.take(Refresh(time=1, relays=(relay_keys(1),)))
    assert member.beacon_key() == bytes([1]) * 32


def test_of_two_refreshes_the_later_one_counts_in_whatever_order_they_come(
    member: Holder,
) -> None:
    member.take(Refresh(time=7, relays=(relay_keys(7),)))
    member.take(Refresh(time=3, relays=(relay_keys(3),)))
    assert member.beacon_key() == bytes([7]) * 32


def test_prekeys_and_postage_are_added_to_what_is_held(member: Holder) -> None:
    keys = member.wallet.prekeys_left(member.editor)
    flashes = member.wallet.pieces_left(TrafficClass.FLASH, 1)
    pack = PrekeyPack(member.editor, OTHER, prekeys(5))
    member.take(Refresh(time=1, packs=(pack,), postage=postage(3)))
    assert member.wallet.prekeys_left(member.editor) == keys + 5
    assert member.wallet.pieces_left(TrafficClass.FLASH, 1) == flashes + 3


def test_the_same_refresh_again_adds_nothing(member: Holder) -> None:
    refresh = Refresh(time=1, postage=postage(3))
    member.take(refresh)
    before = member.wallet.pieces_left(TrafficClass.FLASH, 1)
    assert member.take(refresh)
    assert member.wallet.pieces_left(TrafficClass.FLASH, 1) == before


def test_a_holder_never_hoards(member: Holder) -> None:
    for time in range(1, 9):
        pack = PrekeyPack(member.editor, OTHER, prekeys(200, first=1000 * time))
        pieces = tuple(replace(one, seed=bytes([time]) + one.seed[1:]) for one in postage(30))
        member.take(Refresh(time=time, packs=(pack,), postage=pieces))
    assert member.wallet.prekeys_left(member.editor) <= 2 * PREKEYS_PER_PACK + 200
    assert member.wallet.pieces_left(TrafficClass.FLASH, 1) <= 32


def test_nobody_but_an_editor_refreshes_a_card(member: Holder) -> None:
    stranger = Ed25519Public(bytes(32))
    before = member.machine.contents
    assert not member.take(Refresh(time=1, relays=(relay_keys(1),)), author=stranger)
    assert member.machine.contents == before


def test_prekeys_of_somebody_who_is_no_editor_are_passed_over(member: Holder) -> None:
    stranger = Ed25519Public(bytes([1]) * 32)
    member.take(Refresh(time=1, packs=(PrekeyPack(stranger, OTHER, prekeys(5)),)))
    assert member.wallet.prekeys_left(stranger) == 0


def test_an_editor_that_writes_nonsense_changes_nothing(member: Holder) -> None:
    inner = Inner(Kind.REFRESH, "", Priority.ROUTINE, cargo=b"\x90")
    before = member.machine.contents
    with pytest.raises(Malformed):
        member.take_inner(inner)
    assert member.machine.contents == before


def test_a_mesh_key_and_a_notice_key_are_replaced(member: Holder) -> None:
    fresh = SymmetricKey(b"m" * 32)
    member.take(Refresh(time=1, mesh_key=fresh, mesh_day=Day(2500), desk_notice_key=fresh))
    assert member.machine.vault is not None
    assert Person(member.machine.vault).mesh_key() == (fresh, Day(2500))
    assert member.machine.node.home.identity.notice_key == fresh


def test_a_relay_takes_a_beacon_key_of_its_own_and_answers_to_the_one_before_for_a_month() -> None:
    relay = holder(Role.RELAY)
    own = relay.machine.node.home.identity.relay
    assert own is not None
    assert own.beacon_key is not None
    relay.take(Refresh(time=1, beacon_key=SymmetricKey(b"b" * 32)))

    def answered(node: Node) -> list[bytes]:
        return [each.secret.raw for each in node.presence.keys().unprompted]

    assert relay.machine.ask(answered) == [b"b" * 32, own.beacon_key.raw]
    relay.machine.later(29)
    relay.machine.restart()
    assert relay.machine.ask(answered) == [b"b" * 32, own.beacon_key.raw]
    relay.machine.later(2)
    assert relay.machine.ask(answered) == [b"b" * 32]


def test_a_member_has_no_beacon_key_to_be_given(member: Holder) -> None:
    member.take(Refresh(time=1, beacon_key=SymmetricKey(b"b" * 32)))
    assert member.machine.node.home.identity.relay is None


def test_a_refresh_from_the_future_is_passed_over(member: Holder) -> None:
    now_s = member.machine.node.home.wall.s
    assert member.take(Refresh(time=now_s + 2 * 86400, relays=(relay_keys(1),)))
    assert not [k for k in load_relays(member.machine.carry) if k.static == OTHER]
    member.take(Refresh(time=now_s, relays=(relay_keys(2),)))
    assert member.beacon_key() == bytes([2]) * 32


def test_a_holder_without_a_clock_takes_refreshes_of_a_year_ahead_and_none_of_two(
    member: Holder,
) -> None:
    machine = member.machine
    now_s = machine.node.home.wall.s
    machine.clock = replace(machine.clock, wall_s=600.0, wall_is_trusted=False)
    machine.restart()
    member.take(Refresh(time=now_s + 390 * 86400, relays=(relay_keys(1),)))
    assert member.beacon_key() == bytes([1]) * 32
    member.take(Refresh(time=now_s + 700 * 86400, relays=(relay_keys(2),)))
    assert member.beacon_key() == bytes([1]) * 32


def test_what_a_recalled_editor_set_gives_way_to_any_other_editors_word() -> None:
    editor, root = make_desk()
    second = make_home("editor-2", Role.EDITOR)
    add_editor(editor, root, second)
    member = Holder(enrolled(editor, "reporter-1", Role.REPORTER), sign_key(editor).public)
    member.take(Refresh(time=9, relays=(relay_keys(9),)), author=sign_key(second).public)
    member.take(Refresh(time=7, relays=(relay_keys(7),)))
    assert member.beacon_key() == bytes([9]) * 32
    desk = member.machine.node.home.book.desk
    assert desk is not None
    notice = Notice(NoticeKind.RECALL, recall_oneself(desk, sign_key(second)))
    assert member.machine.ask(lambda node: node.home.book.take(notice))
    member.take(Refresh(time=8, relays=(relay_keys(8),)))
    assert member.beacon_key() == bytes([8]) * 32


def test_what_a_dispatch_claims_to_have_spent_is_believed_as_far_as_a_card_goes() -> None:
    original = replace(WIDEST, role=FileRole.ORIGINAL)
    statement = object.__new__(Statement)
    object.__setattr__(statement, "attachments", (original,) * 16)
    inner = Inner(Kind.DISPATCH, "slug", Priority.ROUTINE)
    letter = Letter(statement, inner, Ed25519Public(bytes(32)), bytes(16))
    stock = Stock(Day(2000), filled_day=Day(2000)).after(letter, by_prekey=True)
    assert stock.is_low
    assert all(spent <= CARD_POSTAGE[kind] for kind, spent in stock.postage.items())
