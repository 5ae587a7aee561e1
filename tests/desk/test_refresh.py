"""A refresh fills up a card, complete in itself."""

from dataclasses import replace

import pytest

from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.limits import POSTAGE_ON_REFRESH_MAX, REFRESH_BYTES_MAX
from meshnews.desk.refresh import Refresh, decode_refresh
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import Day, TrafficClass
from tests.desk.sample import REFRESH, RELAY_KEYS, postage, seed

PIECE = postage(70, traffic=TrafficClass.BULK, n=16)


@pytest.mark.parametrize(
    "refresh",
    [
        REFRESH,
        Refresh(time=0),
        Refresh(time=1, beacon_key=SymmetricKey(seed(1)), relays=(RELAY_KEYS,)),
        Refresh(
            time=1,
            desk_notice_key=SymmetricKey(seed(1)),
            member_notice_key=SymmetricKey(seed(2)),
        ),
        Refresh(time=1, postage=(PIECE,) * POSTAGE_ON_REFRESH_MAX),
    ],
)
def test_a_refresh_is_read_back(refresh: Refresh) -> None:
    assert decode_refresh(refresh.encode()) == refresh


@pytest.mark.parametrize(
    "over",
    [
        replace(REFRESH, time=-1),
        replace(REFRESH, postage=(PIECE,) * (POSTAGE_ON_REFRESH_MAX + 1)),
        replace(REFRESH, mesh_key=None),
        Refresh(time=1, mesh_day=Day(1)),
    ],
)
def test_nothing_over_a_limit_is_ever_in_a_refresh(over: Refresh) -> None:
    with pytest.raises(LocalMisuse):
        over.encode()


def test_a_refresh_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        decode_refresh(bytes(REFRESH_BYTES_MAX + 1))
