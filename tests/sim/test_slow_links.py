"""A link that carries little is kept, and what is urgent does not wait behind what is large."""

from meshnews.bundle.statement import Priority
from meshnews.ids import TrafficClass
from meshnews.sim.stream import Way
from meshnews.sim.world import World
from meshnews.store.port import State
from tests.sim.newsroom import file, small_desk

MODEM = Way(rate=8_000, delay_s=0.1)
UPLINK = Way(rate=125_000, delay_s=0.02, ahead=16 * 1024)
FIRST_S = 1.3
"""A quarter of a second lies in the system, twice as much goes out at the rate measured wrong."""


def test_a_busy_link_is_not_taken_for_one_that_dribbles_a_message() -> None:
    """A message that ended and one that began in one record were taken for one of minutes."""
    world = World(1)
    newsroom, machines = small_desk(world)
    file(newsroom, machines["reporter-1"], picture=b"p" * 1_500_000)
    world.meet("reporter-1", "relay-1", way=MODEM)
    world.run(240.0)
    assert sum("->" in line for line in world.trace) == 1
    assert machines["relay-1"].carry.usage().by_class[TrafficClass.BULK] > 1_500_000


def test_a_flash_does_not_wait_for_the_first_large_record_of_a_slow_link() -> None:
    """A stream nobody had measured began with a record of 64 KiB, however slow it was."""
    world = World(2)
    newsroom, machines = small_desk(world)
    for _ in range(40):
        file(newsroom, machines["reporter-1"], text="x" * 4000)
    world.meet("reporter-1", "relay-1", way=MODEM)
    world.run(8.0)
    flash = file(newsroom, machines["reporter-1"], priority=Priority.FLASH)
    world.run(6.0)
    relay = machines["relay-1"].carry
    (day,) = relay.days(TrafficClass.FLASH)
    assert relay.elements(TrafficClass.FLASH, day) == [(flash, State.HELD)]


def test_what_the_system_takes_ahead_is_not_taken_for_the_rate_of_the_link() -> None:
    """A send held eight seconds' worth after one that had been taken at once."""
    world = World(3)
    newsroom, machines = small_desk(world)
    file(newsroom, machines["reporter-1"], picture=b"p" * 20_000_000)
    world.meet("reporter-1", "relay-1", way=UPLINK)
    world.run(3.0)
    relay = machines["relay-1"].carry
    for number in range(5):
        flash = file(newsroom, machines["reporter-1"], priority=Priority.FLASH)
        # Less than a second once the rate is known; the first waits for what was measured wrong.
        world.run(FIRST_S if number == 0 else 1.0)
        (day,) = relay.days(TrafficClass.FLASH)
        assert (flash, State.HELD) in relay.elements(TrafficClass.FLASH, day), number
        world.run(1.3)
