"""On networks that keep something back: what works works, and the doctor says what does not."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.test_lan import filtered, linked_within, pair, plain, veil
from tests.e2e.test_there_and_back import neighbours
from tests.e2e.world import Machine, Time, World, open_world, run, wait_until

pytestmark = pytest.mark.e2e

NOBODY = "No machine of your desk was heard lately, so nothing leaves this one."
NO_FIREWALL = "No firewall of this machine keeps others' calls away."
FIREWALL = (
    "A firewall of this machine keeps others' calls away on eth0, so others are not found.",
    "Let UDP port 48721 in.",
)
DEAF_TO_IPV4 = (
    "A firewall of this machine keeps away on eth0 what comes over IPv4; what comes over IPv6 is "
    "heard."
)
DEAF_TO_MULTICAST = (
    "A firewall of this machine keeps away on eth0 what comes by multicast; what comes by "
    "broadcast is heard."
)
NO_MULTICAST = (
    "The network on eth0 brings others' calls by broadcast alone, and no multicast: zeroconf "
    "finds nobody there."
)
TWO_CALLS_S = 65
"""Within this, everybody has called twice, also while an epoch ends."""


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    with open_world(tmp_path_factory.mktemp("doctor")) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        for name in ("relay-1", "reporter-1", "reporter-2"):
            joiner = newsroom.add(name, name.partition("-")[0])
            newsroom.enrol(editor, joiner)
            joiner.settings["port"] = "0"
        world.machine("stranger-1")
        yield newsroom


@pytest.fixture
def world(newsroom: Newsroom) -> Iterator[World]:
    yield newsroom.world
    for machine in newsroom.world.machines.values():
        machine.stop()
        machine.settings.pop("visibility", None)
        newsroom.world.part(machine)
        in_hub(newsroom.world, "bridge", "link", "set", "dev", cable(machine), "isolated", "off")
        plain(machine)
    run("ip", "netns", "exec", newsroom.world.hub, "nft", "flush", "ruleset")


@dataclass(frozen=True)
class Diagnosis:
    """What a doctor said: of every finding its level, its sentence and its remedy."""

    findings: tuple[tuple[str, str, str], ...]

    @property
    def good(self) -> set[str]:
        return {what for level, what, _ in self.findings if level == "good"}

    @property
    def problems(self) -> dict[str, str]:
        """Return the remedy of each problem by its sentence."""
        return {what: remedy for level, what, remedy in self.findings if level != "good"}


def doctor(machine: Machine) -> Diagnosis:
    found = machine.ask("doctor")["findings"]
    return Diagnosis(tuple((one["level"], one["what"], one["remedy"]) for one in found))


def told_within(machine: Machine, seconds: float, problem: str) -> None:
    wait_until(lambda: problem in doctor(machine).problems, within_s=seconds, what=problem)


def cable(machine: Machine) -> str:
    return f"c{machine.number}"


def in_hub(world: World, *words: str) -> None:
    run("ip", "netns", "exec", world.hub, *words, check=False)


def keep_apart(world: World, *machines: Machine) -> None:
    """Let the access point carry nothing from one of these to another."""
    for machine in machines:
        in_hub(world, "bridge", "link", "set", "dev", cable(machine), "isolated", "on")


def carry_no_multicast(world: World) -> None:
    """Let the networks of this world carry what is for one or for all, and nothing else."""
    enter = ("ip", "netns", "exec", world.hub, "nft")
    run(*enter, "add table bridge f")
    run(*enter, "add chain bridge f between { type filter hook forward priority 0 ; }")
    for rule in ("ip daddr 224.0.0.0/4 drop", "ip6 daddr ff00::/8 drop"):
        run(*enter, f"add rule bridge f between {rule}")


# Networks


def test_a_network_that_keeps_its_users_apart_leaves_them_the_relay_beside_it(
    world: World,
) -> None:
    relay, left, right = pair(world, "relay-1", "reporter-1", "reporter-2")
    veil(left, right)
    world.meet(relay, left, right)
    keep_apart(world, left, right)
    left.start()
    right.start()
    said = doctor(left)
    assert said.problems[NOBODY].startswith("Some networks keep their users apart")
    assert NO_FIREWALL in said.good
    relay.start()
    linked_within(left, 3)
    linked_within(right, 3)
    said = doctor(left)
    assert NOBODY not in said.problems
    assert {"1 machine of your desk was heard lately.",
            "1 of 1 relays and collectors known here was heard lately."} <= said.good  # fmt: skip
    assert neighbours(left) == 1, "the colleague is out of reach"


def test_a_network_without_ipv4_is_enough_and_named(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    for machine in (relay, reporter):
        run("ip", "-n", machine.namespace, "-4", "address", "flush", "dev", "eth0")
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    linked_within(reporter, 5)
    said = doctor(reporter)
    assert (
        "The network on eth0 gave no IPv4 address, so machines are found there by IPv6 alone."
        in said.problems
    )
    assert {NO_FIREWALL, "1 machine of your desk was heard lately."} <= said.good


def test_a_network_that_carries_no_multicast_is_enough_and_named(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    world.meet(relay, reporter)
    carry_no_multicast(world)
    relay.start()
    reporter.start()
    linked_within(reporter, 3)
    for machine in (relay, reporter):
        told_within(machine, TWO_CALLS_S, NO_MULTICAST)
        assert NO_FIREWALL in doctor(machine).good, "it is not this machine's fault"


def test_a_network_that_carries_everything_has_no_fault(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(reporter)
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    linked_within(reporter, 3)
    for machine in (relay, reporter):
        assert not [what for what in doctor(machine).problems
                    if re.search("network|firewall|heard|answers|sent to", what)]  # fmt: skip


def test_no_network_at_all_is_told_as_one_problem(world: World) -> None:
    (reporter,) = pair(world, "reporter-1")
    veil(reporter)
    reporter.start()
    said = doctor(reporter)
    assert said.problems["No network is in reach."] == (
        "Join a wireless network or plug in a cable."
    )
    assert not [what for what in said.problems if "firewall" in what]


# Firewalls


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(("meta l4proto udp drop",), id="no udp"),
        pytest.param(
            ("iif lo accept", "ct state established,related accept", "drop"), id="as desktops have"
        ),
    ],
)
def test_a_machine_that_lets_no_call_in_is_told_so_and_finds_nobody(
    world: World, rules: tuple[str, ...]
) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    filtered(reporter, *rules)
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    told_within(reporter, 5, FIREWALL[0])
    said = doctor(reporter)
    assert said.problems[FIREWALL[0]] == FIREWALL[1]
    assert NOBODY in said.problems
    assert NO_FIREWALL in doctor(relay).good, "a firewall elsewhere is not this machine's"
    run("ip", "netns", "exec", reporter.namespace, "nft", "flush", "ruleset")
    linked_within(reporter, TWO_CALLS_S)
    # What this machine's own last call told holds until it calls again.
    wait_until(
        lambda: NO_FIREWALL in doctor(reporter).good, within_s=TWO_CALLS_S, what="an open door"
    )


def test_a_relay_that_lets_no_call_in_is_still_found_by_who_hears_it(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    filtered(relay, "meta l4proto udp drop")
    world.meet(relay, reporter)
    reporter.start()
    relay.start()
    linked_within(reporter, 3)
    told_within(relay, 5, FIREWALL[0])


def test_a_machine_that_lets_no_multicast_in_is_told_that_and_no_more(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    filtered(reporter, "ip daddr 224.0.0.0/4 drop", "ip6 daddr ff00::/8 udp dport 48721 drop")
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    linked_within(reporter, 3)
    told_within(reporter, 5, DEAF_TO_MULTICAST)
    assert FIREWALL[0] not in doctor(reporter).problems


def test_a_machine_that_lets_no_ipv4_in_is_found_by_ipv6_and_told_so(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay, reporter)
    filtered(reporter, "meta nfproto ipv4 drop")
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    linked_within(reporter, 5)
    told_within(reporter, 5, DEAF_TO_IPV4)
    assert [what for what in doctor(reporter).problems if "firewall" in what] == [DEAF_TO_IPV4]


def test_a_machine_that_may_send_nothing_is_told_so(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(reporter)
    enter = ("ip", "netns", "exec", reporter.namespace, "nft")
    run(*enter, "add table inet f")
    run(*enter, "add chain inet f out { type filter hook output priority 0 ; }")
    run(*enter, "add rule inet f out udp dport 48721 drop")
    world.meet(relay, reporter)
    relay.start()
    reporter.start()
    linked_within(reporter, TWO_CALLS_S)
    # It is believed once it has lasted through all tries.
    told_within(
        reporter,
        8,
        "Nothing can be sent to everybody on eth0, so no machine is found there by calling.",
    )


def test_a_silent_machine_knows_of_no_firewall_until_it_hears_somebody(world: World) -> None:
    relay, reporter = pair(world, "relay-1", "reporter-1")
    veil(relay)
    world.meet(relay, reporter)
    reporter.start()
    unknown = (
        "Whether a firewall keeps others' calls away is not known, since this machine has "
        "neither called nor heard anybody."
    )
    said = doctor(reporter)
    assert unknown in said.problems
    assert NO_FIREWALL not in said.good
    relay.start()
    linked_within(reporter, TWO_CALLS_S)
    said = doctor(reporter)
    assert unknown not in said.problems
    assert NO_FIREWALL in said.good


# Names


ANSWER_AS_ANOTHER = """
import sys, time
from zeroconf import DNSOutgoing, ServiceBrowser, ServiceInfo, Zeroconf

found = []
def notice(name, **_):
    found.append(name)

zeroconf = Zeroconf()
browser = ServiceBrowser(zeroconf, "_relay._tcp.local.", [notice])
while not found:
    time.sleep(0.1)
theirs = zeroconf.get_service_info("_relay._tcp.local.", found[0], 3000)
mine = ServiceInfo(theirs.type, theirs.name, 9, addresses=[bytes([10, 77, 0, 99])],
                   properties={"v": "x"}, server=theirs.server)
said = DNSOutgoing(0x8400)
for record in (mine.dns_service(), mine.dns_text(), *mine.dns_addresses()):
    said.add_answer_at_time(record, 0)
zeroconf.send(said)
time.sleep(1)
zeroconf.close()
print(theirs.name.partition(".")[0])
"""


def answered_as_another(stranger: Machine) -> str:
    """Answer under the name that somebody shows; return what its doctor should say of it."""
    done = run("ip", "netns", "exec", stranger.namespace, "timeout", "20", sys.executable, "-c",
               ANSWER_AS_ANOTHER, check=False)  # fmt: skip
    return (
        f"Another machine on this network answers under {done.stdout.strip()}, the random name of "
        "this one, which does not happen by chance."
    )


def test_another_machine_that_answers_under_our_name_is_noticed(world: World) -> None:
    relay, stranger = pair(world, "relay-1", "stranger-1")
    world.meet(relay, stranger)
    relay.start()
    assert not [what for what in doctor(relay).problems if "answers under" in what]
    # Where an epoch ends meanwhile, the name goes, and with it what was noticed.
    wait_until(
        lambda: answered_as_another(stranger) in doctor(relay).problems,
        within_s=30,
        what="the name is taken",
    )


# The machine


def test_a_home_that_others_may_enter_is_not_ready(world: World) -> None:
    (relay,) = pair(world, "relay-1")
    relay.home.chmod(0o755)
    try:
        done = relay.cli("doctor", check=False)
    finally:
        relay.home.chmod(0o700)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "NOT READY Others on this machine can enter this home." in said
    assert f"to do: Take it from them with `chmod -R go= {relay.home}`." in said


def test_a_clock_that_cannot_be_right_is_told_from_one_nobody_vouches_for(world: World) -> None:
    (relay,) = pair(world, "relay-1")
    try:
        relay.time = Time(trusted=False)
        relay.start()
        unsure = doctor(relay).problems
        relay.reboot(at=Time("@1970-01-01 00:10:00", trusted=False))
        wrong = doctor(relay).problems
    finally:
        relay.stop()
        relay.time = Time()
    assert [what for what in unsure if what.startswith("The clock is not believed, so")]
    assert [what for what in wrong if what.startswith("The clock says 1970-01-01")]
