"""Random weeks of a small desk, each of them another."""

import pytest

from tests.sim.campaign import Campaign
from tests.sim.city_campaign import CityCampaign

SEEDS = range(1, 26)
STEPS = 16
"""Short weeks: `python -m tests.sim.campaign` has longer ones, and more of them."""


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_filed_in_a_random_week_arrives_once_and_whole(seed: int) -> None:
    Campaign(seed, STEPS).run()


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_city_day_with_troubles_leaves_nothing_behind(seed: int) -> None:
    CityCampaign(seed).run()
