"""What tests of recalls share: recalling somebody, and letters carried by hand."""

import copy
import functools
from collections.abc import Collection
from dataclasses import dataclass

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.link.rendezvous import mesh_key_on
from meshnews.node import shelf
from meshnews.node.identity import Role, load_relay
from meshnews.node.node import Node
from meshnews.node.office.recalling import Holder, Recalling
from meshnews.node.office.signing import sign_offline
from meshnews.node.person import Person
from meshnews.store.terms import Judgement
from tests.node.newsroom import ROOT_PASSPHRASE, Machine, enrolled, make_desk

LATER = Day(4000)


@dataclass
class Desk:
    """An editor, a collector, two relays and two reporters, each told of one of the relays."""

    root: bytes
    editor: Machine
    collector: Machine
    relay: Machine
    other_relay: Machine
    reporter: Machine
    other: Machine

    @property
    def machines(self) -> list[Machine]:
        return [self.collector, self.relay, self.other_relay, self.reporter, self.other]

    def tell(self, *machines: Machine) -> None:
        """Let what the editor has written reach machines."""
        for machine in machines or self.machines:
            carry_over(self.editor, machine)


@functools.cache
def _first_desk() -> Desk:
    editor, root = make_desk()
    desk = Desk(
        root,
        editor,
        collector=enrolled(editor, "collector-1", Role.RELAY, endpoint=True),
        relay=enrolled(editor, "relay-1", Role.RELAY),
        other_relay=enrolled(editor, "relay-2", Role.RELAY, near=("relay-1",)),
        reporter=enrolled(editor, "reporter-1", Role.REPORTER, near=("relay-1",)),
        other=enrolled(editor, "reporter-2", Role.REPORTER, near=("relay-2",)),
    )
    for machine in (desk.reporter, desk.other):
        lighten(machine)
    return desk


def lighten(machine: Machine) -> None:
    """Take most postage for large files off a card: nobody here spends it, all is copied."""
    assert machine.vault is not None
    for key, _ in list(machine.vault.scan(shelf.POSTAGE, bytes([TrafficClass.BULK])))[5:]:
        machine.vault.delete(shelf.POSTAGE, key)


def fresh_desk() -> Desk:
    """Return the desk as it was made, for one test to work with."""
    first = _first_desk()
    machines = [first.editor, *first.machines]
    return Desk(first.root, *map(_copied, machines))


def _copied(machine: Machine) -> Machine:
    carry, vault = copy.deepcopy(machine.carry), copy.deepcopy(machine.vault)
    entropy = SeededEntropy(b"again " + machine.name.encode())
    return Machine(machine.name, carry, vault, entropy, machine.clock)


def signed_recall(editor: Machine, root: bytes, who: str) -> bytes:
    """Return the recall of somebody, prepared by an editor and signed by the root."""
    unsigned, _ = editor.ask(lambda node: Recalling(node.home).prepare(who))
    return sign_offline(unsigned, root, ROOT_PASSPHRASE).signed


def recall(editor: Machine, root: bytes, who: str) -> Holder:
    """Recall somebody."""
    signed = signed_recall(editor, root, who)
    return editor.ask(lambda node: node.office.recall(signed))[0]


def bundles(machine: Machine) -> dict[BundleId, bytes]:
    """Return every bundle that a machine holds."""
    carry = machine.carry
    refs = [
        BundleRef(traffic, day, BundleId(identifier))
        for traffic in TrafficClass
        for day in carry.days(traffic)
        for identifier, _ in carry.elements(traffic, day)
    ]
    return {ref.id: body for ref in refs if (body := carry.body(ref)) is not None}


def carry_over(giver: Machine, taker: Machine, *, besides: Collection[BundleId] = ()) -> int:
    """Let everything that one machine holds arrive at another; return how much was new."""
    known = {**bundles(taker), **dict.fromkeys(besides, b"")}
    new = [wire for identifier, wire in bundles(giver).items() if identifier not in known]
    for wire in new:
        bring_one(taker, wire)
    return len(new)


def bring_one(machine: Machine, wire: bytes) -> None:
    """Let one bundle arrive, in a transaction of its own."""

    def act(node: Node) -> None:
        accepted = node.home.custody.accept(wire, age_s=0, moment=node.home.moment)
        if accepted.outcome is Judgement.WANTED:
            node.work.arrived(accepted.bundle)

    machine.ask(act)


def own_beacon(relay: Machine) -> SymmetricKey:
    """Return the beacon key that a relay shows itself under."""
    own = relay.node.home.identity.relay
    assert own is not None
    assert own.beacon_key is not None
    return own.beacon_key


def beacon_known(machine: Machine, relay: Machine) -> SymmetricKey | None:
    """Return the beacon key under which a machine calls a relay."""
    own = relay.node.home.identity.relay
    assert own is not None
    keys = load_relay(machine.carry, own.static.public)
    return None if keys is None else keys.beacon_key


def shared(machine: Machine) -> tuple[SymmetricKey | None, SymmetricKey | None, bytes]:
    """Return desk notice key, member notice key and a later day's mesh key of a person."""
    assert machine.vault is not None
    person = Person(machine.vault)
    mesh = person.mesh_key()
    assert mesh is not None
    later = mesh_key_on(mesh[0], day_from=mesh[1], day_to=LATER)
    return machine.node.home.identity.notice_key, person.member_notice_key(), later.raw


def owed(editor: Machine) -> set[bytes]:
    """Return to whom an editor owes keys."""
    return editor.ask(lambda node: node.work.turning.unconfirmed())
