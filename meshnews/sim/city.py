"""City days drawn from a seed: homes, a newsroom, a square, couriers, and minutes of signal.

Relays stand in places (the newsroom, cafés, flats).  Reporters go from place to
place, stay a while and use its network; between places they may pass others on
the square, by Bluetooth.  Couriers carry sticks between places.  Some places
have an uplink now and then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.entropy import Entropy, SeededEntropy, below
from meshnews.node.event import Carrier
from meshnews.sim.plan import DESK, KIB, Contact, Part, Plan, PlanItem, Post, Urgency

DAY_ONE_S: Final = 1_641_254_400.0
"""2022-01-04, midnight UTC."""

_HOUR_S: Final = 3600.0
_DAY_S: Final = 24 * _HOUR_S
_FROM_S, _UNTIL_S = 7 * _HOUR_S, 23 * _HOUR_S
_LAN_KBIT_S: Final = 20_000.0
_RADIO_KBIT_S: Final = 40.0
_STICK_KBIT_S: Final = 200_000.0
_WIRE_KBIT_S: Final = (64.0, 512.0, 2000.0)

_FILED: Final = (
    (Urgency.FLASH, 1 * KIB),
    (Urgency.FLASH, 2 * KIB),
    (Urgency.URGENT, 5 * KIB),
    (Urgency.ROUTINE, 9 * KIB),
    (Urgency.ROUTINE, 20 * KIB),
    (Urgency.PICTURE, 120 * KIB),
    (Urgency.PICTURE, 400 * KIB),
    (Urgency.BULK, 1500 * KIB),
)


@dataclass(frozen=True, slots=True)
class City:
    """How large a city is, and how much happens in it.

    Attributes:
        texts_only: only what fits one bundle is filed: for many nodes.
        kbit_s: of all contacts, in place of what each place has; None: as it has.
    """

    reporters: int = 12
    relays: int = 5
    couriers: int = 2
    days: int = 1
    items: int = 20
    visits: int = 4
    passes: int = 2
    texts_only: bool = False
    kbit_s: float | None = None


def city_days(seed: int, city: City) -> Plan:
    """Return the plan of some days in a city.

    Raises:
        Refusal: it is larger than a desk can be.
    """
    luck = SeededEntropy.of_words(f"city {seed}")
    reporters = [f"reporter-{number}" for number in range(1, city.reporters + 1)]
    relays = [f"relay-{number}" for number in range(1, city.relays + 1)]
    couriers = [f"courier-{number}" for number in range(1, city.couriers + 1)]
    posts = [Post(DESK, Part.EDITOR, "server")]
    posts += [Post(name, Part.RELAY, "pi") for name in relays]
    posts += [Post(name, Part.COURIER, "stick") for name in couriers]
    posts += [Post(name, Part.REPORTER) for name in reporters]
    contacts: list[Contact] = []
    for day in range(city.days):
        midnight_s = DAY_ONE_S + day * _DAY_S
        for name in reporters:
            contacts += _walk(luck, name, relays, midnight_s, city.visits)
        for name in couriers:
            contacts += _round(luck, name, relays, midnight_s)
        contacts += _passings(luck, reporters, midnight_s, city.passes * city.reporters // 2)
        contacts += _wires(luck, relays, midnight_s)
    if city.kbit_s is not None:
        contacts = [_at_rate(one, city.kbit_s) for one in contacts]
    items = tuple(_filed(luck, reporters, number, city) for number in range(city.items))
    about = f"{city.days} days of a city of {city.reporters} reporters, seed {seed}"
    plan = Plan(about, tuple(posts), tuple(contacts), (), items)
    plan.check()
    return plan


def _between(luck: Entropy, low_s: float, high_s: float) -> float:
    """Return a whole second: plans are written to the second."""
    return float(round(low_s) + below(luck, max(1, round(high_s - low_s))))


def _at_rate(one: Contact, kbit_s: float) -> Contact:
    return Contact(one.a, one.b, one.start_s, one.end_s, kbit_s, one.carrier, one.delay_s)


def _walk(
    luck: Entropy, name: str, relays: list[str], midnight_s: float, visits: int
) -> Iterator[Contact]:
    """Let a reporter go from place to place: no two at once, and each visit a while."""
    apart_s = (_UNTIL_S - _FROM_S) / max(1, visits)
    for number in range(visits):
        start_s = midnight_s + _FROM_S + round(apart_s * number) + _between(luck, 0.0, apart_s / 2)
        end_s = start_s + _between(luck, 300.0, min(2400.0, apart_s / 2))
        # Everybody goes to the newsroom more often than elsewhere.
        place = relays[min(below(luck, len(relays)), below(luck, len(relays)))]
        yield Contact(name, place, start_s, end_s, _LAN_KBIT_S)


def _round(luck: Entropy, name: str, relays: list[str], midnight_s: float) -> Iterator[Contact]:
    """Let a courier go round, a quarter of an hour at each place."""
    apart_s = (_UNTIL_S - _FROM_S) / 6
    for number in range(6):
        start_s = midnight_s + _FROM_S + round(apart_s * number) + _between(luck, 0.0, apart_s / 2)
        place = relays[below(luck, len(relays))]
        yield Contact(name, place, start_s, start_s + 900.0, _STICK_KBIT_S)


def _passings(
    luck: Entropy, reporters: list[str], midnight_s: float, count: int
) -> Iterator[Contact]:
    """Let people pass each other on the square."""
    for _ in range(count if len(reporters) > 1 else 0):
        one = below(luck, len(reporters))
        other = (one + 1 + below(luck, len(reporters) - 1)) % len(reporters)
        start_s = midnight_s + _between(luck, _FROM_S, _UNTIL_S)
        end_s = start_s + _between(luck, 60.0, 600.0)
        yield Contact(
            reporters[one], reporters[other], start_s, end_s, _RADIO_KBIT_S, Carrier.BLUETOOTH
        )


def _wires(luck: Entropy, relays: list[str], midnight_s: float) -> Iterator[Contact]:
    """Give some places minutes, and some hours, of a way out; the newsroom every evening."""
    for number, name in enumerate(relays):
        if number and below(luck, 3):
            continue
        start_s = midnight_s + _between(luck, 8 * _HOUR_S, 20 * _HOUR_S)
        for_s = _between(luck, 300.0, 5400.0)
        if not number:
            start_s, for_s = midnight_s + 20 * _HOUR_S, 3 * _HOUR_S
        rate = _WIRE_KBIT_S[below(luck, len(_WIRE_KBIT_S))] if number else 2000.0
        yield Contact(name, DESK, start_s, start_s + for_s, rate, Carrier.UPLINK, 0.1)


def _filed(luck: Entropy, reporters: list[str], number: int, city: City) -> PlanItem:
    kinds = _FILED[:3] if city.texts_only else _FILED
    urgency, size = kinds[below(luck, len(kinds))]
    day = below(luck, city.days)
    at_s = DAY_ONE_S + day * _DAY_S + _between(luck, _FROM_S, _UNTIL_S - 2 * _HOUR_S)
    author = reporters[below(luck, len(reporters))]
    return PlanItem(f"item-{number}", author, at_s, size, urgency)
