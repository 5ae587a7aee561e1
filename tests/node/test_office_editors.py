"""A further editor joins by a manifest that the root signs on another machine."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshnews.desk.manifest import Manifest, sign_manifest, unsigned_manifest
from meshnews.desk.manifest import Role as DeskRole
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.request import verify_request
from meshnews.desk.rootkey import open_root_key
from meshnews.errors import Refusal
from meshnews.ids import TrafficClass
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.office.signing import describe, key_words, sign_offline, what_it_asks
from meshnews.node.person import Person
from meshnews.node.records.roster import Roster
from tests.node.newsroom import (
    ROOT_PASSPHRASE,
    Machine,
    add_editor,
    asking,
    enrolled,
    make_desk,
    make_home,
    request_of,
    take,
)
from tests.node.newswork import refused


def prepared(editor: Machine, request: bytes) -> bytes:
    return editor.ask(lambda node: node.office.prepare_editor(request))[0]


def admitting(signed: bytes, request: bytes) -> Callable[[Node], bytes]:
    def admit(node: Node) -> bytes:
        return node.office.admit_editor(signed, request)

    return admit


def manifest_of(machine: Machine) -> Manifest:
    manifest = machine.node.home.book.manifest
    assert manifest is not None
    return manifest


def test_a_second_editor_gets_all_that_it_takes_to_work() -> None:
    editor, root = make_desk()
    relay = enrolled(editor, "relay-1", Role.RELAY)
    reporter = enrolled(editor, "reporter-1", Role.REPORTER)
    second = make_home("editor-2", Role.EDITOR)
    add_editor(editor, root, second)
    assert manifest_of(second) == manifest_of(editor)
    assert manifest_of(second).version == 2
    assert len(manifest_of(second).editors) == len(manifest_of(second).issuers) == 2
    assert second.vault is not None
    assert editor.vault is not None
    roster, known = Roster(second.vault), Roster(editor.vault)
    assert [one.name for one in roster.relays()] == ["relay-1"]
    assert roster.relays()[0].beacon_key.raw == known.relays()[0].beacon_key.raw
    assert dict(roster.members()) == dict(known.members())
    mine, theirs = Person(second.vault), Person(editor.vault)
    assert mine.mesh_key() is not None
    assert mine.mesh_key() == theirs.mesh_key() or same_mesh(mine, theirs)
    assert reporter.node.home.identity.desk == second.node.home.identity.desk
    assert relay.node.home.identity.desk == second.node.home.identity.desk


def same_mesh(one: Person, other: Person) -> bool:
    mine, theirs = one.mesh_key(), other.mesh_key()
    assert mine is not None
    assert theirs is not None
    return (mine[0].raw, mine[1]) == (theirs[0].raw, theirs[1])


def test_the_new_manifest_is_published_at_once() -> None:
    editor, root = make_desk()
    notice = editor.node.home.custody.days(TrafficClass.NOTICE)
    before = {
        identifier
        for day in notice
        for identifier, _ in editor.node.home.custody.elements(TrafficClass.NOTICE, day)
    }
    add_editor(editor, root, make_home("editor-2", Role.EDITOR))
    after = {
        identifier
        for day in editor.node.home.custody.days(TrafficClass.NOTICE)
        for identifier, _ in editor.node.home.custody.elements(TrafficClass.NOTICE, day)
    }
    # The manifest in a new envelope, and what the new editor is known by at first.
    assert len(after) == 3
    assert len(after - before) == 2


def test_a_second_editor_publishes_its_own_bulletin_though_it_changes_nothing() -> None:
    editor, root = make_desk()
    second = make_home("editor-2", Role.EDITOR)
    add_editor(editor, root, second)
    second.later(0.001)
    assert second.vault is not None
    signer = Person(second.vault).sign_key()
    assert signer is not None
    own = second.node.home.book.bulletins[signer.public]
    assert own.version == 1


def test_a_second_editor_makes_cards_that_hold() -> None:
    editor, root = make_desk()
    second = make_home("editor-2", Role.EDITOR)
    add_editor(editor, root, second)
    reporter = enrolled(second, "reporter-2", Role.REPORTER)
    assert reporter.node.home.identity.desk == editor.node.home.identity.desk


def test_a_card_made_later_goes_to_the_other_editor_as_an_item() -> None:
    editor, root = make_desk()
    add_editor(editor, root, make_home("editor-2", Role.EDITOR))
    custody = editor.node.home.custody
    assert not list(custody.days(TrafficClass.ROUTINE))
    enrolled(editor, "reporter-1", Role.REPORTER)
    (day,) = custody.days(TrafficClass.ROUTINE)
    assert len(list(custody.elements(TrafficClass.ROUTINE, day))) == 1


def test_a_lost_card_is_made_again_from_the_same_files() -> None:
    editor, root = make_desk()
    second = make_home("editor-2", Role.EDITOR)
    request = request_of(second)
    signed = sign_offline(prepared(editor, request), root, ROOT_PASSPHRASE).signed
    editor.ask(admitting(signed, request))
    third = make_home("editor-3", Role.EDITOR)
    add_editor(editor, root, third)
    assert manifest_of(editor).version == 3
    take(second, editor.ask(admitting(signed, request)))
    assert manifest_of(second).version == 3


def test_what_the_root_has_not_signed_changes_nothing() -> None:
    editor, root = make_desk()
    foreign, other_root = make_desk("editor-x")
    request = request_of(make_home("editor-2", Role.EDITOR))
    unsigned = prepared(editor, request)
    assert refused(editor, admitting(unsigned, request)) == "manifest-unreadable"
    assert refused(editor, admitting(b"", request)) == "manifest-unreadable"
    elsewhere = sign_offline(prepared(foreign, request), other_root, ROOT_PASSPHRASE).signed
    assert refused(editor, admitting(elsewhere, request)) == "manifest-unreadable"
    signed = sign_offline(unsigned, root, ROOT_PASSPHRASE).signed
    stranger = request_of(make_home("editor-3", Role.EDITOR))
    assert refused(editor, admitting(signed, stranger)) == "request-of-other-role"


def test_of_two_prepared_side_by_side_the_second_is_prepared_again() -> None:
    editor, root = make_desk()
    requests = [request_of(make_home(f"editor-{n}", Role.EDITOR)) for n in (2, 3)]
    signed = [sign_offline(prepared(editor, one), root, ROOT_PASSPHRASE).signed for one in requests]
    editor.ask(admitting(signed[0], requests[0]))
    assert refused(editor, admitting(signed[1], requests[1])) == "manifest-old"
    assert manifest_of(editor).is_editor(verify_request(requests[0]).signer)


def test_an_editor_whose_clock_is_unsure_prepares_nothing() -> None:
    editor, _ = make_desk()
    editor.clock = replace(editor.clock, wall_is_trusted=False)
    request = request_of(make_home("editor-2", Role.EDITOR))
    assert refused(editor, lambda node: node.office.prepare_editor(request)) == "clock-not-trusted"


def test_a_ninth_editor_is_too_many() -> None:
    editor, root = make_desk()
    for n in range(2, 9):
        add_editor(editor, root, make_home(f"editor-{n}", Role.EDITOR))
    request = request_of(make_home("editor-9", Role.EDITOR))
    assert refused(editor, lambda node: node.office.prepare_editor(request)) == "too-many-editors"


def test_an_editor_without_the_role_makes_no_cards_and_a_dropped_one_does_nothing() -> None:
    editor, root = make_desk()
    second = make_home("editor-2", Role.EDITOR)
    add_editor(editor, root, second)
    key = open_root_key(root, ROOT_PASSPHRASE)
    known = manifest_of(editor)
    assert second.vault is not None
    signer = Person(second.vault).sign_key()
    assert signer is not None
    reading = tuple(
        replace(one, roles=DeskRole.OPEN) if one.sign == signer.public else one
        for one in known.editors
    )
    without = tuple(one for one in known.editors if one.sign != signer.public)
    reporter = request_of(make_home("r", Role.REPORTER))
    relay = request_of(make_home("relay", Role.RELAY))
    for version, editors, code in ((3, reading, "may-not"), (4, without, "not-an-editor")):
        manifest = replace(known, version=version, editors=editors)
        publish(second, sign_manifest(manifest, [key]))
        assert refused(second, asking(reporter, "r")) == code
        assert refused(second, asking(relay, "relay")) == code


def publish(machine: Machine, signed: bytes) -> None:
    assert machine.ask(lambda node: node.home.book.take(Notice(NoticeKind.MANIFEST, signed)))


# Where the root is ----------------------------------------------------------


def test_whoever_holds_the_root_is_shown_who_comes_and_who_goes() -> None:
    editor, root = make_desk()
    request = request_of(make_home("editor-2", Role.EDITOR))
    unsigned = prepared(editor, request)
    in_force, _ = editor.node.home.book.signed()
    asked = what_it_asks(unsigned, in_force=in_force)
    joiner = verify_request(request).signer
    assert [one.sign for one in asked.added] == [joiner]
    assert (asked.removed, asked.changed, asked.before, asked.version) == ((), (), 1, 2)
    text = "\n".join(describe(asked))
    assert " ".join(one.word for one in key_words(joiner)) in text
    assert "Adds:" in text
    assert "opens, publishes, enrols" in text
    back = replace(manifest_of(editor), version=3, editors=())
    asked = what_it_asks(
        unsigned_manifest(back), in_force=sign_offline(unsigned, root, ROOT_PASSPHRASE).signed
    )
    assert len(asked.removed) == 2
    assert sum(line.startswith("Removes:") for line in describe(asked)) == 2


def test_without_the_list_in_force_every_editor_is_shown() -> None:
    editor, _ = make_desk()
    unsigned = prepared(editor, request_of(make_home("editor-2", Role.EDITOR)))
    asked = what_it_asks(unsigned)
    assert asked.before is None
    lines = describe(asked)
    assert sum(line.startswith("Editor:") for line in lines) == 2
    assert not any(line.startswith("Adds") for line in lines)


def test_a_list_of_another_desk_is_not_compared_with() -> None:
    editor, _ = make_desk()
    foreign, _ = make_desk("editor-x")
    unsigned = prepared(editor, request_of(make_home("editor-2", Role.EDITOR)))
    in_force, _ = foreign.node.home.book.signed()
    with pytest.raises(Refusal) as caught:
        what_it_asks(unsigned, in_force=in_force)
    assert caught.value.code == "manifest-of-other-desk"


def test_a_wrong_passphrase_a_damaged_root_and_another_desks_root_sign_nothing() -> None:
    editor, root = make_desk()
    _, other = make_desk("editor-x")
    unsigned = prepared(editor, request_of(make_home("editor-2", Role.EDITOR)))
    for file, passphrase, what, code in (
        (root, "wrong", unsigned, "wrong-root-passphrase"),
        (root[:-1], ROOT_PASSPHRASE, unsigned, "root-unreadable"),
        (b"", ROOT_PASSPHRASE, unsigned, "root-unreadable"),
        (other, ROOT_PASSPHRASE, unsigned, "wrong-root"),
        (root, ROOT_PASSPHRASE, unsigned[:-1], "manifest-unreadable"),
        (root, ROOT_PASSPHRASE, b"", "manifest-unreadable"),
    ):
        with pytest.raises(Refusal) as caught:
            sign_offline(what, file, passphrase)
        assert caught.value.code == code


def test_signing_twice_gives_the_same() -> None:
    editor, root = make_desk()
    unsigned = prepared(editor, request_of(make_home("editor-2", Role.EDITOR)))
    once = sign_offline(unsigned, root, ROOT_PASSPHRASE).signed
    assert sign_offline(once, root, ROOT_PASSPHRASE).signed == once
