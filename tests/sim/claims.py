"""What has to hold after a random week, when everybody has met for long enough.

Nothing here asks how it came about: a claim looks at what people are shown, and
at what lies in the stores.
"""

from dataclasses import dataclass, field

from meshnews.desk.manifest import Role as EditorRole
from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.limits import SWEEP_S_MAX
from meshnews.node import shelf
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Alarm, Item, Verdict
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.wallet import Wallet
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from meshnews.store.port import State
from tests.node.inbox import everything

ACKED = frozenset({State.ACKED, State.ACKED_WITH_BODY})
ACKED_KEPT_S = 6 * 3600.0 + SWEEP_S_MAX + 100.0
"""So long a relay keeps a body after it was acked: six hours, and until it looks."""

SETTLED = (
    shelf.OUTBOX,
    shelf.DUE,
    shelf.HANDED,
    shelf.RELEASE,
    shelf.AWAITED,
)
"""Shelves of a vault on which nothing is left when everything has arrived."""


@dataclass
class Attempt:
    """One dispatch that a person tried to file."""

    author: str
    text: str
    pictures: list[bytes]
    readers: frozenset[bytes] = frozenset()
    """Sign keys of the editors whose keys its author had."""


@dataclass
class Answer:
    """One answer that an editor tried to send."""

    item: BundleId
    author: str
    text: str
    is_sent: bool = False


@dataclass
class Record:
    """What people did.

    Attributes:
        attempts: dispatches by the id of their draft.
        filed: those of which their author was told that they are filed.
        answers: what editors sent back.
    """

    attempts: dict[bytes, Attempt] = field(default_factory=dict)
    filed: set[BundleId] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)


def machines(world: World, *kinds: str) -> list[Machine]:
    """Return the machines whose names begin so, in order."""
    return [one for name, one in sorted(world.machines.items()) if name.startswith(kinds)]


def sign_key(machine: Machine) -> bytes:
    """Return the public key by which a person's statements are known."""
    assert machine.vault is not None
    secret = Person(machine.vault).sign_key()
    assert secret is not None
    return bytes(secret.public)


def readers_known(node: Node) -> frozenset[bytes]:
    """Return the editors to whom a dispatch filed now would be sealed."""
    manifest = node.home.book.manifest
    assert manifest is not None
    openers = manifest.holders_of(EditorRole.OPEN)
    wallet = Wallet(node.home.open_vault, node.home.entropy)
    return frozenset(
        bytes(one) for one in openers if one in node.home.book.bulletins or wallet.prekeys_left(one)
    )


# While it happens -----------------------------------------------------------------


def nothing_received_unseen(world: World, machine: Machine) -> None:
    """Whoever is told "received" has a dispatch that an editor opened and a collector holds."""
    if machine.node is None or not machine.name.startswith("reporter"):
        return
    for progress in machine.node.dispatches.all():
        if progress.state in {DispatchState.RECEIVED, DispatchState.READ}:
            ref = progress.dispatch.ref
            opened = [one for one in machines(world, "editor") if _has_letter(one, ref)]
            held = [one for one in machines(world, "collector") if one.carry.body(ref)]
            assert opened, f"{machine.name} was told received of what no editor opened"
            assert held, f"{machine.name} was told received of what no collector holds"


def _has_letter(editor: Machine, ref: BundleRef) -> bool:
    return editor.vault is not None and editor.vault.get(shelf.LETTER, ref.id) is not None


# At the end -------------------------------------------------------------------------


def hold(world: World, record: Record) -> None:
    """Check every claim.

    Raises:
        AssertionError: one does not hold.
    """
    dispatches: dict[BundleId, Attempt] = {}
    for reporter in machines(world, "reporter"):
        dispatches |= _everything_filed_is_received(world, reporter, record)
    lost = record.filed - dispatches.keys()
    assert not lost, f"no author knows of {[one.hex()[:8] for one in lost]}"
    for editor in machines(world, "editor"):
        _everything_sealed_to_it_is_here(world, editor, dispatches)
    for reporter in machines(world, "reporter"):
        _every_answer_came_once(world, reporter, record)
    for relay in machines(world, "relay"):
        _a_relay_knows_nobody(world, relay)
    for carrier in machines(world, "relay", "reporter"):
        _acked_bodies_are_gone(world, carrier)
    _all_agree(world)
    for person in machines(world, "reporter", "editor"):
        _nothing_is_left_undone(person)


def _everything_filed_is_received(
    world: World, reporter: Machine, record: Record
) -> dict[BundleId, Attempt]:
    found: dict[BundleId, Attempt] = {}
    order = list(record.attempts)
    made = world.ask(reporter, lambda node: node.dispatches.all())
    for progress in sorted(made, key=lambda one: order.index(one.dispatch.draft)):
        dispatch, name = progress.dispatch, progress.dispatch.ref.id.hex()[:8]
        assert progress.state is DispatchState.RECEIVED, f"{name} is {progress.state}"
        for one in dispatch.attachments:
            assert one.received == one.bundles, f"{name}: {one.received} of {one.bundles} received"
        attempt = found[dispatch.ref.id] = record.attempts[dispatch.draft]
        assert attempt.author == reporter.name
        assert [one.size for one in dispatch.attachments] == list(map(len, attempt.pictures))
    return found


def _everything_sealed_to_it_is_here(
    world: World, editor: Machine, dispatches: dict[BundleId, Attempt]
) -> None:
    items = world.ask(editor, everything)
    ids = [item.ref.id for item in items]
    assert len(ids) == len(set(ids)), f"{editor.name} has an item twice"
    key = sign_key(editor)
    wanted = {each for each, attempt in dispatches.items() if key in attempt.readers}
    lacking = [each.hex()[:8] for each in wanted - set(ids)]
    assert not lacking, f"{editor.name} lacks {lacking}"
    extra = [each.hex()[:8] for each in set(ids) - wanted]
    assert not extra, f"{editor.name} has {extra}, which nobody filed for it"
    for item in items:
        attempt = dispatches[item.ref.id]
        _an_item_is_as_filed(world, editor, item, attempt)
        before = [one for one in dispatches.values() if one.author == attempt.author]
        before = before[: before.index(attempt)]
        # Who joined later was not sealed what was written before, and misses it rightly.
        may_miss = bool(before) and key not in before[-1].readers
        assert set(item.alarms) <= ({Alarm.GAP} if may_miss else set()), (
            f"{item.ref.id.hex()[:8]} at {editor.name}: {item.alarms}"
        )


def _an_item_is_as_filed(world: World, editor: Machine, item: Item, attempt: Attempt) -> None:
    name = f"{item.ref.id.hex()[:8]} at {editor.name}"
    assert (item.name, item.text) == (attempt.author, attempt.text), f"{name} is {item.name!r}'s"
    assert item.verdict is Verdict.VERIFIED, f"{name} is {item.verdict}"
    assert len(item.trees) == len(attempt.pictures), name
    for index, ((tree, here), picture) in enumerate(zip(item.trees, attempt.pictures, strict=True)):
        assert here == tree.n, f"{tree.n - here} of {tree.n} pieces of {name} are missing"
        pieces = world.ask(
            editor,
            lambda node, i=index, n=tree.n: [  # type: ignore[misc]  # mypy infers no lambda with a default
                node.letters.piece(item, i, at) for at in range(n)
            ],
        )
        assert b"".join(pieces) == picture, f"{name} has another picture"


def _every_answer_came_once(world: World, reporter: Machine, record: Record) -> None:
    items = world.ask(reporter, everything)
    texts = [item.text for item in items]
    assert len(texts) == len(set(texts)), f"{reporter.name} has an answer twice: {texts}"
    own = [answer for answer in record.answers if answer.author == reporter.name]
    lacking = {answer.text for answer in own if answer.is_sent} - set(texts)
    assert not lacking, f"{reporter.name} lacks {sorted(lacking)}"
    about = {(answer.text, answer.item[:16]) for answer in own}
    strange = {(item.text, item.reference) for item in items} - about
    assert not strange, f"{reporter.name} has answers that nobody gave it: {strange}"


def _a_relay_knows_nobody(world: World, relay: Machine) -> None:
    kept = [key + value for name in relay.carry._shelves for key, value in relay.carry.scan(name)]
    everything = b"\0".join(kept)
    for person in machines(world, "reporter", "editor"):
        assert person.vault is not None
        secret = Person(person.vault).sign_key()
        assert secret is not None
        assert secret.raw not in everything, f"{relay.name} has a secret of {person.name}"
        assert person.name.encode() not in everything, f"{relay.name} knows {person.name} by name"
    for reporter in machines(world, "reporter"):
        assert sign_key(reporter) not in everything, f"{relay.name} has a key of {reporter.name}"


def _acked_bodies_are_gone(world: World, machine: Machine) -> None:
    now_s = world.ask(machine, lambda node: node.home.moment.lived_s)
    for ref, state in states(machine).items():
        entry = machine.carry.entry(ref)
        assert entry is not None
        if state is State.ACKED_WITH_BODY:
            kept_s = now_s - entry.acked_at_s
            assert kept_s <= ACKED_KEPT_S, f"{machine.name} keeps {ref.id.hex()[:8]}, acked"


def _all_agree(world: World) -> None:
    acked = {
        machine.name: {ref for ref, state in states(machine).items() if state in ACKED}
        for machine in machines(world, "")
    }
    common = acked["collector-1"]
    for name, found in acked.items():
        assert found == common, (
            f"{name} and the collector differ in {len(found ^ common)} acked ids"
        )
    desks = {
        name: (one.node.home.book.manifest, one.node.home.book.bulletins)
        for name, one in world.machines.items()
        if one.node is not None
    }
    for name, desk in desks.items():
        assert desk == desks["editor-1"], f"{name} and editor-1 know another desk"


def _nothing_is_left_undone(person: Machine) -> None:
    assert person.vault is not None
    for name in SETTLED:
        left = person.vault.count(name)
        assert not left, f"{person.name} has {left} entries left in {name}"
    for name in (shelf.DRAFT, shelf.UNTRIED):
        left = person.carry.count(name)
        assert not left, f"{person.name} has {left} entries left in {name}"


def states(machine: Machine) -> dict[BundleRef, State]:
    """Return what a machine knows of every bundle that is not a notice."""
    return {
        BundleRef(traffic, day, identifier): state
        for traffic in TrafficClass
        if traffic is not TrafficClass.NOTICE
        for day in machine.carry.days(traffic)
        for identifier, state in machine.carry.elements(traffic, day)
    }
