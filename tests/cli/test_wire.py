"""The wire on the command line: a sentence for every way and every state, addresses as typed."""

import datetime as dt
import itertools
import json
from typing import Any

import msgspec
import pytest

from meshnews.control.desk_reply import EndpointListing
from meshnews.control.desk_request import DeskEndpointAdd, DeskEndpointList, DeskEndpointRemove
from meshnews.control.reply import WireLogListing, WireStatus
from meshnews.control.request import Wire, WireLog
from meshnews.control.wire_fact import (
    DropFact,
    DropKind,
    DropState,
    EndpointFact,
    RouteBound,
    RouteFact,
    RouteKind,
    RouteState,
    RouteTrouble,
    WireEntry,
)
from meshnews.node.event import Trouble
from meshnews.node.links.allowance import Bound
from meshnews_cli import wire_sentences
from meshnews_cli.wire_sentences import drop_sentence, last_wire, route_sentence, wire_sentence
from tests.cli.conftest import RunCommand, StartDaemon

NOW = dt.datetime(2026, 11, 21, 2, 0, tzinfo=dt.UTC)
"""08:00 where these tests live."""
PIN = bytes([9]) * 32
LISTING = EndpointListing(
    (
        EndpointFact(collector="far", host="192.0.2.1", ports=(7117, 53)),
        EndpointFact(
            collector="far",
            host="far.example.org",
            ports=(443,),
            tls=True,
            pin=PIN,
            server_name="www.example.org",
            ours=False,
        ),
    )
)


def route(state: RouteState, **facts: Any) -> RouteFact:
    return RouteFact(
        collector="far", kind=RouteKind.TLS, where="192.0.2.1:443", state=state, **facts
    )


def minutes(number: float) -> dt.timedelta:
    return dt.timedelta(minutes=number)


def test_every_trouble_of_a_node_has_a_sentence_of_its_own() -> None:
    assert {each.value for each in Trouble} == {each.value for each in RouteTrouble}
    assert set(wire_sentences.TROUBLES) == set(RouteTrouble)
    assert len(set(wire_sentences.TROUBLES.values())) == len(RouteTrouble)
    assert set(wire_sentences.ROUTE_KINDS) == set(RouteKind)


@pytest.mark.parametrize(
    ("state", "trouble"), list(itertools.product(RouteState, [None, *RouteTrouble]))
)
def test_every_way_has_a_sentence_even_without_its_facts(
    state: RouteState, trouble: RouteTrouble | None
) -> None:
    said = route_sentence(route(state, trouble=trouble))
    assert said.endswith(".")
    assert "None" not in said


def test_the_sentence_that_was_promised() -> None:
    said = last_wire(NOW - minutes(31), NOW + minutes(30), now=NOW)
    assert said == "Last wire 31 min ago, expected again about 08:30."


@pytest.mark.parametrize(
    ("ago", "words"),
    [(0.5, "just now"), (1, "1 min"), (119, "119 min"), (150, "2 h"), (60 * 72, "3 days")],
)
def test_how_long_ago_is_said_in_fitting_words(ago: float, words: str) -> None:
    assert words in last_wire(NOW - minutes(ago), None, now=NOW)


def test_by_a_clock_that_is_behind_the_last_wire_was_not_just_now() -> None:
    assert last_wire(NOW, None, now=NOW - minutes(600)) == "Last wire 2026-11-21 08:00 +06:00."
    assert last_wire(NOW, None, now=NOW - minutes(0.5)) == "Last wire just now."


def test_a_wire_that_is_up_is_said_to_be() -> None:
    said = wire_sentence(WireStatus(up_since=NOW, last_at=NOW, told_at=NOW))
    assert said == "The wire is up, since 2026-11-21 08:00 +06:00."


def test_one_that_never_was_is_said_too_and_why() -> None:
    said = wire_sentence(WireStatus(has_network=False))
    assert said == f"{wire_sentences.NEVER_UP} {wire_sentences.NO_NETWORK}"


def test_a_slow_way_is_called_slow_and_a_fast_one_is_not() -> None:
    assert "Slow: 2.0 kB a second." in route_sentence(route(RouteState.UP, bytes_per_s=2000))
    assert "Slow" not in route_sentence(route(RouteState.UP, bytes_per_s=200_000))
    assert "Slow" not in route_sentence(route(RouteState.UP))


def test_only_a_receipt_is_a_proof() -> None:
    assert "No receipt has come back" in route_sentence(route(RouteState.UP))
    assert "A receipt came back" in route_sentence(route(RouteState.UP, proven_at=NOW))


def test_a_way_that_rests_says_why_until_when_and_that_a_flash_still_goes() -> None:
    until = NOW + minutes(45)
    said = {
        bound: route_sentence(route(RouteState.RESTING, bound=bound, rests_until=until))
        for bound in RouteBound
    }
    assert said == {
        RouteBound.VOLUME: "Rests until 2026-11-21 08:45 +06:00: what may cross it in a day has "
        "crossed it. A flash still goes.",
        RouteBound.DUTY: "Rests until 2026-11-21 08:45 +06:00: it was used for as long as it may "
        "be in an hour. A flash still goes.",
    }
    assert {each.value for each in Bound} == {each.value for each in RouteBound}


def test_the_ways_are_shown_with_what_befell_each(daemon: StartDaemon, cli: RunCommand) -> None:
    ways = (
        route(RouteState.FAILED, trouble=RouteTrouble.CUT),
        RouteFact(
            collector="far",
            kind=RouteKind.SOCKS,
            where="far.onion:80",
            proxy="127.0.0.1:9050",
            state=RouteState.UP,
        ),
    )
    daemon({Wire: WireStatus(up_since=NOW, told_at=NOW, routes=ways)})
    out = cli("wire").out
    assert "The wire is up" in out
    assert "192.0.2.1:443" in out
    assert "Cut:" in out
    assert "far.onion:80  by 127.0.0.1:9050" in out
    assert json.loads(cli("wire", "--json").out)["routes"][0]["trouble"] == "cut"


DROP = DropFact(kind=DropKind.WEBDAV, where="https://files.example/folder", state=DropState.UNTRIED)


@pytest.mark.parametrize(
    ("state", "trouble"), list(itertools.product(DropState, [None, *RouteTrouble]))
)
def test_every_drop_has_a_sentence_even_without_its_facts(
    state: DropState, trouble: RouteTrouble | None
) -> None:
    said = drop_sentence(msgspec.structs.replace(DROP, state=state, trouble=trouble))
    assert said == said.strip()
    assert said.endswith(".")
    assert "None" not in said


def test_a_drop_is_shown_with_what_was_done_there(daemon: StartDaemon, cli: RunCommand) -> None:
    drops = (
        DropFact(
            kind=DropKind.S3,
            where="https://store.example/bucket",
            proxy="127.0.0.1:9050",
            state=DropState.VISITED,
            visited_at=NOW,
            proven_at=NOW,
            objects=12,
            read=3,
            written=4,
        ),
        msgspec.structs.replace(DROP, state=DropState.FAILED, trouble=RouteTrouble.DENIED),
    )
    daemon({Wire: WireStatus(drops=drops)})
    out = " ".join(cli("wire").out.split())
    assert "S3 https://store.example/bucket by 127.0.0.1:9050" in out
    assert "Visited at 2026-11-21 08:00 +06:00. There were 12 files; 3 read and 4 written." in out
    assert "News last came from there at 2026-11-21 08:00 +06:00." in out
    assert "WebDAV https://files.example/folder Not let in:" in out
    assert "published no address" in out
    assert "does not look for a wire" not in out
    first, second = json.loads(cli("wire", "--json").out)["drops"]
    assert (first["objects"], first["kind"], second["trouble"]) == (12, "s3", "denied")


def test_a_collector_shows_its_certificate(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({Wire: WireStatus(certificate="ab" * 32)})
    assert "ab" * 32 in cli("wire").out


def test_without_addresses_it_says_what_that_means(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({Wire: WireStatus()})
    assert "published no address" in " ".join(cli("wire").out.split())


def test_the_log_is_shown_and_exported_as_it_was_signed(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    entries = (
        WireEntry(0, up=True, at=NOW, clock_sure=True, signed=b"one"),
        WireEntry(1, up=False, at=NOW + minutes(7), clock_sure=False, signed=b"two"),
    )
    daemon({WireLog: WireLogListing(PIN, entries)})
    first, second = cli("wire", "--log").out.splitlines()
    assert first == "2026-11-21 08:00 +06:00  up"
    assert second.startswith("2026-11-21 08:07 +06:00  down  (by a clock")
    exported = json.loads(cli("wire", "--log", "--json").out)
    assert exported["key"] == PIN.hex()
    assert [bytes.fromhex(each["signed"]) for each in exported["entries"]] == [b"one", b"two"]


def test_the_hours_in_which_there_usually_was_a_wire_are_shown_as_they_are_here(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    days = [0] * 48
    days[5], days[40] = 3, 1
    daemon({WireLog: WireLogListing(PIN, (), tuple(days))})
    lines = cli("wire", "--log").out.splitlines()
    assert lines[-2:] == ["  02:00  # 1", "  08:30  ### 3"]


# Addresses ----------------------------------------------------------------------


def test_an_address_is_published_as_typed(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = daemon({DeskEndpointAdd: LISTING})
    words = ["desk", "endpoint", "add", "far", "192.0.2.1", "--port", "443", "--port", "53"]
    assert cli(*words).status == 0
    assert cli(*words, "--tls", PIN.hex(":"), "--sni", "www.example.org").status == 0
    plain, inside = fake.asked_for(DeskEndpointAdd)
    assert (plain.collector, plain.host, plain.ports, plain.pin) == (
        "far",
        "192.0.2.1",
        (443, 53),
        b"",
    )
    assert (inside.pin, inside.server_name) == (PIN, "www.example.org")


def test_what_is_published_is_listed(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({DeskEndpointList: LISTING})
    out = cli("desk", "endpoint", "list").out
    assert "192.0.2.1  7117, 53" in out
    assert "published by another editor" in out
    assert PIN.hex() in out


def test_an_address_is_taken_back(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = daemon({DeskEndpointRemove: EndpointListing(())})
    outcome = cli("desk", "endpoint", "remove", "far", "192.0.2.1", "--port", "53")
    assert outcome.out == "No address of a collector is published.\n"
    assert fake.asked_for(DeskEndpointRemove) == [DeskEndpointRemove("far", "192.0.2.1", 53)]


@pytest.mark.parametrize("typed", ["", "abc", "zz" * 32, "ab" * 31])
def test_a_hash_that_is_none_is_a_mistake_of_typing(cli: RunCommand, typed: str) -> None:
    words = ["desk", "endpoint", "add", "far", "192.0.2.1", "--port", "443"]
    assert cli(*words, "--tls", typed).status == 2


@pytest.mark.parametrize("port", ["0", "65536", "https"])
def test_a_port_that_is_none_is_a_mistake_of_typing(cli: RunCommand, port: str) -> None:
    assert cli("desk", "endpoint", "add", "far", "192.0.2.1", "--port", port).status == 2
