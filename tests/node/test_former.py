"""Keys that were replaced: how many count, and how long."""

from meshnews.bundle.format import parse
from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.limits import FORMER_KEYS_MAX
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.ids import TrafficClass
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.former import NOTICE, FormerKeys, beacon_of, notice_keys
from meshnews.node.records.keyring import MESH, Keyring, SharedKey, Stamp
from meshnews.store.memory import MemoryCarry
from tests.node.newsroom import Machine, enrolled, make_desk
from tests.node.recall_kit import bundles, carry_over, fresh_desk, recall, shared

ONE, OTHER = bytes(31) + b"\x01", bytes(31) + b"\x02"


def key(number: int) -> SymmetricKey:
    return SymmetricKey(bytes([number]) * 32)


def test_the_newest_few_count_the_last_replaced_first() -> None:
    carry = MemoryCarry()
    with carry.transaction():
        former = FormerKeys(carry)
        for number in range(FORMER_KEYS_MAX + 3):
            former.keep(beacon_of(ONE), key(number), end_s=100.0)
        kept = range(FORMER_KEYS_MAX + 2, 2, -1)
        assert former.of(beacon_of(ONE), 0.0) == tuple(map(key, kept))
        assert former.of(beacon_of(ONE), 100.0) == ()
        assert former.of(beacon_of(OTHER), 0.0) == ()


def test_a_key_kept_again_stands_once() -> None:
    carry = MemoryCarry()
    with carry.transaction():
        former = FormerKeys(carry)
        for number in (1, 2, 1):
            former.keep(NOTICE, key(number), end_s=100.0)
        assert former.of(NOTICE, 0.0) == (key(1), key(2))
        former.drop(NOTICE, key(1))
        assert former.of(NOTICE, 0.0) == (key(2),)
        former.drop(NOTICE)
        assert former.of(NOTICE, 0.0) == ()


# Notices ----------------------------------------------------------------------


def manifest_of(machine: Machine) -> Notice:
    signed = machine.node.home.book.signed()[0]
    return Notice(NoticeKind.MANIFEST, signed)


def bearers(machine: Machine) -> list[bool]:
    """Tell under which of the keys that count a machine holds the manifest, pinned."""
    home, notice = machine.node.home, manifest_of(machine)
    found = [home.book.bearer(notice, under) for under in notice_keys(home)]
    entries = [None if ref is None else home.custody.entry(ref) for ref in found]
    return [entry is not None and entry.pinned for entry in entries]


def test_notices_are_made_and_kept_under_both_keys_for_a_month() -> None:
    desk = fresh_desk()
    recall(desk.editor, desk.root, "reporter-1")
    assert bearers(desk.editor) == [True, True]
    desk.tell(desk.relay)
    assert bearers(desk.relay) == [True, True]
    for machine in (desk.editor, desk.relay):
        machine.later(29)
    assert bearers(desk.editor) == [True, True]
    for machine in (desk.editor, desk.relay):
        machine.later(2)
    assert bearers(desk.editor) == bearers(desk.relay) == [True]


def test_who_has_not_heard_reads_notices_of_afterwards_all_the_same() -> None:
    desk = fresh_desk()
    before = notice_keys(desk.other.node.home)
    recall(desk.editor, desk.root, "reporter-1")
    enrolled(desk.editor, "relay-9", Role.RELAY)
    letters = {
        identifier
        for identifier, wire in bundles(desk.editor).items()
        if parse(wire).traffic is TrafficClass.ROUTINE
    }
    carry_over(desk.editor, desk.other, besides=letters)
    assert notice_keys(desk.other.node.home) == before
    assert len(desk.other.node.home.book.directory.relays) == 4


def test_who_joins_after_the_recall_hears_of_it() -> None:
    desk = fresh_desk()
    recall(desk.editor, desk.root, "reporter-1")
    late = enrolled(desk.editor, "reporter-9", Role.REPORTER)
    assert list(late.node.home.book.recalls()) == []
    carry_over(desk.editor, late)
    assert len(list(late.node.home.book.recalls())) == 1


# What an editor knows ---------------------------------------------------------


def put(machine: Machine, name: bytes, number: int, time: int, editor: int) -> bool:
    stamp = Stamp(time, bytes([editor]) * 32)

    def act(node: Node) -> bool:
        return Keyring(node.home).put(SharedKey(name, key(number), stamp))

    return machine.ask(act)


def own_sign(machine: Machine) -> bytes:
    assert machine.vault is not None
    signer = Person(machine.vault).sign_key()
    assert signer is not None
    return bytes(signer.public)


def test_of_two_who_replace_a_key_the_later_counts_in_whatever_order_they_are_heard() -> None:
    editor, _ = make_desk()
    signer = own_sign(editor)

    def act(node: Node) -> list[bool]:
        ring, heard = Keyring(node.home), [(2, 5), (1, 4), (2, 6), (1, 5)]
        return [
            ring.put(SharedKey(NOTICE, key(number), Stamp(time, signer))) for number, time in heard
        ]

    assert editor.ask(act) == [True, False, False, False]
    assert editor.node.home.identity.notice_key == key(2)


def test_who_is_no_editor_any_more_has_had_no_last_word() -> None:
    editor, _ = make_desk()
    assert put(editor, NOTICE, 1, time=9, editor=7)
    assert put(editor, NOTICE, 2, time=3, editor=8)
    assert editor.node.home.identity.notice_key == key(2)


def test_what_the_vault_alone_has_written_is_put_on_carry_at_the_start() -> None:
    editor, _ = make_desk()
    before = editor.node.home.identity
    put(editor, NOTICE, 1, time=9, editor=7)
    put(editor, MESH, 2, time=9, editor=7)
    after = shared(editor)
    with editor.carry.transaction():
        editor.node.home.become(before)
    editor.restart()
    assert editor.node.home.identity.notice_key == key(1)
    assert shared(editor) == after


def test_a_desk_of_one_machine_replaces_its_own_key_and_answers_to_both() -> None:
    editor, root = make_desk(endpoint=True)
    enrolled(editor, "reporter-1", Role.REPORTER)
    other = enrolled(editor, "reporter-2", Role.REPORTER)
    own = editor.node.home.identity.relay
    assert own is not None
    recall(editor, root, "reporter-1")
    now = editor.node.home.identity.relay
    assert now is not None
    assert now.beacon_key != own.beacon_key
    answered = editor.ask(lambda node: [one.secret for one in node.presence.keys().unprompted])
    assert answered == [now.beacon_key, own.beacon_key]
    carry_over(editor, other)
    known = other.node.dialler.targets[own.static.public]
    assert [one.secret for one in known.secrets] == answered
