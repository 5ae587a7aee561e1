"""Who does not belong gets silence, and leaves no byte behind."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from meshnewsd.compose import open_home
from tests.e2e.newsroom import Newsroom, small_desk
from tests.e2e.test_there_and_back import neighbours
from tests.e2e.world import PORT, Machine, World, open_world, run, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LISTEN_S = 8
"""Longer than a handshake's deadline: an answer would have come by then."""

SPEAK = (
    "import socket,sys\n"
    "s=socket.create_connection((sys.argv[1],int(sys.argv[2])),timeout=5)\n"
    "s.sendall(open(sys.argv[3],'rb').read())\n"
    "s.settimeout(float(sys.argv[4]))\n"
    "got=b''\n"
    "try:\n"
    "  while (b:=s.recv(4096)): got+=b\n"
    "except (TimeoutError,OSError): pass\n"
    "print(len(got))\n"
)


def answers(world: World, stranger: Machine, target: Machine, data: bytes, folder: Path) -> int:
    """Return how many bytes come back when a stranger says `data`."""
    said = folder / f"said-{os.urandom(4).hex()}"
    said.write_bytes(data)
    words = ("python3", "-c", SPEAK, target.address, str(PORT), str(said), str(LISTEN_S))
    return int(run("ip", "netns", "exec", stranger.namespace, *words).stdout)


def contents(machine: Machine) -> tuple[int, int]:
    """Return how many bundles and remembered calls the home of a stopped relay holds."""
    with contextlib.closing(open_home(machine.home, passphrase=None)) as opened:
        carry = opened.store.carry
        return carry.count_elements(), carry.count("replay")


def first_message(wire: Path, sender: Machine) -> bytes:
    """Return what the caller said first on the first TCP stream of a capture."""
    packed = bytes(int(part) for part in sender.address.split("."))
    data, at = wire.read_bytes(), 24
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        if frame[12:14] != b"\x08\x00" or frame[23] != 6 or frame[26:30] != packed:
            continue
        header = 14 + (frame[14] & 15) * 4
        payload = frame[header + (frame[header + 12] >> 4) * 4 :]
        total = 14 + int.from_bytes(frame[16:18], "big")
        payload = frame[header + (frame[header + 12] >> 4) * 4 : total]
        if payload:
            return payload
    raise AssertionError("no first message in the capture")


def test_noise_and_recordings_get_silence_and_cause_no_stored_byte(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        _, machines = small_desk(world)
        relay, collector = machines["relay-1"], machines["collector-1"]
        collector.settings["visibility"] = '"veiled"'
        relay.settings["visibility"] = '"veiled"'
        stranger = world.machine("stranger")
        relay.start()
        collector.start()
        wire = tmp_path / "wire.pcap"
        with world.capture(relay, wire):
            world.meet(relay, collector, stranger)
            wait_until(lambda: neighbours(relay), within_s=30, what="a real link")
        recorded = first_message(wire, relay)
        assert answers(world, stranger, collector, recorded, tmp_path) == 0, "a recording"
        assert answers(world, stranger, relay, recorded, tmp_path) == 0, "at another relay"
        relay.stop()
        collector.stop()
        before = contents(collector)
        collector.start()
        assert answers(world, stranger, collector, recorded, tmp_path) == 0, "after a restart"
        for size in (1, 48, 300, 5000):
            noise = os.urandom(size)
            assert answers(world, stranger, collector, noise, tmp_path) == 0, size
        collector.stop()
        assert contents(collector) == before


def test_another_desk_and_another_relays_key_get_no_link(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom, machines = small_desk(world)
        collector, relay = machines["collector-1"], machines["relay-1"]
        # It shows itself to nobody: a member who hears it would call it by its right key.
        collector.settings["visibility"] = '"silent"'
        before = contents(collector)
        collector.start()
        other = Newsroom(world)
        foreign_editor = newsroom.add("editor-9", "editor")
        shutil.rmtree(tmp_path / "root")
        other.found(foreign_editor)
        foreign = other.add("relay-9", "relay")
        foreign_collector = other.add("collector-9", "relay", endpoint=True)
        other.enrol(foreign_editor, foreign_collector)
        other.enrol(foreign_editor, foreign)
        # It calls our collector's address with its own collector's keys.
        foreign.neighbours = [(collector, other.keys["collector-9"])]
        # And a reporter of ours calls the collector with the key of the relay.
        member = machines["reporter-1"]
        member.neighbours = [(collector, newsroom.keys[relay.name])]
        foreign.start()
        member.start()
        world.meet(collector, foreign, member)
        with pytest.raises(AssertionError, match="not within"):
            wait_until(lambda: neighbours(collector), within_s=25, what="no link is right")
        assert neighbours(foreign) == 0
        assert neighbours(member) == 0
        collector.stop()
        assert contents(collector) == before
