"""A desk at work: filing, carrying bundles by hand, reading what came in."""

import functools
from copy import deepcopy
from dataclasses import dataclass

import pytest

from meshnews.bundle.statement import Priority, Role
from meshnews.errors import Refusal
from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.node.dispatches.filing import Filed, FilingDraft
from meshnews.node.dispatches.item import Item
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.store.port import Entry
from meshnews.store.terms import Judgement
from tests.node.inbox import everything
from tests.node.newsroom import Machine, Question, enrolled, make_desk

TEXT = "Алаңда атыс естілді."
PICTURE = bytes(range(256)) * 600


@dataclass
class Desk:
    """An editor, the key file of the root, and a reporter."""

    editor: Machine
    root: bytes
    reporter: Machine


@functools.cache
def _first_desk() -> Desk:
    editor, root = make_desk()
    return Desk(editor, root, enrolled(editor, "reporter-1", HomeRole.REPORTER))


def fresh_desk() -> Desk:
    """Return the desk as it was made, for one test to work with."""
    desk = deepcopy(_first_desk())
    for machine in (desk.editor, desk.reporter):
        machine.restart()
    return desk


def refused(machine: Machine, question: Question) -> str:
    """Return the code of a refusal, after seeing that nothing was written."""
    before = machine.contents
    with pytest.raises(Refusal) as caught:
        machine.ask(question)
    assert machine.contents == before
    assert all((caught.value.what, caught.value.meaning, caught.value.remedy))
    assert not machine.node.home.announced
    return caught.value.code


def begun(machine: Machine, priority: Priority = Priority.ROUTINE) -> FilingDraft:
    """Return a dispatch that is being filed."""
    return machine.ask(lambda node: node.filing.begin(priority))


def attach(machine: Machine, draft: FilingDraft, data: bytes = PICTURE) -> None:
    """Attach a file to it."""
    machine.ask(lambda node: node.filing.attach(draft, "p.jpg", size=len(data), role=Role.FILE))
    machine.ask(lambda node: node.filing.add(draft, data))
    machine.ask(lambda node: node.filing.end_attachment(draft))


def finish(
    machine: Machine,
    draft: FilingDraft,
    text: str = TEXT,
    *,
    slug: str = "alań",
    now: bool = True,
    forget: bool = False,
) -> Filed:
    """File it."""
    return machine.ask(
        lambda node: node.filing.finish(draft, text=text, slug=slug, now=now, forget=forget)
    )


def file(
    machine: Machine, text: str = TEXT, *, picture: bytes | None = None, priority: int = 3
) -> bytes:
    """File a dispatch to be let go at once; return its identifier."""

    def act(node: Node) -> bytes:
        draft = node.filing.begin(Priority(priority))
        if picture is not None:
            node.filing.attach(draft, "picture.jpg", size=len(picture), role=Role.FILE)
            node.filing.add(draft, picture)
            node.filing.end_attachment(draft)
        return node.filing.finish(draft, text=text, slug="alań", now=True, forget=False).ref.id

    return machine.ask(act)


def withheld(machine: Machine) -> list[Entry]:
    """Return what lies on carry and is not offered."""
    return list(machine.carry.released(float("inf")))


def empty(machine: Machine, name: str, prefix: bytes = b"") -> None:
    """Take what begins with `prefix` off a shelf of the vault."""

    def act(node: Node) -> None:
        for key, _ in list(node.home.open_vault.scan(name, prefix)):
            node.home.open_vault.delete(name, key)

    machine.ask(act)


def byline_of(reporter: Machine) -> bytes:
    """Return the key that a reporter signs with."""
    assert reporter.vault is not None
    secret = Person(reporter.vault).sign_key()
    assert secret is not None
    return bytes(secret.public)


def wires(machine: Machine) -> list[bytes]:
    """Return every bundle of a person that a machine holds, texts last."""
    persons = [traffic for traffic in TrafficClass if traffic is not TrafficClass.NOTICE]
    return _held(machine, *persons)


def notices(machine: Machine) -> list[bytes]:
    """Return every notice that a machine holds."""
    return _held(machine, TrafficClass.NOTICE)


def _held(machine: Machine, *classes: TrafficClass) -> list[bytes]:
    carry = machine.carry
    refs = [
        BundleRef(traffic, day, BundleId(identifier))
        for traffic in classes
        for day in carry.days(traffic)
        for identifier, _ in carry.elements(traffic, day)
    ]
    return [body for ref in refs if (body := carry.body(ref)) is not None]


def bring(machine: Machine, *bundles: bytes) -> None:
    """Let bundles arrive at a machine, as from a neighbour."""

    def act(node: Node) -> None:
        for wire in bundles:
            accepted = node.home.custody.accept(wire, age_s=0, moment=node.home.moment)
            if accepted.outcome is Judgement.WANTED:
                node.work.arrived(accepted.bundle)

    machine.ask(act)


def items(machine: Machine) -> list[Item]:
    """Return what came in, the newest first."""
    return machine.ask(everything)


def only(machine: Machine) -> Item:
    """Return the one item that came in."""
    (item,) = items(machine)
    return item


def save(machine: Machine, item: Item) -> bytes:
    """Return the first attachment of an item, put together."""
    tree, here = item.trees[0]
    assert here == tree.n
    return machine.ask(
        lambda node: b"".join(node.letters.piece(item, 0, at) for at in range(tree.n))
    )
