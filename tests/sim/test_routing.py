"""Bulk under each way of passing it on: three relays that only pass by, and one with a way out."""

import functools

import pytest

from meshnews.node.event import Carrier
from meshnews.node.settings import BulkRouting, Settings
from meshnews.sim.city import DAY_ONE_S
from meshnews.sim.plan import DESK, KIB, Contact, Part, Plan, PlanItem, Post, Urgency
from meshnews.sim.play import Play, Played
from meshnews.store.port import State

HOUR_S = 3600.0
PASSERS = ("relay-1", "relay-2", "relay-3")
GATE = "relay-4"


def at(hours: float) -> float:
    return DAY_ONE_S + hours * HOUR_S


def meeting(one: str, other: str, hours: float, carrier: Carrier = Carrier.LAN) -> Contact:
    return Contact(one, other, at(hours), at(hours + 0.25), 20_000.0, carrier)


def plan() -> Plan:
    """Return a day on which a reporter meets the relays late, the one with a way out last."""
    posts = [Post(DESK, Part.EDITOR), Post("reporter-1", Part.REPORTER)]
    posts += [Post(name, Part.RELAY) for name in (*PASSERS, GATE)]
    contacts = [meeting(GATE, DESK, hours, Carrier.UPLINK) for hours in (1, 12)]
    contacts += [
        meeting("reporter-1", name, 8 + number) for number, name in enumerate((*PASSERS, GATE))
    ]
    items = (
        PlanItem("text", "reporter-1", at(0.5), 1 * KIB, Urgency.ROUTINE),
        PlanItem("film", "reporter-1", at(0.5), 1200 * KIB, Urgency.BULK),
    )
    made = Plan("three pass by", tuple(posts), tuple(contacts), (), items)
    made.check()
    return made


@functools.cache
def played(routing: BulkRouting) -> tuple[Play, Played]:
    play = Play(plan(), seed=1, settings=Settings(bulk_routing=routing), light_cards=True)
    return play, play.run()


def holders(routing: BulkRouting, slug: str) -> set[str]:
    """Return who ever had all of an item."""
    stays = played(routing)[1].ledger.stays
    return {
        name
        for (one, name), some in stays.items()
        if one == slug and any(stay.whole_s is not None for stay in some)
    }


@pytest.mark.parametrize("routing", BulkRouting)
def test_a_film_comes_to_the_desk_whatever_the_routing(routing: BulkRouting) -> None:
    _, done = played(routing)
    assert {row.slug for row in done.rows} == {"text", "film"}


def test_flooding_gives_a_film_to_everybody_who_passes_by() -> None:
    everybody = {"reporter-1", *PASSERS, GATE, DESK}
    assert holders(BulkRouting.FLOODING, "film") == everybody


def test_an_old_film_is_sprayed_once_and_then_goes_to_who_lately_saw_the_desk() -> None:
    expected = {"reporter-1", PASSERS[0], GATE, DESK}
    assert holders(BulkRouting.SPRAY_AND_FOCUS, "film") == expected


def test_a_text_is_flooded_whatever_the_routing() -> None:
    everybody = {"reporter-1", *PASSERS, GATE, DESK}
    for routing in BulkRouting:
        assert holders(routing, "text") == everybody


def test_who_handed_on_all_copies_still_has_its_own() -> None:
    """The relay that was served has the whole film at the end, and so has its author."""
    play, _ = played(BulkRouting.SPRAY_AND_FOCUS)
    filed = set(play.watchman.filed)
    for name in ("reporter-1", PASSERS[0]):
        carry = play.world.machines[name].carry
        held = {ref for ref in filed if carry.state(ref) in {State.HELD, State.ACKED_WITH_BODY}}
        assert held == filed, name
