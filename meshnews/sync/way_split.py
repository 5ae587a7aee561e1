"""Comparing what differs of a day by ranges, cut finer and finer until they are small.

    SPLIT  fingerprints of the ranges in some ranges  --->
                                                      <---  PARTS  equal, differs, or listed
    … until nothing differs that is not listed, then
    TELL   keys that only the answerer has            --->
                                                      <---  (names, receipts), TOLD

See docs/protocol/sync.md, "Splits".
"""

from collections import deque
from collections.abc import Iterator

from meshnews.errors import Malformed, OutOfTurn
from meshnews.limits import SPLIT_BITS_MAX, SPLIT_PREFIXES_MAX
from meshnews.sync.compare import Findings
from meshnews.sync.question import (
    RANGE_BYTES,
    Mode,
    Parts,
    Question,
    Reaction,
    Split,
)
from meshnews.sync.snapshot import POSITION_BITS, Snapshot
from meshnews.sync.way import HEAD_BYTES, DaySides, Settlement

_ANSWERED_BYTES = 17
"""What PARTS may take for each range: two keys, on average."""


class SplitWay:
    """Compares a snapshot by splitting it."""

    def __init__(self, day: DaySides, snapshot: Snapshot) -> None:
        self._day = day
        self._snapshot = snapshot
        self._fan = day.sides.manner.fan
        self._ranges: dict[int, list[int]] = {0: [0]}
        """By their number of bits, those that differ."""
        self._open: deque[Split] = deque()
        self._settlement = Settlement(day)

    @property
    def finished(self) -> bool:
        """Nothing differs that is not listed and settled, or all else is given up."""
        return not (self._ranges or self._open) and self._settlement.finished

    def propose(self) -> Question | None:
        """Return the next question that may be asked now, or None."""
        if self._ranges:
            return self._split()
        return self._settlement.propose()

    def _split(self) -> Split | None:
        bits = min(self._ranges)
        prefixes = sorted(self._ranges[bits])
        asked, rest = prefixes[:SPLIT_PREFIXES_MAX], prefixes[SPLIT_PREFIXES_MAX:]
        ranges = len(asked) << self._fan
        if not self._day.share.spend(
            HEAD_BYTES + 4 * len(asked) + (RANGE_BYTES + _ANSWERED_BYTES) * ranges
        ):
            self._ranges.clear()
            return None
        if rest:
            self._ranges[bits] = rest
        else:
            del self._ranges[bits]
        fingerprints = b"".join(
            self._snapshot.fingerprint(*one) for one in children(asked, bits, self._fan)
        )
        day = self._day
        question = Split(day.traffic, day.day, bits, self._fan, tuple(asked), fingerprints)
        self._open.append(question)
        return question

    def receive(self, answer: Reaction) -> Findings:
        """Take in PARTS or TOLD.

        Raises:
            PeerError: it is not the answer to what was asked.
        """
        if not isinstance(answer, Parts):
            return self._settlement.receive(answer)
        if not self._open:
            raise OutOfTurn("Parts that were not asked for")
        asked = self._open.popleft()
        if len(answer.modes) != len(asked.prefixes) << asked.fan:
            raise Malformed("parts of other ranges than were asked for")
        return self._take(answer, asked)

    def _take(self, answer: Parts, asked: Split) -> Findings:
        findings = Findings()
        counts, keys = iter(answer.counts), iter(answer.keys)
        deeper: list[int] = []
        for mode, (bits, prefix) in zip(
            answer.modes, children(asked.prefixes, asked.bits, asked.fan), strict=True
        ):
            if mode is Mode.DIFFERS:
                deeper.append(prefix)
            elif mode is Mode.LISTED:
                theirs = [int.from_bytes(next(keys), "big") for _ in range(next(counts))]
                if any(key >> (POSITION_BITS - bits) != prefix for key in theirs):
                    raise Malformed("a key outside its range")
                self._compare(bits, prefix, set(theirs), findings)
        if deeper:
            self._go_on(asked.bits + asked.fan, deeper)
        return findings

    def _go_on(self, bits: int, prefixes: list[int]) -> None:
        if bits + self._fan <= SPLIT_BITS_MAX:
            self._ranges.setdefault(bits, []).extend(prefixes)
        else:
            # Positions are salted: nobody honest gets so deep.
            self._ranges.clear()

    def _compare(self, bits: int, prefix: int, theirs: set[int], findings: Findings) -> None:
        ours = set(self._snapshot.keys(*self._snapshot.between(bits, prefix)))
        self._settlement.add(
            self._snapshot,
            only_ours=sorted(ours - theirs),
            only_theirs=sorted(theirs - ours),
            into=findings,
        )


def children(
    prefixes: tuple[int, ...] | list[int], bits: int, fan: int
) -> Iterator[tuple[int, int]]:
    """Yield the ranges in some ranges, each as its number of bits and its prefix.

    Raises:
        Nothing.
    """
    for prefix in prefixes:
        for child in range(prefix << fan, prefix + 1 << fan):
            yield bits + fan, child
