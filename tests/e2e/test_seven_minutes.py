"""Seven minutes of 64 kbit/s: the flash and its receipt first, then as much else as they carry."""

import datetime as dt
import random
import time
from pathlib import Path

import pytest

from tests.e2e.internet import open_internet
from tests.e2e.test_wire import KBIT, TEXT, desk_abroad, proven, wire
from tests.e2e.world import Machine, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WINDOW_S = 420.0
RECEIPT_S = 60.0
END_S = 45.0
"""A window counts as ended half a minute after its link; that much its dates may be off."""
PICTURE_BYTES = 900 * 1024


def state_of(machine: Machine, slug: str) -> str:
    dispatches = machine.ask("status")["dispatches"]
    return next(str(one["state"]) for one in dispatches if one["slug"] == slug)


def test_a_window_of_seven_minutes_brings_a_flash_out_and_its_receipt_back(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        machines = desk_abroad(world, internet, kinds=("tcp",))
        editor, reporter = machines["editor-1"], machines["reporter-1"]
        gateway, collector = machines["relay-1"], machines["collector-1"]
        # Of all receipts only the flash's comes within the window.
        collector.stop()
        collector.settings |= {"batch_s": "1800.0", "batch_flash_s": "5.0"}
        for machine in (collector, editor, gateway, reporter):
            machine.start(ready_within_s=60)
        wait_until(lambda: wire(editor)["up_since"], within_s=60, what="the editor is connected")
        (tmp_path / "picture.bin").write_bytes(random.Random(7).randbytes(PICTURE_BYTES))
        reporter.cli("file", "-", "--slug", "market", "--now", "--attach",
                     str(tmp_path / "picture.bin"), stdin=TEXT)  # fmt: skip
        reporter.cli("file", "-", "--slug", "square", "--flash", "--now", stdin=TEXT)
        world.meet(reporter, gateway)
        for slug in ("market", "square"):
            wait_until(
                lambda slug=slug: state_of(reporter, slug) == "carried",  # type: ignore[misc]  # bound now
                within_s=120,
                what=f"{slug} is carried",
            )
        world.part(reporter, gateway)

        internet.join(gateway, kbit=KBIT)
        began_s = time.monotonic()
        wait_until(lambda: proven(gateway), within_s=RECEIPT_S, what=f"a receipt {gateway.tail()}")
        print(f"the receipt is back after {time.monotonic() - began_s:.1f} s")
        time.sleep(max(0.0, WINDOW_S - (time.monotonic() - began_s)))
        assert wire(gateway)["up_since"] is not None, "the link has lasted"
        internet.leave(gateway)

        world.meet(reporter, gateway)
        wait_until(lambda: state_of(reporter, "square") == "received", within_s=60, what="received")
        assert state_of(reporter, "market") == "carried", "its receipt is not due yet"
        arrived = {item["slug"]: item for item in editor.ask("inbox")["items"]}
        assert arrived["market"]["attachments_complete"] == 1
        wait_until(lambda: wire(gateway)["up_since"] is None, within_s=120, what="the wire is down")
        up, down = gateway.ask("wire", "--log")["entries"]
        lasted = dt.datetime.fromisoformat(down["at"]) - dt.datetime.fromisoformat(up["at"])
        assert (up["up"], down["up"]) == (True, False)
        assert abs(lasted.total_seconds() - WINDOW_S) < END_S
        assert "Last wire" in " ".join(gateway.cli("wire").stdout.split())
