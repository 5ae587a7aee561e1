"""Every message in every state: what is not in the table is refused."""

import itertools

import pytest

from meshnews.errors import OutOfTurn, PeerError
from meshnews.sync.event import Greeted, InSync
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.machine import SyncMachine, SyncState
from meshnews.sync.messages import Bye, Hello, Message, Reason
from meshnews.sync.question import Days, Spans
from tests.sync.sample import HELLO, MESSAGES
from tests.sync.world import MOMENT, Contact, Node, Press

ROLES = ("dialler", "answerer")
STATES = list(SyncState)

HARMLESS = {"have", "want", "cancel"}
"""Allowed at any time in OPEN: they need nothing before them."""

QUESTIONS = {"spans", "done"}
"""Allowed in OPEN, towards the answerer.  A LIST needs a SPANS before it."""


def machine_in(state: SyncState, role: str) -> SyncMachine:
    node = Node(role)
    machine = node.machine(dialler=role == "dialler", session=b"s" * 64)
    machine.start(MOMENT)
    machine.pull(1 << 20, MOMENT)
    if state is not SyncState.GREETING:
        machine.receive(encode_message(HELLO), MOMENT)
        machine.pull(1 << 20, MOMENT)
    if state is SyncState.LEAVING:
        machine.leave()
    if state is SyncState.ENDED:
        machine.ended()
    assert machine.state is state
    return machine


def target_of(state: SyncState, role: str, name: str) -> SyncState | None:
    """Return the state that a message leads to, or None where it is refused."""
    match state:
        case SyncState.GREETING:
            return {"hello": SyncState.OPEN, "bye": SyncState.ENDED}.get(name)
        case SyncState.LEAVING:
            return SyncState.ENDED if name == "bye" else SyncState.LEAVING
        case SyncState.ENDED:
            return None
        case SyncState.OPEN if name == "bye":
            return SyncState.ENDED
        case SyncState.OPEN if name in HARMLESS or (role == "answerer" and name in QUESTIONS):
            return SyncState.OPEN
    return None


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("state", "name"), list(itertools.product(STATES, MESSAGES)), ids=str)
def test_every_message_in_every_state(state: SyncState, name: str, role: str) -> None:
    machine = machine_in(state, role)
    target = target_of(state, role, name)
    body = encode_message(MESSAGES[name])
    if target is None:
        with pytest.raises(PeerError):
            machine.receive(body, MOMENT)
        assert machine.state is SyncState.ENDED
        assert not machine.queued
    else:
        machine.receive(body, MOMENT)
        assert machine.state is target


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x00", b"\xff" * 40, bytes(70000)],
    ids=["empty", "a zero", "no array", "too long"],
)
@pytest.mark.parametrize("state", STATES)
def test_garbage_ends_the_conversation(state: SyncState, garbage: bytes, role: str) -> None:
    machine = machine_in(state, role)
    with pytest.raises(PeerError):
        machine.receive(garbage, MOMENT)
    assert machine.state is SyncState.ENDED


def test_a_hello_is_reported() -> None:
    machine = Node("one").machine(dialler=False, session=b"s" * 64)
    machine.start(MOMENT)
    assert machine.receive(encode_message(HELLO), MOMENT) == [Greeted(HELLO)]


def test_a_node_that_meets_itself_says_so_and_leaves() -> None:
    node = Node("one")
    contact = Contact(node, node)
    contact.run()
    states = [machine.state for machine in contact.machines]
    assert states == [SyncState.ENDED, SyncState.LEAVING]
    assert decode_message(contact.trace[-1]) == Bye(Reason.MYSELF)


def test_after_leaving_nothing_is_sent_but_bye() -> None:
    left = Node("left")
    left.keep(*Press(1).some(10))
    contact = Contact(left, Node("right"))
    contact.run(messages_max=6)
    contact.machines[0].leave()
    assert contact.machines[0].pull(1 << 20, MOMENT) == [encode_message(Bye(Reason.FINISHED))]
    assert not len(left.inflight)


def test_done_is_said_once() -> None:
    machine = machine_in(SyncState.OPEN, "answerer")
    done = encode_message(MESSAGES["done"])
    assert machine.receive(done, MOMENT) == [InSync()]
    with pytest.raises(OutOfTurn):
        machine.receive(done, MOMENT)


def test_both_hellos_are_sent_before_anything_else() -> None:
    contact = Contact(Node("left"), Node("right"))
    contact.run()
    assert [type(decode_message(body)) for body in contact.trace[:2]] == [Hello, Hello]


def test_an_empty_answer_ends_a_class() -> None:
    left, right = Node("left"), Node("right")
    sample = Press(1).make()
    left.keep(sample)
    right.keep(sample)
    contact = Contact(left, right)
    contact.run()
    said: list[Message] = [decode_message(body) for body in contact.trace]
    assert [type(message) for message in said].count(Spans) == 1
    assert [message.differing for message in said if isinstance(message, Days)] == [0]
