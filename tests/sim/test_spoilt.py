"""A line on which one send in a hundred comes twice: each link ends after some seconds."""

from meshnews.ids import TrafficClass
from meshnews.sim.stream import Faults, Way
from meshnews.sim.world import World
from tests.sim.newsroom import file, small_desk

DOUBLING = Way(rate=64_000, delay_s=0.1, faults=Faults(doubled=0.01))
FILM_BYTES = 8_000_000
IN_ONE_S = FILM_BYTES / DOUBLING.rate


def test_a_film_crosses_a_line_that_ends_its_links_in_three_times_what_it_takes() -> None:
    """Each end was followed by up to a minute of silence, and by twenty seconds of waiting."""
    world = World(1)
    newsroom, machines = small_desk(world)
    file(newsroom, machines["reporter-1"], picture=b"p" * FILM_BYTES)
    world.meet("reporter-1", "relay-1", way=DOUBLING)
    world.run(3 * IN_ONE_S)
    assert sum("->" in line for line in world.trace) > 10
    assert machines["relay-1"].carry.usage().by_class[TrafficClass.BULK] > FILM_BYTES
