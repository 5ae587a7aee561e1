"""A dispatch reaches the desk through a relay that cannot read it: real daemons, real networks."""

import contextlib
import hashlib
import random
import re
import time
from pathlib import Path

import pytest

from meshnews.store.port import Usage
from meshnewsd.compose import open_home
from tests.e2e.newsroom import small_desk
from tests.e2e.world import Machine, Time, open_world, wait_until

pytestmark = pytest.mark.e2e

TEXT = ("Алматыда интернет өшірілді. Алаңда адамдар жиналып жатыр, атыс дауысы естілді. " * 60)[
    :3000
]
PICTURE_BYTES = 8 * 1024 * 1024
TEXT_WIRE_BYTES = 8192
"""The bundle that 3,000 characters of Cyrillic take."""


def jpeg(path: Path, size: int) -> bytes:
    """Write a file that begins and ends as a JPEG does, with noise between."""
    body = random.Random(7).randbytes(size - 22)
    data = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + body + b"\xff\xd9"
    path.write_bytes(data)
    return data


def held(machine: Machine) -> Usage:
    """Return what a stopped relay's store holds."""
    with contextlib.closing(open_home(machine.home, passphrase=None)) as opened:
        return opened.store.carry.usage()


def state_of(reporter: Machine, identifier: str) -> str:
    (found,) = reporter.ask("status", identifier)["dispatches"]
    return str(found["state"])


def is_carried(reporter: Machine, identifier: str) -> bool:
    """Tell whether somebody else has every piece of what is attached."""
    (found,) = reporter.ask("status", identifier)["dispatches"]
    return all(part["carried"] == part["pieces"] for part in found["parts"])


def test_there_and_back(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        _, machines = small_desk(world)
        editor, collector = machines["editor-1"], machines["collector-1"]
        relay, reporter = machines["relay-1"], machines["reporter-1"]
        picture = jpeg(tmp_path / "square.jpg", PICTURE_BYTES)
        (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
        # The relay is not to hear of the answer's receipt.
        reporter.settings["hold_receipt_s"] = "86400.0"
        for machine in (reporter, relay, collector, editor):
            machine.start()

        filed = reporter.ask("file", str(tmp_path / "text.txt"), "--slug", "алаң", "--now",
                             "--attach", str(tmp_path / "square.jpg"))  # fmt: skip
        identifier = filed["id"]
        world.meet(reporter, relay)
        wait_until(lambda: state_of(reporter, identifier) == "carried", within_s=60, what="carried")
        wait_until(lambda: is_carried(reporter, identifier), within_s=60, what="the picture, too")
        world.part(reporter, relay)
        relay.reboot(at=Time("@1970-01-01 00:10:00", trusted=False))
        world.meet(relay, collector)
        wait_until(lambda: neighbours(collector), within_s=60, what="relay meets collector")
        wait_until(lambda: crossed(collector) > PICTURE_BYTES and settled(collector), within_s=60,
                   what="the picture is at the collector")  # fmt: skip
        world.part(relay, collector)
        world.meet(collector, editor)
        item = wait_until(lambda: complete(editor), within_s=90, what="all is at the desk")
        assert (item["byline"], item["slug"], item["priority"]) == ("reporter-1", "алаң", "routine")
        assert item["verdict"] == "verified"
        assert re.search(r"Came in \d{4}-\d\d-\d\d \d\d:\d\d", editor.cli("inbox").stdout)
        saved = tmp_path / "saved"
        saved.mkdir()
        opened = editor.ask("open", item["id"], "--save", str(saved))
        assert opened["text"] == TEXT.strip() or opened["text"] == TEXT
        (file,) = saved.glob("*.jpg")
        assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(picture).digest()
        editor.cli("reply", item["id"], "Received. Stay safe.")
        world.part(collector, editor)
        world.meet(collector, editor)
        wait_until(lambda: neighbours(collector), within_s=60, what="the editor is back")
        wait_until(lambda: settled(editor, collector), within_s=60, what="the answer is across")
        world.part(collector, editor)
        world.meet(collector, relay)
        wait_until(lambda: neighbours(relay), within_s=60, what="relay and collector are linked")
        wait_until(lambda: settled(relay, collector), within_s=60, what="the receipt is across")
        world.part(collector, relay)
        world.meet(relay, reporter)
        wait_until(
            lambda: state_of(reporter, identifier) in {"received", "read"},
            within_s=60,
            what="the receipt",
        )
        (answer,) = wait_until(
            lambda: reporter.ask("inbox")["items"], within_s=60, what="the answer"
        )
        assert reporter.ask("open", answer["id"])["text"] == "Received. Stay safe."
        for machine in (editor, collector, relay, reporter):
            assert machine.stop() < 2.0
        # The relay dropped the chunks at once and keeps the small body for six
        # hours; the collector keeps everything.
        assert held(relay).by_class[3] == 0
        small = held(relay).by_class[2]
        assert small > TEXT_WIRE_BYTES
        for hours in (0, 7):
            relay.boot += 1
            relay.time = Time(f"+{hours}h")
            relay.start()
            wait_until(lambda: relay.cli("doctor", check=False), within_s=20, what="it answers")
            relay.stop()
        # The answer and its kin, whose receipts the reporter still holds back, stay.
        assert held(relay).by_class[2] == small - TEXT_WIRE_BYTES
        assert held(collector).total > PICTURE_BYTES


def complete(editor: Machine) -> dict[str, object] | None:
    for item in editor.ask("inbox")["items"]:
        if item["attachments"] == item["attachments_complete"]:
            return dict(item)
    return None


def neighbours(machine: Machine) -> int:
    return len(machine.ask("neighbours")["neighbours"])


def settled(*machines: Machine, for_s: float = 3.0) -> bool:
    """Tell whether nothing has crossed their links for some seconds."""
    before = [crossed(machine) for machine in machines]
    time.sleep(for_s)
    return before == [crossed(machine) for machine in machines]


def crossed(machine: Machine) -> int:
    links = machine.ask("neighbours")["neighbours"]
    return sum(link["bytes_sent"] + link["bytes_received"] for link in links)
