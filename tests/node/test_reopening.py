"""What a carrier franks once more: shown once, and each of the two bundles is confirmed."""

from copy import deepcopy
from dataclasses import dataclass

import pytest

from meshnews.bundle.format import commitment, parse, payer_of
from meshnews.bundle.postage import ByPostage, frank
from meshnews.bundle.receipt import Receipt
from meshnews.bundle.shape import AUTH_BYTES
from meshnews.ids import AuthKind, BundleId
from meshnews.node import shelf
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Verdict
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from meshnews.node.records.reopening import KEPT_DAYS
from meshnews.node.records.wallet import Wallet
from tests.node.inbox import everything
from tests.node.newsroom import Machine, enrolled, make_desk
from tests.node.newswork import TEXT, bring, empty, file, items, only, save, wires
from tests.node.test_opening import copy_of, in_another_envelope


@dataclass
class Desk:
    editor: Machine
    reporter: Machine
    carrier: Machine
    """Another member of the desk, whose card is in wrong hands."""


@pytest.fixture(scope="module")
def made() -> Desk:
    editor, _ = make_desk()
    reporter, carrier = (
        enrolled(editor, name, HomeRole.REPORTER) for name in ("reporter-1", "reporter-2")
    )
    return Desk(editor, reporter, carrier)


@pytest.fixture
def desk(made: Desk) -> Desk:
    desk = deepcopy(made)
    for machine in (desk.editor, desk.reporter, desk.carrier):
        machine.restart()
    return desk


def franked_by(carrier: Machine, wire: bytes) -> bytes:
    """Return the same bytes under postage of whoever carries them."""
    sealed = parse(wire)
    assert carrier.vault is not None
    wallet = Wallet(carrier.vault, carrier.entropy)
    key = wallet.draw_postage(sealed.traffic, 1, good_on=sealed.expiry_day)
    key = key or wallet.draw_postage(sealed.traffic, 16, good_on=sealed.expiry_day)
    assert key is not None
    stem = wire[:-AUTH_BYTES]
    # Whose key it is goes into the identifier, and the identifier into the signature.
    named = parse(stem + frank(key, BundleId(bytes(32))))
    again = parse(stem + frank(key, named.id))
    assert again.id != sealed.id
    assert payer_of(again.auth, AuthKind.POSTAGE) == ByPostage(key).payer
    return again.wire


def due(editor: Machine) -> dict[bytes, Receipt]:
    """Return the receipts that an editor has for collectors, by what they confirm."""
    receipts = editor.ask(lambda node: node.work.due(bytes(32)))
    return {receipt.ref.id: receipt for receipt in receipts}


def confirm(author: Machine, receipt: Receipt) -> None:
    """Let a receipt come back to an author."""

    def act(node: Node) -> None:
        node.home.custody.acknowledge(receipt, node.home.moment)
        node.work.receipted(receipt.ref)

    author.ask(act)


def state(author: Machine) -> DispatchState:
    (one,) = author.ask(lambda node: node.dispatches.all())
    return one.state


def burn(editor: Machine, days: float) -> None:
    """Let time pass; after three days the key that opened something is burnt."""
    editor.later(days)
    assert (editor.ask(lambda node: node.home.open_vault.count(shelf.BURNT)) > 0) == (days > 3)


@pytest.mark.parametrize("days", [0.0, 3.1])
@pytest.mark.parametrize("is_carrier_first", [False, True])
def test_a_dispatch_that_a_carrier_franks_again_is_shown_once_and_both_are_confirmed(
    desk: Desk, days: float, *, is_carrier_first: bool
) -> None:
    identifier = file(desk.reporter)
    (own,) = wires(desk.reporter)
    theirs = franked_by(desk.carrier, own)
    first, second = (theirs, own) if is_carrier_first else (own, theirs)
    bring(desk.editor, first)
    burn(desk.editor, days)
    bring(desk.editor, second)
    assert (only(desk.editor).text, only(desk.editor).alarms) == (TEXT, ())
    receipts = due(desk.editor)
    assert set(receipts) == {identifier, parse(theirs).id}
    confirm(desk.reporter, receipts[BundleId(identifier)])
    assert state(desk.reporter) is DispatchState.RECEIVED


def test_the_receipt_of_a_carriers_bundle_is_word_of_the_authors_own(desk: Desk) -> None:
    file(desk.reporter)
    (own,) = wires(desk.reporter)
    bring(desk.editor, franked_by(desk.carrier, own))
    (receipt,) = due(desk.editor).values()
    confirm(desk.carrier, receipt)
    confirm(desk.reporter, receipt)
    assert state(desk.reporter) is DispatchState.RECEIVED
    # It travels on all the same, and nothing says that others hold it no more.
    assert desk.reporter.node.home.custody.body(parse(own).ref) is not None


def test_a_dispatch_is_confirmed_again_when_its_epoch_key_is_gone_too(desk: Desk) -> None:
    empty(desk.reporter, shelf.PACK)
    file(desk.reporter)
    (own,) = wires(desk.reporter)
    bring(desk.editor, franked_by(desk.carrier, own))

    empty(desk.editor, shelf.EPOCH)
    bring(desk.editor, own)
    assert len(items(desk.editor)) == 1
    assert parse(own).id in due(desk.editor)


@pytest.mark.parametrize("days", [0.0, 3.1])
def test_a_seal_around_other_bytes_is_never_confirmed(desk: Desk, days: float) -> None:
    file(desk.reporter)
    (own,) = wires(desk.reporter)
    bring(desk.editor, own)
    burn(desk.editor, days)
    bring(desk.editor, in_another_envelope(own))
    assert set(due(desk.editor)) == {parse(own).id}


def test_what_is_remembered_opens_nothing_and_is_forgotten(desk: Desk) -> None:
    file(desk.reporter)
    (own,) = wires(desk.reporter)
    bring(desk.editor, own)
    assert desk.editor.vault is not None
    ((_, value),) = desk.editor.vault.scan(shelf.OPENED)
    # What is public as soon as the receipt is: nothing that the payload is sealed with.
    assert commitment(value[:32]) == parse(own).pc
    desk.editor.later(KEPT_DAYS + 3)
    assert list(desk.editor.vault.scan(shelf.OPENED)) == []


@pytest.mark.parametrize("around", ["postage", "seal"])
def test_what_cannot_be_read_is_one_item_however_often_it_is_franked(
    desk: Desk, around: str
) -> None:
    copy = copy_of(desk.reporter)
    file(desk.reporter, "from the one")
    file(copy, "from the other")
    bring(desk.editor, *wires(desk.reporter))
    desk.editor.later(3.1)
    (late,) = wires(copy)
    bring(desk.editor, late)
    other = in_another_envelope(late) if around == "seal" else franked_by(desk.carrier, late)
    bring(desk.editor, other)
    shown = [item for item in items(desk.editor) if item.verdict is Verdict.UNREADABLE]
    assert len(shown) == 1


# What goes back to the author


@pytest.fixture
def answered(desk: Desk) -> Desk:
    """Return a desk that opened a dispatch under a carrier's postage, and knows how to answer."""
    file(desk.reporter)
    (own,) = wires(desk.reporter)
    bring(desk.editor, franked_by(desk.carrier, own))
    return desk


def sent(editor: Machine, before: set[bytes]) -> bytes:
    (wire,) = set(wires(editor)) - before
    return wire


def test_the_author_hears_that_a_dispatch_was_read_whoever_franked_it(answered: Desk) -> None:
    before = set(wires(answered.editor))
    answered.editor.ask(lambda node: node.answers.tell_read(everything(node)[0]))
    bring(answered.reporter, sent(answered.editor, before))
    assert state(answered.reporter) is DispatchState.READ


def test_an_answer_names_the_authors_own_dispatch_whoever_franked_it(answered: Desk) -> None:
    before = set(wires(answered.editor))
    item = only(answered.editor)
    answered.editor.ask(lambda node: node.answers.reply(item, "Received."))
    bring(answered.reporter, sent(answered.editor, before))
    ((own, _),) = answered.reporter.ask(lambda node: node.home.open_vault.scan(shelf.OWN))
    assert own != item.ref.id
    assert only(answered.reporter).reference == own[:16]


@pytest.mark.parametrize("is_carrier_first", [False, True])
@pytest.mark.parametrize("is_burnt", [False, True])
def test_an_answer_that_a_carrier_franks_again_is_shown_once_and_the_desks_own_confirmed(
    answered: Desk, *, is_carrier_first: bool, is_burnt: bool
) -> None:
    before = set(wires(answered.editor))
    answered.editor.ask(lambda node: node.answers.reply(everything(node)[0], "Received."))
    own = sent(answered.editor, before)
    theirs = franked_by(answered.carrier, own)
    first, second = (theirs, own) if is_carrier_first else (own, theirs)
    bring(answered.reporter, first)
    if is_burnt:
        answered.reporter.later(0.01)
    bring(answered.reporter, second)
    assert only(answered.reporter).text == "Received."
    answered.reporter.later(1.0)
    custody = answered.reporter.node.home.custody
    assert isinstance(custody.receipt_for(parse(own).ref), Receipt)
    # Who gave each caller a bundle of its own would learn whose answer it is.
    assert custody.receipt_for(parse(theirs).ref) is None


def test_a_piece_of_an_attachment_that_a_carrier_franks_again_is_nobodys(desk: Desk) -> None:
    picture = bytes(range(256)) * 600
    file(desk.reporter, picture=picture)
    own = wires(desk.reporter)
    copies = {franked_by(desk.carrier, wire) for wire in own if parse(wire).size > 8192}
    bring(desk.editor, *copies, *own, *copies)
    (item,) = items(desk.editor)
    assert save(desk.editor, item) == picture
    confirmed = set(due(desk.editor))
    assert confirmed == {parse(wire).id for wire in own}
