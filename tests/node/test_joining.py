"""Joining by invitation: who joins gets a whole card, at whichever commit anybody is killed."""

import pytest

from meshnews.desk.invitation import Invitation
from meshnews.desk.joining import Piece, Reason, decode_join_message
from meshnews.desk.request import Joiner
from meshnews.link.beacon import Flag, make_beacon
from meshnews.link.rendezvous import Rendezvous
from meshnews.node import shelf
from meshnews.node.enrol.invitation_shelf import InvitationState
from meshnews.node.enrol.joining import Progress
from meshnews.node.event import Address, Heard
from meshnews.node.identity import Role
from meshnews.node.links.target import Target
from meshnews.node.node import Node
from meshnews.node.records.roster import Roster
from tests.node.door import (
    ROLES,
    Door,
    Kill,
    agree,
    begin,
    cards_sent,
    code_of,
    desk_id,
    has_joined,
    invite,
    last,
    pair,
    progress,
)
from tests.node.newsroom import enrolled, make_desk, make_home

# A day when all goes well -------------------------------------------------


@pytest.mark.parametrize("desk_first", [True, False])
def test_a_reporter_joins_when_both_people_have_said_that_the_words_are_the_same(
    desk_first: bool,
) -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, desk_first=desk_first)
    door.meet()
    assert has_joined(joiner, desk)
    assert progress(joiner).progress is Progress.JOINED
    taken = progress(joiner).enrolled
    assert taken is not None
    assert (taken.name, taken.desk_name) == ("joiner-1", "Desk of tests")
    assert last(desk).state is InvitationState.USED
    assert not last(desk).has_alarm
    assert joiner.node.home.joining is None
    assert desk.node.home.invitations == {}


def test_a_relay_joins_without_words() -> None:
    joiner, desk, _ = pair(Role.RELAY)
    door = Door(joiner, desk, trusting=False)
    door.meet()
    assert has_joined(joiner, desk)
    assert last(desk).state is InvitationState.USED
    assert desk.vault is not None
    assert [one.name for one in Roster(desk.vault).relays()] == ["joiner-1"]


def test_no_card_leaves_before_both_people_have_agreed() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    assert progress(joiner).progress is Progress.COMPARING
    assert door.desk_agrees()
    door.talk()
    assert cards_sent(door.sent[desk.name]) == 0
    assert door.joiner_agrees()
    door.talk()
    assert has_joined(joiner, desk)


def test_the_joiner_alone_gets_no_card_by_agreeing() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    assert door.joiner_agrees()
    door.talk()
    assert cards_sent(door.sent[desk.name]) == 0
    assert progress(joiner).progress is Progress.AGREED


def test_a_relay_near_others_is_told_of_them() -> None:
    desk, _ = make_desk()
    enrolled(desk, "relay-1", Role.RELAY)
    joiner = make_home("relay-2", Role.RELAY)
    begin(joiner, invite(desk, "relay-2", role=Joiner.RELAY, near=("relay-1",)))
    Door(joiner, desk).meet()
    assert len(list(joiner.carry.scan(shelf.RELAY))) == 1


# Cuts ---------------------------------------------------------------------


def kills(role: Role, victim: str) -> int:
    """Count a machine's transactions on the way to a card."""
    joiner, desk, _ = pair(role)
    door = Door(joiner, desk)
    door.kill = Kill(joiner if victim == "joiner" else desk, at=0, is_before_commit=False)
    door.meet()
    assert has_joined(joiner, desk)
    return door.kill.seen


@pytest.mark.parametrize("is_before_commit", [True, False])
@pytest.mark.parametrize("victim", ["joiner", "desk"])
@pytest.mark.parametrize("role", list(ROLES))
def test_whoever_is_killed_at_any_commit_the_same_code_works_again(
    role: Role, victim: str, is_before_commit: bool
) -> None:
    for at in range(1, kills(role, victim) + 1):
        joiner, desk, code = pair(role)
        door = Door(joiner, desk)
        door.kill = Kill(joiner if victim == "joiner" else desk, at, is_before_commit)
        door.meet()
        has_joined(joiner, desk)
        begin(joiner, code)
        door.meet()
        assert has_joined(joiner, desk), at
        assert progress(joiner).progress is Progress.JOINED, at
        assert last(desk).state is InvitationState.USED, at
        assert not last(desk).has_alarm, at
        assert not list(desk.vault.scan(shelf.INVITATION_CARD)) if desk.vault else False


@pytest.mark.parametrize("after", range(1, 16))
def test_a_link_cut_after_any_message_leaves_a_code_that_works(after: int) -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk)
    assert door.connect()
    for _ in range(after):
        if not (door.say(joiner, desk) or door.say(desk, joiner) or door.people()):
            break
    door.part(joiner)
    door.part(desk)
    has_joined(joiner, desk)
    door.meet()
    assert has_joined(joiner, desk)
    assert last(desk).state is InvitationState.USED


def test_who_was_confirmed_gets_the_same_card_again_without_words() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk)
    assert door.connect()
    while cards_sent(door.sent[desk.name]) < 3:
        assert door.say(joiner, desk) or door.say(desk, joiner) or door.people()
    door.part(joiner)
    door.part(desk)
    assert desk.vault is not None
    (card,) = [file for _, file in desk.vault.scan(shelf.INVITATION_CARD)]
    door.trusting, door.sent[desk.name] = False, []
    joiner.restart()
    desk.restart()
    door.meet()
    assert has_joined(joiner, desk)
    pieces = [decode_join_message(one) for one in door.sent[desk.name]]
    assert b"".join(one.content for one in pieces if isinstance(one, Piece)) == card
    assert len(list(Roster(desk.vault).members())) == 1


def test_words_of_a_link_that_is_gone_are_worth_nothing() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    meeting = progress(joiner).meeting
    (visitor,) = desk.node.work.invitations.visitors()
    door.part(joiner)
    door.part(desk)
    assert door.connect()
    door.talk()
    assert code_of(joiner, lambda: agree(joiner, meeting)) == "words-changed"
    assert (
        code_of(desk, lambda: desk.ask(lambda n: n.work.invitations.confirm(visitor.number)))
        == "no-such-joiner"
    )


def test_numbers_are_never_given_twice() -> None:
    joiner, desk, _ = pair()
    seen = set()
    for _ in range(3):
        door = Door(joiner, desk, trusting=False)
        assert door.connect()
        door.talk()
        (visitor,) = desk.node.work.invitations.visitors()
        assert visitor.number not in seen
        seen.add(visitor.number)
        door.part(joiner)
        desk.restart()


# Who says no --------------------------------------------------------------


def test_words_that_differ_end_it_on_both_sides_and_the_desk_hears_of_it() -> None:
    joiner, desk, code = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    agree(joiner, progress(joiner).meeting, is_same=False)
    door.talk()
    assert progress(joiner).progress is Progress.REFUSED
    assert progress(joiner).reason is Reason.WORDS
    assert joiner.node.home.joining is None
    assert desk.node.work.invitations.differed(last(desk).number)
    assert desk.node.work.invitations.visitors() == []
    begin(joiner, code)
    Door(joiner, desk).meet()
    assert has_joined(joiner, desk)


def test_an_editor_may_turn_a_joiner_away() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    (visitor,) = desk.node.work.invitations.visitors()
    desk.ask(lambda node: node.work.invitations.refuse(visitor.number))
    door.talk()
    assert progress(joiner).reason is Reason.DESK
    assert last(desk).state is InvitationState.OPEN
    # It cannot know that this was the desk's word, and calls again: nobody is asked again.
    door.part(joiner)
    door.part(desk)
    door.meet()
    assert desk.node.work.invitations.visitors() == []
    assert progress(joiner).reason is Reason.DESK
    assert progress(joiner).silences == 0


def test_an_invitation_for_a_relay_is_not_for_a_reporter_nor_the_other_way() -> None:
    for role, meant in ((Role.REPORTER, Joiner.RELAY), (Role.RELAY, Joiner.REPORTER)):
        desk, _ = make_desk()
        joiner = make_home("joiner-1", role)
        begin(joiner, invite(desk, "someone", role=meant))
        door = Door(joiner, desk)
        door.meet()
        assert progress(joiner).reason is Reason.ROLE
        assert cards_sent(door.sent[desk.name]) == 0


def test_a_card_that_cannot_be_made_is_refused_and_the_editor_told_why() -> None:
    joiner, desk, _ = pair()
    enrolled(desk, "Joiner-1", Role.REPORTER)
    door = Door(joiner, desk, desk_first=True)
    door.meet()
    assert progress(joiner).reason is Reason.CARD
    trouble = desk.node.work.invitations.trouble(last(desk).number)
    assert trouble is not None
    assert trouble.code == "name-taken"
    again = Door(joiner, desk, trusting=False)
    begin(joiner, Invitation(last(desk).secret, desk_id(desk)).code)
    assert again.connect()
    again.talk()
    assert again.joiner_agrees()
    again.talk()
    (visitor,) = desk.node.work.invitations.visitors()
    confirm = desk.node.work.invitations.confirm
    assert code_of(desk, lambda: desk.ask(lambda _: confirm(visitor.number))) == "name-taken"


def test_what_was_heard_of_one_invitation_says_nothing_of_the_next() -> None:
    joiner = make_home("reporter-1", Role.REPORTER, trusted=False)

    def hear(node: Node, number: int, count: int) -> Target | None:
        invitation = Rendezvous.by_invitation(bytes([number]) * 16, bytes(16))
        node.home.joining = invitation
        node.presence.follow()
        beacon = make_beacon(
            invitation,
            epoch=count,
            port=7117,
            flags=Flag.CLOCKLESS,
            nonce=bytes([count % 256]) * 16,
        )
        target = node.presence.heard(Heard(beacon, (Address("tcp", "192.0.2.1:0"),)))
        if target is not None:
            node.presence.linked(target, invitation)
        return target

    assert joiner.ask(lambda node: hear(node, 1, 500)) is not None
    assert joiner.ask(lambda node: hear(node, 1, 499)) is None
    assert joiner.ask(lambda node: hear(node, 2, 3)) is not None
