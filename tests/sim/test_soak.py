"""A few seeds of the campaign, and the promise that a seed does the same everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.campaign import Campaign, digest_of

ROOT = Path(__file__).parents[2]
SEEDS = range(1, 13)
REPLAYED = 3


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_filed_in_a_random_week_arrives_once_and_whole(seed: int) -> None:
    campaign = Campaign(seed)
    campaign.run()
    assert campaign.happenings


def test_a_seed_does_the_same_to_the_byte_in_every_process() -> None:
    script = f"from tests.sim.campaign import digest_of; print(digest_of({REPLAYED}))"
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "4711")
    }
    assert told == {f"{digest_of(REPLAYED)}\n"}
