"""A reply key is one editor's, whoever joins, leaves, loses a card or its power."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from meshnews.bundle.seal import epoch_ref
from meshnews.crypto.keys import Ed25519Public
from meshnews.desk.limits import EDITORS_MAX, REPLY_KEYS_IN_REQUEST
from meshnews.desk.manifest import Role as DeskRole
from meshnews.desk.manifest import sign_manifest
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.rootkey import open_root_key
from meshnews.ids import Day
from meshnews.node import shelf
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from meshnews.node.office.signing import sign_offline
from meshnews.node.person import Person
from meshnews.node.records.roster import Roster
from meshnews.node.records.wallet import SCAN_DAYS, SCAN_KEPT_DAYS, Wallet
from tests.node.fragile import PowerCut, fragile
from tests.node.newsroom import (
    ROOT_PASSPHRASE,
    Machine,
    add_editor,
    card_for,
    enrolled,
    make_desk,
    make_home,
    request_of,
    take,
)
from tests.node.newswork import begun, bring, byline_of, empty, finish, items, notices, wires
from tests.node.test_answer import answered

# A desk -----------------------------------------------------------------------


def ours(editor: Machine, reporter: Machine) -> set[bytes]:
    """Return the references of the one-time keys by which an editor may answer."""
    assert editor.vault is not None
    byline = byline_of(reporter)
    return {key[len(byline) :] for key, _ in editor.vault.scan(shelf.MEMBER_KEY, byline)}


def opening(reporter: Machine) -> set[bytes]:
    """Return the references of the one-time keys that would open an answer."""
    assert reporter.vault is not None
    return {key for key, _ in reporter.vault.scan(shelf.REPLY_KEY)}


def assert_each_key_is_one_editors(editors: Sequence[Machine], reporter: Machine) -> None:
    known = [ours(editor, reporter) for editor in editors]
    everything = set().union(*known)
    assert sum(map(len, known)) == len(everything), "no key is two editors'"
    assert everything <= opening(reporter), "every key opens an answer"


def meet(*machines: Machine) -> None:
    """Let everybody hear everything that the others have."""
    for _ in range(3):
        for machine in machines:
            others = [other for other in machines if other is not machine]
            bring(machine, *(wire for other in others for wire in notices(other)))
            bring(machine, *(wire for other in others for wire in wires(other)))


def file(reporter: Machine, text: str) -> None:
    finish(reporter, begun(reporter), text)


def answer(editor: Machine, text: str, *, to: str) -> bytes:
    (item,) = [item for item in items(editor) if item.text == to]
    return answered(editor, item, text)


def answer_often(editors: Sequence[Machine], reporter: Machine, to: str) -> None:
    """Let each editor answer until it has no one-time key left, and twice more, in turn."""
    rounds = max(len(ours(editor, reporter)) for editor in editors) + 2
    texts = set()
    for number in range(rounds):
        for editor in editors:
            text = f"{editor.name} says {number} to {to}"
            texts.add(text)
            bring(reporter, answer(editor, text, to=to))
    got = {item.text for item in items(reporter)}
    assert texts <= got, sorted(texts - got)


def sign_key(machine: Machine) -> Ed25519Public:
    assert machine.vault is not None
    secret = Person(machine.vault).sign_key()
    assert secret is not None
    return secret.public


def without(editors: Sequence[Machine], root: bytes, gone: Machine) -> None:
    """Let the root drop an editor from the desk, and the others know."""
    known = editors[0].node.home.book.manifest
    assert known is not None
    staying = tuple(one for one in known.editors if one.sign != sign_key(gone))
    signed = sign_manifest(
        replace(known, version=known.version + 1, editors=staying),
        [open_root_key(root, ROOT_PASSPHRASE)],
    )

    def hear(node: Node) -> None:
        node.home.book.take(Notice(NoticeKind.MANIFEST, signed))
        node.work.rotation.announce_manifest()

    for editor in editors:
        editor.ask(hear)


def test_every_answer_opens_as_editors_come_and_go() -> None:
    first, root = make_desk()
    reporter = enrolled(first, "reporter-1", HomeRole.REPORTER)
    editors = [first]
    file(reporter, "to one")
    meet(*editors, reporter)
    for number, text in ((2, "to two"), (3, "to three")):
        joiner = make_home(f"editor-{number}", HomeRole.EDITOR)
        add_editor(first, root, joiner)
        editors.append(joiner)
        assert ours(joiner, reporter), "it has keys before anything was filed"
        assert_each_key_is_one_editors(editors, reporter)
        meet(*editors, reporter)
        file(reporter, text)
        meet(*editors, reporter)
        assert_each_key_is_one_editors(editors, reporter)
    left = [editors[0], editors[2]]
    without(left, root, editors[1])
    meet(*left, reporter)
    before = ours(editors[1], reporter)
    file(reporter, "to the two who stay")
    meet(*editors, reporter)
    assert ours(editors[1], reporter) == before, "who has left is given no more keys"
    assert_each_key_is_one_editors(editors, reporter)
    answer_often(left, reporter, "to the two who stay")


def test_an_editor_uses_no_key_that_another_has_used_before_it_came() -> None:
    a, root = make_desk()
    b = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, b)
    reporter = enrolled(a, "reporter-1", HomeRole.REPORTER)
    meet(a, b, reporter)
    file(reporter, "a dispatch")
    for editor in (a, b):
        bring(editor, *wires(reporter))
    # Of what B answers A hears nothing, nor need it.
    answer_often([b], reporter, "a dispatch")
    c = make_home("editor-3", HomeRole.EDITOR)
    add_editor(a, root, c)
    for machine in (b, c, reporter):
        bring(machine, *notices(a), *notices(b), *notices(c))
    file(reporter, "another")
    bring(c, *wires(reporter))
    answer_often([c], reporter, "another")


def test_the_keys_of_a_request_are_the_editors_who_made_the_card_and_it_gives_shares() -> None:
    a, root = make_desk()
    editors = [a]
    for number in (2, 3):
        editors.append(make_home(f"editor-{number}", HomeRole.EDITOR))
        add_editor(a, root, editors[-1])
    meet(*editors)
    reporter = enrolled(editors[1], "reporter-1", HomeRole.REPORTER)
    assert len(ours(editors[1], reporter)) in {21, 22}
    assert_each_key_is_one_editors(editors, reporter)
    meet(*editors)
    assert all(len(ours(editor, reporter)) >= 20 for editor in editors)
    assert_each_key_is_one_editors(editors, reporter)


def test_an_editor_who_opens_nothing_has_no_keys() -> None:
    a, root = make_desk()
    b = make_home("editor-2", HomeRole.EDITOR)
    reporter = enrolled(a, "reporter-1", HomeRole.REPORTER)
    request = request_of(b)
    unsigned, manifest = a.ask(lambda node: node.office.prepare_editor(request))
    assert unsigned
    editors = tuple(
        replace(one, roles=DeskRole.ENROL) if one.sign == sign_key(b) else one
        for one in manifest.editors
    )
    signed = sign_manifest(
        replace(manifest, editors=editors), [open_root_key(root, ROOT_PASSPHRASE)]
    )
    take(b, a.ask(lambda node: node.office.admit_editor(signed, request)))
    assert ours(b, reporter) == set()
    assert len(ours(a, reporter)) == REPLY_KEYS_IN_REQUEST
    second = enrolled(b, "reporter-2", HomeRole.REPORTER)
    assert ours(b, second) == set()
    meet(a, b)
    assert len(ours(a, second)) >= REPLY_KEYS_IN_REQUEST - 1, "all went to who can use them"


def test_a_dispatch_brings_each_editor_keys_of_its_own_by_and_by() -> None:
    a, root = make_desk()
    reporter = enrolled(a, "reporter-1", HomeRole.REPORTER)
    editors = [a]
    for number in range(2, EDITORS_MAX + 1):
        editors.append(make_home(f"editor-{number}", HomeRole.EDITOR))
        add_editor(a, root, editors[-1])
    meet(*editors, reporter)
    before = [ours(editor, reporter) for editor in editors]
    for number in range(EDITORS_MAX - 1):
        file(reporter, f"number {number}")
    for editor in editors:
        bring(editor, *wires(reporter))
    new = [ours(editor, reporter) - was for editor, was in zip(editors, before, strict=True)]
    assert all(new)
    assert len(new[0]) == EDITORS_MAX - 1, "one of each dispatch for who made the card"
    assert_each_key_is_one_editors(editors, reporter)


# Lost cards, power cuts, what comes twice ---------------------------------------


def test_an_editors_card_made_again_has_none_of_the_keys_of_the_first() -> None:
    a, root = make_desk()
    reporter = enrolled(a, "reporter-1", HomeRole.REPORTER)
    b = make_home("editor-2", HomeRole.EDITOR)
    request = request_of(b)
    unsigned, _ = a.ask(lambda node: node.office.prepare_editor(request))
    signed = sign_offline(unsigned, root, ROOT_PASSPHRASE).signed
    a.ask(lambda node: node.office.admit_editor(signed, request))
    kept = ours(a, reporter)
    assert len(kept) == REPLY_KEYS_IN_REQUEST // 2
    take(b, a.ask(lambda node: node.office.admit_editor(signed, request)))
    assert ours(b, reporter) < kept
    assert ours(a, reporter) == kept - ours(b, reporter)


@pytest.mark.parametrize("moment", ["before both", "between", "after both"])
def test_a_key_is_no_two_editors_though_the_power_goes_as_it_is_given_away(moment: str) -> None:
    editor, root = make_desk()
    reporter = enrolled(editor, "reporter-1", HomeRole.REPORTER)
    a = fragile(editor)
    b = make_home("editor-2", HomeRole.EDITOR)
    request = request_of(b)
    unsigned, _ = a.ask(lambda node: node.office.prepare_editor(request))
    signed = sign_offline(unsigned, root, ROOT_PASSPHRASE).signed
    a.cut_at, a.moment = a.seen + 1, moment
    with pytest.raises(PowerCut):
        a.ask(lambda node: node.office.admit_editor(signed, request))
    a.restart()
    take(b, a.ask(lambda node: node.office.admit_editor(signed, request)))
    assert ours(b, reporter)
    assert_each_key_is_one_editors([a, b], reporter)


@pytest.mark.parametrize("again_by", ["the same editor", "another who heard of it"])
def test_a_reporters_card_made_again_brings_no_key_that_was_dealt_out(again_by: str) -> None:
    a, root = make_desk()
    b = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, b)
    reporter = make_home("reporter-1", HomeRole.REPORTER)
    request = request_of(reporter)
    card_for(a, request, name="reporter-1")
    meet(a, b)
    used = a.ask(lambda node: Roster(node.home.open_vault).draw_reply_key(byline_of(reporter)))
    assert used is not None
    before = [ours(editor, reporter) for editor in (a, b)]
    maker = a if again_by == "the same editor" else b
    take(reporter, card_for(maker, request, name="reporter-1"))
    meet(a, b)
    after = [ours(editor, reporter) for editor in (a, b)]
    assert all(now <= was for now, was in zip(after, before, strict=True))
    assert_each_key_is_one_editors([a, b], reporter)


def test_two_editors_who_answer_one_request_unknown_to_each_other_deal_alike() -> None:
    a, root = make_desk()
    b = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, b)
    meet(a, b)
    reporter = make_home("reporter-1", HomeRole.REPORTER)
    request = request_of(reporter)
    card_for(a, request, name="reporter-1")
    take(reporter, card_for(b, request, name="reporter-1"))
    assert_each_key_is_one_editors([a, b], reporter)
    assert ours(a, reporter)
    assert ours(b, reporter)
    meet(a, b)
    assert_each_key_is_one_editors([a, b], reporter)


def test_an_editor_who_came_after_the_card_does_not_deal_its_keys_again() -> None:
    a, root = make_desk()
    reporter = make_home("reporter-1", HomeRole.REPORTER)
    request = request_of(reporter)
    card_for(a, request, name="reporter-1")
    b = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, b)
    for _ in range(2):  # A card that is lost, and lost again.
        card_for(b, request, name="reporter-1")
        assert_each_key_is_one_editors([a, b], reporter)
        meet(a, b)
        assert_each_key_is_one_editors([a, b], reporter)


def test_a_card_made_again_deals_no_key_out_that_its_maker_has_used_or_given_away() -> None:
    a, root = make_desk()
    reporter = make_home("reporter-1", HomeRole.REPORTER)
    request = request_of(reporter)
    card_for(a, request, name="reporter-1")
    byline = byline_of(reporter)
    used = a.ask(lambda node: Roster(node.home.open_vault).draw_reply_key(byline))
    assert used is not None
    b = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, b)
    before = [ours(editor, reporter) for editor in (a, b)]
    card_for(a, request, name="reporter-1")
    meet(a, b)
    after = [ours(editor, reporter) for editor in (a, b)]
    assert all(now <= was for now, was in zip(after, before, strict=True))
    assert used.prekey.ref not in set().union(*after)
    assert_each_key_is_one_editors([a, b], reporter)


def test_a_second_request_brings_new_keys_to_the_editor_who_made_the_first_card() -> None:
    a, root = make_desk()
    b = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, b)
    reporter = enrolled(a, "reporter-1", HomeRole.REPORTER)
    meet(a, b)
    before = [ours(editor, reporter) for editor in (a, b)]
    take(reporter, card_for(a, request_of(reporter), name="reporter-1"))
    meet(a, b)
    after = [ours(editor, reporter) for editor in (a, b)]
    assert all(len(now - was) >= 30 for now, was in zip(after, before, strict=True))
    assert_each_key_is_one_editors([a, b], reporter)


def test_word_of_a_card_that_is_read_twice_brings_back_no_key_that_was_used() -> None:
    a, root = make_desk()
    editor = make_home("editor-2", HomeRole.EDITOR)
    add_editor(a, root, editor)
    reporter = enrolled(a, "reporter-1", HomeRole.REPORTER)
    b = fragile(editor)
    bring(b, *notices(a))
    b.cut_at, b.moment = b.seen + 1, "between"
    with pytest.raises(PowerCut):
        bring(b, *wires(a))
    b.restart()
    bring(reporter, *notices(a), *notices(b))
    file(reporter, "a dispatch")
    bring(b, *wires(reporter))
    assert len(ours(b, reporter)) > REPLY_KEYS_IN_REQUEST // 3, "the vault was on disk"
    answer_often([b], reporter, "a dispatch")
    bring(b, *wires(a))
    assert ours(b, reporter) == set()
    bring(reporter, answer(b, "once more", to="a dispatch"))
    assert "once more" in {item.text for item in items(reporter)}


# Where one-time keys have run out -----------------------------------------------


def test_the_scan_key_to_fall_back_on_is_the_latest_that_a_dispatch_brought() -> None:
    editor, _ = make_desk()
    reporter = enrolled(editor, "reporter-1", HomeRole.REPORTER)
    assert reporter.vault is not None
    (first,) = Wallet(reporter.vault, reporter.entropy).reply_scans(Day(0))
    for machine in (editor, reporter):
        machine.later(SCAN_DAYS)
    meet(editor, reporter)
    file(reporter, "two months later")
    bring(editor, *wires(reporter))
    known = editor.ask(lambda node: Roster(node.home.open_vault).member(byline_of(reporter)))
    latest = Wallet(reporter.vault, reporter.entropy).reply_scans(Day(0))[0]
    assert known is not None
    assert known.reply_scan == latest.public != first.public
    empty(editor, shelf.MEMBER_KEY)
    drawn = editor.ask(lambda node: Roster(node.home.open_vault).draw_reply_key(known.card.byline))
    assert drawn is not None
    assert (drawn.scan, drawn.prekey.ref) == (latest.public, epoch_ref(latest.public))
    bring(reporter, answer(editor, "Received.", to="two months later"))
    assert [item.text for item in items(reporter)] == ["Received."]


def test_a_scan_key_leaves_the_disk_in_its_time_though_nothing_is_filed() -> None:
    editor, _ = make_desk()
    reporter = enrolled(editor, "reporter-1", HomeRole.REPORTER)
    assert reporter.vault is not None
    reporter.later(SCAN_KEPT_DAYS)
    assert reporter.vault.count(shelf.REPLY_SCAN) == 1
    # By the floor, which is a day or two behind.
    reporter.later(2)
    assert reporter.vault.count(shelf.REPLY_SCAN) == 0
