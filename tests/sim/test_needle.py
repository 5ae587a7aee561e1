"""What is looked for on a disk is found wherever it lies."""

import random

import pytest

from meshnews.sim.needle import Needles

SECRET = bytes(range(100, 132))


@pytest.mark.parametrize("at", range(40))
def test_a_key_is_found_wherever_it_begins(at: int) -> None:
    luck = random.Random(at)
    haystack = luck.randbytes(at) + SECRET + luck.randbytes(7)
    assert list(Needles({"key": SECRET, "other": bytes(32)}).found_in(haystack)) == ["key"]


def test_a_run_of_a_key_is_not_the_key() -> None:
    assert not list(Needles({"key": SECRET}).found_in(SECRET[:-1] + b"x" + SECRET[1:]))


def test_what_is_short_is_found_too() -> None:
    assert list(Needles({"word": b"alan"}).found_in(b"see you at the alan today")) == ["word"]


def test_all_that_begin_alike_are_told_apart() -> None:
    same = b"a text that begins as all the others do, "
    needles = Needles({"one": same + b"one", "two": same + b"two"})
    assert list(needles.found_in(b"...." + same + b"two....")) == ["two"]
