"""Whatever is done to both stores, the one on disk and the one in memory agree."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.store.memory import MemoryStores, MemoryVault
from meshnews.store.port import WITH_BODY, Carry, Entry, State, Stores
from meshnewsd.storage.store import open_store
from tests.store.kit import body_of, entry_of, identifier

DAYS = (2096, 2098, 2100)
NUMBERS = range(8)
CLASSES = tuple(TrafficClass(number) for number in (2, 2, 2, 2, 2, 3, 1, 0))
"""Of each number; most alike, so that orders have something to decide."""

KEYS = range(3)
TIMES = (0.0, 10.0, 20.0, 30.0)


class Crash(Exception):
    """Loses a transaction."""


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    number = draw(st.sampled_from(NUMBERS))
    stamped = draw(st.booleans())
    return entry_of(
        number,
        draw(st.sampled_from(State)),
        # Class, day and size belong to an identifier.
        traffic=CLASSES[number],
        day=DAYS[number % 2],
        size=(2048, 8192)[number % 2],
        auth=AuthKind.STAMP if stamped else AuthKind.POSTAGE,
        key=draw(st.sampled_from(KEYS)),
        expiry_day=draw(st.sampled_from(DAYS)),
        dies_at_s=draw(st.sampled_from(TIMES)),
        acked_at_s=draw(st.sampled_from(TIMES)),
        release_at_s=draw(st.sampled_from(TIMES)),
        copies=draw(st.integers(0, 2)),
        pinned=draw(st.booleans()),
        had_body=draw(st.booleans()),
    )


def known(carry: Carry) -> list[Entry]:
    found = (carry.entry(entry_of(n, traffic=CLASSES[n], day=DAYS[n % 2]).ref) for n in NUMBERS)
    return [entry for entry in found if entry is not None]


def seen_through_the_port(carry: Carry) -> list[object]:
    """Return the answers to every question of the port."""
    seen: list[object] = [carry.usage(), carry.count_elements(), carry.next_release_s()]
    seen += [
        (entry, carry.state(entry.ref), carry.body(entry.ref), carry.receipt(entry.ref))
        for entry in known(carry)
    ]
    for traffic in TrafficClass:
        seen.append((carry.days(traffic), list(carry.lacking(traffic, at_most=5))))
        seen.append(list(carry.unseen(traffic, at_most=5)))
        for day in DAYS:
            seen.append(list(carry.elements(traffic, Day(day))))
            seen.append(carry.bucket_digest(traffic, Day(day)))
            seen.append(list(carry.bygone(traffic, Day(day), at_most=5)))
    for moment_s in TIMES:
        seen.append(list(carry.released(moment_s)))
        seen.append(list(carry.dying(moment_s, at_most=3)))
        seen.append(list(carry.acked_before(moment_s, at_most=3)))
    seen += [list(carry.expired(Day(day + 1), at_most=4)) for day in DAYS]
    seen += [list(carry.under_postage(identifier(key))) for key in KEYS]
    seen.append(list(carry.first_to_go(at_most=6)))
    seen.append(list(carry.scan("shelf")))
    return seen


class Twins(RuleBasedStateMachine):
    """Does the same to both, in batches that sometimes crash, and compares them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="store"))
        self.memory = MemoryStores(vault=MemoryVault())
        self.disk = open_store(self.folder, b"c" * 32, b"v" * 32)

    def teardown(self) -> None:
        self.disk.close()
        shutil.rmtree(self.folder)

    def both(self, work: Callable[[Carry], None], *, crash: bool = False) -> None:
        def batch(stores: Stores) -> None:
            work(stores.carry)
            if crash:
                raise Crash

        for stores in (self.memory, self.disk):
            if crash:
                with pytest.raises(Crash):
                    stores.transact(lambda stores=stores: batch(stores))  # type: ignore[misc]  # mypy infers no lambda with a default
            else:
                stores.transact(lambda stores=stores: batch(stores))  # type: ignore[misc]  # mypy infers no lambda with a default

    @rule(added=st.lists(entries(), max_size=4), crash=st.booleans())
    def add(self, added: list[Entry], crash: bool) -> None:
        def work(carry: Carry) -> None:
            for entry in added:
                carry.add(entry, body_of(entry))

        self.both(work, crash=crash)

    @rule(
        state=st.sampled_from(State),
        copies=st.lists(st.integers(0, 2), min_size=8, max_size=8),
        order=st.permutations(NUMBERS),
    )
    def fill(self, state: State, copies: list[int], order: list[int]) -> None:
        """Add all in one state, in some order, so that every order has ties to break."""

        def work(carry: Carry) -> None:
            for number in order:
                entry = entry_of(
                    number,
                    state,
                    traffic=CLASSES[number],
                    day=DAYS[number % 2],
                    size=(2048, 8192)[number % 2],
                    copies=copies[number],
                )
                carry.forget(entry.ref)
                carry.add(entry, body_of(entry))

        self.both(work)

    @rule(changed=entries(), crash=st.booleans())
    def change(self, changed: Entry, crash: bool) -> None:
        before = self.memory.carry.entry(changed.ref)
        if before is None:
            return
        if changed.state in WITH_BODY and before.state not in WITH_BODY:
            return
        self.both(lambda carry: carry.change(changed), crash=crash)

    @rule(number=st.sampled_from(NUMBERS), crash=st.booleans())
    def forget(self, number: int, crash: bool) -> None:
        ref = entry_of(number, traffic=CLASSES[number], day=DAYS[number % 2]).ref
        self.both(lambda carry: carry.forget(ref), crash=crash)

    @rule(number=st.sampled_from(NUMBERS))
    def count_copy(self, number: int) -> None:
        ref = entry_of(number, traffic=CLASSES[number], day=DAYS[number % 2]).ref
        self.both(lambda carry: carry.count_copy(ref))

    @rule(number=st.sampled_from(NUMBERS), receipt=st.binary(min_size=1, max_size=3))
    def set_receipt(self, number: int, receipt: bytes) -> None:
        ref = entry_of(number, traffic=CLASSES[number], day=DAYS[number % 2]).ref
        if self.memory.carry.entry(ref) is not None:
            self.both(lambda carry: carry.set_receipt(ref, receipt))

    @rule(key=st.binary(max_size=2), value=st.binary(max_size=2), crash=st.booleans())
    def put(self, key: bytes, value: bytes, crash: bool) -> None:
        self.both(lambda carry: carry.put("shelf", key, value), crash=crash)

    @rule(key=st.binary(max_size=2))
    def delete(self, key: bytes) -> None:
        self.both(lambda carry: carry.delete("shelf", key))

    @rule()
    def open_again(self) -> None:
        self.disk.close()
        self.disk = open_store(self.folder, b"c" * 32, b"v" * 32)

    @invariant()
    def they_agree(self) -> None:
        assert seen_through_the_port(self.disk.carry) == seen_through_the_port(self.memory.carry)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
