"""Every network that stands in the way: what `meshnews wire` says, and how it gets out.

The table is that of docs/operating.md.  Each case has a machine of its own, that has
never seen a way out, behind a router that does to its packets what the case says.
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshnews.control.wire_fact import RouteTrouble
from meshnewsd.platform.certificate import server_context
from tests.e2e.internet import open_internet
from tests.e2e.newsroom import Newsroom
from tests.e2e.operating_page import promised
from tests.e2e.test_wire import PORTS, publish, states, wire
from tests.e2e.world import Machine, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WITHIN_S = 60.0
LARGE_BYTES = 100_000
SWALLOW, INTERCEPT, PORTAL, TIRE = 9001, 9002, 9003, 9004
NAME = "collector.example.org"
TO = "iifname {near} ip daddr {collector} tcp dport"


@dataclass(frozen=True)
class Case:
    """One hostile network.

    Attributes:
        row: the network, as docs/operating.md's table names it.
        rules: what the router does to this machine's packets.
        troubles: what it says of these ways.
        left: the ways that are left.
    """

    row: str
    rules: tuple[str, ...]
    troubles: dict[str, RouteTrouble]
    left: tuple[str, ...]
    kbit: int | None = None


def only(port: str) -> Case:
    lost = dict.fromkeys(("tls 443",), RouteTrouble.NO_ANSWER)
    row = "only other ports are open"
    return Case(row, (f"{TO} != {port} drop",), lost, (f"direct {port}",))


CASES = {
    "packets are dropped": Case(
        "packets are dropped",
        (f"{TO} {{{{ 443, 7117, 53, 179 }}}} drop",),
        {"tls 443": RouteTrouble.NO_ANSWER, "direct 7117": RouteTrouble.NO_ANSWER},
        ("direct 3785",),
    ),
    "reset after the ClientHello": Case(
        "a reset after the ClientHello",
        (f"{TO} 443 tcp flags & psh == psh reject with tcp reset",),
        {"tls 443": RouteTrouble.CUT},
        ("direct 7117", "direct 53", "direct 179", "direct 3785"),
    ),
    "16 kbit/s": Case(
        "a rate limit of 16 kbit/s, once something large crosses",
        (),
        {},
        ("tls 443", "direct 7117", "direct 53", "direct 179"),
        kbit=16,
    ),
    "a proxy that swallows": Case(
        "a proxy that swallows, at once or after a while",
        (f"{TO} {{{{ 443, 7117 }}}} redirect to :{SWALLOW}",),
        {"tls 443": RouteTrouble.SILENT, "direct 7117": RouteTrouble.SILENT},
        ("direct 53", "direct 179", "direct 3785"),
    ),
    "a proxy that swallows after a while": Case(
        "a proxy that swallows, at once or after a while",
        (f"{TO} 443 redirect to :{TIRE}", f"{TO} {{{{ 7117, 53, 179 }}}} drop"),
        {"tls 443": RouteTrouble.SILENT},
        ("direct 3785",),
    ),
    "TLS is intercepted": Case(
        "a TLS interceptor",
        (f"{TO} 443 redirect to :{INTERCEPT}",),
        {"tls 443": RouteTrouble.OTHER_CERTIFICATE},
        ("direct 7117", "direct 53", "direct 179", "direct 3785"),
    ),
    "a captive portal answers everything but DNS": Case(
        "a captive portal",
        (f"{TO} != 53 redirect to :{PORTAL}",),
        {"tls 443": RouteTrouble.STRANGER, "direct 7117": RouteTrouble.STRANGER},
        ("direct 53",),
    ),
    "only port 179 is open": only("179"),
    "only port 3785 is open": only("3785"),
    "only port 53 is open": only("53"),
}


def ways(machine: Machine, state: str) -> dict[str, Any]:
    """Return the ways in a state, by kind and port, with the trouble of each."""
    return {
        f"{route['kind']} {route['where'].rpartition(':')[2]}": route["trouble"]
        for route in wire(machine)["routes"]
        if route["state"] == state and NAME not in route["where"]
    }


@pytest.mark.parametrize("names", [list(CASES)[::2], list(CASES)[1::2]], ids=["one", "other"])
def test_it_gets_out_of_every_network_that_leaves_a_way(tmp_path: Path, names: list[str]) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        collector = newsroom.add("collector-1", "relay", endpoint=True)
        collector.settings |= {"extra_ports": f"[{', '.join(PORTS[1:])}]", "tls_ports": "[443]"}
        newsroom.enrol(editor, collector)
        internet.join(collector)
        internet.join(editor)
        collector.start()
        publish(internet, editor, collector, ("tls", "tcp"))
        pem = tmp_path / "national.pem"
        server_context(pem, name=NAME)
        internet.odd("swallow", str(SWALLOW))
        internet.odd("intercept", str(INTERCEPT), str(pem))
        internet.odd("portal", str(PORTAL))
        internet.odd("tire", str(TIRE), internet.address(collector), "443")
        editor.start()
        failures = []
        for number, name in enumerate(names, start=1):
            case = CASES[name]
            machine = newsroom.add(f"reporter-{number}", "reporter")
            newsroom.enrol(editor, machine)
            near = {"near": f"r{machine.number}", "collector": internet.address(collector)}
            internet.censor(*(rule.format(**near) for rule in case.rules))
            internet.join(machine, kbit=case.kbit)
            machine.start()
            machine.cli("file", "-", "--slug", "square", "--flash", "--now", stdin="Атыс. " * 200)
            try:
                print(f"{name}: received after {_gets_out(machine, case, name)}")
            except AssertionError as exc:
                failures.append(f"{name}: {exc}")
                print("FAILED", failures[-1][:1000])
            machine.stop()
            internet.leave(machine)
        assert not failures


def _gets_out(machine: Machine, case: Case, name: str) -> str:
    began = time.monotonic()
    wait_until(lambda: states(machine) == ["received"], within_s=WITHIN_S, what=name)
    took_s = time.monotonic() - began
    wait_until(
        lambda: case.troubles.items() <= ways(machine, "failed").items(),
        within_s=30,
        what=f"{name}: {wire(machine)}",
    )
    assert set(ways(machine, "up")) <= set(case.left), wire(machine)
    if case.kbit is not None:
        large = machine.home.parent / f"{machine.name}.bin"
        large.write_bytes(random.Random(1).randbytes(LARGE_BYTES))
        machine.cli(
            "file", "-", "--slug", "market", "--now", "--attach", str(large), stdin="Базар."
        )
    wait_until(lambda: says(machine, case.row), within_s=30, what=f"{name}: the page's sentence")
    return f"{took_s:.1f} s by {', '.join(ways(machine, 'up'))}"


def says(machine: Machine, network: str) -> bool:
    """Tell whether a machine says of a network what the page promises."""
    said = " ".join(machine.cli("wire").stdout.split())
    return promised(network).search(said) is not None


def test_a_name_that_leads_elsewhere_is_noticed_and_the_number_serves(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        collector = newsroom.add("collector-1", "relay", endpoint=True)
        collector.settings |= {"extra_ports": "[53]", "tls_ports": "[443]"}
        newsroom.enrol(editor, collector)
        internet.join(collector)
        internet.join(editor)
        collector.start()
        pin = collector.ask("wire")["certificate"]
        editor.cli("desk", "endpoint", "add", collector.name, NAME, "--port", "443", "--tls", pin)
        editor.cli("desk", "endpoint", "add", collector.name, internet.address(collector),
                   "--port", "53")  # fmt: skip
        reporter = newsroom.add("reporter-1", "reporter")
        newsroom.enrol(editor, reporter)
        pem = tmp_path / "elsewhere.pem"
        server_context(pem, name=NAME)
        internet.join(reporter)
        internet.odd("intercept", "443", str(pem))
        internet.odd("dns", f"10.88.{reporter.number}.1")
        internet.resolver(reporter)
        editor.start()
        reporter.start()
        reporter.cli("file", "-", "--slug", "square", "--flash", "--now", stdin="Атыс.")
        wait_until(lambda: states(reporter) == ["received"], within_s=WITHIN_S, what="received")
        told = {route["where"]: route["trouble"] for route in wire(reporter)["routes"]}
        assert told[f"{NAME}:443"] == RouteTrouble.OTHER_CERTIFICATE
        assert says(reporter, "a resolver that lies")
