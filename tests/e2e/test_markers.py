"""What must not be found: planted words in homes, in memory, on the wire, after filing."""

from pathlib import Path

import pytest

from meshnews.bundle.format import parse
from meshnews.bundle.open import find
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.node import shelf
from meshnews.node.records.wallet import Wallet
from meshnewsd.compose import open_home
from meshnewsd.platform.entropy import OsEntropy
from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import complete, jpeg, neighbours, settled, state_of
from tests.e2e.world import (
    PASSPHRASE,
    Machine,
    files_under,
    find_marker,
    memory_of,
    open_world,
    wait_until,
)

pytestmark = pytest.mark.e2e

BYLINE = "QyranByline7731"
DESK = "JaringanDesk5512"
SLUG = "samruqslug9041"
TEXT = "tulparText6620 алаңда атыс"
FILE_NAME = "zhelmaya4417.jpg"


def markers(picture: bytes) -> dict[str, bytes]:
    words = {"byline": BYLINE, "desk": DESK, "slug": SLUG, "text": TEXT, "file name": FILE_NAME}
    planted = {name: word.encode() for name, word in words.items()}
    planted["text in UTF-16"] = TEXT.encode("utf-16-le")
    planted["picture"] = picture[5000:5064]
    planted["picture, later"] = picture[-3000:-2936]
    return planted


def assert_clean(machine: Machine, planted: dict[str, bytes]) -> None:
    for path in files_under(machine.home):
        assert find_marker(planted, path.read_bytes()) == [], path
    if machine.process is not None:
        for region in memory_of(machine.process.pid):
            assert find_marker(planted, region) == []


def cards(newsroom: Newsroom, editor: Machine, reporter: Machine) -> None:
    """Enrol the reporter under a byline that is not its machine's name."""
    request, card = newsroom.request(reporter), newsroom.folder / "reporter.card"
    editor.cli("desk", "card", str(request), "--byline", BYLINE, "-o", str(card),
               "--words-compared")  # fmt: skip
    reporter.cli("enrol", "--card", str(card), "--words-compared")


def test_a_relay_a_collector_and_the_wire_tell_nothing(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        (tmp_path / "root").mkdir()
        editor.cli("desk", "create", DESK, "--root-folder", str(tmp_path / "root"),
                   "--root-passphrase-file", str(editor.passphrase_file))  # fmt: skip
        collector = newsroom.add("collector-1", "relay", endpoint=True)
        relay = newsroom.add("relay-1", "relay")
        reporter = newsroom.add("reporter-1", "reporter")
        newsroom.enrol(editor, collector)
        newsroom.enrol(editor, relay)
        cards(newsroom, editor, reporter)
        newsroom.introduce(editor, collector, relay, reporter)
        picture = jpeg(tmp_path / FILE_NAME, 600_000)
        (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
        planted = markers(picture)
        for machine in (reporter, relay, collector, editor):
            machine.start()
        wires = [tmp_path / f"{machine.name}.pcap" for machine in (relay, collector)]
        with world.capture(relay, wires[0]), world.capture(collector, wires[1]):
            filed = reporter.ask("file", str(tmp_path / "text.txt"), "--slug", SLUG, "--now",
                                 "--attach", str(tmp_path / FILE_NAME))  # fmt: skip
            world.meet(reporter, relay)
            wait_until(
                lambda: state_of(reporter, filed["id"]) == "carried", within_s=60, what="carried"
            )
            wait_until(lambda: settled(relay), within_s=60, what="all is at the relay")
            assert_clean(relay, planted)
            world.part(reporter, relay)
            world.meet(relay, collector, editor)
            item = wait_until(lambda: complete(editor), within_s=90, what="all is at the desk")
            assert item["byline"] == BYLINE
            wait_until(lambda: neighbours(collector), within_s=30, what="links")
            assert_clean(relay, planted)
            assert_clean(collector, planted)
        for wire in wires:
            recorded = wire.read_bytes()
            assert len(recorded) > len(picture), "the capture saw the picture pass"
            assert find_marker(planted, recorded) == [], wire
        for machine in (relay, collector, reporter):
            machine.stop()
            assert_clean(machine, planted)


def test_the_reporters_machine_cannot_open_what_it_filed(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        reporter = newsroom.add("reporter-1", "reporter")
        cards(newsroom, editor, reporter)
        picture = jpeg(tmp_path / FILE_NAME, 200_000)
        (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
        reporter.ask("file", str(tmp_path / "text.txt"), "--slug", SLUG, "--now",
                     "--attach", str(tmp_path / FILE_NAME))  # fmt: skip
        opened = open_home(reporter.home, passphrase=PASSPHRASE)
        store = opened.store
        assert store.vault is not None
        secrets = {name: value for name, value in markers(picture).items()
                   if name.startswith(("text", "picture"))}  # fmt: skip
        everything = [value for name in shelves() for _, value in store.vault.scan(name)]
        for value in everything:
            assert find_marker(secrets, value) == []
        keys = Wallet(store.vault, OsEntropy())
        tried = 0
        for traffic in TrafficClass:
            for day in store.carry.days(traffic):
                for identifier, _ in store.carry.elements(traffic, day):
                    wire = store.carry.body(BundleRef(traffic, day, identifier))
                    assert wire is not None
                    assert find_marker(secrets, wire) == []
                    bundle = parse(wire)
                    for scan in keys.reply_scans(Day(0)):
                        assert find(bundle, scan) is None
                        tried += 1
        assert tried, "there was a bundle to try"
        opened.close()


def shelves() -> list[str]:
    return [value for name, value in vars(shelf).items() if name.isupper()]
