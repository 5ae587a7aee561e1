"""A dead drop in a bucket of a real S3 service, OpenStack Swift, and a gateway that is killed."""

import os
import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshnews.bundle.seal import FOREIGN_BYTES
from meshnews.limits import CHUNK_BYTES
from tests.contract.swift_server import ACCESS_KEY, SECRET, has_swift, swift
from tests.e2e.internet import Internet, open_internet
from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import complete, settled
from tests.e2e.test_wire import states, wire
from tests.e2e.world import Machine, World, files_under, find_marker, open_world, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not has_swift(),
        reason="needs OpenStack Swift (apt install swift-proxy swift-account swift-container "
        "swift-object)",
    ),
]

OBJECTS = int(os.environ.get("OBJECTS", "2000"))
PAGE = 1_000
READY_S = 120.0
"""Swift alone keeps a small machine busy."""
FILM = "film7746.mp4"
MARKERS = {
    "text": "Алаңда атыс естілді, екі адам жараланды".encode(),
    "slug": b"hospital-roof-7431",
    "byline": b"reporter-under-a-name",
    "desk": b"Desk of tests",
    "file name": FILM.encode(),
}


@dataclass
class Bucket:
    """The service at the router, and what can be seen of it from outside."""

    url: str
    folder: Path
    internet: Internet

    def keeper(self, act: str) -> list[str]:
        words = (sys.executable, "-m", "tests.e2e.bucket", act, self.url)
        return self.internet.inside(*words).split()

    @property
    def files(self) -> list[Path]:
        """What Swift has on its disk for the objects that there are."""
        return [file for file in files_under(self.folder / "disk") if file.suffix == ".data"]

    def lets_in(self, *machines: Machine) -> None:
        """Write the bucket into configurations, to be visited often."""
        account = f'user = "{ACCESS_KEY}", password = "{SECRET}"'
        for machine in machines:
            machine.settings["drop"] = (
                f'[{{kind = "s3", url = "{self.url}", {account}, every_s = 5.0}}]'
            )


@contextmanager
def bucket(tmp_path: Path, internet: Internet, near: Machine) -> Iterator[Bucket]:
    folder = tmp_path / "swift"
    folder.mkdir()
    address = f"10.88.{near.number}.1"
    with swift(folder, address=address, within=internet.within) as url:
        made = Bucket(url, folder, internet)
        made.keeper("make")
        yield made


def desk(world: World) -> tuple[Newsroom, dict[str, Machine]]:
    """Return a desk whose collector nobody but its editor can call."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    collector = newsroom.add("collector-1", "relay", endpoint=True)
    newsroom.enrol(editor, collector)
    newsroom.introduce(editor)
    others = [("relay-1", "relay"), (MARKERS["byline"].decode(), "reporter")]
    for name, role in others:
        newsroom.enrol(editor, newsroom.add(name, role))
    return newsroom, world.machines


def written(machine: Machine) -> int:
    """Return how many objects a machine wrote at its visits, by its log."""
    log = machine.log.read_text("utf-8", errors="replace")
    return sum(map(int, re.findall(r"visited\b.*\bwritten=(\d+)", log)))


def test_two_thousand_objects_cross_a_bucket_though_a_gateway_is_killed(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom, machines = desk(world)
        editor, collector = machines["editor-1"], machines["collector-1"]
        relay, reporter = machines["relay-1"], machines[MARKERS["byline"].decode()]
        film = random.Random(5).randbytes(OBJECTS * CHUNK_BYTES)
        (tmp_path / FILM).write_bytes(film)
        newsroom.introduce(relay, reporter)
        for machine in (relay, reporter):
            machine.neighbours = [each for each in machine.neighbours if each[0] is relay]
        relay.start(ready_within_s=READY_S)
        reporter.start(ready_within_s=READY_S)
        reporter.cli("file", "-", "--slug", MARKERS["slug"].decode(), "--flash", "--now",
                     "--attach", str(tmp_path / FILM), stdin=MARKERS["text"].decode())  # fmt: skip
        world.meet(relay, reporter)
        wait_until(lambda: settled(relay, reporter), within_s=300, what="both gateways have it all")
        world.part(relay, reporter)
        for machine in (relay, reporter):
            machine.stop()
        for machine in (relay, reporter, collector):
            internet.join(machine)
        with bucket(tmp_path, internet, collector) as there:
            there.lets_in(relay, reporter, collector)
            relay.start(ready_within_s=READY_S)
            reporter.start(ready_within_s=READY_S)
            wait_until(lambda: len(there.files) > OBJECTS // 3, within_s=300, what="a third")
            reporter.kill()
            wait_until(lambda: len(there.files) > OBJECTS // 2, within_s=300, what="half of it")
            reporter.start(ready_within_s=READY_S)
            wait_until(lambda: visited(relay, reporter), within_s=500, what="all is there")
            nothing_tells_the_desk(there, reporter, film)
            both = written(relay) + written(reporter)
            print(f"{len(there.files)} objects; {both} written at visits that were done whole")

            world.meet(editor, collector)
            editor.start(ready_within_s=READY_S)
            collector.start(ready_within_s=READY_S)
            item = wait_until(lambda: complete(editor), within_s=500, what="all is at the desk")
            assert (item["slug"], item["verdict"]) == (MARKERS["slug"].decode(), "verified")
            assert len(editor.ask("inbox")["items"]) == 1
            wait_until(lambda: states(reporter) == ["received"], within_s=120, what="received")
            wait_until(
                lambda: len(there.files) < OBJECTS // 10,
                within_s=300,
                what="what was received is taken away",
            )


def visited(*machines: Machine) -> bool:
    """Tell whether a visit of each was the last that had anything to write."""
    drops = [wire(machine)["drops"][0] for machine in machines]
    return all(
        drop["state"] == "visited" and drop["objects"] > OBJECTS and not drop["written"]
        for drop in drops
    )


def nothing_tells_the_desk(there: Bucket, author: Machine, film: bytes) -> None:
    """Look at names, objects and the account's tables as the service's owner can."""
    names = there.keeper("list")
    assert len(names) == len(set(names)) == len(there.files), "each bundle lies there once"
    assert len(names) > OBJECTS
    assert OBJECTS < 2 * PAGE or len(names) > 2 * PAGE, "more than two pages"
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in names)
    assert {file.stat().st_size for file in there.files} <= set(FOREIGN_BYTES)
    planted = {**MARKERS, "film": film[5000:5064], "film, later": film[-3000:-2936]}
    for file in files_under(there.folder / "disk"):
        assert find_marker(planted, file.read_bytes()) == [], file
    # Any byte is as frequent as any other, and no two objects begin alike.
    beginnings = {file.read_bytes()[:8] for file in there.files}
    assert len(beginnings) == len(names)
    ones = sum(int.from_bytes(file.read_bytes()[:2088], "big").bit_count() for file in there.files)
    assert 0.499 < ones / (8 * 2088 * len(names)) < 0.501


def test_what_has_expired_is_taken_out_of_a_bucket(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        _, machines = desk(world)
        collector, reporter = machines["collector-1"], machines[MARKERS["byline"].decode()]
        for machine in (collector, reporter):
            internet.join(machine)
        with bucket(tmp_path, internet, collector) as there:
            there.lets_in(collector, reporter)
            collector.start(ready_within_s=READY_S)
            reporter.start(ready_within_s=READY_S)
            for number in range(3):
                reporter.cli("file", "-", "--slug", f"s{number}", "--now", stdin="Атыс.")
            wait_until(lambda: len(there.files) >= 3, within_s=60, what="it lies there")
            reporter.stop()
            wait_until(
                lambda: wire(collector)["drops"][0]["proven_at"], within_s=60, what="it is read"
            )
            lying = set(there.keeper("list"))
            collector.stop()
            collector.program = ("tests.e2e.later", "20", "meshnewsd")
            collector.start(ready_within_s=READY_S)
            wait_until(
                lambda: len(lying & set(there.keeper("list"))) <= len(lying) - 3,
                within_s=90,
                what=f"what expired is gone\n{collector.tail()}",
            )
