"""To whom bulk is passed on, and that nothing else is ever asked about."""

from dataclasses import replace

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.limits import HANDED_MAX
from meshnews.store.age import DAY_S
from meshnews.store.port import State
from meshnews.sync.event import Greeted
from meshnews.sync.messages import Flag
from meshnews.sync.routing import GENERATION_S, TRICKLE, Flooding, Gate, SprayAndFocus
from tests.sync.world import LAN, MOMENT, TODAY, Contact, Node, Press, Sample

BULK = TrafficClass.BULK
REF = BundleRef(BULK, TODAY, BundleId(b"b" * 32))
USUAL = Flag.SERVES | Flag.WANTS | Flag.NONEMPTY
SAW_DESK = USUAL | Flag.SAW_DESK
DESK = USUAL | Flag.WANTS_ACKED


class NoLots:
    """Draws no contact to be one of those in which everything passes."""

    def draw(self, count: int) -> bytes:
        return b"\xff" * count


class OnlyLots:
    """Draws every contact."""

    def draw(self, count: int) -> bytes:
        return bytes(count)


def spray(*, copies: int = 8, saw_desk: bool = False) -> SprayAndFocus:
    return SprayAndFocus(NoLots(), lambda: saw_desk, copies=copies)


def serve(routing: SprayAndFocus, neighbour: Flag, *, age_s: int = 0, ref: BundleRef = REF) -> bool:
    """Let a neighbour come by and take what it may; tell whether it got a copy."""
    gate = routing.meet(neighbour)
    if not gate.lets(ref, age_s):
        return False
    gate.took(ref)
    return True


# The policies -------------------------------------------------------------------------


def test_flooding_lets_everything_pass_and_says_nothing_of_itself() -> None:
    assert Flooding().flags == Flag(0)
    gate = Flooding().meet(USUAL)
    for _ in range(100):
        assert gate.lets(REF, 14 * DAY_S)
        gate.took(REF)


@pytest.mark.parametrize(("copies", "served"), [(2, 1), (8, 3), (16, 4)])
def test_a_holder_serves_as_many_as_its_copies_can_be_halved(copies: int, served: int) -> None:
    routing = spray(copies=copies)
    assert [serve(routing, USUAL) for _ in range(served + 3)] == [True] * served + [False] * 3


def test_each_bundle_has_copies_of_its_own() -> None:
    routing = spray(copies=2)
    other = BundleRef(BULK, TODAY, BundleId(b"o" * 32))
    assert serve(routing, USUAL)
    assert serve(routing, USUAL, ref=other)
    assert not serve(routing, USUAL)


def test_a_generation_older_one_neighbour_fewer_is_served_and_always_one() -> None:
    counts = []
    for generation in range(6):
        routing = spray(copies=8)
        ages = [generation * GENERATION_S] * 9
        counts.append(sum(serve(routing, USUAL, age_s=age_s) for age_s in ages))
    assert counts == [3, 2, 1, 1, 1, 1]


def test_what_was_named_and_not_taken_costs_no_copy() -> None:
    routing = spray(copies=2)
    for _ in range(5):
        assert routing.meet(USUAL).lets(REF, 0)


def test_when_the_spray_is_over_only_who_is_nearer_to_the_desk_is_served() -> None:
    routing = spray(copies=2)
    assert serve(routing, USUAL)
    assert not serve(routing, USUAL)
    assert serve(routing, SAW_DESK)
    assert serve(routing, DESK)


@pytest.mark.parametrize("claim", [SAW_DESK, DESK], ids=["saw the desk", "is the desk's"])
def test_who_lies_about_the_desk_gets_a_copy_and_takes_none_from_others(claim: Flag) -> None:
    routing = spray(copies=2)
    for _ in range(1000):
        assert serve(routing, claim)
    assert serve(routing, USUAL), "the spray is as it was"
    assert serve(routing, SAW_DESK), "and so is the way of those who do not lie"


def test_nobody_can_use_up_the_contacts_that_are_drawn_by_lot() -> None:
    routing = SprayAndFocus(SeededEntropy(b"lots"), lambda: False, copies=2)
    contacts = 400
    served = sum(serve(routing, USUAL) for _ in range(contacts))
    assert contacts // TRICKLE // 2 < served < contacts // TRICKLE * 2


def test_a_contact_drawn_by_lot_costs_no_copy() -> None:
    routing = SprayAndFocus(OnlyLots(), lambda: False, copies=2)
    for _ in range(9):
        assert serve(routing, USUAL)
    assert routing.has_left(REF, 0)


def test_memory_of_what_was_handed_on_is_bounded_and_forgetting_errs_towards_spreading() -> None:
    routing = spray(copies=2)
    assert serve(routing, USUAL)
    for number in range(HANDED_MAX):
        routing.hand_on(BundleRef(BULK, TODAY, BundleId(number.to_bytes(32, "big"))))
    assert serve(routing, USUAL)


def test_a_node_says_that_it_saw_the_desk_only_when_it_is_to() -> None:
    assert spray().flags == Flag(0)
    assert spray(saw_desk=True).flags == Flag.SAW_DESK


# In a conversation ----------------------------------------------------------------------


class Shut:
    """Routing that lets nothing pass."""

    flags = Flag(0)

    def meet(self, neighbour: Flag) -> Gate:
        return self

    def lets(self, ref: BundleRef, age_s: int) -> bool:
        return False

    def took(self, ref: BundleRef) -> None:
        raise AssertionError(f"{ref.traffic} was counted")


def one_of_each(press: Press) -> list[Sample]:
    return [press.make(traffic) for traffic in TrafficClass]


@pytest.mark.parametrize("is_dialler", [True, False])
def test_whatever_a_routing_says_everything_above_bulk_goes_to_everybody(is_dialler: bool) -> None:
    samples = one_of_each(Press(1))
    giver, taker = Node("giver", routing=Shut()), Node("taker")
    giver.keep(*samples)
    ends = (giver, taker) if is_dialler else (taker, giver)
    assert Contact(*ends).run()
    assert [taker.state(sample) for sample in samples] == [*[State.HELD] * 3, None]


def test_news_of_bulk_that_arrives_in_a_contact_passes_the_same_gate() -> None:
    (*_, bulk) = one_of_each(Press(2))
    giver, taker = Node("giver", routing=Shut()), Node("taker")
    contact = Contact(giver, taker)
    assert contact.run()
    giver.keep(bulk)
    contact.machines[0].announce(bulk.ref, MOMENT)
    assert contact.run()
    assert taker.state(bulk) is None


def test_who_was_held_off_stays_in_good_standing() -> None:
    """Two nodes with hundreds of bundles that neither gives: both end in sync, nobody is cut."""
    press, one, two = Press(3), Node("one", routing=Shut()), Node("two", routing=Shut())
    one.keep(*(press.make(BULK) for _ in range(300)))
    two.keep(*(press.make(BULK) for _ in range(300)))
    contact = Contact(one, two)
    assert contact.run()
    assert all(machine.in_sync and machine.is_idle for machine in contact.machines)


def meet(giver: Node, name: str, *, desk: bool = False, says: bool = False) -> Node:
    """Return a new neighbour after a contact with `giver`."""
    other = Node(name, desk=desk, routing=spray(saw_desk=says))
    assert Contact(giver, other, session=name.encode().ljust(64, b".")).run()
    return other


def test_a_relay_keeps_its_copy_when_it_has_handed_on_its_last() -> None:
    bulk = Press(4).make(BULK, size=66560)
    giver = Node("giver", routing=spray(copies=4))
    giver.keep(bulk)
    held = [meet(giver, f"passer-{number}").state(bulk) for number in range(5)]
    assert held == [State.HELD, State.HELD, None, None, None]
    assert giver.state(bulk) is State.HELD
    assert meet(giver, "gateway", says=True).state(bulk) is State.HELD
    assert meet(giver, "collector", desk=True).state(bulk) is State.HELD
    assert giver.state(bulk) is State.HELD


def test_an_author_and_a_relay_of_the_same_age_give_alike() -> None:
    """Nothing but the age that is said anyway decides; no count crosses the link."""
    bulk = Press(5).make(BULK)
    author, relay = (Node(name, routing=spray()) for name in ("author", "relay"))
    author.custody.keep_own(bulk.bundle, MOMENT, release_after_s=0.0)
    relay.keep(bulk)
    for giver in (author, relay):
        served = [meet(giver, f"passer-{number}").state(bulk) for number in range(5)]
        assert served == [State.HELD, State.HELD, State.HELD, None, None]


def test_who_has_a_copy_already_costs_none() -> None:
    bulk = Press(6).make(BULK)
    giver = Node("giver", routing=spray(copies=2))
    giver.keep(bulk)
    for number in range(3):
        other = Node(f"holder-{number}", routing=spray())
        other.keep(bulk)
        assert Contact(giver, other).run()
    assert meet(giver, "passer").state(bulk) is State.HELD


def said_in_hello(says: bool, *, most: TrafficClass = BULK) -> list[bool]:
    """Return of each class whether a node's HELLO says that it lately saw the desk."""
    pace = replace(LAN, most=most)
    contact = Contact(Node("one", routing=spray(saw_desk=says)), Node("two"), pace=pace)
    assert contact.run()
    (hello,) = [event.hello for event in contact.events[1] if isinstance(event, Greeted)]
    return [Flag.SAW_DESK in terms.flags for terms in hello.classes]


def test_hello_says_so_of_bulk_alone_and_only_where_bulk_goes() -> None:
    assert said_in_hello(says=True) == [False, False, False, True]
    assert not any(said_in_hello(says=False))
    assert not any(said_in_hello(says=True, most=TrafficClass.ROUTINE))
