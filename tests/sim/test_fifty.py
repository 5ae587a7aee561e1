"""Fifty whole nodes, one day, real cryptography."""

from meshnews.sim.bound import flooding_bound
from meshnews.sim.city import City, city_days
from meshnews.sim.play import Play

FIFTY = City(reporters=12, relays=30, couriers=7, items=15, visits=3, passes=1, texts_only=True)


def test_fifty_nodes_deliver_in_a_day_what_flooding_delivers() -> None:
    plan = city_days(1, FIFTY)
    assert len(plan.posts) == 50
    played = Play(plan, seed=1, light_cards=True).run()
    bound = {(row.slug, row.node) for row in flooding_bound(plan)}
    assert bound
    assert {(row.slug, row.node) for row in played.rows} == bound
