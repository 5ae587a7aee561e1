"""A seed is a whole story: it is told alike twice, and in every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.campaign import digest_of

ROOT = Path(__file__).parents[2]
SEEDS = (2, 3)
"""The second has beacons in the air."""

STEPS = 12

SCRIPT = f"""
from tests.sim.campaign import digest_of
print(*[digest_of(seed, {STEPS}) for seed in {SEEDS}])
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_does_the_same_twice_in_one_process(seed: int) -> None:
    assert digest_of(seed, STEPS) == digest_of(seed, STEPS)


def test_a_seed_does_the_same_to_the_byte_whatever_the_process_hashes_with() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "4711")
    }
    assert len(told) == 1


def test_two_seeds_are_two_stories() -> None:
    assert digest_of(2, STEPS) != digest_of(3, STEPS)
