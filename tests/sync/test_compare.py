"""Comparing two sets by plain lists, without a store or a bundle in sight."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.crypto.digest import Label, b2
from meshnews.errors import Exceeded, Malformed, OutOfTurn
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import DAYS_SPANNED_MAX, LIST_IDS_MAX
from meshnews.store.port import State
from meshnews.sync.budget import Budget
from meshnews.sync.compare import Findings, Sides, Snapshot
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.messages import (
    CLASSES,
    Answer,
    ClassTerms,
    Days,
    Flag,
    Hello,
    List,
    Reply,
    Spans,
)
from meshnews.sync.plain import PlainAnswerer, PlainDialler
from meshnews.sync.salt import Salt, span_of

ROUTINE = TrafficClass.ROUTINE
DAY = Day(2100)
SALT = Salt(session=b"s" * 64, dialler_nonce=b"d" * 16, acceptor_nonce=b"a" * 16)
Buckets = Mapping[tuple[TrafficClass, Day], Mapping[BundleId, State]]


class Listing:
    """Buckets in a dictionary."""

    def __init__(self, buckets: Buckets) -> None:
        self.buckets = {key: dict(bucket) for key, bucket in buckets.items() if bucket}

    def digests(
        self, traffic: TrafficClass, newest: Day, oldest: Day
    ) -> Sequence[tuple[Day, bytes]]:
        return [
            (day, self._digest(bucket))
            for (kind, day), bucket in sorted(self.buckets.items())
            if kind is traffic and oldest <= day <= newest
        ]

    @staticmethod
    def _digest(bucket: Mapping[BundleId, State]) -> bytes:
        elements = (
            key + bytes([state in {State.ACKED, State.ACKED_WITH_BODY}])
            for key, state in sorted(bucket.items())
        )
        return b2(Label.BUCKET, b"".join(elements))

    def elements(self, traffic: TrafficClass, day: Day) -> Sequence[tuple[BundleId, State]]:
        return sorted(self.buckets.get((traffic, day), {}).items())

    def hello(self, *, acked: bool = False) -> Hello:
        flags = Flag.SERVES | Flag.WANTS | (Flag.WANTS_ACKED if acked else Flag(0))
        classes: list[ClassTerms] = []
        for traffic in CLASSES:
            days = [day for kind, day in self.buckets if kind is traffic]
            some = flags | Flag.NONEMPTY if days else flags
            classes.append(ClassTerms(some, max(days, default=Day(0)), Day(0), 0))
        return Hello(b"n" * 16, b"i" * 16, tuple(classes), 65536, 1)


class Meeting:
    """A dialler and an answerer, and what they found out."""

    def __init__(self, left: Buckets, right: Buckets) -> None:
        ours, theirs = Listing(left), Listing(right)
        hellos = ours.hello(), theirs.hello()
        self.budget = Budget()
        self.dialler = PlainDialler(Sides(ours, SALT, *hellos))
        self.answerer = PlainAnswerer(Sides(theirs, SALT, *reversed(hellos)), self.budget)
        self.found = Findings(), Findings()
        self.bytes = [0, 0]

    def run(self) -> None:
        while (step := self.dialler.propose()) is not None:
            self.bytes[0] += len(encode_message(step))
            # Through the bytes, so that no message breaks a limit.
            sent = decode_message(encode_message(step))
            assert isinstance(sent, Spans | List)
            findings = self.answerer.receive(sent)
            self._add(1, findings)
            assert findings.answer is not None
            self.bytes[1] += len(encode_message(findings.answer))
            self._add(0, self.dialler.receive(findings.answer))
        assert self.dialler.finished

    def _add(self, side: int, findings: Findings) -> None:
        self.found[side].names += findings.names
        self.found[side].short_receipts += findings.short_receipts
        self.found[side].full_receipts += findings.full_receipts


def ident(number: int) -> BundleId:
    return BundleId(b2(Label.BUNDLE_ID, number.to_bytes(8, "big")))


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
def test_exactly_what_differs_is_found(left: Buckets, right: Buckets) -> None:
    meeting = Meeting(left, right)
    meeting.run()
    both = Listing(left).buckets, Listing(right).buckets
    acked = {State.ACKED, State.ACKED_WITH_BODY}
    for side in (0, 1):
        names, short, full = set(), set(), set()
        for bucket, elements in both[side].items():
            others = both[1 - side].get(bucket, {})
            for identifier, state in elements.items():
                ref, theirs = BundleRef(*bucket, identifier), others.get(identifier)
                if theirs is None and state is State.HELD:
                    names.add(ref)
                elif theirs is None and state in acked:
                    full.add(ref)
                elif theirs is not None and state in acked and theirs not in acked:
                    short.add(ref)
        found = meeting.found[side]
        assert (set(found.names), set(found.short_receipts), set(found.full_receipts)) == (
            *(names, short, full),
        )
        total = len(found.names) + len(found.short_receipts) + len(found.full_receipts)
        assert total == len(names) + len(short) + len(full)


def test_held_and_lacking_are_no_difference() -> None:
    meeting = Meeting(
        {(ROUTINE, DAY): {ident(1): State.HELD}}, {(ROUTINE, DAY): {ident(1): State.LACKING}}
    )
    meeting.run()
    assert meeting.found[0] == meeting.found[1] == Findings()
    assert sum(meeting.bytes) < 150


def test_a_day_with_many_elements_is_listed_in_ranges() -> None:
    left = {ident(n): State.HELD for n in range(9000)}
    right = {ident(n): State.HELD for n in range(40, 9005)}
    meeting = Meeting({(ROUTINE, DAY): left}, {(ROUTINE, DAY): right})
    meeting.run()
    assert {ref.id for ref in meeting.found[0].names} == {ident(n) for n in range(40)}
    assert {ref.id for ref in meeting.found[1].names} == {ident(n) for n in range(9000, 9005)}
    assert meeting.bytes[0] < 9000 * 8.5


@pytest.mark.parametrize("count", [DAYS_SPANNED_MAX, DAYS_SPANNED_MAX + 1, 1300])
def test_more_days_than_one_answer_holds_are_all_compared(count: int) -> None:
    theirs = {(ROUTINE, Day(2 * n)): {ident(n): State.HELD} for n in range(count)}
    ours = {(ROUTINE, Day(2 * n)): {ident(n + 5000): State.HELD} for n in range(0, count, 7)}
    meeting = Meeting(ours, theirs)
    meeting.run()
    assert len(meeting.found[1].names) == count
    assert len(meeting.found[0].names) == len(ours)


def test_a_lonely_day_far_in_the_future_hides_nothing() -> None:
    far = {(ROUTINE, Day(65518)): {ident(1): State.HELD}}
    near = {(ROUTINE, Day(2100 - 2 * n)): {ident(10 + n): State.HELD} for n in range(5)}
    meeting = Meeting({**far, **near}, {})
    meeting.run()
    assert len(meeting.found[0].names) == 6


def test_the_newest_days_are_listed_first() -> None:
    left = {(ROUTINE, Day(2 * n)): {ident(n): State.HELD} for n in range(100)}
    meeting = Meeting(left, {})
    meeting.run()
    days = [ref.day for ref in meeting.found[0].names]
    assert days == sorted(days, reverse=True)


def test_a_dialler_stops_before_it_has_to_be_cut() -> None:
    # Nothing of all this is stored by the peer, so nothing earns more.
    left = {ident(n): State.HELD for n in range(40000)}
    meeting = Meeting({(ROUTINE, DAY): left}, {})
    while (step := meeting.dialler.propose()) is not None:
        meeting.budget.charge(len(encode_message(step)))
        answer = meeting.answerer.receive(step).answer
        assert answer is not None
        meeting.dialler.receive(answer)
    assert meeting.dialler.finished
    assert meeting.budget.left > 0


def test_what_is_stored_lets_a_dialler_go_on() -> None:
    left = {ident(n): State.HELD for n in range(40000)}
    meeting = Meeting({(ROUTINE, DAY): left}, {})
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
    within = snapshot.within(bits, prefix)
    wanted = [
        short
        for short in sorted(SALT.position(ident(n)) for n in range(50))
        if int.from_bytes(short, "big") >> (64 - bits) == prefix
    ]
    assert within == wanted


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
    meeting = Meeting(HELD_ONE, {})
    _opened(meeting)
    with pytest.raises(Malformed, match="outside the spans"):
        meeting.dialler.receive(Days(ROUTINE, 1, (Day(2098),), b"1234", (1,)))


def test_days_of_another_class_are_refused() -> None:
    meeting = Meeting(HELD_ONE, {})
    _opened(meeting)
    with pytest.raises(OutOfTurn):
        meeting.dialler.receive(Days(TrafficClass.BULK, 0, (), b"", ()))


def test_a_reply_of_another_length_is_refused() -> None:
    meeting = Meeting(HELD_ONE, {})
    meeting.dialler.receive(_opened(meeting))
    step = meeting.dialler.propose()
    assert isinstance(step, List)
    with pytest.raises(OutOfTurn, match="another list"):
        meeting.dialler.receive(Reply(ROUTINE, DAY, 0, 0, (Answer.NAME, Answer.NAME)))


@pytest.mark.parametrize("answer", [Answer.SHORT_RECEIPT, Answer.FULL_RECEIPT])
def test_a_reply_that_asks_for_a_receipt_of_a_held_bundle_is_refused(answer: Answer) -> None:
    meeting = Meeting(HELD_ONE, {})
    meeting.dialler.receive(_opened(meeting))
    meeting.dialler.propose()
    with pytest.raises(Malformed, match="not listed"):
        meeting.dialler.receive(Reply(ROUTINE, DAY, 0, 0, (answer,)))


def test_a_list_of_a_class_that_was_not_opened_is_refused() -> None:
    meeting = Meeting(HELD_ONE, {})
    with pytest.raises(OutOfTurn, match="not opened"):
        meeting.answerer.receive(List(ROUTINE, DAY, 0, 0, (), ()))


def test_spans_are_not_taken_twice_over_the_same_days() -> None:
    meeting = Meeting(HELD_ONE, HELD_ONE)
    step = meeting.dialler.propose()
    assert isinstance(step, Spans)
    meeting.answerer.receive(step)
    with pytest.raises(OutOfTurn, match="already"):
        meeting.answerer.receive(step)


def test_an_acked_notice_is_refused() -> None:
    notice = TrafficClass.NOTICE
    meeting = Meeting({(notice, DAY): {ident(1): State.HELD}}, {})
    _opened(meeting)
    listing = List(notice, DAY, 0, 0, (bytes(8),), (State.ACKED,))
    with pytest.raises(Malformed, match="notice"):
        meeting.answerer.receive(listing)


def test_taking_buckets_by_turns_is_charged() -> None:
    days = [Day(2100 - 2 * n) for n in range(3)]
    bucket = {ident(n): State.HELD for n in range(LIST_IDS_MAX)}
    meeting = Meeting(HELD_ONE, {(ROUTINE, day): bucket for day in days})
    _opened(meeting)
    with pytest.raises(Exceeded):
        for turn in range(300):
            meeting.answerer.receive(List(ROUTINE, days[turn % 3], 4, 0, (), ()))
    assert turn < 40
