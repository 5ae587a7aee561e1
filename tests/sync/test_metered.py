"""Over what is paid for, bulk is neither asked for nor given."""

from dataclasses import replace

import pytest

from meshnews.ids import TrafficClass
from meshnews.node.event import Carrier
from meshnews.node.links.carriage import CARRIAGES, pace_on
from meshnews.sync.pace import Pace
from tests.sync.world import LAN, Contact, Node, Press


@pytest.mark.parametrize("carrier", Carrier)
@pytest.mark.parametrize("is_metered", [False, True])
def test_only_a_metered_uplink_keeps_bulk_away(carrier: Carrier, *, is_metered: bool) -> None:
    pace = pace_on(carrier, is_metered=is_metered)
    keeps_away = is_metered and carrier is Carrier.UPLINK
    assert pace.most is (TrafficClass.ROUTINE if keeps_away else TrafficClass.BULK)
    assert set(CARRIAGES) == set(Carrier)


@pytest.mark.parametrize("carrier", Carrier)
def test_only_over_an_uplink_does_what_goes_up_not_wait_for_what_comes_down(
    carrier: Carrier,
) -> None:
    assert pace_on(carrier, is_metered=False, unloads=True).unloads is (carrier is Carrier.UPLINK)
    assert not pace_on(carrier, is_metered=False).unloads


def _paces(payer: int) -> tuple[Pace, Pace]:
    paid = replace(LAN, most=TrafficClass.ROUTINE)
    return (paid, LAN) if payer == 0 else (LAN, paid)


@pytest.mark.parametrize("payer", [0, 1])
def test_bulk_stays_where_it_is_and_the_rest_goes_both_ways(payer: int) -> None:
    nodes = Node("one"), Node("two")
    press = Press(5)
    for node in nodes:
        node.keep(press.make(), press.make(TrafficClass.FLASH))
        node.keep(*(press.make(TrafficClass.BULK) for _ in range(4)))
    contact = Contact(*nodes, paces=_paces(payer))
    contact.run()
    for node, other in zip(nodes, nodes[::-1], strict=True):
        crossed = set(node.contents()) & set(other.contents())
        assert len(crossed) == 4
        assert not [ref for ref in crossed if ref.traffic is TrafficClass.BULK]


@pytest.mark.parametrize("carrier", Carrier)
def test_what_is_narrow_carries_notices_and_flashes_alone(carrier: Carrier) -> None:
    pace = pace_on(carrier, is_metered=False, is_narrow=True)
    nodes = Node("one"), Node("two")
    press = Press(5)
    for node in nodes:
        node.keep(*(press.make(traffic) for traffic in TrafficClass if traffic))
    Contact(*nodes, paces=(replace(LAN, most=pace.most), LAN)).run()
    for node, other in zip(nodes, nodes[::-1], strict=True):
        crossed = set(node.contents()) & set(other.contents())
        assert {ref.traffic for ref in crossed} == {TrafficClass.FLASH}
        assert len(crossed) == 2


@pytest.mark.parametrize("payer", [0, 1])
def test_bulk_that_comes_while_in_contact_stays_too(payer: int) -> None:
    nodes = Node("one"), Node("two")
    contact = Contact(*nodes, paces=_paces(payer))
    contact.run()
    news = Press(6).make(TrafficClass.BULK)
    nodes[0].keep(news)
    contact.machines[0].announce(news.ref, contact.moment)
    contact.run()
    assert news.ref not in nodes[1].contents()
