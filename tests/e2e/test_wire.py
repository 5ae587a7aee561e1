"""A way out for some minutes: real daemons, a router, and nobody on the collector's network."""

import functools
import time
from pathlib import Path
from typing import Any

import pytest

from meshnews.node.event import Carrier
from meshnews.node.links.carriage import CARRIAGES
from tests.e2e.internet import Internet, open_internet
from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import settled
from tests.e2e.world import Machine, World, open_world, wait_until
from tests.node.evidence import windows_of

pytestmark = pytest.mark.e2e

KBIT = 64
WITHIN_S = 60.0
PORTS = ("7117", "53", "179", "3785")
HELD_BACK_S = CARRIAGES[Carrier.UPLINK].hold_s_max
"""What enters a set goes out over an uplink after a random time up to this: the editor's too."""
ANSWER = "Алдық. Сақ бол."
NEW = "192.0.2.77:443"
TEXT = "Алаңда атыс естілді. Видео кейін келеді. " * 20


def desk_abroad(
    world: World, internet: Internet, *, kinds: tuple[str, ...] = ("tcp", "tls")
) -> dict[str, Machine]:
    """Return a desk whose collector and editor are on the internet, and whose others are not."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    collector = newsroom.add("collector-1", "relay", endpoint=True)
    collector.settings |= {"extra_ports": "[53, 179, 3785]", "tls_ports": "[443]"}
    newsroom.enrol(editor, collector)
    for machine in (collector, editor):
        internet.join(machine)
    collector.start()
    publish(internet, editor, collector, kinds)
    relay, reporter = newsroom.add("relay-1", "relay"), newsroom.add("reporter-1", "reporter")
    for joiner in (relay, reporter):
        newsroom.enrol(editor, joiner)
    newsroom.introduce(relay, reporter)
    relay.neighbours = reporter.neighbours = []
    return {m.name: m for m in (editor, collector, relay, reporter)}


def publish(
    internet: Internet, editor: Machine, collector: Machine, kinds: tuple[str, ...]
) -> None:
    """Let an editor publish where a collector is."""
    where = internet.address(collector)
    if "tls" in kinds:
        pin = wait_until(
            lambda: collector.ask("wire")["certificate"], within_s=20, what="a certificate"
        )
        editor.cli("desk", "endpoint", "add", collector.name, where, "--port", "443",
                   "--tls", pin, "--sni", "www.example.org")  # fmt: skip
    if "tcp" in kinds:
        ports = [word for port in PORTS for word in ("--port", port)]
        editor.cli("desk", "endpoint", "add", collector.name, where, *ports)


def wire(machine: Machine) -> dict[str, Any]:
    """Return what a machine says of its ways out."""
    return dict(machine.ask("wire"))


def proven(machine: Machine) -> list[str]:
    """Return the ways by which a receipt has come back."""
    return [route["kind"] for route in wire(machine)["routes"] if route["proven_at"]]


def knows(machine: Machine, where: str) -> bool:
    """Tell whether a machine knows of an address of the collector."""
    return any(route["where"] == where for route in wire(machine)["routes"])


def states(machine: Machine) -> list[str]:
    return [str(one["state"]) for one in machine.ask("status")["dispatches"]]


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_flash_is_receipted_within_a_minute_of_a_window(tmp_path: Path, kind: str) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        machines = desk_abroad(world, internet, kinds=(kind,))
        editor, reporter = machines["editor-1"], machines["reporter-1"]
        gateway = machines["relay-1"]
        for machine in (editor, gateway, reporter):
            machine.start()
        wait_until(lambda: wire(editor)["up_since"], within_s=30, what="the editor is connected")
        reporter.cli("file", "-", "--slug", "square", "--flash", "--now", stdin=TEXT)
        world.meet(reporter, gateway)
        wait_until(lambda: states(reporter) == ["carried"], within_s=60, what="carried")
        world.part(reporter, gateway)

        internet.join(gateway, kbit=KBIT)
        began = time.monotonic()
        wait_until(lambda: proven(gateway), within_s=WITHIN_S, what=f"a receipt\n{gateway.tail()}")
        print(f"{kind}: the receipt is back after {time.monotonic() - began:.1f} s")
        assert wire(gateway)["up_since"] is not None
        (item,) = editor.ask("inbox")["items"]
        editor.cli("reply", item["id"], ANSWER)
        editor.cli("desk", "endpoint", "add", "collector-1", "192.0.2.77", "--port", "443")
        wait_until(lambda: knows(gateway, NEW), within_s=WITHIN_S, what="the new bulletin")
        across = functools.partial(settled, gateway, for_s=HELD_BACK_S + 3)
        wait_until(across, within_s=WITHIN_S, what="the answer is across")
        internet.leave(gateway)
        world.meet(reporter, gateway)
        wait_until(lambda: states(reporter) == ["received"], within_s=60, what="received")
        (answer,) = wait_until(lambda: reporter.ask("inbox")["items"], within_s=60, what="answer")
        assert reporter.ask("open", answer["id"])["text"] == ANSWER
        wait_until(lambda: knows(reporter, NEW), within_s=60, what="the bulletin has come inwards")
        wait_until(lambda: wire(gateway)["up_since"] is None, within_s=120, what="the wire is down")
        log = gateway.ask("wire", "--log")
        signed = [bytes.fromhex(entry["signed"]) for entry in log["entries"]]
        said = windows_of(bytes.fromhex(log["key"]), signed)
        assert [is_up for is_up, _ in said] == [True, False]
        assert said[1][1] - said[0][1] < time.monotonic() - began + 1
