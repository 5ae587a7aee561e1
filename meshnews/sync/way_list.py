"""Comparing a day by lists: every element of the dialler, by its short id and state.

    LIST  one range --->
                    <---  (names, receipts), REPLY

See docs/protocol/sync.md, "Lists".
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meshnews.errors import Malformed, OutOfTurn
from meshnews.ids import BundleId, BundleRef
from meshnews.limits import LIST_IDS_MAX, QUESTIONS_OPEN_MAX, RANGE_BITS_MAX
from meshnews.store.port import ACKED, State
from meshnews.sync.budget import LISTED_BYTES
from meshnews.sync.compare import Findings
from meshnews.sync.question import Answer, List, Reaction, Reply
from meshnews.sync.snapshot import Snapshot
from meshnews.sync.way import HEAD_BYTES, DaySides


@dataclass(frozen=True, slots=True)
class _Open:
    """A LIST that waits for its REPLY."""

    asked: List
    listed: tuple[tuple[BundleId, State], ...]


class ListWay:
    """Lists a day, or the ranges `prefixes` of `bits` bits of it."""

    def __init__(
        self,
        day: DaySides,
        snapshot: Snapshot,
        *,
        theirs: int,
        bits: int = 0,
        prefixes: Iterable[int] = (0,),
    ) -> None:
        self._day = day
        self._snapshot = snapshot
        self._lists: Iterator[tuple[List, _Open]] | None = self._cut(theirs, bits, prefixes)
        self._open: deque[_Open] = deque()

    @property
    def finished(self) -> bool:
        """Everything is listed, and every answer here."""
        return self._lists is None and not self._open

    def propose(self) -> List | None:
        """Return the next LIST that may be sent now, or None."""
        if self._lists is None or len(self._open) >= QUESTIONS_OPEN_MAX:
            return None
        following = next(self._lists, None)
        if following is None or not self._day.share.spend(
            HEAD_BYTES + LISTED_BYTES * len(following[1].listed)
        ):
            # Either that was all, or the peer takes so little of what we have that it
            # would soon refuse to compare: the rest is left to another contact.
            self._lists = None
            return None
        self._open.append(following[1])
        return following[0]

    def _cut(self, theirs: int, bits: int, prefixes: Iterable[int]) -> Iterator[tuple[List, _Open]]:
        finer = 0
        expected = max(len(self._snapshot), theirs) >> bits
        while expected > LIST_IDS_MAX // 2 << finer and bits + finer < RANGE_BITS_MAX:
            finer += 1
        for prefix in prefixes:
            for part in range(prefix << finer, prefix + 1 << finer):
                yield self._list(bits + finer, part)

    def _list(self, bits: int, prefix: int) -> tuple[List, _Open]:
        snapshot, day = self._snapshot, self._day
        start, end = snapshot.between(bits, prefix)
        end = min(end, start + LIST_IDS_MAX)
        listed = tuple([snapshot.element(at) for at in range(start, end)])
        shorts = tuple([snapshot.short(at) for at in range(start, end)])
        states = tuple([state for _, state in listed])
        message = List(day.traffic, day.day, bits, prefix, shorts, states)
        return message, _Open(message, listed)

    def receive(self, answer: Reaction) -> Findings:
        """Take in REPLY.

        Raises:
            PeerError: it is the answer to another list, or asks for what was not listed.
        """
        if not isinstance(answer, Reply) or not self._open:
            raise OutOfTurn(f"{type(answer).__name__} in place of Reply")
        waiting = self._open.popleft()
        asked = waiting.asked
        if (answer.bits, answer.prefix) != (asked.bits, asked.prefix) or len(answer.answers) != len(
            waiting.listed
        ):
            raise OutOfTurn("Reply to another list")
        findings = Findings()
        for one, (identifier, state) in zip(answer.answers, waiting.listed, strict=True):
            if one is not Answer.NOTHING:
                ref = BundleRef(asked.traffic, asked.day, identifier)
                _answer(one, ref, state, findings)
        return findings


def _answer(answer: Answer, ref: BundleRef, state: State, findings: Findings) -> None:
    if answer is Answer.NAME and state in {State.HELD, State.ACKED_WITH_BODY}:
        findings.names.append(ref)
    elif answer is Answer.SHORT_RECEIPT and state in ACKED:
        findings.short_receipts.append(ref)
    elif answer is Answer.FULL_RECEIPT and state in ACKED:
        findings.full_receipts.append(ref)
    else:
        raise Malformed("a reply that asks for what was not listed")
