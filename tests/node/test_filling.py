"""Streams are given bytes in turns, and not more at once than a bound."""

from meshnews.ids import LinkId
from meshnews.node.event import Carrier
from meshnews.node.links.conversation import Conversation
from meshnews.node.links.filling import FILL_BYTES_MAX, Filling
from tests.node.test_holding_back import conversation


def talks(number: int) -> list[Conversation]:
    found = []
    for each in range(number):
        talk, _ = conversation(Carrier.LAN)
        talk.link = LinkId(each)
        found.append(talk)
    return found


def given(filling: Filling, crowd: list[Conversation], size: int) -> list[int]:
    """Give each as much as `size`; return who had a turn."""
    had = []
    for talk in filling.turns(crowd):
        had.append(int(talk.link))
        filling.gave(size)
    return had


def test_whoever_had_to_wait_is_first_the_next_time() -> None:
    filling, crowd = Filling(), talks(5)
    assert given(filling, crowd, FILL_BYTES_MAX // 2) == [0, 1]
    assert filling.is_behind
    assert given(filling, crowd, FILL_BYTES_MAX // 2) == [2, 3]
    assert given(filling, crowd, FILL_BYTES_MAX // 2) == [4, 0]


def test_when_all_had_their_turn_nobody_waits() -> None:
    filling, crowd = Filling(), talks(5)
    assert given(filling, crowd, 1) == [0, 1, 2, 3, 4]
    assert not filling.is_behind


def test_one_alone_is_given_all_there_is() -> None:
    filling, crowd = Filling(), talks(1)
    assert given(filling, crowd, FILL_BYTES_MAX) == [0]
    assert not filling.is_behind


def test_whoever_has_left_keeps_nobody_waiting() -> None:
    filling, crowd = Filling(), talks(3)
    given(filling, crowd, FILL_BYTES_MAX)
    assert given(filling, [crowd[0], crowd[2]], 1) == [2, 0]
    assert not filling.is_behind
