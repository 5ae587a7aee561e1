"""A way out with a limit: it rests when that is used up, also after a restart; a flash goes."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.internet import open_internet
from tests.e2e.test_seven_minutes import state_of
from tests.e2e.test_wire import desk_abroad, wire
from tests.e2e.world import Machine, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KBIT = 1024
LIMIT_MB = 0.1
PICTURE_BYTES = 900 * 1024
RESTS = "what may cross it in a day has crossed it. A flash still goes."


def uplinks(machine: Machine) -> list[dict[str, Any]]:
    links = machine.ask("neighbours")["neighbours"]
    return [link for link in links if link["carrier"] == "uplink"]


def is_at_rest(machine: Machine) -> bool:
    return {(one["state"], one["bound"]) for one in wire(machine)["routes"]} == {
        ("resting", "volume")
    }


def test_a_limit_that_is_used_up_holds_across_a_restart_and_a_flash_goes(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        machines = desk_abroad(world, internet, kinds=("tcp",))
        editor, reporter = machines["editor-1"], machines["reporter-1"]
        reporter.settings |= {"limit": f"[{{mb_per_day = {LIMIT_MB}}}]"}
        (tmp_path / "picture.bin").write_bytes(random.Random(7).randbytes(PICTURE_BYTES))
        editor.start(ready_within_s=60)
        reporter.start(ready_within_s=60)
        reporter.cli("file", "-", "--slug", "market", "--now", "--attach",
                     str(tmp_path / "picture.bin"), stdin="Базар жабық.")  # fmt: skip
        internet.join(reporter, kbit=KBIT)
        wait_until(lambda: is_at_rest(reporter), within_s=60, what="the limit is used up")
        wait_until(lambda: not uplinks(reporter), within_s=30, what="the stream is left")
        assert RESTS in " ".join(reporter.cli("wire").stdout.split())

        reporter.stop()
        reporter.start(ready_within_s=60)
        assert is_at_rest(reporter), "a restart gives nothing back"
        assert not uplinks(reporter)

        reporter.cli("file", "-", "--slug", "square", "--flash", "--now", stdin="Атыс.")
        wait_until(lambda: state_of(reporter, "square") == "received", within_s=60, what="received")
        arrived = {item["slug"]: item for item in editor.ask("inbox")["items"]}
        assert arrived.get("market", {"attachments_complete": 0})["attachments_complete"] == 0
        assert is_at_rest(reporter)
