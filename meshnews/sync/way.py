"""What the ways of comparing one day have in common, seen from the dialler.

    way.propose() -> question     way.receive(answer) -> findings     until way.finished

A `Way` may hand the day over to another once it knows more of it: GRID to cells,
splits or a list; cells that cannot be read to a list.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from meshnews.errors import OutOfTurn
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import KEYS_TOLD_MAX
from meshnews.store.port import ACKED, State
from meshnews.sync.budget import Share
from meshnews.sync.compare import Findings, Sides
from meshnews.sync.messages import SHORT_BYTES, Flag
from meshnews.sync.question import Question, Reaction, Tell, Told
from meshnews.sync.snapshot import Snapshot
from meshnews.sync.verdict import tell

HEAD_BYTES: Final = 32
"""More than a question has beside what it carries."""


class Way(Protocol):
    """One way to compare one day."""

    @property
    def finished(self) -> bool:
        """Nothing is left to ask, and no answer awaited."""
        ...

    def propose(self) -> Question | None:
        """Return the next question that may be asked now, or None."""
        ...

    def receive(self, answer: Reaction) -> Findings:
        """Take in the answer to the earliest question that has none.

        Raises:
            PeerError: it is none, or contradicts itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class DaySides:
    """One day of a comparison, seen from the dialler.

    Attributes:
        theirs: how many elements the answerer says it has; 0 for none.
        share: what may be spent on the day.
    """

    sides: Sides
    traffic: TrafficClass
    day: Day
    theirs: int
    share: Share

    def ref(self, snapshot: Snapshot, at: int) -> BundleRef:
        """Return the reference of an element."""
        return BundleRef(self.traffic, self.day, snapshot.element(at)[0])


class Settlement:
    """Turns keys that only one side has into names, receipts and TELLs.

    Keys that differ in the lowest bit only are one bundle: of such a pair the side that
    has it acked owes the other the short receipt.
    """

    def __init__(self, day: DaySides) -> None:
        self._day = day
        self._unknown: list[bytes] = []
        self._receipts: list[bytes] = []
        self._asked: list[bytes] = []
        self._open: list[tuple[BundleRef, ...]] = []
        self._refs: dict[bytes, BundleRef] = {}

    @property
    def finished(self) -> bool:
        """Everything is told, and every answer here."""
        return not (self._unknown or self._receipts or self._asked or self._open)

    def add(
        self, snapshot: Snapshot, *, only_ours: list[int], only_theirs: list[int], into: Findings
    ) -> None:
        """Take in what one part of the day differs in."""
        alone = {key | 1 for key in only_ours}
        for key in only_theirs:
            if key | 1 not in alone:
                self._unknown.append(_packed(key))
            elif key & 1:
                self._receipts.append(_packed(key))
        paired = {key | 1 for key in only_theirs}
        for key in only_ours:
            at = snapshot.find(key)
            assert at is not None, "it is ours"
            if key | 1 not in paired:
                tell(self._day.sides, self._day.ref(snapshot, at), snapshot.element(at)[1], into)
            elif key & 1:
                self._settle_acked(snapshot, at, into)

    def _settle_acked(self, snapshot: Snapshot, at: int, into: Findings) -> None:
        """Decide on a bundle that is acked here and not there."""
        identifier, state = snapshot.element(at)
        ref = BundleRef(self._day.traffic, self._day.day, identifier)
        wants = self._day.sides.they_want(ref.traffic, Flag.WANTS_ACKED)
        if state is State.ACKED_WITH_BODY and wants:
            # Whether the body is lacking there only the peer can say.
            key = snapshot.short(at)
            self._asked.append(key)
            self._refs[key] = ref
        else:
            into.short_receipts.append(ref)

    def propose(self) -> Tell | None:
        """Return the next TELL, if there is anything to tell and means to."""
        room = KEYS_TOLD_MAX
        parts: list[tuple[bytes, ...]] = []
        for keys in (self._unknown, self._receipts, self._asked):
            parts.append(tuple(keys[:room]))
            room -= len(parts[-1])
            del keys[: len(parts[-1])]
        if room == KEYS_TOLD_MAX:
            return None
        if not self._day.share.spend(HEAD_BYTES + SHORT_BYTES * (KEYS_TOLD_MAX - room)):
            self._drop()
            return None
        message = Tell(self._day.traffic, self._day.day, *parts)
        self._open.append(tuple([self._refs.pop(key) for key in message.asked]))
        return message

    def _drop(self) -> None:
        """Leave the rest to another contact."""
        for keys in (self._unknown, self._receipts, self._asked):
            keys.clear()

    def receive(self, answer: Reaction) -> Findings:
        """Take in TOLD.

        Raises:
            OutOfTurn: it is the answer to nothing that was told.
        """
        if not isinstance(answer, Told) or not self._open:
            raise OutOfTurn(f"{type(answer).__name__} in place of Told")
        asked = self._open.pop(0)
        if len(asked) != len(answer.states):
            raise OutOfTurn("Told of another count than was asked for")
        findings = Findings()
        for ref, state in zip(asked, answer.states, strict=True):
            if state is State.LACKING:
                findings.names.append(ref)
            elif state not in ACKED:
                findings.short_receipts.append(ref)
        return findings


def _packed(key: int) -> bytes:
    return key.to_bytes(SHORT_BYTES, "big")
