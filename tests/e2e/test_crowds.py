"""Hundreds of strangers at the door, and forty machines of one desk in one room."""

import ipaddress
import json
import secrets
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.capture_campaign import addresses_of
from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import neighbours
from tests.e2e.world import Machine, World, open_world, run, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STRANGERS = 500
MEMORY_GROWTH_MAX = 20_000_000
SLOWER_MAX = 1.2
FILE_BYTES = 80_000_000

NODES = 40
GRAPH_S, FLASH_S, IDLE_S = 60, 30, 120
LINKS_MIN = 3
IDLE_BYTES_PER_S_MAX = 1000
IDLE_CPU_MAX = 0.005

CROWD = """
import os, sys, trio
host, port, recording = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3])

async def stranger(number):
    while True:
        try:
            stream = await trio.open_tcp_stream(host, port)
            kind = number % 4
            if kind == 0:
                await trio.sleep(60)
            elif kind == 1:
                for byte in os.urandom(400):
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.5)
            elif kind == 2:
                await stream.send_all(os.urandom(300))
                await stream.receive_some(1)
            else:
                await stream.send_all(recording)
                await stream.receive_some(1)
        except OSError:
            pass
        except trio.BrokenResourceError:
            pass
        await trio.sleep(1)

async def main():
    async with trio.open_nursery() as nursery:
        for number in range(int(sys.argv[4])):
            nursery.start_soon(stranger, number)
            await trio.sleep(0.002)

trio.run(main)
"""


def resident(machine: Machine) -> int:
    """Return the resident memory of a machine's daemon, in bytes."""
    assert machine.process is not None
    status = Path(f"/proc/{machine.process.pid}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line) * 1024


def cpu_s(machine: Machine) -> float:
    """Return the seconds of CPU that a machine's daemon has used."""
    assert machine.process is not None
    fields = Path(f"/proc/{machine.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def moved(machine: Machine) -> int:
    """Return the bytes that went over a machine's cable, both ways."""
    told = run("ip", "netns", "exec", machine.namespace, "cat", "/proc/net/dev").stdout
    words = next(line for line in told.splitlines() if "eth0" in line).split()
    return int(words[1]) + int(words[9])


# Strangers


@contextmanager
def strangers(world: World, at: Machine, port: int) -> Iterator[None]:
    """Let 500 strangers come to a machine's door, again and again."""
    gang = world.machines["stranger-1"]
    process = subprocess.Popen(
        ["ip", "netns", "exec", gang.namespace, sys.executable, "-c", CROWD, at.address,
         str(port), secrets.token_hex(200), str(STRANGERS)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(8)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def sync_s(reporter: Machine, picture: Path) -> float:
    """File something large beside a relay; return how long it takes to have gone over the cable."""
    before = moved(reporter)
    reporter.cli("file", "-", "--slug", "bulk", "--now", "--attach", str(picture), stdin="bulk")
    began_s = time.monotonic()
    wait_until(
        lambda: moved(reporter) - before >= FILE_BYTES, within_s=120, what="the relay has it"
    )
    return time.monotonic() - began_s


def test_five_hundred_strangers_cost_little_and_slow_nobody_down(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        relay = newsroom.add("relay-1", "relay")
        reporter = newsroom.add("reporter-1", "reporter")
        for joiner in (relay, reporter):
            newsroom.enrol(editor, joiner)
        newsroom.introduce(reporter)
        world.machine("stranger-1")
        picture = tmp_path / "picture"
        world.meet(relay, reporter, world.machines["stranger-1"])
        relay.start()
        reporter.start()
        wait_until(lambda: neighbours(reporter), within_s=20, what="a link")
        alone, besieged, before = [], [], resident(relay)
        for _ in range(3):
            picture.write_bytes(secrets.token_bytes(FILE_BYTES))
            alone.append(sync_s(reporter, picture))
            with strangers(world, relay, 7117):
                assert resident(relay) - before < MEMORY_GROWTH_MAX
                picture.write_bytes(secrets.token_bytes(FILE_BYTES))
                besieged.append(sync_s(reporter, picture))
                assert neighbours(reporter), "the honest neighbour stays"
        print(f"alone {alone}, besieged {besieged}, grown {resident(relay) - before}")
        assert min(besieged) < min(alone) * SLOWER_MAX


# Forty machines


def reached(links: dict[str, set[str]], start: str) -> int:
    seen, edge = {start}, deque([start])
    while edge:
        for near in links[edge.popleft()] - seen:
            seen.add(near)
            edge.append(near)
    return len(seen)


def links_of(machines: list[Machine]) -> dict[str, set[str]]:
    """Return who is linked to whom, as the kernels see it."""
    by_address = {packed: machine.name for machine in machines for packed in addresses_of(machine)}
    found: dict[str, set[str]] = {machine.name: set() for machine in machines}
    for machine in machines:
        told = run("ip", "netns", "exec", machine.namespace, "ss", "-Htn", "state",
                   "established").stdout  # fmt: skip
        for line in told.splitlines():
            host = line.split()[3].rpartition(":")[0].strip("[]").partition("%")[0]
            packed = ipaddress.ip_address(host).packed
            if (other := by_address.get(packed)) is not None:
                found[machine.name].add(other)
    return found


def test_forty_machines_become_one_mesh_that_is_quick_and_costs_nothing_idle(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        machines: list[Machine] = []
        for number in range(NODES):
            role = "relay" if number < 4 else "reporter"
            machine = newsroom.add(f"{role}-{number}", role)
            newsroom.enrol(editor, machine)
            machine.settings |= {"visibility": '"veiled"', "port": "0"}
            machines.append(machine)
        world.meet(*machines)
        for machine in machines:
            machine.start(ready_within_s=60)
        began_s = time.monotonic()
        wait_until(
            lambda: (
                (links := links_of(machines))
                and min(map(len, links.values())) >= LINKS_MIN
                and reached(links, machines[0].name) == NODES
            ),
            within_s=GRAPH_S,
            what="one mesh, each with three links",
        )
        graph_s = time.monotonic() - began_s
        flashes = [flash_s(author, machines) for author in machines[4:14]]
        time.sleep(10)
        cost = [(moved(machine), cpu_s(machine)) for machine in machines]
        time.sleep(IDLE_S)
        traffic = [(moved(m) - c[0]) / IDLE_S for m, c in zip(machines, cost, strict=True)]
        cpu = [(cpu_s(m) - c[1]) / IDLE_S for m, c in zip(machines, cost, strict=True)]
        print(f"one mesh after {graph_s:.1f} s; flashes {[round(s, 1) for s in flashes]}")
        print(f"idle: at most {max(traffic):.0f} B/s, {max(cpu):.4f} of a CPU")
        assert max(traffic) < IDLE_BYTES_PER_S_MAX
        assert max(cpu) < IDLE_CPU_MAX


def flash_s(author: Machine, machines: list[Machine]) -> float:
    """File a flash; return how long until every machine holds it, asked one after the other."""
    before = {machine.name: held(machine) for machine in machines}
    author.cli("file", "-", "--slug", "flash", "--flash", "--now", stdin="Flash.")
    began_s = time.monotonic()
    left = list(machines)

    def all_have_it() -> bool:
        while left and held(left[-1]) > before[left[-1].name]:
            left.pop()
        return not left

    wait_until(all_have_it, within_s=FLASH_S, what="everybody has the flash")
    return time.monotonic() - began_s


def held(machine: Machine) -> int:
    """Return how many bundles a machine holds."""
    told = machine.cli("doctor", "--json", check=False).stdout
    findings = json.loads(told)["findings"]
    return next(int(one["number"]) for one in findings if one["check"] == "store")
