"""Comparing two sets, without a store or a bundle in sight."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.errors import Exceeded, Malformed, OutOfTurn
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import COMPARED_AT_ONCE_MAX, DAYS_SPANNED_MAX, LIST_IDS_MAX
from meshnews.store.port import State
from meshnews.sync.compare import Findings
from meshnews.sync.messages import CLASSES
from meshnews.sync.question import Answer, Days, List, Method, Reply, Spans
from meshnews.sync.salt import Salt, span_of
from meshnews.sync.snapshot import Snapshot
from tests.sync.meeting import FAST, SALT, SLOW, Buckets, Meeting, ident

ROUTINE = TrafficClass.ROUTINE
DAY = Day(2100)
ACKED = {State.ACKED, State.ACKED_WITH_BODY}
COMPARED = [State.HELD, State.LACKING, State.ACKED, State.ACKED_WITH_BODY]
LISTS, CELLS, SPLITS = Method.LISTS, Method.LISTS | Method.CELLS, Method.LISTS | Method.SPLITS
WAYS = pytest.mark.parametrize(
    ("methods", "manner"),
    [(LISTS, SLOW), (CELLS, SLOW), (SPLITS, SLOW), (CELLS, FAST), (SPLITS, FAST)],
    ids=["lists", "cells", "splits", "cells, fast", "splits, fast"],
)


def scattered(seed: int, *, shared: int, differing: int, days: int = 3) -> tuple[Buckets, Buckets]:
    """Return two sides that share so much, and know so much else in some other state."""
    rng = random.Random(seed)
    left: dict[tuple[TrafficClass, Day], dict[BundleId, State]] = {}
    right: dict[tuple[TrafficClass, Day], dict[BundleId, State]] = {}
    for number in range(shared + differing):
        identifier = BundleId(rng.randbytes(32))
        bucket = ROUTINE, Day(DAY - 2 * rng.randrange(days))
        states: list[State | None] = [rng.choice(COMPARED)] * 2
        if number >= shared:
            states = [rng.choice([*COMPARED, None]) for _ in states]
        for side, state in zip((left, right), states, strict=True):
            if state is not None:
                side.setdefault(bucket, {})[identifier] = state
    return left, right


def due(mine: Buckets, theirs: Buckets, *, acked: bool, dials: bool) -> tuple[set[BundleRef], ...]:
    """Return what one side must name, and which receipts it owes, short and full.

    What the dialler lacks and the answerer has acked is asked for, unlisted, in the end.
    """
    names, short, full = set(), set(), set()
    for bucket, elements in mine.items():
        others = theirs.get(bucket, {})
        for identifier, state in elements.items():
            ref, other = BundleRef(*bucket, identifier), others.get(identifier)
            lacks_body = other is None or (dials and state in ACKED and other is State.LACKING)
            wanted = state is State.HELD or (acked and state is State.ACKED_WITH_BODY)
            if wanted and lacks_body:
                names.add(ref)
            elif other is None and state in ACKED:
                full.add(ref)
            elif other is not None and state in ACKED and other not in ACKED:
                short.add(ref)
    return names, short, full


def check(meeting: Meeting, left: Buckets, right: Buckets, *, acked: bool = False) -> None:
    for side, (mine, theirs) in enumerate(((left, right), (right, left))):
        found = meeting.found[side]
        names, short, full = due(mine, theirs, acked=acked, dials=not side)
        assert (set(found.names), set(found.full_receipts)) == (names, full)
        # A receipt that follows the body anyway may be sent besides.
        assert short <= set(found.short_receipts) <= short | names
        for told in (found.names, found.short_receipts, found.full_receipts):
            assert len(told) == len(set(told))


@WAYS
@given(seed=st.integers(0, 2**32), shared=st.integers(0, 900), differing=st.integers(0, 60))
@settings(max_examples=12, deadline=None)
def test_exactly_what_differs_is_found_in_any_way(
    methods: Method, manner: object, seed: int, shared: int, differing: int
) -> None:
    left, right = scattered(seed, shared=shared, differing=differing)
    acked = bool(seed % 2)
    meeting = Meeting.of(
        left, right, acked=acked, methods=methods, manner=SLOW if manner is SLOW else FAST
    )
    meeting.run()
    check(meeting, left, right, acked=acked)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("methods", [CELLS, SPLITS])
def test_exactly_what_differs_is_found_in_large_sets(methods: Method, seed: int) -> None:
    left, right = scattered(seed, shared=6000, differing=10 * 3**seed)
    meeting = Meeting.of(left, right, methods=methods)
    meeting.run()
    check(meeting, left, right)


def test_sides_that_know_other_ways_compare_by_lists() -> None:
    left, right = scattered(1, shared=900, differing=40)
    meeting = Meeting.of(left, right, methods=LISTS)
    meeting.run()
    assert set(meeting.said) == {"Spans", "List"}


def test_cells_are_preferred_to_splits() -> None:
    left, right = scattered(1, shared=2000, differing=40)
    meeting = Meeting.of(left, right)
    meeting.run()
    assert "Grid" in meeting.said
    assert not {"Split", "List"} & set(meeting.said)


def test_sets_with_little_in_common_are_listed() -> None:
    left, right = scattered(2, shared=50, differing=900, days=1)
    meeting = Meeting.of(left, right)
    meeting.run()
    check(meeting, left, right)
    assert "List" in meeting.said


buckets = st.dictionaries(
    st.tuples(st.sampled_from(CLASSES[1:]), st.integers(0, 400).map(lambda n: Day(2 * n))),
    st.dictionaries(
        st.integers(0, 30).map(ident),
        st.sampled_from([State.HELD, State.LACKING, State.ACKED, State.ACKED_WITH_BODY]),
        max_size=8,
    ),
    max_size=6,
)


@given(buckets, buckets)
def test_exactly_what_differs_is_found_on_many_days(left: Buckets, right: Buckets) -> None:
    meeting = Meeting.of(left, right)
    meeting.run()
    check(meeting, left, right)


def test_held_and_lacking_are_no_difference() -> None:
    meeting = Meeting.of(
        {(ROUTINE, DAY): {ident(1): State.HELD}}, {(ROUTINE, DAY): {ident(1): State.LACKING}}
    )
    meeting.run()
    assert meeting.found[0] == meeting.found[1] == Findings()
    assert meeting.counts.bytes < 150


def test_a_day_with_many_elements_is_compared() -> None:
    left = {ident(n): State.HELD for n in range(9000)}
    right = {ident(n): State.HELD for n in range(40, 9005)}
    meeting = Meeting.of({(ROUTINE, DAY): left}, {(ROUTINE, DAY): right})
    meeting.run()
    assert {ref.id for ref in meeting.found[0].names} == {ident(n) for n in range(40)}
    assert {ref.id for ref in meeting.found[1].names} == {ident(n) for n in range(9000, 9005)}
    assert meeting.counts.bytes < 9000


@pytest.mark.parametrize("count", [DAYS_SPANNED_MAX, DAYS_SPANNED_MAX + 1, 1300])
def test_more_days_than_one_answer_holds_are_all_compared(count: int) -> None:
    theirs = {(ROUTINE, Day(2 * n)): {ident(n): State.HELD} for n in range(count)}
    ours = {(ROUTINE, Day(2 * n)): {ident(n + 5000): State.HELD} for n in range(0, count, 7)}
    meeting = Meeting.of(ours, theirs)
    meeting.run()
    assert len(meeting.found[1].names) == count
    assert len(meeting.found[0].names) == len(ours)


def test_a_lonely_day_far_in_the_future_hides_nothing() -> None:
    far = {(ROUTINE, Day(65518)): {ident(1): State.HELD}}
    near = {(ROUTINE, Day(2100 - 2 * n)): {ident(10 + n): State.HELD} for n in range(5)}
    meeting = Meeting.of({**far, **near}, {})
    meeting.run()
    assert len(meeting.found[0].names) == 6


def test_the_newest_days_are_listed_first_behind_one_that_is_drawn() -> None:
    left = {(ROUTINE, Day(2 * n)): {ident(n): State.HELD} for n in range(100)}
    meeting = Meeting.of(left, {})
    meeting.run()
    _, *days = [ref.day for ref in meeting.found[0].names]
    assert days == sorted(days, reverse=True)
    assert len(days) == 99


def test_which_day_is_drawn_depends_on_the_session() -> None:
    left = {(ROUTINE, Day(2 * n)): {ident(n): State.HELD} for n in range(100)}
    drawn = set()
    for number in range(10):
        salt = Salt(session=bytes([number]) * 64, dialler_nonce=b"d" * 16, acceptor_nonce=b"a" * 16)
        meeting = Meeting.of(left, {}, salt=salt)
        meeting.run()
        drawn.add(meeting.found[0].names[0].day)
    assert len(drawn) > 5


def test_a_dialler_stops_before_it_has_to_be_cut() -> None:
    # Nothing of all this is stored by the peer, so nothing earns more.
    left = {ident(n): State.HELD for n in range(40000)}
    meeting = Meeting.of({(ROUTINE, DAY): left}, {})
    meeting.run()
    assert 1000 < len(meeting.found[0].names) < 40000
    assert meeting.budget.left > 0


def test_what_is_stored_lets_a_dialler_go_on() -> None:
    left = {ident(n): State.HELD for n in range(40000)}
    meeting = Meeting.of({(ROUTINE, DAY): left}, {})
    named = 0
    while (step := meeting.dialler.propose()) is not None:
        answer = meeting.answerer.receive(step).answer
        assert answer is not None
        for _ in meeting.dialler.receive(answer).names:
            named += 1
            meeting.dialler.credit_bundle()
    assert named == 40000


@pytest.mark.parametrize(
    ("day", "span"), [(2100, 0), (2098, 1), (2096, 2), (2094, 2), (2092, 3), (1590, 8), (0, 9)]
)
def test_spans_double_going_back(day: int, span: int) -> None:
    assert span_of(Day(day), DAY) == span


@given(st.integers(0, 16), st.integers(0, 65535))
@settings(max_examples=30)
def test_ranges_of_a_bucket_are_disjoint_and_complete(bits: int, number: int) -> None:
    snapshot = Snapshot([(ident(n), State.HELD) for n in range(50)], SALT)
    prefix = number % (1 << bits)
    within = [snapshot.short(at) for at in range(*snapshot.between(bits, prefix))]
    wanted = [
        short
        for short in sorted(SALT.position(ident(n)) for n in range(50))
        if int.from_bytes(short, "big") >> (64 - bits) == prefix
    ]
    assert within == wanted


@given(st.lists(st.sampled_from(COMPARED), max_size=40))
def test_a_snapshot_knows_each_element_by_its_position_and_by_its_key(states: list[State]) -> None:
    elements = [(ident(at), state) for at, state in enumerate(states)]
    snapshot = Snapshot(elements, SALT)
    assert sorted(snapshot.element(at) for at in range(len(snapshot))) == sorted(elements)
    for identifier, state in elements:
        short = SALT.position(identifier)
        key = int.from_bytes(short, "big") & ~1 | (state in ACKED)
        assert snapshot.get(short) == (identifier, state)
        assert snapshot.has(key)
        assert not snapshot.has(key ^ 1)
        at = snapshot.find(key ^ 1)
        assert at is not None
        assert snapshot.element(at) == (identifier, state)
    assert snapshot.get(SALT.position(b"other")) is None


def test_a_salt_gives_other_positions_than_another() -> None:
    other = Salt(session=b"s" * 64, dialler_nonce=b"e" * 16, acceptor_nonce=b"a" * 16)
    assert other.position(ident(1)) != SALT.position(ident(1))


# Peers that contradict themselves


def _opened(meeting: Meeting) -> Days:
    step = meeting.dialler.propose()
    assert isinstance(step, Spans)
    answer = meeting.answerer.receive(step).answer
    assert isinstance(answer, Days)
    return answer


HELD_ONE: Buckets = {(ROUTINE, DAY): {ident(1): State.HELD}}


def test_a_day_outside_the_differing_spans_is_refused() -> None:
    meeting = Meeting.of(HELD_ONE, {})
    _opened(meeting)
    with pytest.raises(Malformed, match="outside the spans"):
        meeting.dialler.receive(Days(ROUTINE, 1, (Day(2098),), b"1234", (1,)))


def test_days_of_another_class_are_refused() -> None:
    meeting = Meeting.of(HELD_ONE, {})
    _opened(meeting)
    with pytest.raises(OutOfTurn):
        meeting.dialler.receive(Days(TrafficClass.BULK, 0, (), b"", ()))


def test_a_reply_of_another_length_is_refused() -> None:
    meeting = Meeting.of(HELD_ONE, {})
    meeting.dialler.receive(_opened(meeting))
    step = meeting.dialler.propose()
    assert isinstance(step, List)
    with pytest.raises(OutOfTurn, match="another list"):
        meeting.dialler.receive(Reply(ROUTINE, DAY, 0, 0, (Answer.NAME, Answer.NAME)))


@pytest.mark.parametrize("answer", [Answer.SHORT_RECEIPT, Answer.FULL_RECEIPT])
def test_a_reply_that_asks_for_a_receipt_of_a_held_bundle_is_refused(answer: Answer) -> None:
    meeting = Meeting.of(HELD_ONE, {})
    meeting.dialler.receive(_opened(meeting))
    meeting.dialler.propose()
    with pytest.raises(Malformed, match="not listed"):
        meeting.dialler.receive(Reply(ROUTINE, DAY, 0, 0, (answer,)))


def test_a_list_of_a_class_that_was_not_opened_is_refused() -> None:
    meeting = Meeting.of(HELD_ONE, {})
    with pytest.raises(OutOfTurn, match="not opened"):
        meeting.answerer.receive(List(ROUTINE, DAY, 0, 0, (), ()))


def test_spans_are_not_taken_twice_over_the_same_days() -> None:
    meeting = Meeting.of(HELD_ONE, HELD_ONE)
    step = meeting.dialler.propose()
    assert isinstance(step, Spans)
    meeting.answerer.receive(step)
    with pytest.raises(OutOfTurn, match="already"):
        meeting.answerer.receive(step)


def test_an_acked_notice_is_refused() -> None:
    notice = TrafficClass.NOTICE
    meeting = Meeting.of({(notice, DAY): {ident(1): State.HELD}}, {})
    _opened(meeting)
    listing = List(notice, DAY, 0, 0, (bytes(8),), (State.ACKED,))
    with pytest.raises(Malformed, match="notice"):
        meeting.answerer.receive(listing)


def test_taking_buckets_by_turns_is_charged() -> None:
    days = [Day(2100 - 2 * n) for n in range(COMPARED_AT_ONCE_MAX + 1)]
    bucket = {ident(n): State.HELD for n in range(LIST_IDS_MAX)}
    meeting = Meeting.of(HELD_ONE, {(ROUTINE, day): bucket for day in days})
    _opened(meeting)
    with pytest.raises(Exceeded):
        for turn in range(300):
            meeting.answerer.receive(List(ROUTINE, days[turn % len(days)], 4, 0, (), ()))
    assert turn < 50
