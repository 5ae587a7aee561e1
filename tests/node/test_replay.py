"""A call is answered once: a recording of it meets silence, after a restart too."""

from meshnews.node.links.replay import REMEMBERED_MAX, ReplayShelf
from meshnews.store.memory import MemoryCarry


def call(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_a_call_is_new_once() -> None:
    for durable in (False, True):
        calls = ReplayShelf(MemoryCarry())
        assert calls.first_time(call(1), durable=durable)
        assert not calls.first_time(call(1), durable=durable)
        assert calls.first_time(call(2), durable=durable)


def test_a_durable_call_is_known_after_a_restart() -> None:
    carry = MemoryCarry()
    ReplayShelf(carry).first_time(call(1), durable=True)
    assert not ReplayShelf(carry).first_time(call(1), durable=True)


def test_an_answer_to_a_beacon_is_remembered_as_long_as_there_is_room() -> None:
    """Its beacon dies with the start of the node, so nothing of it need outlive that."""
    calls = ReplayShelf(carry := MemoryCarry())
    for number in range(REMEMBERED_MAX):
        assert calls.first_time(call(number), durable=False)
    assert not calls.first_time(call(0), durable=False)
    assert calls.first_time(call(REMEMBERED_MAX), durable=False)
    assert not calls.first_time(call(REMEMBERED_MAX), durable=False)
    assert not carry.record_bytes
