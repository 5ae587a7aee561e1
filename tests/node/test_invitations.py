"""Invitations of a desk: strangers, endings, limits, and what is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Ed25519Public
from meshnews.desk.invitation import read_code
from meshnews.desk.joining import (
    Card,
    Compare,
    JoinMessage,
    Piece,
    Reason,
    Refused,
    encode_join_message,
)
from meshnews.errors import PeerError
from meshnews.node.enrol.applicant import Applicant
from meshnews.node.enrol.invitation_shelf import InvitationShelf, InvitationState
from meshnews.node.enrol.joining import Progress
from meshnews.node.identity import Role
from tests.node.door import (
    ROLES,
    Door,
    agree,
    begin,
    cards_sent,
    close,
    code_of,
    handshake,
    has_joined,
    invite,
    last,
    pair,
    progress,
)
from tests.node.newsroom import Machine, enrolled, make_desk, make_home

# Somebody else ------------------------------------------------------------


def test_a_second_caller_raises_an_alarm_and_waits_beside_the_first() -> None:
    joiner, desk, code = pair()
    other = make_home("other", Role.REPORTER)
    begin(other, code)
    first, second = Door(joiner, desk, trusting=False), Door(other, desk, trusting=False)
    for door in (first, second):
        assert door.connect()
        door.talk()
    assert last(desk).has_alarm
    assert len(desk.node.work.invitations.visitors()) == 2
    assert first.desk_agrees()
    assert first.joiner_agrees()
    first.talk()
    assert has_joined(joiner, desk)
    assert not has_joined(other, desk)
    assert second.speakers[desk.name].is_over


def test_after_one_is_confirmed_another_caller_meets_silence_and_raises_an_alarm() -> None:
    joiner, desk, code = pair()
    door = Door(joiner, desk)
    assert door.connect()
    while cards_sent(door.sent[desk.name]) < 2:
        assert door.say(joiner, desk) or door.say(desk, joiner) or door.people()
    door.part(joiner)
    door.part(desk)
    other = make_home("other", Role.REPORTER)
    begin(other, code)
    stranger = Door(other, desk)
    stranger.meet()
    assert stranger.silenced == other.name
    assert stranger.sent[desk.name] == []
    assert last(desk).has_alarm
    assert progress(other).silences == 1
    door.meet()
    assert has_joined(joiner, desk)


def test_the_same_joiner_calling_again_is_no_alarm_and_leaves_one_in_waiting() -> None:
    joiner, desk, _ = pair()
    for _ in range(3):
        door = Door(joiner, desk, trusting=False)
        assert door.connect()
        door.talk()
        joiner.restart()
    assert len(desk.node.work.invitations.visitors()) == 1
    assert not last(desk).has_alarm


def test_no_more_than_four_links_are_kept_under_one_invitation() -> None:
    _, desk, code = pair()
    doors = []
    for number in range(5):
        other = make_home(f"other-{number}", Role.REPORTER)
        begin(other, code)
        doors.append(Door(other, desk, trusting=False))
    assert [door.connect() for door in doors] == [True] * 4 + [False]
    doors[0].part(desk)
    assert doors[4].connect()


def test_who_stands_between_makes_the_words_differ_and_gets_no_card() -> None:
    joiner, desk, code = pair()
    middle = make_home("middle", Role.REPORTER)
    begin(middle, code)
    outer = Door(middle, desk, trusting=False)
    assert outer.connect()
    outer.talk()
    fake, _ = make_desk("fake")
    rendezvous = joiner.node.home.joining
    assert rendezvous is not None
    # It answers the joiner as a desk would, with a session of its own.
    forger = Door(joiner, fake, trusting=False)
    met = handshake(SeededEntropy(b"m"), rendezvous, [rendezvous], fake)
    assert met is not None
    (visitor,) = desk.node.work.invitations.visitors()
    forger._open(joiner, met[0], is_calling=True)
    joiner_words = forger.speakers[joiner.name].words  # type: ignore[attr-defined]  # an Applicant
    assert visitor.words != joiner_words
    # It passes on what the joiner says, word by word, and gets silence for it.
    again = Door(joiner, desk, trusting=False)
    asked = forger.speakers[joiner.name].pull(1, joiner.node.home.moment)
    assert again.connect()
    again.hear(desk, again.speakers[desk.name], asked[0])
    assert again.silenced == joiner.name
    assert cards_sent(outer.sent[desk.name] + again.sent[desk.name]) == 0


def test_a_card_of_another_desk_is_refused_though_its_editor_has_the_code() -> None:
    for role, joins_as in ROLES.items():
        joiner, desk, code = pair(role)
        other, _ = make_desk("editor-2")
        forged = read_code(code)
        invite(other, joiner.name, role=joins_as)
        # The other desk answers under the stolen invitation.
        assert other.vault is not None
        record = replace(last(other), secret=forged.secret)
        with other.vault.transaction():
            InvitationShelf(other.vault).put(record)
        name = record.number.to_bytes(4, "big")
        rendezvous = joiner.node.home.joining
        assert rendezvous is not None
        other.node.home.invitations[name] = rendezvous
        Door(joiner, other).meet()
        assert joiner.node.home.identity.desk is None
        assert progress(joiner).reason is Reason.UNPROVEN
        assert last(other).state is InvitationState.GIVEN
        assert not has_joined(joiner, desk)


def test_a_card_that_was_given_on_another_link_is_refused() -> None:
    joiner, desk, _ = pair(Role.RELAY)
    door = Door(joiner, desk)
    assert door.connect()
    while cards_sent(door.sent[desk.name]) < 1:
        assert door.say(joiner, desk) or door.say(desk, joiner)
    recorded = door.sent[desk.name]
    while door.speakers[desk.name].queued:
        recorded += door.speakers[desk.name].pull(1, desk.node.home.moment)
    door.part(joiner)
    door.part(desk)
    assert door.connect()
    for message in recorded:
        door.hear(joiner, door.speakers[joiner.name], message)
    assert progress(joiner).reason is Reason.UNPROVEN
    assert not has_joined(joiner, desk)


def rival(joiner: Machine, name: str) -> Applicant:
    """Let somebody who has the code be called by a joiner, beside whoever else is."""
    wanted = joiner.node.home.joining
    assert wanted is not None
    met = handshake(SeededEntropy(name.encode()), wanted, [wanted], joiner)
    assert met is not None
    speaker = joiner.ask(lambda node: node.work.joining.call(met[0]))
    assert speaker is not None
    joiner.ask(lambda node: speaker.start(node.home.moment))
    return speaker


def says(joiner: Machine, link: Applicant, message: JoinMessage) -> None:
    """Let the other side of a link say something."""
    said = encode_join_message(message)
    joiner.ask(lambda node: link.receive(said, node.home.moment))


@pytest.mark.parametrize("reason", [Reason.DESK, Reason.ROLE, Reason.CARD])
def test_a_refusal_that_nobody_signed_ends_a_link_and_not_the_joining(reason: Reason) -> None:
    joiner, desk, _ = pair()
    thief = rival(joiner, "thief")
    says(joiner, thief, Refused(reason))
    joiner.ask(lambda _: thief.ended())
    assert progress(joiner).progress is Progress.SEEKING
    assert progress(joiner).reason is reason
    assert progress(joiner).silences == 0
    Door(joiner, desk).meet()
    assert has_joined(joiner, desk)


def test_who_comes_later_does_not_end_the_link_whose_words_are_compared() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    shown = progress(joiner)
    thief = rival(joiner, "thief")
    says(joiner, thief, Compare())
    assert progress(joiner) == shown
    says(joiner, thief, Refused(Reason.DESK))
    assert progress(joiner).meeting == shown.meeting
    door.trusting = True
    door.talk()
    assert has_joined(joiner, desk)


def test_when_the_first_link_is_gone_the_words_of_the_next_are_shown() -> None:
    joiner, desk, _ = pair()
    thief = rival(joiner, "thief")
    says(joiner, thief, Compare())
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    assert progress(joiner).meeting == thief.meeting
    joiner.ask(lambda _: thief.ended())
    assert progress(joiner).meeting != thief.meeting
    door.trusting = True
    door.talk()
    assert has_joined(joiner, desk)


def test_a_false_card_ends_a_link_and_not_the_joining() -> None:
    joiner, desk, _ = pair(Role.RELAY)
    thief = rival(joiner, "thief")
    says(joiner, thief, Card(49, Ed25519Public(bytes(32)), bytes(64)))
    says(joiner, thief, Piece(bytes(49)))
    assert thief.is_over
    assert progress(joiner).reason is Reason.UNPROVEN
    Door(joiner, desk).meet()
    assert has_joined(joiner, desk)


def test_no_more_than_four_links_are_kept_beside_each_other() -> None:
    joiner, _, _ = pair()
    links = [rival(joiner, f"thief-{number}") for number in range(4)]
    wanted = joiner.node.home.joining
    assert wanted is not None
    met = handshake(SeededEntropy(b"fifth"), wanted, [wanted], joiner)
    assert met is not None
    assert joiner.ask(lambda node: node.work.joining.call(met[0])) is None
    joiner.ask(lambda _: links[0].ended())
    rival(joiner, "sixth")


# What has ended -----------------------------------------------------------


def confirm(desk: Machine, number: int) -> None:
    desk.ask(lambda node: node.work.invitations.confirm(number))


def test_an_invitation_expires_by_the_life_of_the_machine_and_then_answers_nothing() -> None:
    joiner, desk, _ = pair()
    desk.later(23 / 24)
    assert Door(joiner, desk, trusting=False).connect()
    desk.later(1.1 / 24)
    assert last(desk).state is InvitationState.EXPIRED
    assert desk.node.home.invitations == {}
    assert not Door(joiner, desk).connect()


def test_it_is_not_answered_in_the_minute_before_it_is_swept() -> None:
    joiner, desk, _ = pair()
    desk.clock = replace(desk.clock, boot_s=desk.clock.boot_s + 86400.0)
    assert not Door(joiner, desk).connect()


def test_a_used_or_closed_invitation_is_silent_and_its_secret_is_gone() -> None:
    for ending in ("used", "closed"):
        joiner, desk, code = pair()
        if ending == "used":
            Door(joiner, desk).meet()
        else:
            close(desk)
        other = make_home("other", Role.REPORTER)
        begin(other, code)
        assert not Door(other, desk).connect()
        secret = read_code(code).secret
        assert not any(secret in value for _, _, value in desk.contents)
        desk.restart()
        assert desk.node.home.invitations == {}


def test_closing_sends_away_whoever_waits() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    close(desk)
    door.talk()
    assert progress(joiner).reason is Reason.DESK


def test_what_became_of_an_invitation_is_told_for_a_week() -> None:
    joiner, desk, _ = pair()
    Door(joiner, desk).meet()
    desk.later(6.9)
    assert last(desk).state is InvitationState.USED
    desk.later(0.2)
    assert desk.node.work.invitations.all() == []


def test_a_joiner_gives_up_after_a_day_and_after_an_hour_of_telling() -> None:
    joiner, desk, _ = pair()
    joiner.later(1.01)
    assert progress(joiner).progress is Progress.IDLE
    assert joiner.node.home.joining is None
    joiner, desk, _ = pair()
    door = Door(joiner, desk)
    assert door.connect()
    while not joiner.node.home.identity.desk:
        assert door.say(joiner, desk) or door.say(desk, joiner) or door.people()
    door.part(joiner)
    joiner.restart()
    assert joiner.node.home.joining is not None
    joiner.later(1.1 / 24)
    assert joiner.node.home.joining is None
    assert progress(joiner).progress is Progress.JOINED


@pytest.mark.parametrize("seconds", [3600, 3630])
def test_nobody_is_confirmed_under_an_invitation_whose_time_is_over(seconds: int) -> None:
    desk, _ = make_desk()
    joiner = make_home("joiner-1", Role.REPORTER)
    begin(joiner, invite(desk, "joiner-1", hours=1))
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    assert door.joiner_agrees()
    door.talk()
    (visitor,) = desk.node.work.invitations.visitors()
    # It comes to an end within a minute, when it is swept; until then it is over all the same.
    desk.clock = replace(desk.clock, boot_s=desk.clock.boot_s + seconds)
    assert code_of(desk, lambda: confirm(desk, visitor.number)) == "no-such-invitation"
    door.talk()
    assert cards_sent(door.sent[desk.name]) == 0


def test_a_joiner_who_agrees_when_the_time_is_over_gets_no_card() -> None:
    desk, _ = make_desk()
    joiner = make_home("joiner-1", Role.REPORTER)
    begin(joiner, invite(desk, "joiner-1", hours=1))
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    assert door.desk_agrees()
    desk.clock = replace(desk.clock, boot_s=desk.clock.boot_s + 3600)
    assert door.joiner_agrees()
    door.talk()
    assert cards_sent(door.sent[desk.name]) == 0
    assert last(desk).state is InvitationState.EXPIRED


# What is refused before anybody is asked ----------------------------------


def test_what_cannot_be_is_refused_when_inviting() -> None:
    desk, _ = make_desk()
    enrolled(desk, "reporter-1", Role.REPORTER)
    invite(desk, "somebody")
    refusals: dict[str, Callable[[], object]] = {
        "name-taken": lambda: invite(desk, "Reporter-1"),
        "name-invited": lambda: invite(desk, "SOMEBODY"),
        "bad-name": lambda: invite(desk, "a\nb"),
        "name-unknown": lambda: invite(desk, "new", near=("nowhere",)),
    }
    for code, act in refusals.items():
        assert code_of(desk, act) == code
    for number in range(15):
        invite(desk, f"n{number}")
    assert code_of(desk, lambda: invite(desk, "one more")) == "too-many-invitations"
    reporter = make_home("reporter-2", Role.REPORTER)
    assert code_of(reporter, lambda: invite(reporter, "x")) == "wrong-role"


def test_what_cannot_be_is_refused_when_joining() -> None:
    joiner, desk, code = pair()
    typo = code[:-1] + ("a" if code[-1] != "a" else "b")
    assert code_of(joiner, lambda: begin(joiner, typo)) == "invitation-mistyped"
    assert code_of(desk, lambda: begin(desk, code)) == "wrong-role"
    other, _ = make_desk("editor-2")
    member = enrolled(other, "member", Role.REPORTER)
    assert code_of(member, lambda: begin(member, code)) == "other-desk"
    idle = make_home("idle", Role.REPORTER)
    assert code_of(idle, lambda: agree(idle, bytes(8))) == "not-joining"


def test_a_code_that_was_used_here_says_so_and_seeks_nobody() -> None:
    joiner, desk, code = pair()
    Door(joiner, desk).meet()
    joiner.restart()
    begin(joiner, code)
    assert joiner.node.home.joining is None
    assert progress(joiner).progress is Progress.JOINED


def test_giving_up_leaves_nothing_of_the_invitation() -> None:
    joiner, _, code = pair()
    joiner.ask(lambda node: node.work.joining.stop())
    assert progress(joiner).progress is Progress.IDLE
    secret = read_code(code).secret
    assert not any(secret in value for _, _, value in joiner.contents)


# Time on a link -----------------------------------------------------------


def test_a_caller_who_says_nothing_is_left_in_silence_after_ten_seconds() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk)
    assert door.connect()
    link, moment = door.speakers[desk.name], desk.node.home.moment
    assert link.deadline_s == moment.lived_s + 10
    with pytest.raises(PeerError, match="says nothing"):
        link.tick(replace(moment, lived_s=moment.lived_s + 10))


def test_both_sides_show_that_they_are_there_and_end_a_link_without_a_sign_of_life() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    for machine in (joiner, desk):
        link, moment = door.speakers[machine.name], machine.node.home.moment
        assert link.deadline_s == moment.lived_s + 20
        later = replace(moment, lived_s=moment.lived_s + 20)
        link.tick(later)
        assert [len(one) for one in link.pull(100, later)] == [2]
        with pytest.raises(PeerError, match="no sign of life"):
            link.tick(replace(moment, lived_s=moment.lived_s + 60))


def test_after_a_quarter_of_an_hour_the_link_is_made_anew() -> None:
    joiner, desk, _ = pair()
    door = Door(joiner, desk, trusting=False)
    assert door.connect()
    door.talk()
    link, moment = door.speakers[desk.name], desk.node.home.moment
    keep = door.speakers[joiner.name]
    for second in range(20, 900, 20):
        now = replace(moment, lived_s=moment.lived_s + second)
        for one, other in ((link, keep), (keep, link)):
            one.tick(now)
            for message in one.pull(100, now):
                other.receive(message, now)
        assert not link.is_over
    link.tick(replace(moment, lived_s=moment.lived_s + 900))
    assert link.is_over
