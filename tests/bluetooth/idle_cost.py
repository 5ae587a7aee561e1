"""`python -m tests.bluetooth.idle_cost`: what it costs to listen for others, on this machine.

A finder with its usual habits, past its first minute, listens to a street of other
people's devices: adverts come in as BlueZ would tell of them, from another process.
Prints the share of one core that this process used, the libraries' threads included.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import trio

from meshnews.node.event import Heard
from meshnewsd.discovery.advert import TESTS
from meshnewsd.discovery.airtime import EAGER_S, Habits
from meshnewsd.discovery.bluetooth import BluetoothFinder
from meshnewsd.discovery.interface import Shown
from tests.bluetooth.fake_bluez import FakeAdapter, fake_bluez
from tests.bluetooth.private_bus import private_bus

ADVERT_S = 1.0
"""How often BlueZ tells of one device while somebody scans."""


async def street(devices: int) -> None:
    """Be a BlueZ with so many devices in reach."""
    adapter = FakeAdapter("hci0")
    contents = [os.urandom(20) for _ in range(devices)]
    async with fake_bluez(adapter) as bluez:
        print("ready", flush=True)
        while True:
            for number, content in enumerate(contents):
                await trio.sleep(ADVERT_S / devices)
                if adapter.adapter.discovering:
                    address = f"C0:00:00:00:00:{number:02X}"
                    await bluez.hear("hci0", address, TESTS, content)


async def listen(seconds: float) -> tuple[float, int]:
    """Return the share of one core used after the first minute, and how many were heard."""
    heard: list[Heard] = []
    finder = BluetoothFinder(habits=Habits(), hear=heard.append)
    finder.show(Shown(short=(os.urandom(20),)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(finder.run)
        await trio.sleep(EAGER_S + 5)
        before_s, began_s = time.process_time(), time.monotonic()
        await trio.sleep(seconds)
        share = (time.process_time() - before_s) / (time.monotonic() - began_s)
        nursery.cancel_scope.cancel()
    return share, len({each.beacon for each in heard})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--street", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.street:
        trio.run(street, given.devices)
        return
    with contextlib.ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        closing.enter_context(private_bus(Path(folder), patch))
        words = [sys.executable, "-m", "tests.bluetooth.idle_cost", "--street"]
        other = subprocess.Popen([*words, "--devices", str(given.devices)], stdout=subprocess.PIPE)
        closing.callback(other.kill)
        assert other.stdout is not None
        other.stdout.readline()
        share, heard = trio.run(listen, given.seconds)
    print(f"{100 * share:.2f} % of one core, {heard} of {given.devices} devices heard")


if __name__ == "__main__":
    main()
