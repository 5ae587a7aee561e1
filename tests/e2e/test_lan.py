"""Machines of one desk find each other on whatever network there is, without any address."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import neighbours
from tests.e2e.world import Machine, World, open_world, run, wait_until

pytestmark = pytest.mark.e2e

LOOK_S = 0.6
"""What it takes to ask a daemon who is near, on a busy machine."""


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    with open_world(tmp_path_factory.mktemp("lan")) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        for name in ("relay-1", "relay-2", "reporter-1", "reporter-2"):
            joiner = newsroom.add(name, name.partition("-")[0])
            newsroom.enrol(editor, joiner, near=("relay-1",) if name == "relay-2" else ())
            joiner.settings["port"] = "0"
        yield newsroom


@pytest.fixture
def world(newsroom: Newsroom) -> Iterator[World]:
    yield newsroom.world
    for machine in newsroom.world.machines.values():
        machine.stop()
        machine.settings.pop("visibility", None)
        newsroom.world.part(machine)
        plain(machine)


def plain(machine: Machine) -> None:
    """Give a machine the addresses that it began with, and no firewall."""
    where = ("ip", "-n", machine.namespace)
    run("ip", "netns", "exec", machine.namespace, "nft", "flush", "ruleset")
    run(*where, "address", "flush", "dev", "eth0")
    run(*where, "link", "set", "eth0", "down")
    run(*where, "link", "set", "eth0", "up")
    run(*where, "address", "replace", f"{machine.address}/24", "dev", "eth0")


def filtered(machine: Machine, *rules: str) -> None:
    """Let a machine's own firewall drop what comes in."""
    enter = ("ip", "netns", "exec", machine.namespace, "nft")
    run(*enter, "add table inet f")
    run(*enter, "add chain inet f in { type filter hook input priority 0 ; }")
    for rule in rules:
        run(*enter, f"add rule inet f in {rule}")


def veil(*machines: Machine) -> None:
    for machine in machines:
        machine.settings["visibility"] = '"veiled"'


def linked_within(machine: Machine, seconds: float) -> None:
    wait_until(lambda: neighbours(machine), within_s=seconds + LOOK_S, what="a link")


def pair(world: World, *names: str) -> list[Machine]:
    return [world.machines[name] for name in names]


def test_two_veiled_colleagues_are_linked_as_soon_as_both_are_up(world: World) -> None:
    left, right = pair(world, "reporter-1", "reporter-2")
    veil(left, right)
    world.meet(left, right)
    left.start()
    right.start()
    linked_within(right, 1.5)


def test_a_veiled_reporter_and_a_relay_are_linked_as_soon_as_both_are_up(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    world.meet(relay, reporter)
    relay.start()
    time.sleep(2)
    reporter.start()
    linked_within(reporter, 1.5)


def test_a_silent_reporter_is_linked_to_a_relay_by_its_next_call(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay)
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    # Within 38 s, and 20 more where an epoch ends meanwhile.
    linked_within(reporter, 60)


def test_zeroconf_alone_links_within_three_seconds(world: World) -> None:
    left, right = pair(world, "relay-1", "relay-2")
    for machine in (left, right):
        filtered(machine, "udp dport 48721 drop")
    world.meet(left, right)
    left.start()
    right.start()
    linked_within(right, 3)


def test_a_network_that_appears_later_is_used_within_three_seconds(world: World) -> None:
    left, right = pair(world, "relay-1", "reporter-1")
    veil(left, right)
    left.start()
    right.start()
    assert not neighbours(left)
    world.meet(left, right)
    linked_within(right, 3)


def test_a_link_local_network_without_ipv4_is_enough(world: World) -> None:
    left, right = pair(world, "relay-1", "reporter-1")
    veil(left, right)
    for machine in (left, right):
        run("ip", "-n", machine.namespace, "address", "flush", "dev", "eth0", "scope", "global")
    world.meet(left, right)
    left.start()
    right.start()
    linked_within(right, 5)


def test_a_network_without_multicast_is_enough(world: World) -> None:
    left, right = pair(world, "relay-1", "reporter-1")
    veil(left, right)
    for machine in (left, right):
        filtered(machine, "ip daddr 224.0.0.0/4 drop", "ip6 daddr ff00::/8 udp dport 48721 drop")
    world.meet(left, right)
    left.start()
    right.start()
    linked_within(right, 1.5)


def test_colleagues_find_each_other_on_a_network_that_they_trust(world: World) -> None:
    left, right = pair(world, "reporter-1", "reporter-2")
    world.meet(left, right)
    for machine in (left, right):
        where = ("ip", "-n", machine.namespace)
        run(*where, "route", "replace", "default", "via", "10.77.0.254", "dev", "eth0")
        run(*where, "neighbour", "replace", "10.77.0.254", "lladdr", "02:00:00:00:00:fe",
            "dev", "eth0")  # fmt: skip
        machine.start()
    assert left.ask("neighbours")["visibility"] == "silent"
    told = wait_until(lambda: trusted(left), within_s=8, what="the router is known")
    assert (told["visibility"], told["interfaces"]) == ("veiled", ["eth0"])
    linked_within(right, 1.5)
    assert left.ask("neighbours", "--distrust-network")["visibility"] == "silent"


def trusted(machine: Machine) -> dict[str, Any] | None:
    done = machine.cli("neighbours", "--trust-network", "--json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_who_looks_for_colleagues_is_found_for_a_while(world: World) -> None:
    left, right = pair(world, "reporter-1", "reporter-2")
    world.meet(left, right)
    left.start()
    right.start()
    assert left.ask("look", "1")["visibility"] == "veiled"
    linked_within(right, 1.5)


def test_clients_kept_apart_by_their_access_point_do_not_find_each_other(world: World) -> None:
    left, right = pair(world, "relay-1", "reporter-1")
    veil(left, right)
    for machine in (left, right):
        filtered(machine, "ip saddr 10.77.0.0/24 drop", "ip6 saddr fe80::/10 drop",
                 "ip6 saddr fd77::/64 drop")  # fmt: skip
    world.meet(left, right)
    left.start()
    right.start()
    time.sleep(4)
    assert not neighbours(left)
    assert left.ask("neighbours")["visibility"] == "veiled"
