"""Two relays of one desk find each other by zeroconf alone; a person's machine shows nothing."""

import sys
from pathlib import Path

import pytest

from tests.e2e.capture_campaign import groups, read_packets
from tests.e2e.newsroom import Newsroom, small_desk
from tests.e2e.test_there_and_back import neighbours
from tests.e2e.world import open_world, run, wait_until

pytestmark = pytest.mark.e2e


def test_a_relay_finds_the_collector_without_an_address(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        _, machines = small_desk(world)
        relay, collector = machines["relay-1"], machines["collector-1"]
        for machine in (relay, collector):
            machine.neighbours = []
            machine.start()
        wire = tmp_path / "wire.pcap"
        with world.capture(relay, wire):
            world.meet(relay, collector)
            wait_until(lambda: neighbours(relay), within_s=20, what="found by zeroconf")
            wait_until(lambda: b"_relay" in wire.read_bytes(), within_s=20, what="an advert")
        recorded = wire.read_bytes()
        for word in (b"press", b"mesh", b"news", b"dispatch", b"report", b"desk"):
            assert word not in recorded.lower(), word


BEACONS_OF_STRANGERS = """
import os, socket, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sock.bind(("", 48721))
for _ in range(50):
    sock.sendto(os.urandom(48), ("10.77.0.255", 48721))
    time.sleep(0.1)
"""


def test_a_reporters_machine_is_silent_whatever_it_hears(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        reporter = newsroom.add("reporter-1", "reporter")
        newsroom.enrol(editor, reporter)
        stranger = world.machine("stranger-1")
        wire = tmp_path / "wire.pcap"
        world.meet(reporter, stranger)
        before = groups(reporter)
        with world.capture(reporter, wire):
            reporter.start()
            run("ip", "netns", "exec", stranger.namespace, sys.executable, "-c",
                BEACONS_OF_STRANGERS)  # fmt: skip
        assert heard_from(wire, stranger.address) >= 45, "the last may come too late"
        assert heard_from(wire, reporter.address) == 0, "nothing left a silent machine"
        assert groups(reporter) == before, "no group was joined"


def heard_from(wire: Path, address: str) -> int:
    """Count the recorded IPv4 packets that an address sent."""
    return sum(packet.source == address for packet in read_packets(wire))
