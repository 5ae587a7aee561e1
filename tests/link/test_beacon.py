"""Long and short beacons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.entropy import SeededEntropy
from meshnews.errors import LocalMisuse
from meshnews.link.beacon import BEACON_BYTES, Flag, Heard, hear, make_beacon
from meshnews.link.rendezvous import Mode, Rendezvous
from meshnews.link.short_beacon import (
    SHORT_BEACON_BYTES,
    HeardShort,
    hear_short,
    make_short_beacon,
)
from tests.link.neighbours import rendezvous_of

ENTROPY = SeededEntropy(b"beacons")
OWN = rendezvous_of(Mode.RELAY, ENTROPY)
OTHERS = [(f"other {n}", rendezvous_of(Mode.RELAY, ENTROPY)) for n in range(5)]
EVERYBODY = [*OTHERS, ("own", OWN)]

nonces = st.binary(min_size=16, max_size=16)
short_nonces = st.binary(min_size=8, max_size=8)
flags = st.sampled_from(
    [Flag.NONE, Flag.SEEK, Flag.CLOCKLESS, Flag.SEEK | Flag.CLOCKLESS],
)


def beacon(it: Rendezvous = OWN, epoch: int = 5, port: int = 7) -> bytes:
    return make_beacon(it, epoch=epoch, port=port, flags=Flag.NONE, nonce=bytes(16))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), flags, nonces)
def test_who_has_the_key_hears_what_was_said(
    epoch: int, port: int, said: Flag, nonce: bytes
) -> None:
    packet = make_beacon(OWN, epoch=epoch, port=port, flags=said, nonce=nonce)
    assert len(packet) == BEACON_BYTES
    assert hear(packet, EVERYBODY) == Heard("own", OWN, epoch, port, said, nonce)


@given(st.binary(max_size=100) | st.binary(min_size=48, max_size=48))
def test_garbage_is_no_beacon(packet: bytes) -> None:
    assert hear(packet, EVERYBODY) is None


def test_who_lacks_the_key_hears_nothing() -> None:
    assert hear(beacon(), OTHERS) is None
    assert hear(beacon(), []) is None


@given(st.integers(0, BEACON_BYTES * 8 - 1))
def test_a_beacon_with_one_bit_flipped_is_none(bit: int) -> None:
    packet = bytearray(beacon())
    packet[bit // 8] ^= 1 << bit % 8
    assert hear(bytes(packet), EVERYBODY) is None


def test_flags_of_later_versions_are_let_pass() -> None:
    packet = make_beacon(OWN, epoch=1, port=2, flags=Flag(0x0401), nonce=bytes(16))
    heard = hear(packet, EVERYBODY)
    assert heard is not None
    assert Flag.SEEK in heard.flags


def test_beacons_are_balanced_in_every_bit() -> None:
    packets = [
        make_beacon(OWN, epoch=2_000_000, port=4000, flags=Flag.NONE, nonce=ENTROPY.draw(16))
        for _ in range(400)
    ]
    for bit in range(BEACON_BYTES * 8):
        ones = sum(packet[bit // 8] >> bit % 8 & 1 for packet in packets)
        assert 140 <= ones <= 260, f"bit {bit}"


@pytest.mark.parametrize(
    ("epoch", "port", "said", "nonce"),
    [
        (-1, 0, 0, bytes(16)),
        (2**32, 0, 0, bytes(16)),
        (0, -1, 0, bytes(16)),
        (0, 2**16, 0, bytes(16)),
        (0, 0, 2**16, bytes(16)),
        (0, 0, 0, bytes(8)),
    ],
)
def test_what_does_not_fit_a_beacon_is_our_own_fault(
    epoch: int, port: int, said: int, nonce: bytes
) -> None:
    with pytest.raises(LocalMisuse):
        make_beacon(OWN, epoch=epoch, port=port, flags=Flag(said), nonce=nonce)


@given(st.integers(0, 2**32 - 1), st.integers(0, 255), flags, short_nonces, st.integers(-2, 2))
def test_a_short_beacon_is_heard_by_a_clock_two_epochs_off(
    epoch: int, psm: int, said: Flag, nonce: bytes, off: int
) -> None:
    packet = make_short_beacon(OWN, epoch=epoch, psm=psm, flags=said, nonce=nonce)
    assert len(packet) == SHORT_BEACON_BYTES
    heard = hear_short(packet, EVERYBODY, epoch=max(epoch + off, 0))
    assert heard == HeardShort("own", OWN, epoch & 0xFF, psm, said, nonce)


def short(said: Flag) -> bytes:
    return make_short_beacon(OWN, epoch=1000, psm=129, flags=said, nonce=bytes(8))


def test_a_short_beacon_of_an_earlier_hour_is_ignored() -> None:
    assert hear_short(short(Flag.NONE), EVERYBODY, epoch=1003) is None
    assert hear_short(short(Flag.NONE), EVERYBODY, epoch=997) is None


def test_without_a_clock_on_one_side_any_short_beacon_is_heard() -> None:
    assert hear_short(short(Flag.NONE), EVERYBODY, epoch=None) is not None
    assert hear_short(short(Flag.CLOCKLESS), EVERYBODY, epoch=5) is not None


@given(st.binary(min_size=20, max_size=20), st.none() | st.integers(0, 2**32))
def test_garbage_is_no_short_beacon(packet: bytes, epoch: int | None) -> None:
    assert hear_short(packet, EVERYBODY[-1:], epoch=epoch) is None


@given(st.integers(0, SHORT_BEACON_BYTES * 8 - 1))
def test_a_short_beacon_with_one_bit_flipped_is_none(bit: int) -> None:
    packet = bytearray(short(Flag.NONE))
    packet[bit // 8] ^= 1 << bit % 8
    assert hear_short(bytes(packet), EVERYBODY[-1:], epoch=1000) is None


@pytest.mark.parametrize(("epoch", "psm", "nonce"), [(-1, 0, 8), (0, 256, 8), (0, 0, 16)])
def test_what_does_not_fit_a_short_beacon_is_our_own_fault(
    epoch: int, psm: int, nonce: int
) -> None:
    with pytest.raises(LocalMisuse):
        make_short_beacon(OWN, epoch=epoch, psm=psm, flags=Flag.NONE, nonce=bytes(nonce))
