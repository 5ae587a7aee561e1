"""A home asks for a card, and takes it in wholly or not at all."""

from dataclasses import replace

import pytest

from meshnews.crypto.keys import X25519Secret
from meshnews.crypto.words import safety_words
from meshnews.desk.card import PressCard, decode_press_card
from meshnews.desk.cardfile import open_card, seal_card
from meshnews.desk.request import EditorRequest, ReporterRequest, verify_request, words_digest
from meshnews.errors import Refusal
from meshnews.ids import DeskId
from meshnews.node import shelf
from meshnews.node.enrol.enrolment import desk_words, request_words
from meshnews.node.identity import Role, load_identity
from meshnews.node.person import Person
from tests.node.newsroom import (
    Machine,
    card_for,
    enrol,
    enrolled,
    make_desk,
    make_home,
    request_of,
    take,
)


def refused(joiner: Machine, card: bytes) -> str:
    """Return why a card is refused, after seeing that nothing at all was changed."""
    before = joiner.contents
    identity, book = joiner.node.home.identity, joiner.node.home.book
    known = book.manifest
    with pytest.raises(Refusal) as caught:
        take(joiner, card)
    assert joiner.contents == before
    assert joiner.node.home.identity is identity
    assert joiner.node.home.book is book
    assert book.manifest is known
    return caught.value.code


def desk_of(joiner: Machine, card: bytes) -> DeskId:
    return joiner.ask(lambda node: node.enrolment.desk_of(card))


@pytest.mark.parametrize("role", list(Role))
def test_a_request_stays_the_same_until_its_card_has_come(role: Role) -> None:
    joiner = make_home("joiner", role)
    request = request_of(joiner)
    joiner.restart()
    assert request_of(joiner) == request
    assert [one.word for one in request_words(request)] == [
        one.word for one in safety_words(words_digest(request))
    ]
    verify_request(request)


def test_every_role_asks_with_its_own_keys() -> None:
    reporter, editor = make_home("r", Role.REPORTER), make_home("e", Role.EDITOR)
    asked = verify_request(request_of(reporter))
    assert isinstance(asked, ReporterRequest)
    assert len(asked.reply_keys) == 64
    other = verify_request(request_of(editor))
    assert isinstance(other, EditorRequest)
    assert len(other.epochs) == 30 + 52
    assert reporter.vault is not None
    signer = Person(reporter.vault).sign_key()
    assert signer is not None
    assert asked.byline == signer.public


def test_no_name_lies_on_carry_and_none_on_a_relay() -> None:
    editor, _ = make_desk()
    reporter = enrolled(editor, "reporter-1", Role.REPORTER)
    relay = enrolled(editor, "relay-1", Role.RELAY)
    names = [b"reporter-1", b"relay-1", b"Desk of tests"]
    for machine in (editor, reporter, relay):
        kept = b"".join(
            value
            for name in (shelf.SELF, shelf.RELAY, shelf.DESK)
            for _, value in machine.carry.scan(name)
        )
        assert not any(name in kept for name in names)
    everything = b"".join(value for _, _, value in relay.contents)
    assert not any(name in everything for name in names)


def test_who_joined_knows_the_desk_after_a_restart() -> None:
    editor, _ = make_desk()
    for role in (Role.REPORTER, Role.RELAY):
        joiner = enrolled(editor, f"{role}-1", role)
        joiner.restart()
        home, desk = joiner.node.home, editor.node.home
        assert home.identity.desk == desk.identity.desk
        assert home.book.manifest == desk.book.manifest
        assert home.book.bulletins == desk.book.bulletins
        assert home.moment.floor_day == desk.moment.floor_day


def test_the_card_key_is_gone_with_the_card() -> None:
    editor, _ = make_desk()
    reporter = make_home("reporter-1", Role.REPORTER)
    card = card_for(editor, request_of(reporter), name="r")
    assert refused(make_home("stranger", Role.REPORTER), card) == "no-request"
    take(reporter, card)
    assert refused(reporter, card) == "card-taken"
    reporter.later(1)
    assert refused(reporter, card) == "card-taken"
    assert refused(editor, card) == "card-taken"


@pytest.mark.parametrize("role", [Role.REPORTER, Role.RELAY])
def test_whose_a_card_is_can_be_seen_without_taking_it(role: Role) -> None:
    editor, _ = make_desk()
    thief, _ = make_desk("thief")
    joiner = make_home("joiner-1", role)
    # Who has seen the request file puts a card of his own in place of the true one.
    request = request_of(joiner)
    false = card_for(thief, request, name="joiner-1")
    true = card_for(editor, request, name="joiner-1")
    before = joiner.contents
    shown = [desk_of(joiner, card) for card in (false, true)]
    assert shown == [thief.node.home.identity.desk, editor.node.home.identity.desk]
    assert joiner.contents == before
    assert joiner.node.home.identity.desk is None
    take(joiner, true)
    assert joiner.node.home.identity.desk == shown[1]


def test_a_card_that_was_changed_is_another_homes_or_no_card_is_refused() -> None:
    editor, _ = make_desk()
    reporter, other = make_home("r1", Role.REPORTER), make_home("r2", Role.REPORTER)
    card = card_for(editor, request_of(reporter), name="r1")
    request_of(other)
    assert refused(other, card) == "card-unproven"
    changed = bytearray(card)
    changed[len(card) // 2] ^= 1
    assert refused(reporter, bytes(changed)) == "card-unproven"
    for garbage in (b"", card[:48], card[:-1], card + b"\0"):
        assert refused(reporter, garbage) == "card-unproven"
    take(reporter, card)


def resealed(editor: Machine, reporter: Machine, **changes: object) -> bytes:
    """Return a press card whose inside was changed by somebody who has the request."""
    request = request_of(reporter)
    asked = verify_request(request)
    file = card_for(editor, request, name="r")
    assert reporter.vault is not None
    key = reporter.vault.get(shelf.PERSON, b"card-key")
    assert key is not None
    card = decode_press_card(open_card(file, X25519Secret(key), request=words_digest(request)))
    forged: PressCard = replace(card, **changes)  # type: ignore[arg-type]  # any field
    return seal_card(forged.encode(), asked.card_key, editor.entropy, request=words_digest(request))


def test_a_card_with_another_desks_certificate_or_bulletin_is_refused() -> None:
    editor, _ = make_desk()
    foreign, _ = make_desk("editor-2")
    stranger = enrolled(foreign, "stranger", Role.REPORTER)
    assert stranger.vault is not None
    certificate = Person(stranger.vault).certificate()
    reporter = make_home("reporter-1", Role.REPORTER)
    assert refused(reporter, resealed(editor, reporter, certificate=certificate)) == "card-unproven"
    _, bulletins = foreign.node.home.book.signed()
    assert refused(reporter, resealed(editor, reporter, bulletins=bulletins)) == "card-unproven"


def test_a_home_stays_with_its_desk() -> None:
    editor, _ = make_desk()
    other, _ = make_desk("editor-2")
    for role in (Role.REPORTER, Role.RELAY):
        joiner = enrolled(editor, f"{role}-1", role)
        card = card_for(other, request_of(joiner), name=f"{role}-1")
        assert refused(joiner, card) == "other-desk"
        with pytest.raises(Refusal) as caught:
            desk_of(joiner, card)
        assert caught.value.code == "other-desk"
        enrol(editor, joiner)
        assert load_identity(joiner.carry).desk == editor.node.home.identity.desk


def test_an_editor_with_a_desk_asks_for_no_card_and_a_whole_desk_joins_none() -> None:
    editor, _ = make_desk()
    with pytest.raises(Refusal) as caught:
        request_of(editor)
    assert caught.value.code == "has-desk"
    with pytest.raises(Refusal) as caught:
        request_of(make_home("e", Role.EDITOR, endpoint=True))
    assert caught.value.code == "whole-desk"


def test_the_words_of_a_desk_are_the_first_bits_of_its_identifier() -> None:
    desk = DeskId(bytes(range(16)))
    words = desk_words(desk)
    assert len(words) == 8
    bits = int.from_bytes(desk, "big") >> (128 - 88)
    assert words[-1].number == bits % 2048
    assert words[0].number == bits >> 77
