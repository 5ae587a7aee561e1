"""Whoever edits, and however many: what the desk answers is read by whom it is for."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace

from meshnews.desk.manifest import sign_manifest
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import revocation_id
from meshnews.desk.rootkey import open_root_key
from meshnews.node import shelf
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.person import Person
from tests.node.inbox import everything
from tests.sim.newsroom import PASSPHRASE, Newsroom, file
from tests.sim.world import Machine, World

ANSWERS = 30
"""Of each editor to each dispatch: more than most have one-time keys."""


class Desk:
    """A desk with a collector, and one reporter who meets nothing else."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.newsroom = Newsroom(self.world)
        self.first = self.newsroom.machine("editor-1", Role.EDITOR)
        self.collector = self.newsroom.machine("collector-1", Role.RELAY, endpoint=True)
        self.reporter = self.newsroom.machine("reporter-1", Role.REPORTER)
        self.newsroom.found(self.first)
        for joiner in (self.collector, self.reporter):
            self.newsroom.enrol(self.first, joiner)
        self.newsroom.introduce(self.first, self.collector, self.reporter)
        self.editors = [self.first]
        self.sent: set[str] = set()

    def join(self, name: str) -> Machine:
        joiner = self.newsroom.machine(name, Role.EDITOR)
        self.newsroom.add_editor(self.first, joiner)
        self.newsroom.introduce(joiner)
        self.editors.append(joiner)
        self.meet()
        return joiner

    def meet(self) -> None:
        """Let everybody be at the collector, one after the other, the reporter first and last."""
        for machine in (self.reporter, *self.editors, *self.editors, self.reporter):
            self.world.meet(machine.name, "collector-1")
            self.world.run(60.0)
            self.world.part(machine.name, "collector-1")
            self.world.run(1.0)

    def answer(self, text: str, editors: Sequence[Machine]) -> None:
        """Let the reporter file something, and each of the editors answer it many times."""
        file(self.newsroom, self.reporter, text=text)
        self.meet()
        for number, editor in itertools.product(range(ANSWERS), editors):
            words = f"{editor.name} says {number} to {text}"
            self.world.ask(editor, functools.partial(_answer, about=text, text=words))
            self.sent.add(words)
        self.meet()

    def recall(self, gone: Machine) -> None:
        """Let the root recall an editor, and those who stay tell."""
        self.editors.remove(gone)
        assert gone.vault is not None
        secret = Person(gone.vault).sign_key()
        assert secret is not None
        root = open_root_key(self.newsroom.root, PASSPHRASE)

        def act(node: Node) -> None:
            known = node.home.book.manifest
            assert known is not None
            recalled = replace(
                known, version=known.version + 1, recalled=(revocation_id(secret.public),)
            )
            notice = Notice(NoticeKind.MANIFEST, sign_manifest(recalled, [root]))
            assert node.home.book.take(notice)
            node.work.rotation.announce_manifest()

        self.world.ask(self.first, act)
        self.meet()

    def read(self) -> set[str]:
        """Return what the reporter can read."""
        letters = self.world.ask(self.reporter, everything)
        return {item.text for item in letters}

    def owners(self) -> list[set[bytes]]:
        """Return the references of the one-time keys that each editor has for the reporter."""
        vaults = [editor.vault for editor in self.editors if editor.vault is not None]
        return [{key[-8:] for key, _ in vault.scan(shelf.MEMBER_KEY)} for vault in vaults]


def _answer(node: Node, *, about: str, text: str) -> None:
    (item,) = [item for item in everything(node) if item.text == about]
    node.answers.reply(item, text)


def test_no_answer_is_lost_while_a_desk_grows_from_one_editor_to_three_and_loses_one() -> None:
    desk = Desk(25)
    desk.answer("to one", desk.editors)
    second = desk.join("editor-2")
    desk.answer("to two", [second])
    desk.join("editor-3")
    desk.answer("to three", desk.editors)
    owners = desk.owners()
    assert sum(map(len, owners)) == len(set().union(*owners))
    desk.recall(second)
    desk.answer("to the two who stay", desk.editors)
    assert desk.sent == desk.read()
