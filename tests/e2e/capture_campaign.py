"""Can a stranger who records a network tell which beacons of two epochs are one machine's?

    python -m tests.e2e.capture_campaign --minutes 10

Machines of one desk share a network, with a short epoch; every packet is
recorded.  A script then looks at each machine in one epoch and each in the
next, and tries to tell pairs of one machine from pairs of two: by the times of
its packets and their order, by ports, lengths and bytes.  Addresses serve only
to know the truth.  Prints the area under the ROC curve of every way to tell,
and of all together; 0.5 is guessing.  Then the recording is searched for the
machines' names and keys in every form (`tests.e2e.telling`): none may be there.
"""

import argparse
import ipaddress
import itertools
import json
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.e2e.newsroom import Newsroom
from tests.e2e.telling import find, keys_of
from tests.e2e.world import Machine, World, open_world, run

EPOCH_S = 30.0
RELAYS, REPORTERS = 4, 8
MDNS, BEACON = 5353, 48721
IPV4, TCP, UDP = b"\x08\x00", 6, 17
LABEL = re.compile(rb"\x0c([0-9a-f]{12})")
"""The random name of a service, as RFC 1035 writes it."""
LONGEST_COMMON = 6
"""Bytes that two random payloads of a few hundred may share by chance."""


@dataclass(frozen=True)
class Packet:
    """One recorded packet: who sent it, from and to which port, and what it said."""

    at_s: float
    source: str
    protocol: int
    source_port: int
    port: int
    is_opening: bool
    payload: bytes


@dataclass
class Seen:
    """What a stranger saw of one machine in one epoch."""

    beacons: list[float] = field(default_factory=list)
    services: list[float] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    payloads: list[bytes] = field(default_factory=list)


def read_packets(capture: Path) -> Iterator[Packet]:
    """Yield the IPv4 packets of a capture, each once."""
    data, at = capture.read_bytes(), 24
    while at + 16 <= len(data):
        seconds, micros, size = (
            int.from_bytes(data[at + n : at + n + 4], "little") for n in (0, 4, 8)
        )
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        packet = _read_frame(seconds + micros / 1e6, frame)
        if packet is not None:
            yield packet


def _read_frame(at_s: float, frame: bytes) -> Packet | None:
    if frame[12:14] != IPV4:
        return None
    ip = frame[14:]
    head, protocol = (ip[0] & 15) * 4, ip[9]
    source, segment = ".".join(map(str, ip[12:16])), ip[head:]
    if protocol not in {TCP, UDP} or len(segment) < 8:
        return None
    ports = int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big")
    start = 8 if protocol == UDP else (segment[12] >> 4) * 4
    opening = protocol == TCP and segment[13] & 0x12 == 0x02
    return Packet(at_s, source, protocol, *ports, opening, segment[start:])


def by_epoch(packets: Sequence[Packet]) -> dict[tuple[int, str], Seen]:
    """Sort what was recorded by epoch and machine."""
    seen: dict[tuple[int, str], Seen] = {}
    first_heard: dict[bytes, int] = {}
    for packet in packets:
        epoch = int(packet.at_s // EPOCH_S)
        here = seen.setdefault((epoch, packet.source), Seen())
        offset = packet.at_s - epoch * EPOCH_S
        if packet.protocol == UDP and packet.port == BEACON:
            here.beacons.append(offset)
            here.payloads.append(packet.payload)
        elif packet.protocol == UDP and packet.port == MDNS and packet.payload[2] & 0x80:
            heard = {
                first_heard.setdefault(label, epoch) for label in LABEL.findall(packet.payload)
            }
            # A last word about a service of before is the end of that one, and no more.
            if heard != {epoch - 1}:
                here.services.append(offset)
                here.payloads.append(packet.payload)
        if packet.protocol == UDP:
            here.sizes.add(len(packet.payload))
            here.ports.add(packet.source_port)
        elif packet.is_opening:
            # The answerer's port is the called machine's own.
            continue
    return seen


def own_ports(packets: Sequence[Packet]) -> dict[tuple[int, str], set[int]]:
    """Return the ports at which each machine was called, by epoch."""
    found: dict[tuple[int, str], set[int]] = {}
    for packet in packets:
        if packet.protocol == TCP and packet.payload and packet.source_port < 65536:
            key = int(packet.at_s // EPOCH_S), packet.source
            found.setdefault(key, set()).add(packet.source_port)
    return found


# Ways to tell: the higher, the more alike


def likeness(one: Seen, next_one: Seen, ranks: tuple[int, int]) -> dict[str, float]:
    """Return how alike two epochs of perhaps one machine look, in every way we know."""
    gap = _first(next_one.beacons) + EPOCH_S - _last(one.beacons)
    return {
        "time of the first beacon": -abs(_first(one.beacons) - _first(next_one.beacons)),
        "rhythm of beacons": -abs(gap - 28.0),
        "time of the service": -abs(_first(one.services) - _first(next_one.services)),
        "from old service to new": -abs(_first(next_one.services) + EPOCH_S - _last(one.services)),
        "order": -abs(ranks[0] - ranks[1]),
        "number of packets": -abs(len(one.payloads) - len(next_one.payloads)),
        "lengths": len(one.sizes & next_one.sizes) / max(1, len(one.sizes | next_one.sizes)),
        "ports": len((one.ports - {MDNS, BEACON}) & next_one.ports),
        "bytes": float(shares_bytes(one.payloads, next_one.payloads)),
    }


def _first(times: list[float]) -> float:
    return min(times, default=EPOCH_S)


def _last(times: list[float]) -> float:
    return max(times, default=0.0)


def shares_bytes(left: list[bytes], right: list[bytes]) -> bool:
    """Tell whether two machines' own bytes have anything longer in common than chance gives.

    What every machine's packets have in common is not looked at: it tells nobody apart.
    """
    size = LONGEST_COMMON
    pieces = {data[n : n + size] for data in left for n in range(len(data) - size)}
    common = {data[n : n + size] for data in right for n in range(len(data) - size)}
    return bool((pieces & common) - EVERYBODYS)


EVERYBODYS: set[bytes] = set()


def without_addresses(packets: Sequence[Packet], addresses: Sequence[bytes]) -> list[Packet]:
    """Return the packets with every network address in them blotted out."""
    blotted = []
    for packet in packets:
        payload = packet.payload
        for address in addresses:
            payload = payload.replace(address, bytes(len(address)))
        blotted.append(replace(packet, payload=payload))
    return blotted


def learn_what_all_share(seen: dict[tuple[int, str], Seen]) -> None:
    """Take note of what the packets of more than one machine contain."""
    holders: dict[bytes, set[str]] = {}
    for (_, source), one in seen.items():
        for data in one.payloads:
            for n in range(len(data) - LONGEST_COMMON):
                holders.setdefault(data[n : n + LONGEST_COMMON], set()).add(source)
    EVERYBODYS.update(piece for piece, sources in holders.items() if len(sources) > 1)


def area(same: Sequence[float], other: Sequence[float]) -> float:
    """Return the area under the ROC curve: how often a true pair looks more alike than a false."""
    order = sorted([*((value, 1) for value in same), *((value, 0) for value in other)])
    total, at = 0.0, 1
    for _, group in itertools.groupby(order, key=lambda pair: pair[0]):
        members = list(group)
        total += sum(kind for _, kind in members) * (at + (len(members) - 1) / 2)
        at += len(members)
    return (total - len(same) * (len(same) + 1) / 2) / (len(same) * len(other))


def judge(packets: Sequence[Packet], sources: Sequence[str]) -> dict[str, float]:
    """Return the area under the curve of each way to tell, and of all together."""
    seen = by_epoch(packets)
    for key, ports in own_ports(packets).items():
        if key in seen:
            seen[key].ports |= ports
    learn_what_all_share(seen)
    same: list[dict[str, float]] = []
    other: list[dict[str, float]] = []
    epochs = sorted({epoch for epoch, _ in seen})[1:-1]
    for epoch in epochs[:-1]:
        ranks = [_ranks(seen, sources, epoch), _ranks(seen, sources, epoch + 1)]
        for left, right in itertools.product(sources, sources):
            if (epoch, left) in seen and (epoch + 1, right) in seen:
                found = likeness(
                    seen[epoch, left], seen[epoch + 1, right], (ranks[0][left], ranks[1][right])
                )
                (same if left == right else other).append(found)
    areas = {way: area([s[way] for s in same], [o[way] for o in other]) for way in same[0]}
    scale = {way: _scale([s[way] for s in [*same, *other]]) for way in same[0]}
    together = [
        [sum(one[way] / scale[way] for way in one) for one in group] for group in (same, other)
    ]
    areas["all together"] = area(*together)
    areas["pairs"] = float(len(same))
    return areas


def _scale(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5 or 1.0


def _ranks(seen: dict[tuple[int, str], Seen], sources: Sequence[str], epoch: int) -> dict[str, int]:
    nobody = Seen()
    order = sorted(sources, key=lambda source: _first(seen.get((epoch, source), nobody).beacons))
    return {source: rank for rank, source in enumerate(order)}


# The network


def open_mode(world: World, mode: str) -> list[Machine]:
    """Return the machines of one mode, enrolled and not yet running."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    names = [f"relay-{n}" for n in range(RELAYS)] + [f"reporter-{n}" for n in range(REPORTERS)]
    machines = []
    for name in names:
        machine = newsroom.add(name, name.partition("-")[0])
        newsroom.enrol(editor, machine)
        machine.host_name = f"qyran-{secrets.token_hex(4)}"
        machine.settings |= {
            "port": "0",
            "visibility": f'"{mode}"',
            "beacon_epoch_s": str(EPOCH_S),
        }
        machines.append(machine)
    return machines


def record(world: World, machines: Sequence[Machine], minutes: float, to: Path) -> None:
    """Let the machines run on one network, and record all of it."""
    with world.capture_all(world.meet(*machines), to):
        for machine in machines:
            machine.start()
        time.sleep(minutes * 60)


def told(machines: Sequence[Machine], capture: Path) -> list[str]:
    """Return which names and keys of machines, which are stopped, stand in a recording."""
    names, keys = dict[str, str](), dict[str, bytes]()
    for machine in machines:
        machine.stop()
        names[f"name of {machine.name}"] = machine.host_name
        keys |= keys_of(machine)
    return find(names, keys, capture)


def groups(machine: Machine) -> set[str]:
    """Return the multicast groups that a machine is in."""
    told = run("ip", "-n", machine.namespace, "maddress", "show", "dev", "eth0").stdout
    words = {word for line in told.splitlines() for word in line.split()}
    # The kernel joins one group for each address that it gives itself (RFC 4861).
    return {word for word in words if "." in word or ("::" in word and "::1:ff" not in word)}


def addresses_of(machine: Machine) -> list[bytes]:
    """Return a machine's network addresses, packed."""
    told = run("ip", "-n", machine.namespace, "-j", "address", "show", "dev", "eth0").stdout
    found = [info["local"] for link in json.loads(told) for info in link["addr_info"]]
    return [ipaddress.ip_address(each).packed for each in found]


def main(arguments: Sequence[str]) -> int:
    """Record and judge every mode; return 0 if nothing tells pairs apart or names anybody."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--modes", default="veiled,open")
    options = parser.parse_args(arguments)
    worst, told_anything = 0.0, False
    for mode in options.modes.split(","):
        folder = Path(tempfile.mkdtemp(prefix="mn"))
        with open_world(folder) as world:
            machines = open_mode(world, mode)
            before = [groups(machine) for machine in machines]
            capture = folder / "all.pcap"
            record(world, machines, options.minutes, capture)
            joined = set().union(
                *(groups(machine) - known for machine, known in zip(machines, before, strict=True))
            )
            addresses = [packed for machine in machines for packed in addresses_of(machine)]
            packets = without_addresses(list(read_packets(capture)), addresses)
            areas = judge(packets, [machine.address for machine in machines])
            names = told(machines, capture)
        print(f"{mode}: {len(packets)} packets, {areas.pop('pairs'):.0f} true pairs")
        for way, found in areas.items():
            print(f"  {way:28} {found:.3f}")
        print(f"  groups joined: {sorted(joined) or 'none'}")
        print(f"  names and keys found: {names or 'none'}")
        told_anything = told_anything or bool(names)
        worst = max(worst, abs(areas["all together"] - 0.5))
    return int(worst > 0.05 or told_anything)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
