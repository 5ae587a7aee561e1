"""Two gateways bring one backlog at once: every item once, each body once on the disk."""

import contextlib
import hashlib
import random
from pathlib import Path

import pytest

from meshnews.ids import BundleRef, TrafficClass
from meshnewsd.compose import open_home
from tests.e2e.internet import open_internet
from tests.e2e.test_there_and_back import held, settled
from tests.e2e.test_wire import desk_abroad
from tests.e2e.world import Machine, files_under, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TEXTS = 12
PICTURE_BYTES = 512 * 1024
TWICE_MAX = 0.2
"""Most that may be uploaded twice, as a share of the backlog."""
FILES_SHARE_MAX = 1.3
FILES_BESIDE = 2_000_000
"""A database takes some more than what is in it, and its journal; twice would show."""


def uploaded(machine: Machine) -> int:
    links = machine.ask("neighbours")["neighbours"]
    return sum(int(link["bytes_sent"]) for link in links if link["carrier"] == "uplink")


def test_a_backlog_that_two_bring_arrives_once(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        machines = desk_abroad(world, internet, kinds=("tcp",))
        editor, collector = machines["editor-1"], machines["collector-1"]
        first, reporter = machines["relay-1"], machines["reporter-1"]
        second = world.machine("relay-2", **first.settings)
        second.configure()
        second.cli("init", "--role", "relay", secret=False)
        request, card = tmp_path / "relay-2.request", tmp_path / "relay-2.card"
        second.ask("enrol", "--request", str(request))
        editor.cli("desk", "card", str(request), "--relay", "relay-2", "-o", str(card),
                   "--words-compared")  # fmt: skip
        second.cli("enrol", "--card", str(card), "--words-compared")
        (tmp_path / "picture.bin").write_bytes(random.Random(3).randbytes(PICTURE_BYTES))
        for machine in (first, second, editor, reporter):
            machine.start()
        for number in range(TEXTS):
            extra = ["--attach", str(tmp_path / "picture.bin")] if not number else []
            reporter.cli("file", "-", "--slug", f"s{number}", "--now", *extra, stdin="Атыс. " * 100)
        world.meet(first, second, reporter)
        wait_until(lambda: settled(first, second, reporter), within_s=90, what="both have it all")
        world.part(first, second, reporter)
        for gateway in (first, second):
            internet.join(gateway, kbit=1024)
        wait_until(lambda: len(complete(editor)) == TEXTS, within_s=180, what="all is at the desk")
        wait_until(lambda: settled(first, second), within_s=90, what="all is said")
        sent = [uploaded(machine) for machine in (first, second)]
        slugs = [item["slug"] for item in editor.ask("inbox")["items"]]
        assert sorted(slugs) == sorted(f"s{number}" for number in range(TEXTS))
        for machine in (collector, first, second):
            machine.stop()
        total = held(collector).total
        assert_once_on_disk(collector)
        print(f"uploaded {sent[0]} and {sent[1]} bytes; on the collector's disk {total}")
        print(f"twice: {max(0, sum(sent) - total)} bytes")
        assert sum(sent) < (1 + TWICE_MAX) * total + 100_000


def assert_once_on_disk(collector: Machine) -> None:
    """Look at every body in a stopped collector's store, and at how large its files are."""
    with contextlib.closing(open_home(collector.home, passphrase=None)) as opened:
        carry = opened.store.carry
        refs = [
            BundleRef(traffic, day, identifier)
            for traffic in TrafficClass
            for day in carry.days(traffic)
            for identifier, _ in carry.elements(traffic, day)
        ]
        bodies = [body for ref in refs if (body := carry.body(ref)) is not None]
    assert len({hashlib.sha256(body).digest() for body in bodies}) == len(bodies)
    files = sum(file.stat().st_size for file in files_under(collector.home))
    size = sum(map(len, bodies))
    print(f"{len(bodies)} bodies of {size} bytes, in files of {files} bytes")
    assert files < FILES_SHARE_MAX * size + FILES_BESIDE


def complete(editor: Machine) -> list[str]:
    items = editor.ask("inbox")["items"]
    return [i["id"] for i in items if i["attachments"] == i["attachments_complete"]]
