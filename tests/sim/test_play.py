"""A plan is played by whole nodes: what arrives when, what is told, and what may never happen."""

import functools
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.dom import minidom

import pytest

from meshnews.crypto.keys import Ed25519Secret
from meshnews.ids import BundleRef, TrafficClass
from meshnews.node import shelf
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.event import Carrier
from meshnews.sim.bound import flooding_bound
from meshnews.sim.city import City, city_days
from meshnews.sim.ledger import WatchedCarry
from meshnews.sim.plan import Mischief, Part, Pause, Plan, Post, WallClock
from meshnews.sim.planfile import instant, read_plan
from meshnews.sim.play import Play, Played
from meshnews.sim.report import compare, rows_json, table
from meshnews.sim.stream import Faults
from meshnews.sim.timeline import timeline
from meshnews.sim.watchman import Broken
from meshnews.store.port import State

ROOT = Path(__file__).parents[2]
RELAY = ROOT / "docs" / "plans" / "relay.json"
SCENARIO = Path(os.environ.get("MESHNEWS_SCENARIO", ROOT.parent / "shared" / "scenario"))
"""Outside material: a plan of January 2022, and a bound of somebody else's making."""


@pytest.fixture
def plan() -> Plan:
    return read_plan(RELAY.read_bytes())


@functools.cache
def played_once() -> Played:
    return Play(read_plan(RELAY.read_bytes())).run()


# The bound ----------------------------------------------------------------------------


def test_the_bound_knows_of_hops_and_rates(plan: Plan) -> None:
    rows = {(row.slug, row.node): instant(row.at_s) for row in flooding_bound(plan)}
    assert rows["flash", "desk"] == "2022-01-04T11:00:00Z"
    assert rows["notice", "relay"] == "2022-01-04T11:00:00Z"
    assert rows["notice", "other"] == "2022-01-04T12:00:00Z"
    assert rows["notice", "reporter"] == "2022-01-04T13:00:00Z"
    assert len(rows) == 6


def test_the_bound_is_slower_where_the_rate_is(plan: Plan) -> None:
    slow = [replace(one, kbit_s=3.0) for one in plan.contacts]
    rows = {row.slug: row.at_s for row in flooding_bound(replace(plan, contacts=tuple(slow)))}
    assert "picture" not in rows, "ten minutes carry 225 kB"
    assert "long" in rows


def test_what_the_later_of_two_contacts_brings_does_not_go_over_the_one_that_is_over(
    plan: Plan,
) -> None:
    flash = next(one for one in plan.items if one.slug == "flash")
    first, *_ = plan.contacts
    onwards = replace(first, a="relay", b="desk", start_s=flash.filed_s, end_s=flash.filed_s + 10)
    brings = replace(first, a=flash.author, b="relay", start_s=flash.filed_s + 11)
    met = replace(plan, contacts=(brings, onwards), items=(flash,), pauses=())
    assert flooding_bound(met) == []
    overlap = replace(onwards, end_s=flash.filed_s + 12)
    assert flooding_bound(replace(met, contacts=(brings, overlap))) != []


def test_nothing_can_come_before_it_is_filed_nor_over_what_was_over_by_then(plan: Plan) -> None:
    flash = next(one for one in plan.items if one.slug == "flash")
    first, *_ = plan.contacts
    early = replace(first, start_s=first.start_s - 60)
    filed_s = early.start_s + 20
    items = (
        replace(flash, slug="sooner", filed_s=early.start_s),
        replace(flash, filed_s=filed_s),
    )
    at_desk = replace(early, a="relay", b="desk")
    met = replace(plan, contacts=(early, at_desk), items=items, pauses=())
    assert {row.slug: row.at_s for row in flooding_bound(met)}["flash"] == filed_s
    over = replace(at_desk, end_s=filed_s)
    rows = flooding_bound(replace(met, contacts=(early, over)))
    assert [row.slug for row in rows] == ["sooner"]


def test_a_pause_shorter_than_a_step_is_one(plan: Plan) -> None:
    flash = next(one for one in plan.items if one.slug == "flash")
    start_s = flash.filed_s + 35
    first, *_ = plan.contacts
    direct = replace(first, a=flash.author, b="desk", start_s=start_s, end_s=start_s + 10)
    off = Pause("desk", start_s - 1, start_s + 6)
    met = replace(plan, contacts=(direct,), items=(flash,), pauses=(off,))
    assert [row.at_s for row in flooding_bound(met)] == [off.end_s]
    other = Pause(flash.author, start_s + 5, start_s + 11)
    assert flooding_bound(replace(met, pauses=(other, off))) == []


@pytest.mark.skipif(not SCENARIO.exists(), reason="the outside material is not here")
def test_the_bound_agrees_with_one_of_another_making() -> None:
    path = SCENARIO / "blackout-2022.json"
    told = subprocess.run(
        [sys.executable, SCENARIO / "flooding_bound.py", path, "--json"],
        check=True,
        capture_output=True,
    ).stdout
    theirs = sorted(json.loads(told), key=lambda row: (row["slug"], row["at"], row["node"]))
    assert json.loads(rows_json(flooding_bound(read_plan(path.read_bytes())))) == theirs


# What arrives ---------------------------------------------------------------------------


def test_everything_comes_within_a_minute_of_the_bound() -> None:
    played = played_once()
    for one in compare(played):
        assert one.behind_s is not None, one.slug
        assert one.behind_s <= 60.0, one


def test_long_names_that_begin_alike_draw_secrets_of_their_own(plan: Plan) -> None:
    more = [Post("ж" * 60 + end, Part.RELAY) for end in ("one", "two")]
    play = Play(replace(plan, posts=(*plan.posts, *more)), light_cards=True)
    drawn = {machine.entropy.draw(32) for machine in play.world.machines.values()}
    assert len(drawn) == len(plan.posts) + len(more)


def test_a_name_with_a_colon_is_called_by_it() -> None:
    text = RELAY.read_bytes().replace(b'"relay"', b'"relay:1"')
    plan = read_plan(text.replace(b'"role": "relay:1"', b'"role": "relay"'))
    assert len(Play(plan, light_cards=True).run().rows) == 6


def test_an_uplink_is_one_whichever_end_is_named_first(plan: Plan) -> None:
    turned = tuple(replace(one, a=one.b, b=one.a) for one in plan.contacts)
    assert len(Play(replace(plan, contacts=turned), light_cards=True).run().rows) == 6


def test_an_item_of_a_byte_betrays_nobody(plan: Plan) -> None:
    items = tuple(replace(one, size_bytes=1) for one in plan.items)
    assert len(Play(replace(plan, items=items), light_cards=True).run().rows) == 6


@pytest.mark.parametrize("year", [2020, 2149])
def test_the_first_and_the_last_year_are_played(year: int) -> None:
    plan = read_plan(RELAY.read_bytes().replace(b"2022-01-04", f"{year}-12-30".encode()))
    assert len(Play(plan, light_cards=True).run().rows) == 6


def test_its_author_is_told_each_state_in_turn() -> None:
    played = played_once()
    told = [turn.state for turn in played.turns if turn.slug == "flash"]
    assert told == [DispatchState.FILED, DispatchState.CARRIED, DispatchState.RECEIVED]


def test_what_is_filed_while_a_machine_is_off_is_filed_when_it_is_on(plan: Plan) -> None:
    at_s = plan.pauses[0].start_s + 60
    late = replace(plan, items=tuple(replace(one, filed_s=at_s) for one in plan.items[:3]))
    play = Play(late, light_cards=True)
    played = play.run()
    filed = {turn.at_s for turn in played.turns if turn.state is DispatchState.FILED}
    assert filed == {plan.pauses[0].end_s}


@pytest.mark.parametrize("halves", [((0, 60), (30, 3600)), ((60, 3600), (0, 60))])
def test_a_machine_is_on_again_when_all_its_pauses_are_over(
    plan: Plan, halves: tuple[tuple[float, float], ...]
) -> None:
    first, *_ = plan.contacts
    off = tuple(
        Pause("reporter", first.start_s + start_s, first.start_s + end_s)
        for start_s, end_s in halves
    )
    at_s = first.start_s + 10
    late = replace(plan, pauses=off, items=(replace(plan.items[1], filed_s=at_s),))
    filed = [turn.at_s for turn in Play(late, light_cards=True).run().turns]
    assert filed[0] == first.start_s + 3600


@pytest.mark.parametrize("seed", range(2))
def test_a_city_without_limits_delivers_what_flooding_delivers(seed: int) -> None:
    city = City(reporters=2, relays=2, couriers=1, items=6, visits=3, kbit_s=1e6)
    plan = city_days(seed, city)
    played = Play(plan, seed=seed, light_cards=True).run()
    bound = {(row.slug, row.node) for row in flooding_bound(plan)}
    assert {(row.slug, row.node) for row in played.rows} == bound


@pytest.mark.parametrize(
    "changed",
    [
        {"clock": WallClock.STOPPED},
        {"mischief": Mischief.REPLAY},
        {"quota_bytes": 2 * 1024 * 1024},
    ],
    ids=["clock stopped", "replays", "small disk"],
)
def test_a_relay_that_is_not_well_carries_all_the_same(
    plan: Plan, changed: dict[str, object]
) -> None:
    relay = replace(plan.post("relay"), **changed)  # type: ignore[arg-type]  # any field may be changed
    played = Play(plan.with_post(relay), light_cards=True).run()
    assert {row.slug for row in played.rows} == {"picture", "flash", "long", "notice"}


def test_cut_streams_cost_time_and_nothing_else(plan: Plan) -> None:
    played = Play(plan.with_faults(Faults(cut=0.5)), seed=3).run()
    assert {row.slug for row in played.rows} == {"picture", "flash", "long", "notice"}


@pytest.mark.parametrize("mischief", Mischief)
def test_a_hostile_relay_loses_nobody_anything_but_its_own_way(
    plan: Plan, mischief: Mischief
) -> None:
    """Beside it an honest one stands in the same places: what goes there arrives."""
    bad = replace(plan.post("relay"), name="bad", mischief=mischief)
    twice = [
        *plan.contacts,
        *(
            replace(one, **{side: "bad"})  # type: ignore[arg-type]  # any field may be changed
            for one in plan.contacts
            for side in ("a", "b")
            if getattr(one, side) == "relay"
        ),
    ]
    both = replace(plan, posts=(*plan.posts, bad), contacts=tuple(twice))
    played = Play(both, seed=5, light_cards=True).run()
    assert {row.slug for row in played.rows if row.node != "bad"} == {
        "picture",
        "flash",
        "long",
        "notice",
    }


# What is shown ----------------------------------------------------------------------------


def test_the_table_says_when_all_came_and_by_what() -> None:
    played = played_once()
    text = table(played, "real")
    assert "6 of 6 in time" in text
    assert "Cryptography: real." in text
    for word in ("picture", "reporter", "uplink", "bluetooth"):
        assert word in text


def test_a_late_item_is_marked() -> None:
    played = played_once()
    assert "LATE" not in table(played, "real")
    assert "LATE" in table(replace(played, rows=played.rows[1:]), "real")


def test_the_picture_is_an_svg_with_every_node_and_item_in_it(plan: Plan) -> None:
    text = timeline(played_once())
    root = minidom.parseString(text).documentElement  # noqa: S318  our own
    assert root is not None
    assert root.tagName == "svg"
    for one in (*(post.name for post in plan.posts), *(item.slug for item in plan.items)):
        assert f">{one}<" in text
    assert "script" not in text


def test_bytes_are_counted_by_carrier() -> None:
    moved = played_once().moved
    assert set(moved) == {Carrier.LAN, Carrier.BLUETOOTH, Carrier.UPLINK}
    assert moved[Carrier.UPLINK] > 315 * 1024


# One seed, one story ------------------------------------------------------------------------


SCRIPT = """
import hashlib, sys
from meshnews.sim.city import City, city_days
from meshnews.sim.play import Play, Played
from meshnews.sim.stream import Faults
plan = city_days(1, City(reporters=2, relays=2, couriers=1, items=4)).with_faults(Faults(cut=0.3))
play = Play(plan, seed=1, light_cards=True)
play.world.is_traced = True
play.run()
print(hashlib.sha256("\\n".join(play.world.trace).encode()).hexdigest())
"""


def test_a_play_is_the_same_to_the_byte_whatever_the_process_hashes_with() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "4711")
    }
    assert len(told) == 1
    assert told != {hashlib.sha256(b"").hexdigest() + "\n"}


# What may never happen -----------------------------------------------------------------------


@pytest.fixture
def halfway(plan: Plan) -> Play:
    """A play in which the relay has everything and the desk nothing."""
    play = Play(plan, light_cards=True)
    play.begin()
    play.world.run(plan.start_s + 3600 - play.now_s)
    return play


def some_ref(play: Play) -> BundleRef:
    carry = play.world.machines["relay"].carry
    (day,) = carry.days(TrafficClass.FLASH)
    return BundleRef(TrafficClass.FLASH, day, carry.elements(TrafficClass.FLASH, day)[0][0])


def test_a_bundle_that_vanishes_is_noticed(halfway: Play) -> None:
    carry = halfway.world.machines["relay"].carry
    with pytest.raises(Broken, match="for no reason"):
        carry.forget(some_ref(halfway))


def test_an_acked_bundle_that_nobody_opened_is_noticed(halfway: Play) -> None:
    carry, ref = halfway.world.machines["relay"].carry, some_ref(halfway)
    entry = carry.entry(ref)
    assert entry is not None
    with pytest.raises(Broken, match="not opened"):
        carry.change(replace(entry, state=State.ACKED))


def test_a_changed_body_is_noticed(halfway: Play) -> None:
    carry, ref = halfway.world.machines["relay"].carry, some_ref(halfway)
    entry, body = carry.entry(ref), carry.body(ref)
    assert entry is not None
    assert body is not None
    assert isinstance(carry, WatchedCarry)
    with pytest.raises(Broken, match="another body"):
        carry.add(entry, body[:-1] + bytes([body[-1] ^ 1]))


def test_own_work_that_is_let_go_is_noticed(halfway: Play) -> None:
    carry, ref = halfway.world.machines["reporter"].carry, some_ref(halfway)
    entry = carry.entry(ref)
    assert entry is not None
    with pytest.raises(Broken, match="for want of room"):
        carry.change(replace(entry, state=State.LACKING))


def test_a_relay_that_knows_a_person_is_noticed(halfway: Play) -> None:
    relay, reporter = (halfway.world.machines[name] for name in ("relay", "reporter"))
    assert reporter.vault is not None
    raw = reporter.vault.get(shelf.PERSON, b"sign")
    assert raw is not None
    relay.carry.put("notes", b"who", b"..." + bytes(Ed25519Secret(raw).public))
    with pytest.raises(Broken, match="the key of reporter"):
        halfway.watchman.search(relay)


def test_words_on_a_seized_disk_are_noticed(halfway: Play) -> None:
    reporter = halfway.world.machines["reporter"]
    reporter.carry.put("notes", b"draft", b"flash: what happened, who saw it and when. what")
    with pytest.raises(Broken, match="the words of flash"):
        halfway.watchman.search(reporter)


def test_a_life_that_runs_back_is_noticed(halfway: Play) -> None:
    relay = halfway.world.machines["relay"]
    assert relay.node is not None
    relay.node.home.moment = replace(relay.node.home.moment, lived_s=0.0)
    with pytest.raises(Broken, match="ran back"):
        halfway.watchman.handled(relay)


def test_a_quota_that_is_passed_is_noticed(halfway: Play) -> None:
    relay = halfway.world.machines["relay"]
    assert relay.node is not None
    relay.node.home.settings = replace(relay.node.home.settings, quota_bytes=1000)
    with pytest.raises(Broken, match="of 1000"):
        halfway.watchman.handled(relay)
