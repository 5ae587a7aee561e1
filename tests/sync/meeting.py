"""Two sides of a comparison, without a store or a bundle in sight, and what it took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshnews.crypto.digest import Label, b2
from meshnews.ids import BundleId, Day, TrafficClass
from meshnews.store.bucket import Bucket
from meshnews.store.port import PAGES, Page, State
from meshnews.sync.answer import Answerer
from meshnews.sync.budget import Budget
from meshnews.sync.compare import FAST, SLOW, Elements, Findings, Manner, Sides
from meshnews.sync.dial import Dialler
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.messages import CLASSES, ClassTerms, Flag, Hello
from meshnews.sync.question import Method, Question, Reaction
from meshnews.sync.salt import Salt

SALT = Salt(session=b"s" * 64, dialler_nonce=b"d" * 16, acceptor_nonce=b"a" * 16)
EVERY = Method.LISTS | Method.CELLS | Method.SPLITS
Buckets = Mapping[tuple[TrafficClass, Day], Mapping[BundleId, State]]

__all__ = ["EVERY", "FAST", "SALT", "SLOW", "Buckets", "Listing", "Meeting", "hello_of", "ident"]


def ident(number: int) -> BundleId:
    return BundleId(b2(Label.BUNDLE_ID, number.to_bytes(8, "big")))


class Listing:
    """Buckets in memory."""

    def __init__(self, buckets: Buckets) -> None:
        self.buckets: dict[tuple[TrafficClass, Day], Bucket] = {}
        for key, elements in buckets.items():
            if elements:
                bucket = Bucket(dict(elements), sorted(elements))
                bucket.compared = len(elements)
                self.buckets[key] = bucket

    def digests(
        self, traffic: TrafficClass, newest: Day, oldest: Day
    ) -> Sequence[tuple[Day, bytes]]:
        return [
            (day, bucket.index.digest())
            for (kind, day), bucket in sorted(self.buckets.items(), key=lambda item: item[0])
            if kind is traffic and oldest <= day <= newest
        ]

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        bucket = self.buckets.get((traffic, day))
        return bucket.index.pages() if bucket else {}

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        bucket = self.buckets.get((traffic, day))
        return list(bucket.elements(first, end)) if bucket else []

    def days(self, traffic: TrafficClass) -> list[Day]:
        return sorted(day for kind, day in self.buckets if kind is traffic)


def hello_of(
    days: Mapping[TrafficClass, Sequence[Day]],
    *,
    acked: bool = False,
    oldest: int = 0,
    methods: Method = EVERY,
) -> Hello:
    flags = Flag.SERVES | Flag.WANTS | (Flag.WANTS_ACKED if acked else Flag(0))
    classes: list[ClassTerms] = []
    for traffic in CLASSES:
        listed = days.get(traffic, ())
        some = flags | Flag.NONEMPTY if listed else flags
        lowest = Day(oldest if traffic else 0)
        classes.append(ClassTerms(some, max(listed, default=Day(0)), lowest, 1 << 20))
    return Hello(b"n" * 16, b"i" * 16, tuple(classes), 65536, int(methods))


@dataclass
class Counts:
    """What a comparison took: bytes each way, and changes of direction."""

    dialler_bytes: int = 0
    answerer_bytes: int = 0
    turns: int = 0

    @property
    def bytes(self) -> int:
        return self.dialler_bytes + self.answerer_bytes


class Meeting:
    """A dialler and an answerer, and what they found out.

    Everything goes through its bytes, so that no message breaks a limit, and is charged
    as a conversation charges it.
    """

    def __init__(
        self,
        left: Elements,
        right: Elements,
        hellos: tuple[Hello, Hello],
        *,
        salt: Salt = SALT,
        manner: Manner = SLOW,
    ) -> None:
        self.budget = Budget()
        self.dialler = Dialler(Sides(left, salt, *hellos, manner))
        self.answerer = Answerer(Sides(right, salt, hellos[1], hellos[0], manner), self.budget)
        self.found = Findings(), Findings()
        self.counts = Counts()
        self.said: list[str] = []

    @staticmethod
    def of(
        left: Buckets,
        right: Buckets,
        *,
        acked: bool = False,
        methods: Method = EVERY,
        manner: Manner = SLOW,
        salt: Salt = SALT,
    ) -> "Meeting":
        ours, theirs = Listing(left), Listing(right)
        one, other = (
            hello_of(
                {traffic: side.days(traffic) for traffic in CLASSES}, acked=acked, methods=methods
            )
            for side in (ours, theirs)
        )
        return Meeting(ours, theirs, (one, other), manner=manner, salt=salt)

    def step(self) -> bool:
        """Let the dialler ask all it may, and the answerer answer; tell whether any was asked."""
        questions: list[bytes] = []
        while (step := self.dialler.propose()) is not None:
            questions.append(encode_message(step))
            self.said.append(type(step).__name__)
        if not questions:
            return False
        self.counts.turns += 2
        answers: list[bytes] = []
        for body in questions:
            self.counts.dialler_bytes += len(body)
            self.budget.charge(len(body))
            question = decode_message(body)
            assert isinstance(question, Question)
            findings = self.answerer.receive(question)
            self._add(1, findings)
            assert findings.answer is not None
            answers.append(encode_message(findings.answer))
        for body in answers:
            self.counts.answerer_bytes += len(body)
            answer = decode_message(body)
            assert isinstance(answer, Reaction)
            self._add(0, self.dialler.receive(answer))
        return True

    def run(self) -> None:
        while self.step():
            pass
        assert self.dialler.finished

    def _add(self, side: int, findings: Findings) -> None:
        self.found[side].names += findings.names
        self.found[side].short_receipts += findings.short_receipts
        self.found[side].full_receipts += findings.full_receipts
