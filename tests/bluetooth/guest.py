"""Runs in the virtual machine: starts bluetoothd and two daemons, then has their story told.

What takes long to load is loaded while the daemons come up: in here that is half a minute.
With the word "short" a part of the story is told.
"""

import subprocess
import sys
from pathlib import Path

from tests.bluetooth.homes import DESK, EPOCH_S, REPORTER
from tests.bluetooth.stage import HOMES, OUT, Bluetoothd, Machine


def main() -> int:
    subprocess.run(["cp", "-a", str(OUT / "homes"), str(HOMES)], check=True)
    for adapter in Path("/sys/kernel/debug/bluetooth").glob("hci*"):
        (adapter / "rpa_timeout").write_text(f"{EPOCH_S}\n", encoding="ascii")
    bluetoothd, desk, reporter = Bluetoothd(), Machine(DESK), Machine(REPORTER)
    bluetoothd.start()
    try:
        for machine in (desk, reporter):
            machine.start()
        from tests.bluetooth.story import Story

        story = Story(bluetoothd, desk, reporter)
        if "short" in sys.argv[1:]:
            story.tell_in_short()
        else:
            story.tell()
    finally:
        for machine in (desk, reporter):
            if machine.process is not None:
                machine.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
