"""A contact plan is read whole or refused in words, whichever form it comes in."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshnews.errors import Refusal
from meshnews.node.event import Carrier
from meshnews.sim.city import City, city_days
from meshnews.sim.plan import Part, Urgency
from meshnews.sim.planfile import read_plan, write_plan
from meshnews.sim.trace import Meeting, cast, read_trace

RELAY = Path(__file__).parents[2] / "docs" / "plans" / "relay.json"
EVENTS = """# a comment
10.0 CONN 1 2 up
15.0 CONN 3 2 up
25.0 CONN 2 1 down
40.0 CONN 2 3 down
50.0 CONN 1 3 up
60.0 CONN 1 2 up
70.0 CONN 1 2 down
"""
SIGHTINGS = "20 a b\n40 a b\n60 b a\n60 b c\n120 a b\n"


def plan_with(**changes: Any) -> bytes:
    return json.dumps(json.loads(RELAY.read_bytes()) | changes).encode()


def test_a_plan_is_read_as_it_says() -> None:
    plan = read_plan(RELAY.read_bytes())
    assert [post.part for post in plan.posts] == [
        Part.REPORTER,
        Part.REPORTER,
        Part.RELAY,
        Part.EDITOR,
    ]
    assert [one.carrier for one in plan.contacts] == [
        Carrier.LAN,
        Carrier.LAN,
        Carrier.BLUETOOTH,
        Carrier.UPLINK,
    ]
    assert plan.contacts[3].b == "desk"
    assert plan.end_s - plan.start_s == 3 * 3600 + 20 * 60
    assert plan.items[0].urgency is Urgency.PICTURE
    assert plan.items[0].size_bytes == 300 * 1024


def test_a_plan_written_is_read_as_it_was() -> None:
    for plan in (read_plan(RELAY.read_bytes()), city_days(3, City())):
        again = read_plan(write_plan(plan))
        assert again.posts == plan.posts
        assert again.items == plan.items
        assert again.contacts == plan.contacts


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": []},
        {"nodes": [{"name": "desk", "role": "relay"}]},
        {"nodes": [{"name": "desk", "role": "king"}]},
        {"surprise": 1},
        {"items": []},
        {"contacts": [{"a": "desk", "b": "desk", "start": "2022-01-04T10:00:00Z"}]},
        {
            "off": [
                {"node": "nobody", "start": "2022-01-04T10:00:00Z", "end": "2022-01-05T00:00:00Z"}
            ]
        },
        {
            "uplinks": [
                {
                    "node": "relay",
                    "start": "2022-01-04T10:00",
                    "end": "2022-01-05T00:00",
                    "kbit_s": 1,
                }
            ]
        },
        {
            "uplinks": [
                {
                    "node": "relay",
                    "start": "2022-01-05T10:00:00Z",
                    "end": "2022-01-05T00:00:00Z",
                    "kbit_s": 1,
                }
            ]
        },
        {
            "items": [
                {
                    "slug": "x",
                    "author": "relay",
                    "filed": "2022-01-05T10:00:00Z",
                    "kib": 1,
                    "priority": "flash",
                    "to": "desk",
                }
            ]
        },
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        read_plan(plan_with(**changes))


@pytest.mark.parametrize(
    "said", ["two\\nlines", "\\u001b[31m", "turned \\u202e", "e\\u0301", "\\ufffe"]
)
@pytest.mark.parametrize("of", ["about", "name", "slug"])
def test_what_could_not_stand_in_a_table_or_a_picture_is_refused(of: str, said: str) -> None:
    was = {"about": json.loads(RELAY.read_bytes())["about"], "name": "relay", "slug": "notice"}[of]
    text = RELAY.read_text(encoding="utf-8").replace(f'"{was}"', f'"{said}"')
    with pytest.raises(Refusal, match="one line"):
        read_plan(text.replace(f'"role": "{said}"', '"role": "relay"').encode())


@pytest.mark.parametrize(
    "day", ["0001-01-04", "1970-01-04", "2019-12-31", "2150-01-01", "9999-12-31"]
)
def test_years_that_no_desk_can_have_are_refused(day: str) -> None:
    with pytest.raises(Refusal, match="years"):
        read_plan(RELAY.read_bytes().replace(b"2022-01-04", day.encode()))


def test_an_uplink_that_does_not_lead_to_the_desk_is_refused() -> None:
    with pytest.raises(Refusal, match="desk"):
        read_plan(RELAY.read_bytes().replace(b'"bluetooth"', b'"uplink"'))


@pytest.mark.parametrize("quota", ["0", "1e-9", "1e308"])
def test_a_disk_of_nothing_or_without_end_is_refused(quota: str) -> None:
    disk = f'"kind": "pi", "quota_mib": {quota}'.encode()
    with pytest.raises(Refusal, match="quota_mib"):
        read_plan(RELAY.read_bytes().replace(b'"kind": "pi"', disk))


def test_an_item_of_less_than_a_byte_is_refused() -> None:
    with pytest.raises(Refusal, match="empty"):
        read_plan(RELAY.read_bytes().replace(b'"kib": 14', b'"kib": 0.0001'))


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff\xfe", b'{"nodes": 3}', b"{" * 5000])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(Refusal):
        read_plan(garbage)


def test_a_trace_of_events_is_read() -> None:
    assert read_trace(EVENTS) == [
        Meeting("1", "2", 10.0, 25.0),
        Meeting("2", "3", 15.0, 40.0),
        Meeting("1", "3", 50.0, 70.0),
        Meeting("1", "2", 60.0, 70.0),
    ]


def test_a_meeting_that_is_over_at_once_lasts_no_longer() -> None:
    at_once = "5 CONN 1 2 up\n5 CONN 1 2 down\n"
    assert read_trace(at_once + EVENTS) == read_trace(EVENTS)


def test_a_trace_of_sightings_is_read() -> None:
    assert read_trace(SIGHTINGS, interval_s=20.0) == [
        Meeting("a", "b", 20.0, 80.0),
        Meeting("b", "c", 60.0, 80.0),
        Meeting("a", "b", 120.0, 140.0),
    ]
    assert read_trace(SIGHTINGS) == read_trace(SIGHTINGS, interval_s=20.0)


def test_a_table_of_sightings_with_a_heading_and_more_columns_is_read() -> None:
    lines = [";".join([*line.split(), "class", "class"]) for line in SIGHTINGS.splitlines()]
    table = "\n".join(["Time;id1;id2;PC;PC", *lines])
    assert read_trace(table) == read_trace(SIGHTINGS)


def test_a_mark_of_the_byte_order_is_no_heading() -> None:
    assert read_trace("\ufeff" + SIGHTINGS) == read_trace(SIGHTINGS)


def test_who_sees_himself_meets_nobody() -> None:
    assert read_trace(SIGHTINGS + "60 a a\n") == read_trace(SIGHTINGS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "1 CONN a b sideways",
        "x a b",
        "1 a",
        "1 a a",
        "1 a b\nnan a b",
        "1 a b\ninf a b",
        "1 CONN a b up\n1e999 CONN a b down",
    ],
)
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        read_trace(text)


def test_a_trace_is_cast_alike_for_one_seed() -> None:
    meetings = read_trace(EVENTS)

    def plan(seed: int) -> Any:
        return cast(meetings, seed=seed, items=5, kbit_s=1000.0, start_s=1.7e9)

    assert plan(1) == plan(1)
    assert len(plan(1).items) == 5
    assert plan(1) != plan(2)


def test_city_days_are_those_of_their_seed() -> None:
    assert city_days(5, City()) == city_days(5, City())
    assert city_days(5, City()) != city_days(6, City())


def test_a_city_larger_than_a_desk_is_refused() -> None:
    with pytest.raises(Refusal, match="more than 1024 nodes"):
        city_days(1, City(reporters=1100, visits=0, passes=0))


def test_nobody_in_a_city_is_in_two_places_at_once() -> None:
    plan = city_days(7, City(reporters=20, days=2))
    for post in plan.posts:
        if post.part is Part.REPORTER:
            visits = sorted(
                (one.start_s, one.end_s)
                for one in plan.contacts
                if one.a == post.name and one.carrier is Carrier.LAN
            )
            ends = [end for _, end in visits[:-1]]
            assert all(end <= start for end, (start, _) in zip(ends, visits[1:], strict=True))
