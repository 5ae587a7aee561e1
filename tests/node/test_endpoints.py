"""Where collectors can be called: what an editor publishes reaches everybody, the newest wins."""

import functools

import pytest

from meshnews.desk.bulletin import Endpoint, EndpointKind
from meshnews.desk.limits import ENDPOINTS_MAX
from meshnews.errors import Refusal
from meshnews.node.identity import Role
from meshnews.node.node import Node
from tests.node.newsroom import Machine, add_editor, enrol, enrolled, make_desk, make_home

PIN = bytes([9]) * 32


@pytest.fixture
def desk() -> tuple[Machine, Machine, bytes]:
    """An editor, a collector of the desk, and the root's key."""
    editor, root = make_desk()
    return editor, enrolled(editor, "far", Role.RELAY, endpoint=True), root


Desk = tuple[Machine, Machine, bytes]


def add(editor: Machine, host: str, *ports: int, pin: bytes = b"") -> None:
    editor.ask(lambda node: node.endpoints.add("far", host, ports or (443,), pin=pin))


def known(machine: Machine) -> list[tuple[str, tuple[int, ...]]]:
    endpoints = machine.ask(lambda node: node.home.book.directory.endpoints)
    return [(one.host, one.ports) for one in endpoints]


def test_an_address_stands_in_the_next_bulletin_at_once(desk: Desk) -> None:
    editor, collector, _ = desk
    before = editor.node.home.book.bulletins
    versions = {signer: one.version for signer, one in before.items()}
    add(editor, "192.0.2.1", 443, 53)
    ((signer, bulletin),) = editor.node.home.book.bulletins.items()
    own = collector.node.home.identity.relay
    assert own is not None
    assert bulletin.version == versions[signer] + 1
    assert bulletin.endpoints == (Endpoint(own.static.public[:8], "192.0.2.1", (443, 53)),)


def test_who_joins_later_has_the_addresses_on_the_card(desk: Desk) -> None:
    add(desk[0], "192.0.2.1")
    joiner = make_home("near", Role.REPORTER)
    enrol(desk[0], joiner)
    assert known(joiner) == [("192.0.2.1", (443,))]
    assert [r.address.where for r in joiner.node.uplinks.routes] == ["192.0.2.1:443"]


def test_a_certificate_and_a_name_go_with_an_address_in_tls(desk: Desk) -> None:
    editor, *_ = desk
    found = editor.ask(
        lambda node: node.endpoints.add("FAR", "Far.Example.Org", (443,), pin=PIN, name="A.Net")
    )
    assert found.endpoint.kind == EndpointKind.TLS
    assert (found.endpoint.host, found.endpoint.name) == ("far.example.org", "a.net")
    assert found.endpoint.pin == PIN


def test_what_is_taken_back_is_gone_from_the_next_bulletin(desk: Desk) -> None:
    editor, *_ = desk
    add(editor, "192.0.2.1")
    add(editor, "192.0.2.2", 443)
    add(editor, "192.0.2.2", 53)
    assert editor.ask(lambda node: node.endpoints.remove("far", "192.0.2.2", 53)) == 1
    assert known(editor) == [("192.0.2.1", (443,)), ("192.0.2.2", (443,))]
    editor.ask(lambda node: node.endpoints.remove("far", "192.0.2.1"))
    editor.ask(lambda node: node.endpoints.remove("far", "192.0.2.2"))
    assert known(editor) == []


def test_addresses_outlive_a_restart_and_a_week(desk: Desk) -> None:
    editor, *_ = desk
    add(editor, "192.0.2.1")
    editor.restart()
    editor.later(days=8)
    assert known(editor) == [("192.0.2.1", (443,))]


def test_a_second_editor_adds_to_the_list_and_leaves_the_firsts_alone(desk: Desk) -> None:
    editor, _, root = desk
    add(editor, "192.0.2.1")
    second = make_home("second", Role.EDITOR)
    add_editor(editor, root, second)
    add(second, "192.0.2.2")
    assert ("192.0.2.1", (443,)) in known(second)
    assert ("192.0.2.2", (443,)) in known(second)
    listed = second.ask(lambda node: node.endpoints.all())
    assert {one.endpoint.host: one.is_ours for one in listed} == {
        "192.0.2.1": False,
        "192.0.2.2": True,
    }
    with pytest.raises(Refusal):
        second.ask(lambda node: node.endpoints.remove("far", "192.0.2.1"))


@pytest.mark.parametrize("host", ["", "-x", "a b", "a/b", "[::1]", "ü", "a" * 254])
def test_what_is_no_host_is_refused(desk: Desk, host: str) -> None:
    with pytest.raises(Refusal, match="no address"):
        add(desk[0], host)
    assert known(desk[0]) == []


@pytest.mark.parametrize("ports", [(0,), (70000,), (1, 1), tuple(range(1, 10))])
def test_what_are_no_ports_is_refused(desk: Desk, ports: tuple[int, ...]) -> None:
    with pytest.raises(Refusal, match="no address"):
        add(desk[0], "192.0.2.1", *ports)


def test_an_address_is_published_once_and_there_is_an_end_to_it(desk: Desk) -> None:
    editor, *_ = desk
    add(editor, "192.0.2.1")
    with pytest.raises(Refusal, match="already"):
        add(editor, "192.0.2.1")
    for number in range(1, ENDPOINTS_MAX):
        add(editor, "192.0.2.1", number)
    with pytest.raises(Refusal, match="At most"):
        add(editor, "192.0.2.9")


def test_only_a_collector_of_the_desk_has_an_address(desk: Desk) -> None:
    editor, *_ = desk
    enrolled(editor, "near", Role.RELAY)
    for name in ("near", "nobody"):
        with pytest.raises(Refusal, match="No collector"):
            editor.ask(functools.partial(_add_at, name=name))


def _add_at(node: Node, *, name: str) -> None:
    node.endpoints.add(name, "192.0.2.1", (1,))


def test_only_an_editor_publishes(desk: Desk) -> None:
    reporter = enrolled(desk[0], "person", Role.REPORTER)
    with pytest.raises(Refusal):
        reporter.ask(lambda node: node.endpoints.add("far", "192.0.2.1", (1,)))
