"""What a card brought to spend is spent once, in no order that shows, and only while it is good."""

import pytest

from meshnews.bundle.postage import issue
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, Prekey, X25519Secret
from meshnews.desk.pack import PrekeyPack
from meshnews.ids import Day, KeyRef, TrafficClass
from meshnews.limits import POSTAGE_IDS_MAX
from meshnews.node import shelf
from meshnews.node.records.wallet import SCAN_DAYS, SCAN_KEPT_DAYS, Wallet
from meshnews.store.memory import MemoryCarry, MemoryVault
from tests.node.newsroom import TODAY
from tests.store.kit import body_of, entry_of

EDITOR, OTHER = Ed25519Secret(b"e" * 32).public, Ed25519Secret(b"o" * 32).public
SCAN = X25519Secret(b"s" * 32).public
ISSUER = Ed25519Secret(b"i" * 32)
ROUTINE, BULK, FLASH = TrafficClass.ROUTINE, TrafficClass.BULK, TrafficClass.FLASH


@pytest.fixture
def vault() -> MemoryVault:
    return MemoryVault()


@pytest.fixture
def wallet(vault: MemoryVault) -> Wallet:
    return Wallet(vault, SeededEntropy(b"wallet"))


def pack(editor: Ed25519Public = EDITOR, *, count: int = 8, start: int = 0) -> PrekeyPack:
    prekeys = [
        Prekey(KeyRef(bytes([number]) * 8), X25519Secret(bytes([number]) * 32).public, bytes(32))
        for number in range(start, start + count)
    ]
    return PrekeyPack(editor, SCAN, tuple(prekeys))


def add_postage(
    wallet: Wallet, traffic: TrafficClass, n: int, *, until: int = TODAY + 400, count: int = 1
) -> None:
    made = issue(
        ISSUER,
        SeededEntropy(f"{traffic} {n} {until}".encode()),
        expiry_day=Day(until),
        traffic=traffic,
        n=n,
        count=count,
    )
    for key in made:
        wallet.add_postage(key)


# Prekeys


def test_every_prekey_of_an_editor_is_drawn_once_as_it_was_given(wallet: Wallet) -> None:
    given = pack()
    wallet.add_pack(given)
    drawn = [wallet.draw_prekey(EDITOR) for _ in given.prekeys]
    assert {reader.prekey for reader in drawn if reader is not None} == set(given.prekeys)
    assert all(reader is not None and reader.scan == SCAN for reader in drawn)
    assert wallet.draw_prekey(EDITOR) is None
    assert wallet.prekeys_left(EDITOR) == 0


def test_prekeys_are_drawn_in_an_order_that_nobody_can_foresee() -> None:
    orders = set()
    for seed in range(10):
        wallet = Wallet(MemoryVault(), SeededEntropy(bytes([seed + 1])))
        wallet.add_pack(pack())
        drawn = [wallet.draw_prekey(EDITOR) for _ in range(8)]
        orders.add(tuple(reader.prekey.ref for reader in drawn if reader is not None))
    assert len(orders) == 10


def test_editors_prekeys_are_kept_apart(wallet: Wallet) -> None:
    wallet.add_pack(pack(EDITOR, count=2))
    wallet.add_pack(pack(OTHER, count=3))
    wallet.draw_prekey(EDITOR)
    assert (wallet.prekeys_left(EDITOR), wallet.prekeys_left(OTHER)) == (1, 3)


def test_a_further_pack_adds_to_what_is_left(wallet: Wallet) -> None:
    wallet.add_pack(pack(count=2))
    wallet.draw_prekey(EDITOR)
    wallet.add_pack(pack(count=3, start=50))
    assert wallet.prekeys_left(EDITOR) == 4


# Postage


def test_postage_is_drawn_by_class_and_count_and_each_piece_once(wallet: Wallet) -> None:
    add_postage(wallet, ROUTINE, 1, count=3)
    add_postage(wallet, ROUTINE, POSTAGE_IDS_MAX, count=2)
    add_postage(wallet, BULK, POSTAGE_IDS_MAX)
    drawn = [wallet.draw_postage(ROUTINE, 1, good_on=TODAY) for _ in range(4)]
    assert drawn[3] is None
    seeds = {key.seed for key in drawn if key is not None}
    assert len(seeds) == 3
    assert all(key is None or (key.traffic, key.n) == (ROUTINE, 1) for key in drawn)
    assert wallet.pieces_left(ROUTINE, POSTAGE_IDS_MAX) == 2
    assert wallet.postage_left(ROUTINE) == 2 * POSTAGE_IDS_MAX
    assert wallet.postage_left(BULK) == POSTAGE_IDS_MAX
    assert wallet.postage_left(FLASH) == 0


def test_postage_is_drawn_only_while_it_is_good_and_stays_where_it_is_not(wallet: Wallet) -> None:
    add_postage(wallet, ROUTINE, 1, until=TODAY + 5)
    add_postage(wallet, ROUTINE, 1, until=TODAY + 9)
    assert wallet.draw_postage(ROUTINE, 1, good_on=Day(TODAY + 10)) is None
    later = wallet.draw_postage(ROUTINE, 1, good_on=Day(TODAY + 6))
    assert later is not None
    assert later.expiry_day == TODAY + 9
    assert wallet.draw_postage(ROUTINE, 1, good_on=Day(TODAY + 6)) is None
    last = wallet.draw_postage(ROUTINE, 1, good_on=Day(TODAY + 5))
    assert last is not None


def test_the_last_day_is_that_of_the_kind_that_was_asked_for(wallet: Wallet) -> None:
    add_postage(wallet, ROUTINE, 1, until=TODAY + 5)
    add_postage(wallet, ROUTINE, 1, until=TODAY + 3)
    add_postage(wallet, ROUTINE, POSTAGE_IDS_MAX, until=TODAY + 9)
    assert wallet.last_postage_day(ROUTINE, 1) == TODAY + 5
    assert wallet.last_postage_day(ROUTINE, POSTAGE_IDS_MAX) == TODAY + 9
    assert wallet.last_postage_day(FLASH, 1) is None


def test_a_key_is_drawn_with_everything_it_was_given_with(wallet: Wallet) -> None:
    (given,) = issue(
        ISSUER, SeededEntropy(b"one"), expiry_day=Day(TODAY + 1), traffic=BULK, n=7, count=1
    )
    wallet.add_postage(given)
    assert wallet.draw_postage(BULK, 7, good_on=TODAY) == given


# Own keys for answers


def test_a_reply_key_is_known_until_what_it_opened_is_in_the_other_store(wallet: Wallet) -> None:
    one, other = wallet.make_reply_keys(2)
    secret = wallet.reply_key(one.ref)
    assert secret is not None
    assert secret.prekey == one
    carry, answer = MemoryCarry(), entry_of(1)
    with carry.transaction():
        wallet.spend_reply_key(one.ref, answer.ref)
        wallet.burn_spent(carry)
        # The power failed between the two: the answer comes again, and opens.
        assert wallet.reply_key(one.ref) is not None
        carry.add(answer, body_of(answer))
        wallet.burn_spent(carry)
    assert wallet.reply_key(one.ref) is None
    assert wallet.reply_key(other.ref) is not None


def test_the_same_postage_added_again_is_the_same(wallet: Wallet) -> None:
    for _ in range(2):
        add_postage(wallet, ROUTINE, 1, count=3)
    assert wallet.pieces_left(ROUTINE, 1) == 3


def test_no_two_reply_keys_have_anything_in_common(wallet: Wallet) -> None:
    made = wallet.make_reply_keys(64)
    assert len({key.ref for key in made}) == 64
    assert len({key.public for key in made}) == 64
    assert len({key.psk for key in made}) == 64
    assert wallet.reply_key(KeyRef(bytes(8))) is None


def test_one_scan_key_is_handed_out_for_sixty_days(wallet: Wallet) -> None:
    first = wallet.reply_scan(TODAY)
    assert wallet.reply_scan(Day(TODAY + SCAN_DAYS - 1)) == first
    second = wallet.reply_scan(Day(TODAY + SCAN_DAYS))
    assert second != first
    assert [scan.public for scan in wallet.reply_scans(TODAY)] == [second, first]


def test_a_scan_key_is_listened_under_for_its_time_and_then_deleted(wallet: Wallet) -> None:
    first = wallet.reply_scan(TODAY)
    wallet.reply_scan(Day(TODAY + SCAN_KEPT_DAYS))
    assert first in [scan.public for scan in wallet.reply_scans(TODAY)]
    wallet.reply_scan(Day(TODAY + SCAN_KEPT_DAYS + 1))
    assert first not in [scan.public for scan in wallet.reply_scans(TODAY)]


def test_a_scan_key_is_listened_under_no_longer_though_no_other_was_asked_for(
    wallet: Wallet, vault: MemoryVault
) -> None:
    first = wallet.reply_scan(TODAY)
    last = Day(TODAY + SCAN_KEPT_DAYS)
    assert [scan.public for scan in wallet.reply_scans(last)] == [first]
    assert wallet.reply_scans(Day(last + 1)) == []
    wallet.drop_reply_scans(last)
    assert vault.count(shelf.REPLY_SCAN) == 1
    wallet.drop_reply_scans(Day(last + 1))
    assert vault.count(shelf.REPLY_SCAN) == 0


def test_a_clock_that_goes_back_makes_no_new_scan_key(wallet: Wallet) -> None:
    first = wallet.reply_scan(TODAY)
    assert wallet.reply_scan(Day(TODAY - 300)) == first
    assert len(wallet.reply_scans(TODAY)) == 1
