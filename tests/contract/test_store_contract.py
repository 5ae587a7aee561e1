"""What every store does, in memory and on disk."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from meshnews.crypto.digest import Label, b2
from meshnews.errors import LocalMisuse
from meshnews.ids import AuthKind, BundleRef, Day, TrafficClass
from meshnews.store.memory import MemoryStores, MemoryVault
from meshnews.store.port import Carry, Entry, Shelves, State, Stores
from meshnewsd.storage.store import open_store
from tests.store.kit import TODAY, body_of, entry_of, identifier

ROUTINE = TrafficClass.ROUTINE
CARRY_KEY, VAULT_KEY = b"c" * 32, b"v" * 32


class Crash(Exception):
    """What a test raises to lose a transaction."""


@pytest.fixture(params=["memory", "disk"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "memory":
        yield MemoryStores(vault=MemoryVault())
        return
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        yield store


@pytest.fixture(params=["carry", "vault"])
def shelves(request: pytest.FixtureRequest, stores: Stores) -> Shelves:
    if request.param == "carry":
        return stores.carry
    assert stores.vault is not None
    return stores.vault


def write(stores: Stores, work: Callable[[], None]) -> None:
    stores.transact(work)


def add(stores: Stores, *entries: Entry) -> None:
    def work() -> None:
        for entry in entries:
            stores.carry.add(entry, body_of(entry))

    stores.transact(work)


def change(stores: Stores, entry: Entry) -> None:
    stores.transact(lambda: stores.carry.change(entry))


def crash(stores: Stores, work: Callable[[Carry], object]) -> None:
    def and_die() -> None:
        work(stores.carry)
        raise Crash

    with pytest.raises(Crash):
        stores.transact(and_die)


def numbers(entries: object, among: range) -> list[int]:
    """Return which numbered entries or references these are."""
    assert isinstance(entries, (list, tuple))
    by_id = {identifier(number): number for number in among}
    refs = [each.ref if isinstance(each, Entry) else each for each in entries]
    return [by_id[ref.id] for ref in refs]


# Shelves


def test_a_record_is_read_as_it_was_written(stores: Stores, shelves: Shelves) -> None:
    write(stores, lambda: shelves.put("a", b"key", b"one"))
    write(stores, lambda: shelves.put("a", b"key", b"two"))
    assert shelves.get("a", b"key") == b"two"
    assert shelves.get("b", b"key") is None
    assert shelves.count("a") == 1


def test_a_deleted_record_is_absent_and_deleting_it_again_is_nothing(
    stores: Stores, shelves: Shelves
) -> None:
    write(stores, lambda: shelves.put("a", b"key", b"one"))
    write(stores, lambda: shelves.delete("a", b"key"))
    write(stores, lambda: shelves.delete("a", b"key"))
    assert shelves.get("a", b"key") is None
    assert shelves.count("a") == 0


def test_empty_keys_and_values_are_records_too(stores: Stores, shelves: Shelves) -> None:
    write(stores, lambda: shelves.put("a", b"", b""))
    assert shelves.get("a", b"") == b""
    assert list(shelves.scan("a")) == [(b"", b"")]


def test_a_scan_gives_what_begins_with_the_prefix_in_order(
    stores: Stores, shelves: Shelves
) -> None:
    keys = [b"b", b"\xff\xff", b"ab", b"a", b"a\xff", b"\xff", b"a\xffz", b"b\x00"]

    def work() -> None:
        for key in keys:
            shelves.put("a", key, key)
        shelves.put("other", b"a", b"")

    write(stores, work)
    assert [key for key, _ in shelves.scan("a")] == sorted(keys)
    assert [key for key, _ in shelves.scan("a", b"a")] == [b"a", b"ab", b"a\xff", b"a\xffz"]
    assert [key for key, _ in shelves.scan("a", b"a\xff")] == [b"a\xff", b"a\xffz"]
    assert [key for key, _ in shelves.scan("a", b"\xff")] == [b"\xff", b"\xff\xff"]
    assert not list(shelves.scan("a", b"c"))
    assert not list(shelves.scan("nothing"))


def test_a_scan_can_be_read_a_page_at_a_time(stores: Stores, shelves: Shelves) -> None:
    keys = [bytes((first, second)) for first in (1, 2) for second in range(5)]

    def work() -> None:
        for key in keys:
            shelves.put("a", key, b"")

    write(stores, work)
    pages: list[bytes] = []
    after: bytes | None = None
    while page := [key for key, _ in shelves.scan("a", b"\x02", after=after, at_most=2)]:
        assert len(page) <= 2
        pages += page
        after = page[-1]
    assert pages == keys[5:]
    assert [key for key, _ in shelves.scan("a", b"\x02", after=b"\x01", at_most=1)] == [keys[5]]


def test_writing_while_scanning_does_not_change_the_scan(stores: Stores, shelves: Shelves) -> None:
    def work() -> None:
        for number in range(4):
            shelves.put("a", bytes((number,)), b"")
        seen = []
        for key, _ in shelves.scan("a"):
            seen.append(key)
            shelves.delete("a", key)
            shelves.put("a", key + b"more", b"")
        assert seen == [bytes((number,)) for number in range(4)]

    write(stores, work)
    assert shelves.count("a") == 4


# Transactions


def test_a_transaction_returns_what_its_work_returned(stores: Stores) -> None:
    assert stores.transact(lambda: 7) == 7


def test_an_exception_leaves_nothing_of_the_transaction(stores: Stores) -> None:
    kept = entry_of(1, State.HELD, copies=1)
    add(stores, kept, entry_of(2, State.WITHHELD, release_at_s=5.0))
    carry, vault = stores.carry, stores.vault
    assert vault is not None
    stores.transact(lambda: vault.put("a", b"key", b"before"))
    digest = carry.bucket_digest(ROUTINE, TODAY)

    def work(carry: Carry) -> None:
        carry.add(entry_of(3, State.HELD, auth=AuthKind.STAMP), body_of(entry_of(3)))
        carry.change(entry_of(1, State.ACKED))
        carry.set_receipt(kept.ref, b"receipt")
        carry.forget(entry_of(2).ref)
        carry.put("a", b"key", b"after")
        vault.put("a", b"key", b"after")
        vault.put("a", b"other", b"after")
        assert carry.bucket_digest(ROUTINE, TODAY) != digest
        assert carry.usage().stamps == 1

    crash(stores, work)
    assert carry.entry(kept.ref) == kept
    assert carry.body(kept.ref) == body_of(kept)
    assert carry.receipt(kept.ref) is None
    assert carry.state(entry_of(2).ref) is State.WITHHELD
    assert carry.entry(entry_of(3).ref) is None
    assert carry.bucket_digest(ROUTINE, TODAY) == digest
    assert carry.usage().by_class == (0, 0, 4096, 0)
    assert (carry.usage().stamps, carry.count_elements()) == (0, 2)
    assert carry.next_release_s() == 5.0
    assert carry.get("a", b"key") is None
    assert list(vault.scan("a")) == [(b"key", b"before")]


def test_work_goes_on_after_a_crash(stores: Stores) -> None:
    crash(stores, lambda carry: carry.add(entry_of(1), body_of(entry_of(1))))
    add(stores, entry_of(2))
    assert stores.carry.state(entry_of(1).ref) is None
    assert stores.carry.state(entry_of(2).ref) is State.HELD


def test_a_transaction_inside_a_transaction_is_our_bug(stores: Stores) -> None:
    with pytest.raises(LocalMisuse):
        stores.transact(lambda: stores.transact(lambda: None))
    assert stores.transact(lambda: 1) == 1


# Entries


@pytest.mark.parametrize("state", State)
def test_an_entry_is_read_as_it_was_added(stores: Stores, state: State) -> None:
    entry = entry_of(
        1,
        state,
        traffic=TrafficClass.BULK,
        day=40,
        size=66560,
        expiry_day=44,
        dies_at_s=float("inf"),
        acked_at_s=1.5,
        release_at_s=2.5,
        copies=3,
        pinned=True,
        had_body=True,
    )
    add(stores, entry)
    assert stores.carry.entry(entry.ref) == entry
    assert stores.carry.state(entry.ref) is state
    assert stores.carry.body(entry.ref) == (body_of(entry) or None)


def test_what_is_not_there_reads_as_none(stores: Stores) -> None:
    ref = entry_of(1).ref
    carry = stores.carry
    assert (carry.entry(ref), carry.state(ref), carry.body(ref), carry.receipt(ref)) == (None,) * 4
    write(stores, lambda: carry.forget(ref))
    write(stores, lambda: carry.count_copy(ref))
    assert carry.count_elements() == 0


def test_a_reference_that_differs_in_class_or_day_names_nothing(stores: Stores) -> None:
    entry = entry_of(1)
    add(stores, entry)
    for ref in (entry.ref._replace(traffic=TrafficClass.BULK), entry.ref._replace(day=Day(2))):
        assert stores.carry.entry(ref) is None
        assert stores.carry.body(ref) is None


@pytest.mark.parametrize(
    "work",
    [
        lambda carry: carry.change(entry_of(9)),
        lambda carry: carry.set_receipt(entry_of(9).ref, b"receipt"),
        lambda carry: carry.add(entry_of(9, State.HELD), b""),
        lambda carry: carry.add(entry_of(9, State.ACKED), b"body"),
        lambda carry: carry.change(entry_of(1, State.HELD)),
    ],
    ids=["change", "receipt", "no body", "a body too many", "a body from nowhere"],
)
def test_what_the_port_forbids_is_our_bug(stores: Stores, work: Callable[[Carry], object]) -> None:
    add(stores, entry_of(1, State.LACKING))
    with pytest.raises(LocalMisuse):
        stores.transact(lambda: work(stores.carry))


def test_adding_again_replaces_the_entry_and_the_receipt_stays(stores: Stores) -> None:
    ref = entry_of(1).ref
    add(stores, entry_of(1, State.ACKED))
    write(stores, lambda: stores.carry.set_receipt(ref, b"receipt"))
    again = entry_of(1, State.ACKED_WITH_BODY, copies=2, had_body=True)
    add(stores, again)
    assert stores.carry.entry(ref) == again
    assert stores.carry.body(ref) == body_of(again)
    assert stores.carry.receipt(ref) == b"receipt"
    assert stores.carry.count_elements() == 1
    assert stores.carry.usage().total == 2048
    add(stores, entry_of(1, State.LACKING))
    assert stores.carry.body(ref) is None
    assert stores.carry.usage().total == 0


def test_a_change_keeps_or_drops_the_body_as_the_state_says(stores: Stores) -> None:
    entry = entry_of(1)
    add(stores, entry)
    change(stores, entry_of(1, State.ACKED_WITH_BODY, acked_at_s=3.0))
    assert stores.carry.body(entry.ref) == body_of(entry)
    change(stores, entry_of(1, State.ACKED))
    assert stores.carry.body(entry.ref) is None
    assert stores.carry.state(entry.ref) is State.ACKED


def test_a_forgotten_bundle_comes_back_without_its_receipt(stores: Stores) -> None:
    ref = entry_of(1).ref
    add(stores, entry_of(1, State.ACKED))
    write(stores, lambda: stores.carry.set_receipt(ref, b"receipt"))
    write(stores, lambda: stores.carry.forget(ref))
    assert stores.carry.receipt(ref) is None
    add(stores, entry_of(1))
    assert stores.carry.receipt(ref) is None


def test_copies_are_counted(stores: Stores) -> None:
    add(stores, entry_of(1))
    for _ in range(3):
        write(stores, lambda: stores.carry.count_copy(entry_of(1).ref))
    assert stores.carry.entry(entry_of(1).ref) == entry_of(1, copies=3)


# The compared set


def test_an_entry_that_was_read_before_is_read_as_it_is_now(stores: Stores) -> None:
    carry, entry = stores.carry, entry_of(1)
    add(stores, entry)
    assert carry.entry(entry.ref) == entry
    pinned = replace(entry, pinned=True)
    change(stores, pinned)
    assert carry.entry(entry.ref) == pinned

    def change_and_read(carry: Carry) -> None:
        carry.change(entry)
        assert carry.entry(entry.ref) == entry

    crash(stores, change_and_read)
    assert carry.entry(entry.ref) == pinned
    stores.transact(lambda: carry.count_copy(entry.ref))
    assert carry.entry(entry.ref) == replace(pinned, copies=1)
    add(stores, entry)
    assert carry.entry(entry.ref) == entry
    stores.transact(lambda: carry.forget(entry.ref))
    assert carry.entry(entry.ref) is None


def test_elements_are_those_of_the_compared_states_in_order(stores: Stores) -> None:
    entries = [entry_of(number, state) for number, state in enumerate(State)]
    add(stores, *entries, entry_of(8, day=2098), entry_of(9, traffic=TrafficClass.BULK))
    expected = sorted((entry.ref.id, entry.state) for entry in entries[:4])
    assert list(stores.carry.elements(ROUTINE, TODAY)) == expected
    assert all(isinstance(state, State) for _, state in stores.carry.elements(ROUTINE, TODAY))
    assert not stores.carry.elements(ROUTINE, Day(2))


def test_days_are_those_that_have_compared_elements(stores: Stores) -> None:
    add(stores, *(entry_of(number, day=2100 - 2 * number) for number in range(4)))
    add(stores, entry_of(7, State.AGED, day=10), entry_of(8, traffic=TrafficClass.FLASH, day=12))
    assert stores.carry.days(ROUTINE) == [2094, 2096, 2098, 2100]
    assert stores.carry.days(TrafficClass.FLASH) == [12]
    assert stores.carry.days(TrafficClass.NOTICE) == []
    change(stores, entry_of(1, State.AGED, day=2098))
    assert stores.carry.days(ROUTINE) == [2094, 2096, 2100]


def test_a_bucket_digest_is_the_hash_of_its_pages(stores: Stores) -> None:
    add(stores, *(entry_of(number, State(number % 6)) for number in range(40)))
    acked = {State.ACKED, State.ACKED_WITH_BODY}
    listed: dict[int, list[bytes]] = {}
    for id_, state in stores.carry.elements(ROUTINE, TODAY):
        listed.setdefault(id_[0], []).append(id_ + bytes((state in acked,)))
    assert len(listed) > 1
    digests = {page: b2(Label.BUCKET_PAGE, b"".join(parts)) for page, parts in listed.items()}
    pages = stores.carry.pages(ROUTINE, TODAY)
    assert list(pages) == sorted(listed)
    assert {page: found.digest for page, found in pages.items()} == digests
    assert {page: found.count for page, found in pages.items()} == {
        page: len(parts) for page, parts in listed.items()
    }
    bucket = b"".join(bytes((page,)) + digests[page] for page in sorted(digests))
    assert stores.carry.bucket_digest(ROUTINE, TODAY) == b2(Label.BUCKET, bucket)
    assert stores.carry.bucket_digest(ROUTINE, Day(2)) == bytes(32)
    assert not stores.carry.pages(ROUTINE, Day(2))


def test_the_elements_of_some_pages_are_read_by_themselves(stores: Stores) -> None:
    add(stores, *(entry_of(number) for number in range(60)))
    every = list(stores.carry.elements(ROUTINE, TODAY))
    for first, end in ((0, 256), (0, 1), (17, 200), (255, 256), (40, 40)):
        some = [element for element in every if first <= element[0][0] < end]
        assert list(stores.carry.elements(ROUTINE, TODAY, first=first, end=end)) == some


def test_a_bucket_digest_follows_every_change_that_is_compared(stores: Stores) -> None:
    carry = stores.carry

    def digest() -> bytes:
        return carry.bucket_digest(ROUTINE, TODAY)

    add(stores, entry_of(1))
    one = digest()
    change(stores, entry_of(1, State.LACKING))
    assert digest() == one
    change(stores, entry_of(1, State.ACKED))
    assert digest() not in {one, bytes(32)}
    add(stores, entry_of(2))
    two = digest()
    write(stores, lambda: carry.forget(entry_of(2).ref))
    assert digest() != two
    write(stores, lambda: carry.forget(entry_of(1).ref))
    assert digest() == bytes(32)


# Questions in an order


def test_entries_are_found_under_their_postage(stores: Stores) -> None:
    add(
        stores,
        entry_of(1, key=7, day=2098),
        entry_of(2, key=7, traffic=TrafficClass.FLASH),
        entry_of(3, key=8),
        entry_of(4, State.ACKED, key=7),
        entry_of(5, auth=AuthKind.STAMP),
    )
    refs = stores.carry.under_postage(identifier(7))
    assert list(refs) == [
        entry_of(2, traffic=TrafficClass.FLASH).ref,
        entry_of(1, day=2098).ref,
        entry_of(4).ref,
    ]
    assert all(isinstance(ref, BundleRef) for ref in refs)
    assert not stores.carry.under_postage(b"")
    assert not stores.carry.under_postage(identifier(7)[:31] + b"\0")
    write(stores, lambda: stores.carry.forget(entry_of(4).ref))
    assert len(stores.carry.under_postage(identifier(7))) == 2


def test_holds_end_in_order(stores: Stores) -> None:
    among = range(10)
    assert stores.carry.next_release_s() is None
    for number, release_at_s in ((1, 30.0), (2, 10.0), (3, 20.0), (4, 10.0)):
        add(stores, entry_of(number, State.WITHHELD, release_at_s=release_at_s))
    add(stores, entry_of(5, State.HELD, release_at_s=1.0))
    assert stores.carry.next_release_s() == 10.0
    assert numbers(stores.carry.released(9.9), among) == []
    assert numbers(stores.carry.released(20.0), among) == [2, 4, 3]
    write(stores, lambda: stores.carry.change(entry_of(2, State.HELD)))
    assert stores.carry.next_release_s() == 10.0
    write(stores, lambda: stores.carry.forget(entry_of(4).ref))
    assert stores.carry.next_release_s() == 20.0


def test_a_hold_that_was_undone_ends_never(stores: Stores) -> None:
    def work(carry: Carry) -> None:
        held = entry_of(1, State.WITHHELD, release_at_s=5.0)
        carry.add(held, body_of(held))
        assert carry.next_release_s() == 5.0

    crash(stores, work)
    assert stores.carry.next_release_s() is None


def test_the_dying_are_held_and_lacking_earliest_first(stores: Stores) -> None:
    for number, (state, dies_at_s) in enumerate(
        [
            (State.HELD, 30.0),
            (State.LACKING, 10.0),
            (State.ACKED, 1.0),
            (State.HELD, 20.0),
            (State.AGED, 1.0),
            (State.HELD, 99.0),
            (State.HELD, float("inf")),
        ]
    ):
        add(stores, entry_of(number, state, dies_at_s=dies_at_s, pinned=number == 3))
    assert numbers(stores.carry.dying(30.0, at_most=9), range(9)) == [1, 3, 0]
    assert numbers(stores.carry.dying(30.0, at_most=2), range(9)) == [1, 3]


def test_acked_bodies_are_found_by_when_they_were_acked(stores: Stores) -> None:
    for number, acked_at_s in enumerate([30.0, 10.0, 20.0]):
        add(stores, entry_of(number, State.ACKED_WITH_BODY, acked_at_s=acked_at_s))
    add(stores, entry_of(3, State.ACKED_WITH_BODY, acked_at_s=1.0, pinned=True))
    add(stores, entry_of(4, State.ACKED, acked_at_s=1.0))
    assert numbers(stores.carry.acked_before(30.0, at_most=9), range(9)) == [1, 2]
    assert numbers(stores.carry.acked_before(31.0, at_most=1), range(9)) == [1]


def test_bodies_are_found_by_when_they_expired(stores: Stores) -> None:
    for number, state in enumerate(State):
        add(stores, entry_of(number, state, expiry_day=20 - number))
    add(stores, entry_of(8, expiry_day=3, pinned=True))
    assert numbers(stores.carry.expired(Day(20), at_most=9), range(9)) == [5, 4, 3]
    assert numbers(stores.carry.expired(Day(21), at_most=9), range(9)) == [5, 4, 3, 0]
    assert numbers(stores.carry.expired(Day(21), at_most=1), range(9)) == [5]


def test_marks_are_found_by_the_day_of_filing(stores: Stores) -> None:
    for number, state in enumerate(State):
        add(stores, entry_of(number, state, day=2100 - 2 * number))
    add(stores, entry_of(8, State.ACKED, traffic=TrafficClass.BULK, day=2))
    found = stores.carry.bygone(ROUTINE, Day(2100), at_most=9)
    assert numbers(found, range(9)) == [2, 1]
    assert numbers(stores.carry.bygone(ROUTINE, Day(2098), at_most=9), range(9)) == [2]
    assert numbers(stores.carry.bygone(ROUTINE, Day(2100), at_most=1), range(9)) == [2]


def test_bodies_go_in_the_order_of_eviction(stores: Stores) -> None:
    flash, bulk, stamp = TrafficClass.FLASH, TrafficClass.BULK, AuthKind.STAMP
    add(
        stores,
        entry_of(0, traffic=TrafficClass.NOTICE, day=2),
        entry_of(1, traffic=flash, day=2),
        entry_of(2, day=2098),
        entry_of(3, day=2096),
        entry_of(4, day=2096, copies=5),
        entry_of(5, traffic=bulk, day=2098),
        entry_of(6, State.AGED, day=2098),
        entry_of(7, day=2098, auth=stamp),
        entry_of(8, State.ACKED_WITH_BODY, traffic=flash, day=2098),
        entry_of(9, State.ACKED_WITH_BODY, day=2098, auth=stamp),
        entry_of(10, day=2, pinned=True),
        entry_of(11, State.WITHHELD, day=2),
        entry_of(12, State.LACKING, day=2),
        entry_of(13, State.AGED, traffic=bulk, day=2098),
        entry_of(14, day=2096, copies=5),
    )
    order = [9, 8, 7, 13, 6, 5, 4, 14, 3, 2, 1]
    assert numbers(stores.carry.first_to_go(at_most=20), range(20)) == order
    assert numbers(stores.carry.first_to_go(at_most=3), range(20)) == order[:3]


def test_a_body_dated_ahead_goes_with_those_that_came_the_same_day(stores: Stores) -> None:
    ahead = replace(entry_of(0, day=2400), arrival_day=Day(2098))
    behind = replace(entry_of(1, day=2090), arrival_day=Day(2098))
    add(stores, ahead, behind, entry_of(2, day=2096), entry_of(3, day=2100))
    assert numbers(stores.carry.first_to_go(at_most=9), range(4)) == [1, 2, 0, 3]
    change(stores, replace(ahead, copies=1))
    assert numbers(stores.carry.first_to_go(at_most=9), range(4)) == [1, 2, 0, 3]
    assert stores.carry.entry(ahead.ref) == replace(ahead, copies=1)


def test_what_is_lacking_comes_newest_first(stores: Stores) -> None:
    for number, day in enumerate([2096, 2100, 2098, 2100]):
        add(stores, entry_of(number, State.LACKING, day=day))
    add(stores, entry_of(4, State.HELD), entry_of(5, State.LACKING, traffic=TrafficClass.BULK))
    assert numbers(stores.carry.lacking(ROUTINE, at_most=9), range(9)) == [1, 3, 2, 0]
    assert numbers(stores.carry.lacking(ROUTINE, at_most=2), range(9)) == [1, 3]


def test_what_was_acked_unseen_comes_newest_first(stores: Stores) -> None:
    for number, day in enumerate([2096, 2100, 2098]):
        add(stores, entry_of(number, State.ACKED, day=day))
    add(stores, entry_of(4, State.ACKED, had_body=True), entry_of(5, State.LACKING))
    assert numbers(stores.carry.unseen(ROUTINE, at_most=9), range(9)) == [1, 2, 0]
    assert numbers(stores.carry.unseen(ROUTINE, at_most=1), range(9)) == [1]


def test_an_entry_keeps_its_place_in_the_order_of_arrival(stores: Stores) -> None:
    add(stores, entry_of(1), entry_of(2), entry_of(3))
    add(stores, entry_of(1, State.LACKING))
    add(stores, entry_of(1))
    change(stores, entry_of(2, State.ACKED_WITH_BODY))
    change(stores, entry_of(2))
    assert numbers(stores.carry.first_to_go(at_most=9), range(9)) == [1, 2, 3]
    write(stores, lambda: stores.carry.forget(entry_of(1).ref))
    add(stores, entry_of(1))
    assert numbers(stores.carry.first_to_go(at_most=9), range(9)) == [2, 3, 1]


def test_usage_follows_what_is_held(stores: Stores) -> None:
    carry = stores.carry
    add(
        stores,
        entry_of(1, traffic=TrafficClass.NOTICE),
        entry_of(2, auth=AuthKind.STAMP, size=8192),
        entry_of(3, State.LACKING, auth=AuthKind.STAMP),
        entry_of(4, State.WITHHELD, traffic=TrafficClass.BULK, size=66560),
    )
    usage = carry.usage()
    assert usage.by_class == (2048, 0, 8192, 66560)
    assert (usage.stamped, usage.stamps, usage.total) == (8192, 2, 76800)
    assert carry.count_elements() == 4
    change(stores, entry_of(2, State.ACKED, auth=AuthKind.STAMP, size=8192))
    write(stores, lambda: carry.forget(entry_of(4, traffic=TrafficClass.BULK).ref))
    usage = carry.usage()
    assert usage.by_class == (2048, 0, 0, 0)
    assert (usage.stamped, usage.stamps) == (0, 2)
    assert carry.count_elements() == 3
