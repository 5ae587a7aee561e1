"""Seeds that run side by side tell what they would have told one after the other."""

from tests.sim.campaign import digest_of
from tests.sim.side_by_side import outcomes


def test_a_seed_does_the_same_in_a_process_of_its_own() -> None:
    told = list(outcomes(digest_of, (2, 3), jobs=2))
    assert told == list(outcomes(digest_of, (2, 3), jobs=1))
