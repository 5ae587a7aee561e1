"""`make bench-peers`: the same work by us and by NNCP, in turn, on this machine.

The peers' scripts are not ours and not here: the folder that holds `bench_nncp.py` is
named by PEERS, or is `../shared/peers`.  It takes root (network namespaces) and the
Debian package nncp.  Both sides talk over the loopback of a namespace of their own, ours from store
to store; what is sealed or queued beforehand is in no figure.

    backlog    1,000 texts of 500 bytes; rate, and number per CPU second of both processes
    file       50 MB in one piece; rate
    cut        the same, the receiving daemon killed (SIGKILL) at half and started again;
               sent twice is what went to it in both contacts beyond what goes in one

NNCP's cut is at 26 MB/s (its script sends at that rate), ours at the same and at full speed.
Times on a shared machine are noisy: each figure is the median of RUNS turns, and ratios are what
to compare.  Prints all, writes build/bench-peers.json; exits with 1 when a goal is missed.
"""

import ast
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshnews.bundle.format import Bundle
from tests.bench.__main__ import BenchRoom, Pair, watch_transfer
from tests.bench.load import count, issuer_of, put
from tests.demo.stage import LoopbackMachine, LoopbackWorld
from tests.e2e.world import PASSPHRASE

OUT: Final = Path("build/bench-peers.json")
SCRIPT: Final = "bench_nncp.py"
GIVEN: Final = "given"
"""The table of the packet filter that counts what is given to the taker."""
HEADER_BYTES: Final = 52
"""Of each packet of a stream: IPv4, TCP and its time stamp."""
INSIDE: Final = "MESHNEWS_BENCH_INSIDE"
TEXTS: Final = 1000
FILE_MB: Final = 50
FILE_BYTES: Final = FILE_MB << 20
"""As the script counts: 50 MiB."""
LIMIT_BYTES_PER_S: Final = 400 * 64 * 1024
"""The rate at which the script sends the file that it cuts."""

GOALS: Final = {
    "file: our rate over NNCP's": (1.0, None),
    "backlog: our rate over NNCP's": (5.0, None),
    "backlog: per CPU second, ours over NNCP's": (2.0, None),
    "cut at 26 MB/s: percent sent twice": (None, 0.5),
    "cut at full speed: percent sent twice": (None, None),
}
"""At least, at most.  NNCP's script cuts at the lower rate alone."""


def why_not() -> str | None:
    """Return why the peers cannot be measured here, or None."""
    if not (scripts() / SCRIPT).is_file():
        return f"There is no {SCRIPT} in {scripts()}: set PEERS to the folder that has it."
    if shutil.which("nncp-call") is None:
        return "NNCP is not installed: apt-get install nncp."
    if os.geteuid() != 0:
        return "Network namespaces need root."
    return None


def scripts() -> Path:
    return Path(os.environ.get("PEERS", "../shared/peers")).resolve()


def lo_bytes() -> int:
    """Return what has crossed the loopback of this namespace."""
    for line in Path("/proc/self/net/dev").read_text("ascii").splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    raise AssertionError("no loopback")


def count_given_to(machine: LoopbackMachine) -> None:
    """Begin to count what crosses towards a machine.

    Only acknowledgements go the other way.  How many TCP makes of them, and into how many packets
    it cuts the same bytes, differs from run to run by as much as the goal of the cut: headers are
    not counted.
    """
    rules = f"""
        table inet {GIVEN} {{
          chain heard {{
            type filter hook input priority 0
            ip daddr {machine.address} counter
          }}
        }}
    """
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def given_bytes() -> int:
    """Return how many bytes of streams have crossed towards that machine since."""
    words = ["nft", "list", "table", "inet", GIVEN]
    table = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = re.search(r"packets (\d+) bytes (\d+)", table)
    assert found is not None, table
    return int(found[2]) - int(found[1]) * HEADER_BYTES


# NNCP


def nncp(*words: str) -> list[dict[str, Any]]:
    """Run the peers' script in a folder of its own; return the figures that it prints."""
    with tempfile.TemporaryDirectory(prefix="peers") as folder:
        (Path(folder) / "peer-bench").mkdir()
        done = subprocess.run(
            [sys.executable, str(scripts() / SCRIPT), *words],
            env={**os.environ, "TMPDIR": folder},
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=1200,
        )
    lines = [line for line in done.stdout.splitlines() if "{" in line]
    return [ast.literal_eval(line[line.index("{") :]) for line in lines]


# Ours


@dataclass
class Prepared:
    """A pair whose giver holds something; its homes can be put back as they were."""

    pair: Pair
    held_bytes: int
    bundles: int

    def keep(self) -> None:
        for machine in (self.pair.giver, self.pair.taker):
            shutil.copytree(machine.home, kept(machine))

    def restore(self) -> None:
        for machine in (self.pair.giver, self.pair.taker):
            shutil.rmtree(machine.home)
            shutil.copytree(kept(machine), machine.home)

    def cross(self, *, rest_of: int | None = None) -> dict[str, float]:
        """Let the two meet until all is there; return seconds, CPU, and bytes on the wire."""
        wire, given = lo_bytes(), given_bytes()
        seen = watch_transfer(self.pair, self.held_bytes if rest_of is None else rest_of)
        assert count(self.pair.taker.home) == self.bundles, "not everything arrived"
        return {
            **seen,
            "wire": float(lo_bytes() - wire),
            "given": float(given_bytes() - given),
        }


def kept(machine: LoopbackMachine) -> Path:
    return machine.home.with_name("kept")


def prepare(room: BenchRoom, name: str, bundles: Iterator[Bundle]) -> Prepared:
    pair = Pair(room, issuer_of(room.machines["editor-1"].home, PASSPHRASE), name)
    held = put(pair.giver.home, bundles)
    prepared = Prepared(pair, held, count(pair.giver.home))
    prepared.keep()
    return prepared


@contextlib.contextmanager
def rooms() -> Iterator[tuple[Prepared, Prepared]]:
    """Yield a pair with the backlog and one with the file."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        room = BenchRoom(LoopbackWorld(Path(folder)))
        try:
            editor = room.add("editor-1", "editor")
            room.found(editor)
            for name in ("backlog", "file"):
                taker = room.add(f"{name}-taker", "relay", endpoint=True)
                giver = room.add(f"{name}-giver", "relay")
                room.enrol(editor, taker)
                room.enrol(editor, giver)
                giver.neighbours = [(taker, room.keys[taker.name])]
            press = Pair(room, issuer_of(editor.home, PASSPHRASE), "backlog").press
            texts = (press.text(number) for number in range(TEXTS))
            yield (
                prepare(room, "backlog", texts),
                prepare(room, "file", press.attachment(FILE_BYTES)),
            )
        finally:
            room.world.close()


def limit(bytes_per_s: int | None) -> None:
    """Let the loopback carry so much, or what it can."""
    if bytes_per_s is None:
        subprocess.run(
            ["tc", "qdisc", "del", "dev", "lo", "root"], check=False, capture_output=True
        )
        return
    shape = ["tbf", "rate", f"{bytes_per_s * 8}bit", "burst", "256kb", "latency", "50ms"]
    subprocess.run(["tc", "qdisc", "replace", "dev", "lo", "root", *shape], check=True)


def cut_at_half(file: Prepared, uncut_bytes: float, bytes_per_s: int | None) -> float:
    """Kill the taker at half; return what then crossed twice, in percent of the file."""
    file.restore()
    giver, taker = file.pair.giver, file.pair.taker
    crossed, given = lo_bytes(), given_bytes()
    limit(bytes_per_s)
    taker.start()
    giver.start()
    while lo_bytes() - crossed < uncut_bytes / 2:
        time.sleep(0.001)
    taker.kill()
    giver.stop()
    limit(None)
    first = given_bytes() - given
    second = file.cross(rest_of=0)["given"]
    return (first + second - uncut_bytes) / FILE_BYTES * 100


# Both


def median(rows: list[dict[str, Any]], name: str) -> float:
    return statistics.median(float(row[name]) for row in rows)


def turns(backlog: Prepared, file: Prepared, runs: int) -> dict[str, Any]:
    """Let both do the same work in turn; return all that was seen."""
    seen: dict[str, Any] = {
        name: []
        for name in ("our_backlog", "our_file", "cut_limited", "cut_full", "nncp_backlog",
                     "nncp_split", "nncp_file", "nncp_cut")
    }  # fmt: skip

    def note(name: str, value: Any) -> None:
        seen[name].append(value)
        print(f"{name:14} {json.dumps(value)}", flush=True)

    count_given_to(file.pair.taker)
    for _ in range(runs):
        for prepared, name in ((backlog, "our_backlog"), (file, "our_file")):
            prepared.restore()
            note(name, prepared.cross())
        together, split = nncp("small", str(TEXTS), "1")
        note("nncp_backlog", together)
        note("nncp_split", split)
        note("nncp_file", nncp("big", str(FILE_MB), "1")[0])
        # A sender that waits for a moment fills a record with zeros: the least is what it takes.
        uncut = min(row["given"] for row in seen["our_file"])
        note("cut_limited", cut_at_half(file, uncut, LIMIT_BYTES_PER_S))
        note("cut_full", cut_at_half(file, uncut, None))
        note("nncp_cut", nncp("resume", str(FILE_MB))[0])
    return seen


def compared(seen: dict[str, Any]) -> dict[str, float]:
    """Return our figures over NNCP's, each as the goals name it."""
    ours_s, theirs_s = median(seen["our_backlog"], "seconds"), median(seen["nncp_backlog"], "e2e_s")
    # Its faster way counts: texts at once, or all over first and unpacked later.
    theirs_s = min(theirs_s, median(seen["nncp_split"], "transfer_s"))
    cpu = median(seen["nncp_backlog"], "cpu_s") / median(seen["our_backlog"], "cpu_s")
    figures = (
        median(seen["nncp_file"], "e2e_s") / median(seen["our_file"], "seconds"),
        theirs_s / ours_s,
        cpu,
        statistics.median(seen["cut_limited"]),
        statistics.median(seen["cut_full"]),
    )
    return dict(zip(GOALS, figures, strict=True))


def report(figures: dict[str, float]) -> bool:
    """Print the comparison; tell whether every goal is met."""
    met = True
    for name, value in figures.items():
        least, most = GOALS[name]
        holds = (least is None or value >= least) and (most is None or value <= most)
        bounds = (("at least", least), ("at most", most))
        goal = "".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
        verdict = ("met" if holds else "MISSED") if goal else ""
        print(f"{name:45} {value:8.2f}   {goal:12} {verdict}")
        met = met and holds
    return met


def main() -> int:
    reason = why_not()
    if reason is not None:
        print(f"Not compared with NNCP. {reason}")
        return 0
    if os.environ.get(INSIDE) != "1":
        words = ["unshare", "--net", sys.executable, "-m", "tests.bench.peers"]
        return subprocess.run(words, env={**os.environ, INSIDE: "1"}, check=False).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # TCP's own probes, sent while a process is busy, carry again what has long come.
    Path("/proc/sys/net/ipv4/tcp_early_retrans").write_text("0", "ascii")
    with rooms() as (backlog, file):
        seen = turns(backlog, file, int(os.environ.get("RUNS", "3")))
    figures = compared(seen)
    met = report(figures)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"compared": figures, "seen": seen}, indent=1) + "\n", "utf-8")
    print(f"Written to {OUT}.")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
