"""Two relays of one desk find each other by zeroconf alone; a person's machine shows nothing."""

from pathlib import Path

import pytest

from tests.e2e.newsroom import small_desk
from tests.e2e.test_there_and_back import neighbours
from tests.e2e.world import open_world, wait_until

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
        recorded = wire.read_bytes()
        assert b"_relay" in recorded, "the service was advertised"
        for word in (b"press", b"mesh", b"news", b"dispatch", b"report", b"desk"):
            assert word not in recorded.lower(), word


def test_a_reporters_machine_is_silent(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        _, machines = small_desk(world)
        reporter, relay = machines["reporter-1"], machines["relay-1"]
        reporter.neighbours = []
        wire = tmp_path / "wire.pcap"
        with world.capture(reporter, wire):
            reporter.start()
            relay.start()
            world.meet(reporter, relay)
            wait_until(lambda: _heard_relay(wire), within_s=20, what="the relay is heard")
        packets = sent_by(wire, reporter.address)
        assert packets == 0, "nothing left a silent machine"


def _heard_relay(wire: Path) -> bool:
    return wire.exists() and b"_relay" in wire.read_bytes()


def sent_by(wire: Path, address: str) -> int:
    """Count the recorded IPv4 packets that an address sent."""
    packed = bytes(int(part) for part in address.split("."))
    data, at, found = wire.read_bytes(), 24, 0
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        frame = data[at + 16 : at + 16 + size]
        if frame[12:14] == b"\x08\x00" and frame[26:30] == packed:
            found += 1
        at += 16 + size
    return found
