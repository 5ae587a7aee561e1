"""The uplink keeper: who is called, when, and what a way out is worth."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from meshnews.ids import LinkId
from meshnews.node.event import Address, Carrier, Dial, Dialled, Effect, Network, Networks, Trouble
from meshnews.node.identity import Role
from meshnews.node.links.route import Route
from meshnews.node.links.uplink import ROUND_MAX, STAGGER_S, WAIT_S_MAX, WAIT_S_MIN, UplinkKeeper
from meshnews.node.node import Node
from meshnews.node.settings import Settings
from tests.node.newsroom import Machine, enrol, enrolled, make_desk, make_home

PATIENCE_S = 100.0
PIN = bytes([7]) * 32
TLS = f"192.0.2.1:443 {PIN.hex()} www.example.org"


@dataclass
class Gateway:
    """A machine, and what its keeper does while nothing else happens."""

    machine: Machine
    links: int = 0
    calls: list[Dial] = field(default_factory=list)

    @property
    def keeper(self) -> UplinkKeeper:
        return self.machine.node.uplinks

    def route(self, where: str) -> Route:
        (found,) = [r for r in self.keeper.routes if r.address.where == where]
        return found

    def wait(self, seconds: float, elsewhere: frozenset[bytes] = frozenset()) -> list[str]:
        """Let time pass in small steps; return where was called."""
        called: list[str] = []
        for _ in range(round(seconds / 0.5)):
            for dial in self.step(0.5, elsewhere):
                called.append(dial.addresses[0].where)
                self.calls.append(dial)
        return called

    def step(self, seconds: float, elsewhere: frozenset[bytes] = frozenset()) -> list[Dial]:
        home = self.machine.node.home
        home.moment = replace(home.moment, lived_s=home.moment.lived_s + seconds)
        return self.keeper.due(elsewhere)

    def dial_to(self, where: str) -> Dial:
        (found,) = [d for d in self.calls if d.addresses[0].where == where][-1:]
        return found

    def opens(self, where: str) -> LinkId:
        """Let a call reach a stream."""
        self.links += 1
        link = LinkId(self.links)
        dial = self.dial_to(where)
        event = Dialled(dial.attempt, link, Carrier.UPLINK, dial.addresses[0])
        assert self.keeper.opened(event) is not None
        return link

    def links_up(self, where: str) -> LinkId:
        """Let a call reach the collector."""
        link = self.opens(where)
        self.keeper.completed(link)
        return link

    def all_fail(self) -> None:
        for dial in self.calls:
            self.keeper.failed(dial.attempt, Trouble.NO_ANSWER)
        self.calls.clear()


def gateway(
    *, role: Role = Role.RELAY, collectors: int = 1, proxies: tuple[str, ...] = ()
) -> Gateway:
    """Return a machine that knows collectors at 192.0.2.1, 192.0.2.2 and so on."""
    editor, _ = make_desk()
    for number in range(1, collectors + 1):
        enrolled(editor, f"far-{number}", Role.RELAY, endpoint=True)
        editor.ask(publishes(f"far-{number}", f"192.0.2.{number}"))
    if role is Role.EDITOR:
        machine = editor
    else:
        machine = make_home("near", role)
        enrol(editor, machine)
    settings = Settings(proxies=proxies, patience_s=PATIENCE_S)
    machine.node.home.settings = settings
    machine.ask(lambda node: node.know_relays())
    found = Gateway(machine)
    for route in found.keeper.routes:
        route.attempt = route.tried_s = None
    found.keeper._attempts.clear()
    found.keeper.hurry()
    return found


def publishes(name: str, host: str) -> Callable[[Node], None]:
    def act(node: Node) -> None:
        node.endpoints.add(name, host, (443,), pin=PIN, name="www.example.org")
        node.endpoints.add(name, host, (53, 179))

    return act


# Which ways there are -------------------------------------------------------


def test_what_the_desk_publishes_becomes_ways_in_its_order() -> None:
    found = [route.address for route in gateway().keeper.routes]
    assert found == [
        Address("tls", TLS),
        Address("direct", "192.0.2.1:53"),
        Address("direct", "192.0.2.1:179"),
    ]


def test_a_proxy_leads_to_all_of_them_too() -> None:
    found = [route.address for route in gateway(proxies=("127.0.0.1:9050",)).keeper.routes]
    assert found[:2] == [Address("tls", TLS), Address("socks-tls", f"127.0.0.1:9050 {TLS}")]
    assert found[3] == Address("socks", "127.0.0.1:9050 192.0.2.1:53")


def test_an_onion_is_called_by_proxy_only_and_a_number_of_six_in_brackets() -> None:
    one = gateway()
    editor, _ = make_desk("editor-2")
    enrolled(editor, "far", Role.RELAY, endpoint=True)
    editor.ask(lambda node: node.endpoints.add("far", "abcdef.onion", (443,)))
    editor.ask(lambda node: node.endpoints.add("far", "2001:db8::1", (443,)))
    assert [r.address.where for r in editor.node.uplinks.routes] == ["[2001:db8::1]:443"]
    assert one.keeper.routes
    editor.node.home.settings = Settings(proxies=("127.0.0.1:9050",))
    editor.ask(lambda node: node.know_relays())
    assert Address("socks", "127.0.0.1:9050 abcdef.onion:443") in [
        r.address for r in editor.node.uplinks.routes
    ]


def test_an_address_that_is_taken_back_is_called_no_more() -> None:
    desk = gateway(role=Role.EDITOR)
    desk.machine.ask(lambda node: node.endpoints.remove("far-1", "192.0.2.1", 443))
    assert [r.address.transport for r in desk.keeper.routes] == ["direct", "direct"]


# When -----------------------------------------------------------------------


def test_ways_are_tried_side_by_side_a_second_apart() -> None:
    one = gateway()
    assert one.wait(0.5) == [TLS]
    assert one.wait(STAGGER_S) == ["192.0.2.1:53"]
    assert one.wait(STAGGER_S) == ["192.0.2.1:179"]


def test_nobody_is_called_twice_at_once() -> None:
    one = gateway()
    assert len(one.wait(300)) == 3


def test_the_slowest_call_keeps_no_other_waiting() -> None:
    one = gateway()
    one.wait(3)
    one.keeper.failed(one.dial_to(TLS).attempt, Trouble.REFUSED)
    assert one.wait(WAIT_S_MAX) == [TLS]


def test_within_half_a_minute_there_is_always_another_try() -> None:
    one = gateway()
    for _ in range(12):
        assert one.wait(WAIT_S_MAX + 3), "it never goes blind"
        one.all_fail()


def test_waiting_grows_and_is_never_the_same_twice() -> None:
    one = gateway()
    pauses = []
    for _ in range(6):
        one.wait(2.5)
        one.all_fail()
        waited = 0.0
        while not (dials := one.step(0.01)):
            waited += 0.01
        one.calls += dials
        pauses.append(waited)
    # The second round's rest, whatever is drawn for it.
    assert pauses[0] <= 2 * WAIT_S_MIN
    assert pauses[-1] > 10
    assert len(set(pauses)) == len(pauses)


def test_a_round_is_bounded_and_every_way_has_its_turn() -> None:
    one = gateway(collectors=4, proxies=("127.0.0.1:9050",))
    assert len(one.keeper.routes) == 24
    called: set[str] = set()
    for _ in range(4):
        found = one.wait(60)
        assert len(found) <= ROUND_MAX
        called |= set(found)
        one.all_fail()
    assert len(called) == 24


def test_a_new_network_ends_all_waiting() -> None:
    one = gateway()
    for _ in range(6):
        one.wait(WAIT_S_MAX)
        one.all_fail()
    assert one.wait(0.5) == []
    effects: list[Effect] = []
    clock = one.machine.clock
    with one.machine.carry.transaction():
        effects = one.machine.node.handle(Networks((Network("wan0", b""),)), clock)
    assert [e for e in effects if isinstance(e, Dial)]


def test_who_has_a_good_link_calls_nobody_and_who_lost_it_calls_soon() -> None:
    one = gateway(collectors=2)
    one.wait(0.5)
    link = one.links_up(TLS)
    assert one.wait(300) == []
    one.keeper.ended(link, None)
    assert one.wait(2.5)


def test_a_link_that_was_of_use_is_called_again_soon_however_short_it_was() -> None:
    one = gateway()
    for _ in range(6):
        one.wait(WAIT_S_MAX + 3)
        one.all_fail()
    assert one.wait(WAIT_S_MAX + 3)
    one.keeper.ended(one.links_up(TLS), None, useful=True)
    assert one.wait(WAIT_S_MIN + 0.5)


def test_a_desks_machine_keeps_all_its_collectors() -> None:
    desk = gateway(role=Role.EDITOR, collectors=2)
    assert desk.wait(10)[0] == TLS
    desk.links_up(TLS)
    desk.all_fail()
    called = desk.wait(10)
    assert {where.partition(":")[0] for where in called} == {"192.0.2.2"}


def test_a_collector_met_near_by_needs_no_uplink() -> None:
    one = gateway()
    static = bytes(one.keeper.routes[0].relay.static)
    assert one.wait(60, frozenset({static})) == []


# What became of a call ------------------------------------------------------


def test_a_call_that_comes_late_is_for_nobody() -> None:
    one = gateway()
    one.wait(2)
    one.links_up("192.0.2.1:53")
    late = one.dial_to(TLS)
    event = Dialled(late.attempt, LinkId(9), Carrier.UPLINK, late.addresses[0])
    assert one.keeper.opened(event) is None


@pytest.mark.parametrize("trouble", Trouble)
def test_why_a_call_led_nowhere_is_kept_until_it_leads_somewhere(trouble: Trouble) -> None:
    one = gateway()
    one.wait(0.5)
    one.keeper.failed(one.dial_to(TLS).attempt, trouble)
    assert one.route(TLS).trouble is trouble
    one.wait(3)
    one.all_fail()
    one.wait(30)
    one.links_up(TLS)
    assert one.route(TLS).trouble is None


def test_a_handshake_without_answer_is_a_trouble_of_the_way() -> None:
    one = gateway()
    one.wait(0.5)
    link = one.opens(TLS)
    one.keeper.ended(link, Trouble.SILENT)
    assert one.route(TLS).trouble is Trouble.SILENT


def test_what_led_to_nobody_is_tried_after_what_was_not_tried() -> None:
    one = gateway(collectors=4)
    first = one.wait(20)
    one.all_fail()
    second = one.wait(20)
    assert set(first) | set(second) == {r.address.where for r in one.keeper.routes}


# What a way is worth --------------------------------------------------------


def test_a_way_is_proven_by_a_receipt_and_tried_first_then() -> None:
    one = gateway()
    one.wait(3)
    link = one.links_up("192.0.2.1:179")
    one.keeper.proved(link)
    one.keeper.ended(link, None)
    one.all_fail()
    assert one.wait(40)[0] == "192.0.2.1:179"


def test_a_proof_outlives_a_restart() -> None:
    one = gateway()
    one.wait(3)
    link = one.links_up("192.0.2.1:179")
    with one.machine.carry.transaction():
        one.keeper.proved(link)
    one.machine.restart()
    assert one.route("192.0.2.1:179").proven_s is not None


def test_who_takes_bundles_and_brings_no_receipt_is_suspect_and_the_next_is_used_as_well() -> None:
    one = gateway(collectors=2)
    one.wait(0.5)
    link = one.links_up(TLS)
    one.keeper.took(link)
    assert one.wait(PATIENCE_S - 1) == []
    called = one.wait(10)
    assert called
    assert all(where.startswith("192.0.2.2") for where in called)
    assert one.route(TLS).linked_s is not None, "it is kept as well"


def test_a_receipt_takes_the_suspicion_away() -> None:
    one = gateway(collectors=2)
    one.wait(0.5)
    link = one.links_up(TLS)
    for _ in range(10):
        one.keeper.took(link)
        assert one.wait(PATIENCE_S - 1) == []
        one.keeper.proved(link)


def test_a_second_way_that_is_good_is_enough() -> None:
    one = gateway(collectors=3)
    one.wait(0.5)
    one.keeper.took(one.links_up(TLS))
    second = next(w for w in one.wait(PATIENCE_S + 10) if w.startswith("192.0.2.2"))
    one.links_up(second)
    one.all_fail()
    assert one.wait(60) == []


def test_a_desks_machine_takes_what_comes_in_for_proof() -> None:
    desk = gateway(role=Role.EDITOR)
    desk.wait(0.5)
    link = desk.links_up(TLS)
    with desk.machine.carry.transaction():
        desk.keeper.proved(link)
    assert desk.route(TLS).proven_s is not None
