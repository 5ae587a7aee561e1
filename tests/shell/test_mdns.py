"""Beacons over DNS-SD, on the loopback interface only."""

import secrets
import socket
import threading

import pytest
import trio
from zeroconf import DNSOutgoing, ServiceInfo

from meshnews.crypto.entropy import SeededEntropy
from meshnews.node.event import Address, Heard
from meshnews.node.settings import Visibility
from meshnewsd.config import Config
from meshnewsd.discovery.interface import Shown
from meshnewsd.discovery.mdns import REGISTERED_S, TTL_S, MdnsFinder, read_service
from meshnewsd.discovery.registry import make_finders
from meshnewsd.platform.interfaces import InterfaceAddress

BEACON = bytes(range(48))
OTHER = bytes(range(100, 148))
TYPE = f"_t{secrets.token_hex(5)}._tcp"
"""Of this run alone: whoever else tests on this machine is on the same loopback interface."""
LABEL = "0123456789ab"
RESPONSE = 0x8400
"""An authoritative answer (RFC 6762, section 18)."""


def service(
    *addresses: str, properties: dict[bytes, bytes | None] | None = None, port: int = 7117
) -> ServiceInfo:
    packed = [
        socket.inet_pton(socket.AF_INET6 if ":" in each else socket.AF_INET, each)
        for each in addresses
    ]
    return ServiceInfo(
        f"{TYPE}.local.",
        f"{LABEL}.{TYPE}.local.",
        port=port,
        addresses=packed,
        server=f"{LABEL}.local.",
        properties=properties if properties is not None else {b"v": BEACON},
    )


def test_a_service_with_a_beacon_is_heard_with_its_addresses() -> None:
    assert read_service(service("192.0.2.1", "2001:db8::1")) == [
        Heard(BEACON, (Address("tcp", "192.0.2.1:0"), Address("tcp", "[2001:db8::1]:0")))
    ]


def test_bytes_that_look_like_anything_are_a_beacon_if_they_are_48() -> None:
    odd = b"=" * 20 + b"\x00\xff" + b"=" * 26
    info = service("192.0.2.1", properties={b"v": odd})
    again = ServiceInfo(info.type, info.name, 7117, properties=info.text, addresses=info.addresses)
    assert [heard.beacon for heard in read_service(again)] == [odd]


@pytest.mark.parametrize(
    "properties",
    [{}, {b"v": None}, {b"v": b""}, {b"v": bytes(47)}, {b"v": bytes(49)}, {b"path": b"/"}],
)
def test_a_service_without_a_beacon_is_somebody_elses(
    properties: dict[bytes, bytes | None],
) -> None:
    assert read_service(service("192.0.2.1", properties=properties)) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "224.0.0.1", "0.0.0.0", "ff02::1", "::"])  # noqa: S104  nothing is bound
def test_addresses_that_are_no_neighbours_are_passed_over(address: str) -> None:
    assert read_service(service(address)) == []


def test_a_link_local_address_without_its_scope_is_passed_over() -> None:
    assert read_service(service("fe80::1")) == []
    assert len(read_service(service("fe80::1", "192.0.2.1"))[0].addresses) == 1


def test_a_stranger_cannot_make_us_try_addresses_without_end() -> None:
    many = [f"192.0.2.{number}" for number in range(1, 200)]
    assert len(read_service(service(*many))[0].addresses) == 8


def test_only_an_open_home_uses_dns_sd() -> None:
    names = {
        visibility: [
            finder.name
            for finder in make_finders(Config(bluetooth=False), visibility, lambda heard: None)
        ]
        for visibility in Visibility
    }
    assert names == {
        Visibility.OPEN: ["udp", "mdns"],
        Visibility.VEILED: ["udp"],
        Visibility.SILENT: ["udp"],
    }


def test_every_network_is_told_of_its_own_addresses_only() -> None:
    found = [
        InterfaceAddress("wlan0", 2, "192.168.1.20"),
        InterfaceAddress("wlan0", 2, "2001:db8:1::5"),
        InterfaceAddress("tun0", 3, "10.8.0.6"),
        InterfaceAddress("lo", 1, "127.0.0.1"),
    ]
    finder = MdnsFinder(service_type=TYPE, hear=lambda heard: None)
    places = finder._places(found)
    told = {
        name: finder._responder(place)._describe(LABEL, BEACON, 7117).parsed_addresses()
        for name, place in places.items()
    }
    assert told == {"tun0": ["10.8.0.6"], "wlan0": ["192.168.1.20", "2001:db8:1::5"]}


async def test_a_responder_hears_its_own_interface_only() -> None:
    place = (InterfaceAddress("lo", socket.if_nametoindex("lo"), "127.0.0.1"),)
    responder = MdnsFinder(service_type=TYPE, hear=lambda heard: None)._responder(place)
    zeroconf = await trio.to_thread.run_sync(responder._open)
    try:
        ends = [*zeroconf.engine.readers, *zeroconf.engine.senders]
        assert ends
        bound = [end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) for end in ends]
        assert {name.rstrip(b"\0") for name in bound} == {b"lo"}
    finally:
        await trio.to_thread.run_sync(zeroconf.close)


class Ear:
    """Keeps what was heard for whoever waits for it."""

    def __init__(self) -> None:
        self._in, self._out = trio.open_memory_channel[Heard](64)

    def hear(self, heard: Heard) -> None:
        self._in.send_nowait(heard)

    async def until(self, beacon: bytes) -> Heard:
        with trio.fail_after(REGISTERED_S[1] + 10):
            while (heard := await self._out.receive()).beacon != beacon:
                continue
        return heard


async def test_a_neighbour_is_heard_and_its_next_beacon_too_and_both_end_in_time() -> None:
    ear = Ear()
    own: list[Heard] = []
    near = MdnsFinder(
        service_type=TYPE,
        hear=own.append,
        interfaces=["127.0.0.1"],
        entropy=SeededEntropy(b"near"),
    )
    far = MdnsFinder(service_type=TYPE, hear=ear.hear, interfaces=["127.0.0.1"])
    near.show(Shown((BEACON,)))
    threads = threading.active_count()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run)
        nursery.start_soon(far.run)
        found = await ear.until(BEACON)
        assert found.addresses == (Address("tcp", "127.0.0.1:0"),)
        near.show(Shown((OTHER,)))
        found = await ear.until(OTHER)
        assert found.addresses == (Address("tcp", "127.0.0.1:0"),)
        began_s = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began_s < 5
    assert threading.active_count() <= threads + 8
    assert own == []


async def test_who_answers_under_our_name_is_noticed_and_who_repeats_us_is_not() -> None:
    near_ear, far_ear = Ear(), Ear()
    near = MdnsFinder(service_type=TYPE, hear=near_ear.hear, interfaces=["127.0.0.1"])
    far = MdnsFinder(service_type=TYPE, hear=far_ear.hear, interfaces=["127.0.0.1"])
    near.show(Shown((BEACON,)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run)
        nursery.start_soon(far.run)
        await far_ear.until(BEACON)
        (responder,) = near._responders.values()
        (own,) = responder._services.values()
        answer_as(own)
        answer_as(a_service_like(own, name=f"{LABEL}.{own.type}", server=f"{LABEL}.local."))
        await near_ear.until(OTHER)
        assert near.health.rivals == frozenset()
        answer_as(a_service_like(own, name=own.name, server=own.server))
        with trio.fail_after(10):
            while not near.health.rivals:
                await trio.lowlevel.checkpoint()
        assert near.health.rivals == {own.name.partition(".")[0]}
        nursery.cancel_scope.cancel()


def a_service_like(own: ServiceInfo, *, name: str, server: str | None) -> ServiceInfo:
    """Return another machine's service."""
    return ServiceInfo(
        own.type, name, 1, addresses=own.addresses, properties={b"v": OTHER}, server=server
    )


def answer_as(service: ServiceInfo) -> None:
    """Say on the network, as any machine can, what a service says."""
    said = DNSOutgoing(RESPONSE)
    said.add_answer_at_time(service.dns_pointer(), 0)
    for record in (service.dns_service(), service.dns_text(), *service.dns_addresses()):
        said.add_answer_at_time(record, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 5353))
        for packet in said.packets():
            sock.sendto(packet, ("224.0.0.251", 5353))


async def test_what_goes_over_the_network_names_neither_machine_nor_purpose() -> None:
    packets: list[bytes] = []
    host = socket.gethostname().encode().lower()
    finder = MdnsFinder(service_type=TYPE, hear=lambda heard: None, interfaces=["127.0.0.1"])
    finder.show(Shown((BEACON,)))
    with listen_to_mdns() as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(finder.run)
            with trio.fail_after(10):
                while not any(BEACON in packet for packet in packets):
                    packets.append(await listener.recv(9000))
            nursery.cancel_scope.cancel()
        with trio.move_on_after(0.2):
            while True:
                packets.append(await listener.recv(9000))
    everything = b"".join(packets).lower()
    assert TYPE.partition(".")[0].encode() in everything
    assert TTL_S.to_bytes(4, "big") in everything
    telling = [b"press", b"news", b"mesh", b"python", b"zeroconf"]
    if len(host) > 4:
        telling.append(host)
    assert [word for word in telling if word in everything] == []


def listen_to_mdns() -> trio.socket.SocketType:
    """Return a socket that gets every mDNS packet on the loopback interface."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    raw.bind(("224.0.0.251", 5353))
    group = socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1")
    raw.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    return trio.socket.from_stdlib_socket(raw)
