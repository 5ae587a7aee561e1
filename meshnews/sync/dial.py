"""The dialler's side of a comparison: classes in turn, in each the days that differ.

    dialler                               answerer
    SPANS   per class, digests     --->
                                   <---   DAYS   which differ, and their days
    for each day that differs: LIST, or GRID and what follows it (`meshnews.sync.way`)
    … until no day and no class is left

Days are taken up newest first, behind one that is drawn by lot, a few at a time, and
their questions are asked side by side.  See docs/protocol/sync.md, "Comparison".
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.errors import Malformed, OutOfTurn
from meshnews.ids import BundleId, Day, TrafficClass
from meshnews.limits import COMPARED_AT_ONCE_MAX, DAYS_SPANNED_MAX, QUESTIONS_OPEN_MAX
from meshnews.store.port import PAGES
from meshnews.sync.budget import Purse, Share
from meshnews.sync.choice import is_best_listed
from meshnews.sync.compare import EVER, Findings, Sides
from meshnews.sync.messages import CLASSES, ID_BYTES
from meshnews.sync.question import (
    DAY_FINGERPRINT_BYTES,
    Cells,
    Days,
    Grid,
    List,
    Method,
    More,
    Parts,
    Question,
    Reaction,
    Reply,
    Spans,
    Split,
    Tell,
    Told,
)
from meshnews.sync.salt import span_of
from meshnews.sync.snapshot import snapshot_of
from meshnews.sync.way import DaySides, Way
from meshnews.sync.way_grid import GridWay
from meshnews.sync.way_list import ListWay

_ANSWER_TO: Final[dict[type[Question], type[Reaction]]] = {
    Grid: Cells,
    More: Cells,
    Split: Parts,
    List: Reply,
    Tell: Told,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question about a day that waits for its answer."""

    way: Way
    traffic: TrafficClass
    day: Day
    answer: type[Reaction]


class Dialler:
    """Drives a comparison; obeys `meshnews.sync.compare.Comparison`."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._classes = deque(
            (traffic, bounds) for traffic in CLASSES if (bounds := sides.bounds(traffic))
        )
        self._asked: Spans | None = None
        self._more: Spans | None = None
        self._days: deque[tuple[TrafficClass, Day, int]] = deque()
        self._ways: list[tuple[TrafficClass, Day, Way]] = []
        self._open: deque[_Asked] = deque()
        self._purse = Purse()
        self._share: Share | None = None

    @property
    def finished(self) -> bool:
        """Nothing is left to compare."""
        return not self._classes and self._is_between()

    @property
    def opening(self) -> TrafficClass | None:
        """The next class, when all of those before is compared and nothing of it has begun."""
        return self._classes[0][0] if self._classes and self._is_between() else None

    @property
    def asking(self) -> TrafficClass | None:
        """The class of the next question; None: all is asked."""
        self._let_go()
        if self._ways or self._days:
            return (self._ways or self._days)[0][0]
        return self._more.traffic if self._more is not None else self.opening

    def _is_between(self) -> bool:
        self._let_go()
        return not (self._asked or self._more or self._days or self._open or self._ways)

    @property
    def is_asking(self) -> bool:
        """A question has gone out and is not answered."""
        return bool(self._asked or self._open)

    @property
    def is_cut_short(self) -> bool:
        """Something was left to another contact: the comparison may cost no more."""
        return self._purse.ran_out

    def credit_bundle(self) -> None:
        """Count a bundle that the peer has stored."""
        self._purse.credit_bundle()

    # Asking

    def propose(self) -> Question | None:
        """Return the next question that may be asked now, or None."""
        if self._asked or len(self._open) >= QUESTIONS_OPEN_MAX:
            return None
        if (question := self._next_of_day()) is not None:
            return question
        if self._open or self._ways or self._days:
            return None
        if self._more is not None:
            self._asked, self._more = self._more, None
        elif self._classes:
            traffic, bounds = self._classes.popleft()
            self._share = self._purse.share(behind=len(self._classes))
            self._asked = self._spans(traffic, *bounds)
        return self._asked

    def _next_of_day(self) -> Question | None:
        while True:
            for traffic, day, way in self._ways:
                if (question := way.propose()) is not None:
                    answer = _ANSWER_TO[type(question)]
                    self._open.append(_Asked(way, traffic, day, answer))
                    return question
            self._let_go()
            if not self._days or len(self._ways) >= COMPARED_AT_ONCE_MAX:
                return None
            traffic, day, theirs = self._days.popleft()
            self._ways.append((traffic, day, self._way(traffic, day, theirs)))

    def _way(self, traffic: TrafficClass, day: Day, theirs: int) -> Way:
        sides = self._sides
        share = self._purse.share(behind=len(self._days), above=self._share)
        share.allow_listing(theirs)
        one = DaySides(sides, traffic, day, theirs, share)
        pages = sides.elements.pages(traffic, day)
        ours = sum(page.count for page in pages.values())
        finer = sides.both_know(Method.CELLS) or sides.both_know(Method.SPLITS)
        if finer and not is_best_listed(ours, theirs):
            return GridWay(one)
        everything = snapshot_of(sides.elements, sides.salt, traffic, day, range(PAGES))
        return ListWay(one, everything, theirs=theirs)

    def _let_go(self) -> None:
        """Forget the days that are compared."""
        self._ways = [one for one in self._ways if not one[2].finished]

    def _spans(self, traffic: TrafficClass, newest: Day, oldest: Day) -> Spans:
        digests = self._sides.elements.digests(traffic, newest, oldest)
        spans = self._sides.salt.span_digests(digests, newest=newest, oldest=oldest)
        return Spans(traffic, newest, oldest, spans)

    # Answers

    def receive(self, message: Question | Reaction) -> Findings:
        """Take in an answer.

        Raises:
            PeerError: it answers nothing that was asked, or contradicts itself.
        """
        match message:
            case Days():
                self._take_days(message)
                return Findings()
            case Cells() | Parts() | Reply() | Told():
                return self._take_answer(message)
            case _:
                raise OutOfTurn(f"{type(message).__name__} from the side that answers")

    def _take_answer(self, answer: Cells | Parts | Reply | Told) -> Findings:
        if not self._open:
            raise OutOfTurn(f"{type(answer).__name__} that was not asked for")
        asked = self._open.popleft()
        if type(answer) is not asked.answer or (answer.traffic, answer.day) != (
            *(asked.traffic, asked.day),
        ):
            raise OutOfTurn(f"{type(answer).__name__} to another question")
        return asked.way.receive(answer)

    def _take_days(self, message: Days) -> None:
        asked = self._asked
        if asked is None or asked.traffic is not message.traffic:
            raise OutOfTurn("Days that were not asked for")
        self._asked = None
        for day in message.days:
            inside = asked.oldest <= day <= asked.newest
            if not inside or not message.differing >> span_of(day, asked.newest) & 1:
                raise Malformed("a day outside the spans that differ")
        lowest = asked.oldest
        if len(message.days) == DAYS_SPANNED_MAX and message.days[-1] > asked.oldest:
            lowest = message.days[-1]
            newest = Day(lowest - 2)
            if newest >= asked.oldest:
                self._more = self._spans(asked.traffic, newest, asked.oldest)
        theirs = dict(_fingerprints(message))
        for day, digest in self._sides.elements.digests(asked.traffic, asked.newest, lowest):
            if message.differing >> span_of(day, asked.newest) & 1:
                fingerprint, count = theirs.get(day, (b"", 0))
                if fingerprint == self._sides.salt.fingerprint(digest):
                    del theirs[day]
                else:
                    theirs[day] = b"", count
        self._days.extend(
            (asked.traffic, day, theirs[day][1]) for day in self._in_order(asked.traffic, theirs)
        )

    def _in_order(self, traffic: TrafficClass, days: Iterable[Day]) -> list[Day]:
        """Return days in the order in which they are compared: newest first, but for one.

        Another one is drawn in each contact, to be compared before all.  Else days that
        never become alike could take what there is to spend in every contact, and those
        behind them would have little for ever.  What is older than we compare, of which we
        say nothing, is left as it is.
        """
        horizon = self._sides.horizon if traffic else EVER
        order = sorted((day for day in days if day >= horizon), reverse=True)
        if order:
            drawn = self._sides.salt.position(BundleId(bytes((traffic,)) * ID_BYTES))
            order.insert(0, order.pop(int.from_bytes(drawn, "big") % len(order)))
        return order


def _fingerprints(message: Days) -> Iterator[tuple[Day, tuple[bytes, int]]]:
    for at, (day, count) in enumerate(zip(message.days, message.counts, strict=True)):
        start = at * DAY_FINGERPRINT_BYTES
        yield day, (message.fingerprints[start : start + DAY_FINGERPRINT_BYTES], count)
