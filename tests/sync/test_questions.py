"""A peer that asks or answers nonsense, again and again: what it costs is bounded."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.errors import Exceeded, Malformed, OutOfTurn, PeerError
from meshnews.ids import Day, TrafficClass
from meshnews.limits import CELLS_MAX, LIST_IDS_MAX, RECONCILE_BYTES_BASE
from meshnews.store.port import State
from meshnews.sync.compare import Findings
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.question import (
    CELL_BYTES,
    Cells,
    Days,
    Grid,
    List,
    Method,
    Mode,
    More,
    Parts,
    Question,
    Reaction,
    Spans,
    Split,
    Tell,
    Told,
)
from tests.sync.meeting import EVERY, SALT, Buckets, Listing, Meeting, ident
from tests.sync.sample import MESSAGES

ROUTINE = TrafficClass.ROUTINE
DAY = Day(2100)
OTHER = Day(2098)
SHARED = {ident(n): State.HELD for n in range(600)}
LEFT: Buckets = {(ROUTINE, DAY): {**SHARED, **{ident(n): State.HELD for n in range(600, 620)}}}
RIGHT: Buckets = {(ROUTINE, DAY): {**SHARED, **{ident(n): State.HELD for n in range(700, 720)}}}
ANSWERS = (Days, Cells, Parts, Told)


def opened(left: Buckets = LEFT, right: Buckets = RIGHT, methods: Method = EVERY) -> Meeting:
    """Return a meeting in which the days are known to both."""
    meeting = Meeting.of(left, right, methods=methods)
    step = meeting.dialler.propose()
    assert isinstance(step, Spans)
    answer = meeting.answerer.receive(step).answer
    assert answer is not None
    meeting.dialler.receive(answer)
    return meeting


def gridded() -> tuple[Meeting, Cells]:
    """Return a meeting in which GRID is asked and answered, but the answer not taken."""
    meeting = opened()
    step = meeting.dialler.propose()
    assert isinstance(step, Grid)
    answer = meeting.answerer.receive(step).answer
    assert isinstance(answer, Cells)
    return meeting, answer


# A dialler that asks too much


def test_a_grid_comes_once_for_a_day() -> None:
    meeting, _ = gridded()
    with pytest.raises(OutOfTurn, match="already"):
        meeting.answerer.receive(Grid(ROUTINE, DAY, 0, 1, bytes(4)))


@pytest.mark.parametrize("day", [Day(2102), Day(2100)])
def test_a_grid_of_a_day_that_was_not_opened_is_refused(day: Day) -> None:
    meeting = Meeting.of(LEFT, RIGHT)
    if day > DAY:
        meeting = opened()
    with pytest.raises(OutOfTurn, match="not opened"):
        meeting.answerer.receive(Grid(ROUTINE, day, 0, 1, bytes(4)))


def test_a_grid_of_a_day_that_is_the_same_by_now_is_answered_so() -> None:
    # A day whose digest lies is opened, and all its ranges are equal.
    meeting = opened()
    ranges = SALT.ranges(Listing(RIGHT).pages(ROUTINE, DAY), 1)
    answer = meeting.answerer.receive(Grid(ROUTINE, DAY, 1, 620, ranges)).answer
    assert answer == Cells(ROUTINE, DAY, b"\0", 0, 0, 0, 0, b"")


@pytest.mark.parametrize(
    "question",
    [
        More(ROUTINE, DAY, 0, 4, (0,)),
        Split(ROUTINE, DAY, 0, 2, (0,), bytes(16)),
        Tell(ROUTINE, DAY, (bytes(8),), (), ()),
    ],
    ids=["more", "split", "tell"],
)
def test_what_follows_a_grid_is_refused_without_one(question: Question) -> None:
    with pytest.raises(OutOfTurn, match="not taken up"):
        opened().answerer.receive(question)


def test_cells_are_made_once() -> None:
    meeting, first = gridded()
    more = More(ROUTINE, DAY, first.end, first.end + 8, (0,))
    meeting.answerer.receive(more)
    with pytest.raises(OutOfTurn, match="already"):
        meeting.answerer.receive(more)


def test_cells_are_not_made_out_of_their_order() -> None:
    meeting, first = gridded()
    with pytest.raises(OutOfTurn, match="order"):
        meeting.answerer.receive(More(ROUTINE, DAY, first.end + 1, CELLS_MAX, (0,)))


def test_cells_of_parts_that_there_are_not_are_refused() -> None:
    meeting, first = gridded()
    with pytest.raises(OutOfTurn, match="not cut so"):
        meeting.answerer.receive(More(ROUTINE, DAY, 0, 8, (1 << first.bits,)))


def test_more_cells_than_a_message_holds_are_refused() -> None:
    meeting, _ = gridded()
    with pytest.raises(PeerError):
        meeting.answerer.receive(More(ROUTINE, DAY, 0, CELLS_MAX, tuple(range(900))))


def test_no_more_is_told_of_a_day_than_it_has() -> None:
    meeting = opened({(ROUTINE, DAY): {ident(1): State.HELD}})
    told = 0
    with pytest.raises(Exceeded, match="than it has"):
        for _ in range(1000):
            told += len(meeting.answerer.receive(List(ROUTINE, DAY, 0, 0, (), ())).names)
    assert told <= 620 + LIST_IDS_MAX


def test_keys_told_again_and_again_are_told_a_bounded_number_of_times() -> None:
    meeting, _ = gridded()
    key = SALT.position(ident(700))
    told = 0
    with pytest.raises(Exceeded):
        for _ in range(10_000):
            told += len(meeting.answerer.receive(Tell(ROUTINE, DAY, (key,) * 500, (), ())).names)
    assert told <= 620 + LIST_IDS_MAX


def test_keys_of_nothing_are_answered_with_nothing() -> None:
    meeting, _ = gridded()
    nothing = (bytes(8), b"\x55" * 8)
    found = meeting.answerer.receive(Tell(ROUTINE, DAY, nothing, nothing, nothing))
    assert found == Findings(answer=Told(ROUTINE, DAY, (State.ACKED, State.ACKED)))


def asking(make: Callable[[int], Question]) -> tuple[int, int]:
    """Ask until it is refused; return the bytes of questions and of answers."""
    meeting, _ = gridded()
    asked = answered = 0
    with pytest.raises(PeerError):
        for turn in range(100_000):
            question = encode_message(make(turn))
            asked += len(question)
            meeting.budget.charge(len(question))
            decoded = decode_message(question)
            assert isinstance(decoded, Question)
            found = meeting.answerer.receive(decoded)
            assert found.answer is not None
            answered += len(encode_message(found.answer)) + 33 * len(found.names)
    return asked, answered


@pytest.mark.parametrize(
    "make",
    [
        lambda turn: Split(ROUTINE, DAY, 8, 4, tuple(range(256)), bytes(1 << 14)),
        lambda turn: Split(ROUTINE, DAY, 0, 1, (0,), bytes(8)),
        lambda turn: List(ROUTINE, DAY, 16, turn % 65536, (), ()),
        lambda turn: Tell(ROUTINE, DAY, (), (), (bytes(8),) * 2048),
        lambda turn: Tell(ROUTINE, DAY, (turn.to_bytes(8, "big"),), (), ()),
    ],
    ids=["wide splits", "narrow splits", "lists", "states", "keys"],
)
def test_nonsense_without_end_is_refused_after_a_bounded_number_of_bytes(
    make: Callable[[int], Question],
) -> None:
    asked, answered = asking(make)
    allowed = RECONCILE_BYTES_BASE + 9 * 620
    assert asked <= allowed + (1 << 16)
    assert answered <= allowed + 33 * (620 + LIST_IDS_MAX)


# An answerer that lies


@pytest.mark.parametrize("name", ["cells", "parts", "reply", "told", "days"])
def test_answers_to_nothing_are_refused(name: str) -> None:
    message = MESSAGES[name]
    assert isinstance(message, Reaction)
    with pytest.raises(OutOfTurn):
        opened().dialler.receive(message)


def answered(cells: Cells) -> Meeting:
    """Return a meeting that has taken these cells in answer to its GRID."""
    meeting, _ = gridded()
    meeting.dialler.receive(cells)
    return meeting


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (Cells(ROUTINE, OTHER, b"\x01", 9, 0, 0, 1, bytes(11)), "another question"),
        (Cells(ROUTINE, DAY, b"\x01\x00", 9, 0, 0, 1, bytes(11)), "bitmap"),
        (Cells(ROUTINE, DAY, b"\xff", 9, 0, 0, 1, bytes(11)), "bitmap"),
        (Cells(ROUTINE, DAY, b"\x01", 9, 0, 1, 2, bytes(11)), "no whole parts"),
        (Cells(ROUTINE, DAY, b"\x01", 9, 0, 0, 1, bytes(22)), "no whole parts"),
    ],
    ids=["another day", "a long bitmap", "ranges there are not", "not the first", "parts"],
)
def test_cells_that_do_not_fit_the_grid_are_refused(cells: Cells, why: str) -> None:
    with pytest.raises(PeerError, match=why):
        answered(cells)


def play(meeting: Meeting, lie: Callable[[Question], Reaction], *, most: int) -> int:
    """Let the dialler ask and be lied to; return how many questions it asked."""
    asked = 0
    while (question := meeting.dialler.propose()) is not None:
        asked += 1
        assert asked <= most, "it asks without end"
        meeting.dialler.receive(lie(question))
    return asked


def test_cells_that_never_can_be_read_end_in_a_list() -> None:
    meeting, first = gridded()
    noise = bytes(range(1, 12)) * (first.end - first.start)
    meeting.dialler.receive(
        Cells(ROUTINE, DAY, first.differing, first.count, 0, 0, first.end, noise)
    )
    kinds: list[type[Question]] = []

    def lie(question: Question) -> Reaction:
        kinds.append(type(question))
        if isinstance(question, More):
            count = (question.end - question.start) * len(question.parts)
            data = bytes(range(1, 12)) * count
            return Cells(ROUTINE, DAY, b"", 0, 0, question.start, question.end, data)
        answer = meeting.answerer.receive(question).answer
        assert answer is not None
        return answer

    play(meeting, lie, most=60)
    assert kinds[-1] is List
    assert meeting.dialler.finished


def test_splitting_a_large_range_again_and_again_costs_no_more_than_it_says() -> None:
    many = {ident(n): State.HELD for n in range(20_000)}
    meeting = opened({(ROUTINE, DAY): SHARED}, {(ROUTINE, DAY): many})
    meeting.answerer.receive(Grid(ROUTINE, DAY, 0, 1, bytes(4)))
    for _ in range(2000):
        meeting.answerer.receive(Split(ROUTINE, DAY, 0, 1, (0,), bytes(8)))


def test_ranges_that_always_differ_end() -> None:
    meeting = opened(methods=Method.LISTS | Method.SPLITS)

    def lie(question: Question) -> Reaction:
        if isinstance(question, Split):
            modes = (Mode.DIFFERS,) * (len(question.prefixes) << question.fan)
            return Parts(ROUTINE, DAY, modes, b"", ())
        answer = meeting.answerer.receive(question).answer
        assert answer is not None
        return answer

    play(meeting, lie, most=500)
    assert meeting.dialler.finished


def test_a_key_outside_its_range_is_refused() -> None:
    meeting = opened(methods=Method.LISTS | Method.SPLITS)
    grid = meeting.dialler.propose()
    assert isinstance(grid, Grid)
    answer = meeting.answerer.receive(grid).answer
    assert answer is not None
    meeting.dialler.receive(answer)
    split = meeting.dialler.propose()
    assert isinstance(split, Split)
    modes = (Mode.LISTED, *[Mode.EQUAL] * ((1 << split.fan) - 1))
    with pytest.raises(Malformed, match="outside its range"):
        meeting.dialler.receive(Parts(ROUTINE, DAY, modes, b"\x01", (b"\xff" * 8,)))


def test_keys_that_were_made_up_cost_their_maker_a_question_each() -> None:
    # Cells that decode to what nobody has: the answerer is asked to tell it, and has nothing.
    meeting, first = gridded()
    theirs = 1 << 63 | 12345 << 1
    packed = (theirs << 24 | theirs * theirs >> 40 & 0xFFFFFF).to_bytes(CELL_BYTES, "big")
    sums = bytearray(first.sums)
    sums[:CELL_BYTES] = bytes(a ^ b for a, b in zip(sums, packed, strict=False))
    meeting.dialler.receive(
        Cells(ROUTINE, DAY, first.differing, first.count, first.bits, 0, first.end, bytes(sums))
    )
    meeting.run()
    assert meeting.dialler.finished


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_answered_the_dialler_comes_to_an_end(draw: st.DataObject) -> None:
    meeting = opened()
    lies: list[Reaction] = [
        message for message in MESSAGES.values() if isinstance(message, ANSWERS)
    ]

    def lie(question: Question) -> Reaction:
        if draw.draw(st.booleans()):
            answer = meeting.answerer.receive(question).answer
            assert answer is not None
            if isinstance(answer, Cells) and answer.sums and draw.draw(st.booleans()):
                data = bytearray(answer.sums)
                data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
                return Cells(
                    *(answer.traffic, answer.day, answer.differing, answer.count),
                    *(answer.bits, answer.start, answer.end, bytes(data)),
                )
            return answer
        return draw.draw(st.sampled_from(lies))

    try:
        play(meeting, lie, most=300)
    except PeerError:
        return
    assert meeting.dialler.finished
