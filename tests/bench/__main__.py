"""`make bench`: figures of two daemons on this machine over loopback, and of the library.

Times are noisy on shared machines: compare CPU seconds, bytes, and ratios
within one run.  Writes build/bench.json.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meshnews.bundle.open import find, open_found
from meshnews.bundle.seal import Reader, seal
from meshnews.control import codec
from meshnews.control.reply import NeighbourListing, Welcome
from meshnews.control.request import Hello, Neighbours
from meshnews.crypto.keys import Ed25519Secret, PrekeySecret, X25519Secret
from meshnews.ids import Day, KeyRef, TrafficClass
from meshnews_cli.client import Connection, connect
from tests.bench import compare
from tests.bench.load import Press, count, issuer_of, put
from tests.bundle.kit import Given
from tests.demo.stage import LoopbackMachine, LoopbackWorld
from tests.e2e.newsroom import Newsroom
from tests.e2e.world import PASSPHRASE

TICKS = os.sysconf("SC_CLK_TCK")
OUT = Path("build/bench.json")
FIFTY_MB = 50 * 1000 * 1000
CHUNK_WIRE = 66560


class Pair:
    """A relay that holds something, and a collector that calls nobody; the relay calls it."""

    def __init__(self, newsroom: "BenchRoom", issuer: Ed25519Secret, name: str) -> None:
        self.giver = newsroom.machines[f"{name}-giver"]
        self.taker = newsroom.machines[f"{name}-taker"]
        self.press = Press(issuer, Day(int(time.time() - 18262 * 86400) // 86400))


class BenchRoom(Newsroom):
    """A desk whose relays come in pairs."""

    @property
    def machines(self) -> dict[str, LoopbackMachine]:
        return self.world.machines  # type: ignore[return-value]  # a LoopbackWorld makes no others


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def talk_to(machine: LoopbackMachine) -> Connection:
    connection = connect(machine.home)
    assert connection is not None, "no daemon"
    connection.ask(Hello(codec.VERSION), Welcome)
    return connection


def crossed(connection: Connection) -> tuple[int, int]:
    links = connection.ask(Neighbours(), NeighbourListing).neighbours
    return sum(n.bytes_sent for n in links), sum(n.bytes_received for n in links)


def watch_transfer(pair: Pair, expected: int) -> dict[str, float]:
    """Let the two meet; return seconds, CPU of both and bytes, until nothing moves any more.

    From when nothing had crossed for certain: the giver is asked before there is anybody to give
    to, as one that is busy is slow to say that it is.
    """
    pair.giver.start()
    connection = talk_to(pair.giver)
    try:
        pair.taker.start()
        assert pair.giver.process is not None
        assert pair.taker.process is not None
        pids = pair.giver.process.pid, pair.taker.process.pid
        began, cpu = asked = time.monotonic(), sum(map(cpu_s, pids))
        while not sum(crossed(connection)):
            began, cpu = asked
            time.sleep(0.002)
            asked = time.monotonic(), sum(map(cpu_s, pids))
        last, quiet_since = (0, 0), began
        while True:
            now = crossed(connection)
            if now != last:
                last, quiet_since = now, time.monotonic()
            still = time.monotonic() - quiet_since
            if still > (1.0 if last[0] >= expected else 10.0):
                break
            time.sleep(0.02)
        spent = sum(map(cpu_s, pids)) - cpu
    finally:
        connection.close()
        pair.giver.stop()
        pair.taker.stop()
    return {"seconds": quiet_since - began, "cpu_s": spent, "bytes": float(sum(last))}


def backlog(pair: Pair, number: int) -> dict[str, float]:
    held = put(pair.giver.home, (pair.press.text(n) for n in range(number)))
    seen = watch_transfer(pair, held)
    assert count(pair.taker.home) >= number, "not everything arrived"
    return {
        "bundles_per_s": number / seen["seconds"],
        "bundles_per_cpu_s": number / seen["cpu_s"],
        "wire_ratio": seen["bytes"] / held,
    }


def attachment(pair: Pair) -> dict[str, float]:
    held = put(pair.giver.home, pair.press.attachment(FIFTY_MB))
    seen = watch_transfer(pair, held)
    assert count(pair.taker.home) * CHUNK_WIRE >= FIFTY_MB, "not everything arrived"
    return {"mb_per_s": FIFTY_MB / 1e6 / seen["seconds"], "cpu_s": seen["cpu_s"]}


def idle_contact(pair: Pair) -> dict[str, float]:
    seen = watch_transfer(pair, 0)
    return {"bytes": seen["bytes"], "seconds": seen["seconds"]}


def resting(machine: LoopbackMachine, minute_s: float) -> tuple[float, float]:
    """Return resident MB and CPU percent of a daemon that nobody talks to."""
    machine.start()
    assert machine.process is not None
    pid = machine.process.pid
    time.sleep(3.0)
    cpu, began = cpu_s(pid), time.monotonic()
    time.sleep(minute_s)
    percent = (cpu_s(pid) - cpu) / (time.monotonic() - began) * 100
    memory = rss_mb(pid)
    machine.stop()
    return memory, percent


def command_cpu_s(*words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "meshnews_cli", *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def per_cpu_s(work: Iterator[object], number: int) -> float:
    began = time.process_time()
    for _ in zip(range(number), work, strict=False):
        pass
    return number / (time.process_time() - began)


def library(press: Press, number: int = 1000) -> dict[str, float]:
    bundles = [press.text(n) for n in range(8)]
    scan = X25519Secret(os.urandom(32))
    secrets = [
        PrekeySecret(KeyRef(os.urandom(8)), X25519Secret(os.urandom(32)), os.urandom(32))
        for _ in range(number)
    ]
    auth = bundles[0].auth
    sealed = [
        seal(
            b"x" * 900,
            [Reader(scan.public, secret.prekey)],
            traffic=TrafficClass.ROUTINE,
            day=bundles[0].day,
            entropy=press.entropy,
            franker=Given(auth),
        ).bundle
        for secret in secrets
    ]

    def opens() -> Iterator[object]:
        for bundle, secret in zip(sealed, secrets, strict=True):
            found = find(bundle, scan)
            assert found is not None
            yield open_found(bundle, found, secret)

    return {
        "seal_per_cpu_s": per_cpu_s((press.text(n) for n in range(number)), number),
        "open_per_cpu_s": per_cpu_s(opens(), number),
    }


def set_up(folder: Path) -> tuple[BenchRoom, Ed25519Secret]:
    world = LoopbackWorld(folder)
    room = BenchRoom(world)
    editor = room.add("editor-1", "editor")
    room.found(editor)
    for name in ("small", "large", "file", "many"):
        taker = room.add(f"{name}-taker", "relay", endpoint=True)
        giver = room.add(f"{name}-giver", "relay")
        room.enrol(editor, taker)
        room.enrol(editor, giver)
        giver.neighbours = [(taker, room.keys[taker.name])]
    reporter = room.add("reporter-1", "reporter")
    room.enrol(editor, reporter)
    return room, issuer_of(editor.home, PASSPHRASE)


def measure(folder: Path) -> dict[str, Any]:
    room, issuer = set_up(folder)
    try:
        pairs = {name: Pair(room, issuer, name) for name in ("small", "large", "file", "many")}
        figures: dict[str, Any] = {}

        def note(name: str, value: Any) -> None:
            figures[name] = value
            print(f"{name:20} {json.dumps(value)}", flush=True)

        many = pairs["many"]
        idle_mb, idle_percent = resting(many.giver, 60.0)
        note("rss_idle_mb", round(idle_mb, 1))
        note("idle_cpu_percent", round(idle_percent, 3))
        note("backlog_1000", rounded(backlog(pairs["small"], 1000)))
        note("idle_contact", rounded(idle_contact(pairs["small"])))
        note("backlog_10000", rounded(backlog(pairs["large"], 10_000)))
        note("attachment_50mb", rounded(attachment(pairs["file"])))
        put(many.giver.home, (many.press.text(n) for n in range(100_000)))
        note("rss_100k_mb", round(resting(many.giver, 5.0)[0], 1))
        note("cli_help_cpu_s", round(command_cpu_s("--help"), 3))
        reporter = room.machines["reporter-1"]
        reporter.start()
        words = ("status", "--home", str(reporter.home))
        note("cli_status_cpu_s", round(command_cpu_s(*words), 3))
        for name, value in library(many.press).items():
            note(name, round(value))
        return figures
    finally:
        room.world.close()


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        figures = measure(Path(folder))
    for name in compare.CASES:
        figures[name] = compare.measure(name)
        print(f"{name:20} {json.dumps(figures[name])}", flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"Written to {OUT}.")


if __name__ == "__main__":
    main()
