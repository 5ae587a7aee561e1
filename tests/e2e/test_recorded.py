"""Everything a desk says on a network is recorded and searched for what would name anybody."""

from pathlib import Path

import pytest

from tests.e2e.capture_campaign import told
from tests.e2e.newsroom import Newsroom
from tests.e2e.telling import find, streams
from tests.e2e.test_invitation import command, confirm, invite, state
from tests.e2e.test_there_and_back import complete, jpeg, neighbours
from tests.e2e.world import open_world, run, wait_until

pytestmark = pytest.mark.e2e

PICTURE_BYTES = 200_000
NAMES = {
    "editor-1": "burkit-desktop-4417",
    "relay-1": "zhapalaq-pi-9032",
    "collector-1": "qarshyga-server-2208",
    "reporter-1": "suygek-laptop-6651",
}
BYLINE, SLUG = "QyranByline7731", "samruqslug9041"


def test_no_name_and_no_key_of_any_machine_is_in_a_recording(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        collector = newsroom.add("collector-1", "relay", endpoint=True)
        newsroom.enrol(editor, collector)
        relay = newsroom.add("relay-1", "relay")
        reporter = newsroom.add("reporter-1", "reporter")
        machines = [editor, collector, relay, reporter]
        for machine in machines:
            machine.host_name = NAMES[machine.name]
            # So short an epoch that what is said again and again is said several times.
            machine.settings["beacon_epoch_s"] = "10.0"
        reporter.settings["visibility"] = '"veiled"'
        assert run(*relay._inside("hostname")).stdout.strip() == NAMES["relay-1"]
        jpeg(tmp_path / "square.jpg", PICTURE_BYTES)
        (tmp_path / "text.txt").write_text("A text.", encoding="utf-8")
        bridge, wire = world.meet(*machines), tmp_path / "all.pcap"
        with world.capture_all(bridge, wire):
            for machine in machines:
                machine.start()
            # People and relays join, on the very network that is recorded.
            with command(relay, "enrol", invite(newsroom, "--relay", "relay-1")) as joining:
                joining.ends()
            code = invite(newsroom, "--byline", BYLINE)
            with command(reporter, "enrol", code) as joining:
                confirm(editor, joining)
                joining.ends()
            wait_until(lambda: state(editor) == "used", within_s=20, what="it is used up")
            wait_until(lambda: neighbours(reporter), within_s=30, what="a link")
            reporter.ask("file", str(tmp_path / "text.txt"), "--slug", SLUG, "--now",
                         "--attach", str(tmp_path / "square.jpg"))  # fmt: skip
            wait_until(lambda: complete(editor), within_s=120, what="all is at the desk")
        assert told(machines, wire) == []
        words = {"byline": BYLINE, "slug": SLUG, "desk": "Desk of tests", "code": code}
        assert find(words, {}, wire) == []
        # The search looked at everything: at the services that relays show, and at the
        # links over which the picture passed.
        assert find({"service": "_relay"}, {}, wire) == ["service"]
        assert sum(len(each) for each in streams(wire)) > PICTURE_BYTES
