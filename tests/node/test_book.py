"""What a machine takes for its desk's word, and what it does not."""

import pytest

from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.limits import RECALLED_MAX
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import Recall, recall_oneself, revocation_id, unsigned_recall
from meshnews.desk.root import add_signature
from meshnews.desk.rootkey import open_root_key
from meshnews.ids import DeskId
from meshnews.node.book import SELF_RECALLS_MAX
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.person import Person
from tests.node.newsroom import ROOT_PASSPHRASE, Machine, enrolled, make_desk


def desk_of(machine: Machine) -> DeskId:
    desk = machine.node.home.book.desk
    assert desk is not None
    return desk


def sign_key(machine: Machine) -> Ed25519Secret:
    assert machine.vault is not None
    key = Person(machine.vault).sign_key()
    assert key is not None
    return key


def recalled_by_roots(machine: Machine, root: bytes, key: bytes) -> Notice:
    manifest = machine.node.home.book.manifest
    assert manifest is not None
    recall = Recall(manifest.desk, revocation_id(key), machine.node.home.wall.s)
    unsigned = unsigned_recall(recall, manifest.roots)
    return Notice(NoticeKind.RECALL, add_signature(unsigned, open_root_key(root, ROOT_PASSPHRASE)))


def made_up(machine: Machine, number: int) -> Notice:
    secret = Ed25519Secret(number.to_bytes(32, "big"))
    return Notice(NoticeKind.RECALL, recall_oneself(desk_of(machine), secret))


def takes(machine: Machine, notice: Notice, *, is_franked: bool = True) -> bool:
    return machine.ask(lambda node: node.home.book.take(notice, is_franked=is_franked))


def is_editor(machine: Machine, key: bytes) -> bool:
    manifest = machine.node.home.book.manifest
    assert manifest is not None
    return manifest.is_editor(key)


@pytest.fixture(name="desk")
def _desk() -> tuple[Machine, Machine, bytes]:
    editor, root = make_desk()
    return editor, enrolled(editor, "reporter-1", Role.REPORTER), root


def test_an_editor_recalled_by_notice_is_one_no_more(desk: tuple[Machine, Machine, bytes]) -> None:
    editor, reporter, root = desk
    key = sign_key(editor).public
    assert is_editor(reporter, key)
    assert takes(reporter, recalled_by_roots(editor, root, key), is_franked=False)
    assert not is_editor(reporter, key)
    assert not reporter.node.home.book.bulletins
    reporter.restart()
    assert not is_editor(reporter, key)


def test_an_editor_may_recall_itself(desk: tuple[Machine, Machine, bytes]) -> None:
    editor, reporter, _ = desk
    notice = Notice(NoticeKind.RECALL, recall_oneself(desk_of(editor), sign_key(editor)))
    assert takes(reporter, notice)
    assert not is_editor(reporter, sign_key(editor).public)


def test_a_key_that_recalls_itself_is_heard_only_with_an_editors_postage(
    desk: tuple[Machine, Machine, bytes],
) -> None:
    _, reporter, _ = desk
    assert not takes(reporter, made_up(reporter, 1), is_franked=False)
    assert takes(reporter, made_up(reporter, 1))
    assert not takes(reporter, made_up(reporter, 1))


def test_keys_that_recall_themselves_leave_room_for_the_roots(
    desk: tuple[Machine, Machine, bytes],
) -> None:
    editor, reporter, root = desk

    def flood(node: Node) -> int:
        notices = (made_up(reporter, number) for number in range(RECALLED_MAX))
        return sum(node.home.book.take(notice) for notice in notices)

    assert reporter.ask(flood) == SELF_RECALLS_MAX
    assert takes(reporter, recalled_by_roots(editor, root, sign_key(editor).public))
    assert not is_editor(reporter, sign_key(editor).public)
