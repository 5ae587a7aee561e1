"""Who is silent is asked again ever later, until it speaks."""

from meshnews.limits import STALL_S
from meshnews.sync.rest import STALL_REST_S_MAX, VAIN_NAMES_MAX, VAIN_REST_S, Rest


def silences(rest: Rest, count: int, now_s: float = 0.0) -> list[float]:
    """Return how long each of some rests lasts that follow each other."""
    lasted: list[float] = []
    for _ in range(count):
        rest.silent(now_s)
        until_s = rest.until_s
        assert until_s is not None
        rest.look(until_s - 0.001)
        assert rest
        rest.look(until_s)
        assert not rest
        lasted.append(until_s - now_s)
        now_s = until_s
    return lasted


def test_each_rest_is_twice_as_long_up_to_the_longest() -> None:
    lasted = silences(Rest(), 7)
    assert lasted[0] == STALL_S
    assert lasted[1] == 2 * STALL_S
    assert lasted[-1] == STALL_REST_S_MAX


def test_whoever_speaks_is_asked_at_once_and_begins_anew() -> None:
    rest = Rest()
    silences(rest, 3)
    rest.silent(0.0)
    rest.spoke()
    assert not rest
    assert silences(rest, 1) == [STALL_S]


def test_who_names_in_vain_rests_although_it_speaks() -> None:
    rest = Rest()
    for _ in range(VAIN_NAMES_MAX):
        assert not rest
        rest.named_in_vain(0.0)
    rest.spoke()
    assert rest.until_s == VAIN_REST_S
    rest.silent(0.0)
    rest.look(VAIN_REST_S)
    assert rest.until_s == STALL_S
