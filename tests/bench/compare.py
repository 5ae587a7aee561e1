"""What finding out the difference of two stores takes: messages, round trips, work, memory.

    python -m tests.bench.compare [name…]      figures of these cases, or of all

Two processes, each with a store on disk as a daemon has it, and with the elements of
the case in its index; this one hands their messages over and counts them.  Bytes are
those of HELLO and of all messages of the comparison, both ways; names of what differs (33
bytes each) belong to the transfer and are counted apart.  Seconds are those of a link
with 20 kB/s in all and 80 ms there and back, on which the sides take turns.
"""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from meshnews.crypto.entropy import SeededEntropy
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.store.custody import Custody
from meshnews.store.port import Entry, State
from meshnews.store.terms import Terms
from meshnews.sync.answer import Answerer
from meshnews.sync.budget import Budget
from meshnews.sync.compare import SLOW, Findings, Sides
from meshnews.sync.dial import Dialler
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.messages import CLASSES, Done, Hello
from meshnews.sync.question import Method, Question, Reaction
from meshnewsd.storage.database import open_database
from meshnewsd.storage.home import CARRY_FILE
from meshnewsd.storage.schema import CARRY_SCHEMA
from meshnewsd.storage.store import Store, open_store
from tests.sync.meeting import SALT, hello_of

TODAY = Day(2100)
LIVE_DAYS = 8
"""Steps of two days in which a bundle with the longest life is alive."""

KEY = bytes(32)
BYTES_PER_S = 20_000
TURN_S = 0.04
NAME_BYTES = 33
OUT = Path("build/bench.json")


@dataclass(frozen=True)
class Case:
    """So many elements in all, of which so many are on one side only, half on each.

    `classes` are those they are spread over; with `crowded`, whoever made the
    identifiers made them all begin with one byte, so that every bucket has one page.
    """

    elements: int
    differing: int
    classes: tuple[TrafficClass, ...] = (TrafficClass.ROUTINE,)
    crowded: bool = False
    methods: Method = Method.LISTS | Method.CELLS


CASES = {
    "compare_equal_100k": Case(100_000, 0, CLASSES),
    "compare_100k_1k": Case(100_000, 1000),
    "compare_1m_1k": Case(1_000_000, 1000),
    "compare_1m_10k": Case(1_000_000, 10_000),
    "compare_100k_1k_crowded": Case(100_000, 1000, crowded=True),
    "compare_1m_10": Case(1_000_000, 10),
    "compare_100k_1k_lists": Case(100_000, 1000, methods=Method.LISTS),
    "compare_100k_1k_splits": Case(100_000, 1000, methods=Method.LISTS | Method.SPLITS),
    "compare_1m_1k_splits": Case(1_000_000, 1000, methods=Method.LISTS | Method.SPLITS),
}


def peak_mb() -> float:
    """Return the most memory that this process has had; of another program before it, nothing."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def refs(case: Case, part: str, count: int) -> Iterator[BundleRef]:
    """Yield references that both sides know, or one of them."""
    rng = random.Random(f"{case.elements} {part}")
    for number in range(count):
        identifier = rng.randbytes(32)
        if case.crowded:
            identifier = b"\x2a" + identifier[1:]
        traffic = case.classes[number % len(case.classes)]
        yield BundleRef(traffic, Day(TODAY - 2 * rng.randrange(LIVE_DAYS)), BundleId(identifier))


def fill(folder: Path, case: Case) -> None:
    """Make a store whose index has what both sides know."""
    folder.mkdir()
    database = open_database(folder / CARRY_FILE, KEY, CARRY_SCHEMA, cache_kib=262_144)
    database.begin()
    rows = sorted(refs(case, "shared", case.elements - case.differing))
    for seq, ref in enumerate(rows):
        database.write("INSERT INTO element VALUES (?, ?, ?, ?, 0)", (*ref, seq))
    database.commit()
    database.close()


# One side, in a process of its own


def send(stream: IO[bytes], body: bytes) -> None:
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    return stream.read(struct.unpack(">I", stream.read(4))[0])


def arrive(store: Store, case: Case, side: str) -> None:
    """Let this side's own share of what differs arrive, as in a contact with others."""
    number = case.differing // 2

    def work() -> None:
        for ref in refs(case, side, number):
            entry = Entry(
                ref, State.HELD, 2048, AuthKind.STAMP, b"", Day(ref.day + 16), 1e9, had_body=True
            )
            store.carry.add(entry, bytes(2048))

    store.transact(work)


class Side:
    """One side of the comparison, over its store."""

    def __init__(self, folder: Path, case: Case, side: str) -> None:
        self.store = open_store(folder, KEY)
        terms = Terms(quota_bytes=1 << 40, collector=False, desk=False)
        self.custody = Custody(self.store.carry, terms, SeededEntropy(b"bench"), lambda _: [])
        began = time.process_time()
        for traffic in CLASSES:
            self.custody.digests(traffic, TODAY, Day(0))
        self.cold_s = time.process_time() - began
        arrive(self.store, case, side)
        self.began = time.process_time()
        days = {traffic: self.custody.days(traffic) for traffic in CLASSES}
        self.hello = hello_of(days, oldest=TODAY - 16, methods=case.methods)
        self.findings = Findings()

    def note(self, findings: Findings) -> None:
        self.findings.names += findings.names

    def sides(self, theirs: Hello) -> Sides:
        return Sides(self.custody, SALT, self.hello, theirs, SLOW)

    def report(self) -> bytes:
        spent = time.process_time() - self.began
        names = [ref.id.hex() for ref in self.findings.names]
        return json.dumps(
            {"cpu_s": spent, "cold_s": self.cold_s, "rss_mb": peak_mb(), "names": names}
        ).encode()


def play(folder: Path, name: str, side: str) -> None:
    """Be one side: a batch of messages in, a batch of messages out, until an empty one."""
    into, out = sys.stdin.buffer, sys.stdout.buffer
    one = Side(folder, CASES[name], side)
    send(out, encode_message(one.hello))
    theirs = decode_message(receive(into))
    assert isinstance(theirs, Hello)
    (dial if side == "dialler" else answer)(one, theirs, into, out)
    send(out, one.report())


def dial(one: Side, theirs: Hello, into: IO[bytes], out: IO[bytes]) -> None:
    dialler = Dialler(one.sides(theirs))
    while True:
        questions: list[bytes] = []
        while (question := dialler.propose()) is not None:
            questions.append(encode_message(question))
        send(out, json.dumps([body.hex() for body in questions]).encode())
        if not questions:
            break
        for text in json.loads(receive(into)):
            reaction = decode_message(bytes.fromhex(text))
            assert isinstance(reaction, Reaction)
            one.note(dialler.receive(reaction))
    assert dialler.finished


def answer(one: Side, theirs: Hello, into: IO[bytes], out: IO[bytes]) -> None:
    budget = Budget()
    answerer = Answerer(one.sides(theirs), budget)
    while texts := json.loads(receive(into)):
        answers: list[bytes] = []
        for text in texts:
            body = bytes.fromhex(text)
            budget.charge(len(body))
            question = decode_message(body)
            assert isinstance(question, Question)
            findings = answerer.receive(question)
            one.note(findings)
            assert findings.answer is not None
            answers.append(encode_message(findings.answer))
        send(out, json.dumps([body.hex() for body in answers]).encode())


# Both sides, seen from between them


class Pipe:
    """What goes to and comes from a side."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._into, self._out = process.stdin, process.stdout

    def send(self, body: bytes) -> None:
        send(self._into, body)

    def receive(self) -> bytes:
        return receive(self._out)


def talk(folder: Path, name: str) -> dict[str, Any]:
    """Let both sides compare; return the figures."""
    command = [sys.executable, "-m", "tests.bench.compare", "--side"]
    processes = [
        subprocess.Popen(  # our own interpreter, our own words
            [*command, str(folder / side), name, side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for side in ("dialler", "answerer")
    ]
    dialler, answerer = (Pipe(process) for process in processes)
    hellos = dialler.receive(), answerer.receive()
    dialler.send(hellos[1])
    answerer.send(hellos[0])
    total, turns = sum(map(len, hellos)) + len(encode_message(Done())), 1
    while True:
        questions = dialler.receive()
        answerer.send(questions)
        if questions == b"[]":
            break
        answers = answerer.receive()
        dialler.send(answers)
        total += sum(len(body) // 2 for body in json.loads(questions) + json.loads(answers))
        turns += 2
    reports = [json.loads(dialler.receive()), json.loads(answerer.receive())]
    for process in processes:
        assert process.wait() == 0
    return figures(CASES[name], total, turns, reports)


def figures(
    case: Case, total: int, turns: int, reports: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    for side, report in zip(("dialler", "answerer"), reports, strict=True):
        expected = {ref.id.hex() for ref in refs(case, side, case.differing // 2)}
        assert set(report["names"]) == expected, "not exactly what differs was found"
        assert len(report["names"]) == len(expected), "something was named twice"
    cpu_s = [report["cpu_s"] for report in reports]
    link_s = total / BYTES_PER_S + turns * TURN_S
    return {
        "bytes": total,
        "round_trips": turns / 2,
        "seconds_at_20kbs_80ms": round(link_s, 2),
        "cpu_s": round(sum(cpu_s), 2),
        "rss_mb": round(max(report["rss_mb"] for report in reports), 1),
        "seconds_with_cpu": round(link_s + sum(cpu_s), 2),
        "cpu_cold_s": round(max(report["cold_s"] for report in reports), 2),
        "names_bytes": NAME_BYTES * case.differing,
    }


def measure(name: str) -> dict[str, Any]:
    """Return the figures of one case."""
    with tempfile.TemporaryDirectory(prefix="compare") as folder:
        fill(Path(folder) / "dialler", CASES[name])
        shutil.copytree(Path(folder) / "dialler", Path(folder) / "answerer")
        return talk(Path(folder), name)


def main() -> None:
    names = sys.argv[1:] or list(CASES)
    found: dict[str, Any] = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
    for name in names:
        found[name] = measure(name)
        print(f"{name:26} {json.dumps(found[name])}", flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + os.linesep, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        play(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        main()
