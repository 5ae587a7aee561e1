"""Sessions cut at every one of their bytes, each time for real.

    python -m tests.sim.cut_campaign --seeds 1:8
    python -m tests.sim.cut_campaign --seeds 30 --count 5 --share 0.1

A seed fills two stores and chooses what they meet over.  The session is recorded once;
then for each of its bytes, and for each way in which a contact may end, the same two stores
meet, are cut there, and go on meeting until nothing is left to do.  What must hold then is
said in `tests.sync.reunion`.  With `--share` only so many of the bytes, drawn by the seed.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from meshnews.node.event import Carrier
from tests.sync.reunion import Case, Cut

LINES = (
    (Carrier.LAN, 1e6),
    (Carrier.UPLINK, 8e3),
    (Carrier.BLUETOOTH, 2e4),
    (Carrier.LAN, 6e7),
)
BATCH = 50


@dataclass(frozen=True)
class Seen:
    """The worst of some cuts."""

    cuts: int = 0
    again_bytes: int = 0
    in_vain_bytes: int = 0
    failed: tuple[str, ...] = ()

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(
            self.cuts + other.cuts,
            max(self.again_bytes, other.again_bytes),
            max(self.in_vain_bytes, other.in_vain_bytes),
            self.failed + other.failed,
        )


def case_of(seed: int, count: int) -> Case:
    carrier, bytes_per_s = LINES[seed % len(LINES)]
    return Case(seed, count=count, desk=seed % 5 == 4, carrier=carrier, bytes_per_s=bytes_per_s)


def length_of(case: Case) -> int:
    cable = case.meet().contact()
    assert cable.run()
    return sum(cable.delivered)


def cut_here(work: tuple[Case, list[int], Cut]) -> Seen:
    """Cut a session at each of some bytes; return the worst that was seen."""
    case, places, how = work
    seen = Seen()
    for byte in places:
        reunion = case.meet()
        failed: list[str] = []
        try:
            reunion.cut_at(byte, how)
            reunion.finish()
        except Exception as exc:  # noqa: BLE001  a campaign tells of whatever goes wrong
            failed.append(f"{case} at byte {byte}, {how}: {type(exc).__name__}: {exc}")
        account = reunion.account
        seen += Seen(1, account.again_bytes, account.in_vain_bytes, tuple(failed))
    return seen


def works(case: Case, length: int, share: float) -> Iterator[tuple[Case, list[int], Cut]]:
    places = list(range(length + 1))
    if share < 1:
        places = sorted(random.Random(case.seed).sample(places, int(share * length)))
    for how in Cut:
        for start in range(0, len(places), BATCH):
            yield case, places[start : start + BATCH], how


def play(case: Case, share: float, workers: int) -> bool:
    """Cut one session everywhere; print what was seen, and tell whether all held."""
    began_s, length = time.monotonic(), length_of(case)
    seen = Seen()
    with multiprocessing.Pool(workers) as pool:
        for one in pool.imap_unordered(cut_here, works(case, length, share)):
            seen += one
            for line in one.failed[:3]:
                print(line, file=sys.stderr)
    print(
        f"seed {case.seed} {case.carrier.value} {case.bytes_per_s:.0f} B/s: {length} bytes, "
        f"{seen.cuts} cuts, {len(seen.failed)} failed; at most {seen.again_bytes} bytes came "
        f"again and {seen.in_vain_bytes} (of {case.cut_bytes}) in vain; "
        f"{time.monotonic() - began_s:.0f} s",
        flush=True,
    )
    return not seen.failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1:4", help="first:last, or one")
    parser.add_argument("--count", type=int, default=5, help="bundles that either side may know")
    parser.add_argument("--share", type=float, default=1.0, help="of the bytes to cut at")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition(":")
    cases = [case_of(seed, asked.count) for seed in range(int(first), int(last or first) + 1)]
    held = [play(case, asked.share, asked.workers) for case in cases]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
