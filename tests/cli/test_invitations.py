"""Inviting and joining from the command line: what is shown, asked, written and refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from meshnews.control.desk_reply import Invited, PendingListing
from meshnews.control.desk_request import (
    DeskClose,
    DeskConfirm,
    DeskInvite,
    DeskPending,
    DeskRefuse,
)
from meshnews.control.enrol_reply import Enrolled, JoinStatus
from meshnews.control.enrol_request import EnrolAgree, EnrolCode, EnrolStop, EnrolWait
from meshnews.control.fact import (
    InvitationState,
    InvitationStatus,
    JoinerStatus,
    JoinProgress,
    JoinReason,
    Role,
)
from meshnews.control.reply import Done, Reply
from meshnews.control.request import Request
from meshnews.desk.invitation import Invitation, read_code
from meshnews.errors import Refusal
from meshnews.ids import DeskId
from meshnews_cli import words
from meshnews_cli.main import run
from meshnewsd.control.server import Emit, Handler
from tests.cli import examples
from tests.cli.conftest import Answer, RunCommand, StartDaemon

CODE = Invitation(bytes(range(100, 116)), DeskId(bytes(range(16)))).code
MEETING = b"meeting1"

OPEN = InvitationStatus(
    number=3,
    role=Role.REPORTER,
    name="aliya",
    state=InvitationState.OPEN,
    ends_at=examples.LATER,
)
JOINER = JoinerStatus(
    number=4, invitation=3, words=examples.WORDS, joiner_agrees=False, desk_agrees=False
)
ENROLLED = Enrolled(
    desk=examples.DESK,
    desk_name="Bureau",
    words=examples.WORDS,
    role=Role.REPORTER,
    name="aliya",
    valid_until=examples.EXPIRY,
)


def changed(**what: Any) -> InvitationStatus:
    facts = {name: getattr(OPEN, name) for name in OPEN.__struct_fields__}
    return InvitationStatus(**{**facts, **what})


def in_turn(replies: Sequence[Reply | Exception]) -> Handler:
    """Answer with one after the other; asked once more, fail."""
    left = list(replies)

    async def handle(request: Request, descriptors: Sequence[int], emit: Emit) -> Reply:
        reply = left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return handle


def listings(*steps: tuple[InvitationStatus, tuple[JoinerStatus, ...]]) -> Handler:
    return in_turn(
        [
            PendingListing(version=number, invitations=(invitation,), joiners=joiners)
            for number, (invitation, joiners) in enumerate(steps)
        ]
    )


def step(progress: JoinProgress, version: int = 0, **more: Any) -> JoinStatus:
    return JoinStatus(version=version, progress=progress, **more)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> list[bool | None]:
    """What the person says when asked about the words; None: Ctrl-C."""
    answers: list[bool | None] = []

    def answer(question: str) -> bool:
        said = answers.pop(0)
        if said is None:
            raise click.Abort
        return said

    monkeypatch.setattr(words, "are_same", answer)
    return answers


# Inviting -------------------------------------------------------------------


def invited(daemon: StartDaemon, answers: dict[type[Request], Answer]) -> Any:
    return daemon({DeskInvite: Invited(invitation=OPEN, code=CODE), **answers}, role=Role.EDITOR)


def test_only_the_code_goes_to_standard_output(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = invited(daemon, {})
    outcome = cli("desk", "invite", "--byline", " aliya ", "--hours", "2", "--no-wait")
    assert outcome.status == 0
    assert read_code(outcome.out).code == CODE
    assert outcome.out.count("\n") == 1
    assert len(outcome.out) < 80
    assert "until 2026-11-21 14:31 +06:00" in outcome.err
    (asked,) = fake.asked_for(DeskInvite)
    assert (asked.byline, asked.relay, asked.hours) == ("aliya", None, 2)


def test_an_editor_is_asked_about_the_words_and_told_when_it_is_done(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.append(True)
    fake = invited(
        daemon,
        {
            DeskPending: listings(
                (OPEN, ()),
                (OPEN, (JOINER,)),
                (changed(state=InvitationState.GIVEN), ()),
                (changed(state=InvitationState.USED), ()),
            ),
            DeskConfirm: Done(),
        },
    )
    outcome = cli("desk", "invite", "--byline", "aliya")
    assert outcome.status == 0
    assert "wheat" in outcome.err
    assert "aliya has its card" in outcome.out
    assert fake.asked_for(DeskConfirm) == [DeskConfirm(4)]
    assert fake.asked_for(DeskPending) == [DeskPending(each) for each in (None, 0, 1, 2)]


def test_words_that_differ_turn_the_joiner_away_and_the_wait_goes_on(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.append(False)
    fake = invited(
        daemon,
        {
            DeskPending: listings((OPEN, (JOINER,)), (changed(state=InvitationState.CLOSED), ())),
            DeskRefuse: Done(),
        },
    )
    outcome = cli("desk", "invite", "--byline", "aliya")
    assert outcome.status == 1
    assert fake.asked_for(DeskRefuse) == [DeskRefuse(4)]
    assert "somebody stands between you" in " ".join(outcome.err.split())
    assert "was closed" in outcome.err


def test_a_joiner_who_has_gone_is_no_reason_to_stop(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.extend([True, True])
    again = JoinerStatus(
        number=5, invitation=3, words=examples.WORDS, joiner_agrees=False, desk_agrees=False
    )
    gone = Refusal("no-such-joiner", what="Gone.", meaning="Gone.", remedy="Gone.")
    fake = invited(
        daemon,
        {
            DeskPending: listings(
                (OPEN, (JOINER,)), (OPEN, (again,)), (changed(state=InvitationState.USED), ())
            ),
            DeskConfirm: in_turn([gone, Done()]),
        },
    )
    assert cli("desk", "invite", "--byline", "aliya").status == 0
    assert [one.joiner for one in fake.asked_for(DeskConfirm)] == [4, 5]


def test_alarms_are_told_once_each(daemon: StartDaemon, cli: RunCommand) -> None:
    alarmed = changed(alarm=True)
    invited(
        daemon,
        {
            DeskPending: listings(
                (OPEN, ()),
                (alarmed, ()),
                (alarmed, ()),
                (changed(alarm=True, words_differed=True, trouble="That name is in use."), ()),
                (changed(state=InvitationState.EXPIRED, alarm=True), ()),
            )
        },
    )
    outcome = cli("desk", "invite", "--byline", "aliya")
    assert outcome.status == 1
    flat = " ".join(outcome.err.split())
    assert flat.count("more than one machine has come") == 1
    assert flat.count("words were not the same") == 1
    assert "could not be made: That name is in use." in flat


def test_ctrl_c_leaves_the_invitation_open_and_says_how_to_go_on(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.append(None)
    fake = invited(daemon, {DeskPending: listings((OPEN, (JOINER,)))})
    outcome = cli("desk", "invite", "--byline", "aliya")
    assert outcome.status == 130
    assert "desk pending --close 3" in " ".join(outcome.err.split())
    assert fake.asked_for(DeskClose) == []


def test_a_script_reads_one_json_line_for_each_step(daemon: StartDaemon, cli: RunCommand) -> None:
    invited(
        daemon,
        {
            DeskPending: listings(
                (OPEN, (JOINER,)),
                (changed(alarm=True), ()),
                (changed(alarm=True, state=InvitationState.USED), ()),
            ),
            DeskConfirm: Done(),
        },
    )
    outcome = cli("desk", "invite", "--byline", "aliya", "--json", "--words-compared")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [sorted(line) for line in lines] == [
        ["code", "file", "invitation"],
        ["joiner"],
        ["invitation"],
        ["invitation"],
    ]
    assert lines[0]["code"] == CODE
    assert [word["word"] for word in lines[1]["joiner"]["words"]][:2] == ["anchor", "nephew"]
    assert lines[-1]["invitation"]["state"] == "used"
    assert outcome.err == ""


# Who waits ------------------------------------------------------------------


def pending(invitation: InvitationStatus = OPEN, *joiners: JoinerStatus) -> PendingListing:
    return PendingListing(version=1, invitations=(invitation,), joiners=joiners)


def test_pending_shows_invitations_joiners_and_words(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({DeskPending: pending(changed(alarm=True), JOINER)}, role=Role.EDITOR)
    outcome = cli("desk", "pending")
    assert "3  aliya (reporter): open until 2026-11-21 14:31 +06:00" in outcome.out
    assert "--confirm 4" in outcome.out
    assert "ALARM" in outcome.out
    assert "wheat" in outcome.err
    listing = json.loads(cli("desk", "pending", "--json").out)
    assert listing["joiners"][0]["number"] == 4
    assert listing["invitations"][0]["ends_at"] == "2026-11-21T08:31:00Z"


def test_nobody_invited_is_said(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({DeskPending: PendingListing(version=1, invitations=(), joiners=())}, role=Role.EDITOR)
    assert cli("desk", "pending").out == "Nobody is invited.\n"


def test_a_joiner_is_confirmed_only_after_a_yes(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    fake = daemon({DeskPending: pending(OPEN, JOINER), DeskConfirm: Done()}, role=Role.EDITOR)
    says.append(False)
    assert cli("desk", "pending", "--confirm", "4").status == 1
    assert fake.asked_for(DeskConfirm) == []
    says.append(True)
    assert cli("desk", "pending", "--confirm", "4").status == 0
    assert cli("desk", "pending", "--confirm", "4", "--words-compared").status == 0
    assert fake.asked_for(DeskConfirm) == [DeskConfirm(4)] * 2


def test_a_joiner_is_turned_away_and_an_invitation_closed_by_number(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    fake = daemon({DeskRefuse: Done(), DeskClose: Done()}, role=Role.EDITOR)
    assert cli("desk", "pending", "--refuse", "4").status == 0
    assert cli("desk", "pending", "--close", "3").status == 0
    assert fake.asked_for(DeskRefuse) == [DeskRefuse(4)]
    assert fake.asked_for(DeskClose) == [DeskClose(3)]
    assert cli("desk", "pending", "--close", "3", "--refuse", "4").status == 2


# Joining --------------------------------------------------------------------

COMPARING = step(JoinProgress.COMPARING, 1, meeting=MEETING, words=examples.WORDS)


def test_a_joiner_is_shown_the_words_asked_and_told_which_desk_it_is(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.append(True)
    fake = daemon(
        {
            EnrolCode: step(JoinProgress.SEEKING),
            EnrolWait: in_turn(
                [
                    COMPARING,
                    step(JoinProgress.TAKING, 3),
                    step(JoinProgress.JOINED, 4, enrolled=ENROLLED),
                ]
            ),
            EnrolAgree: step(JoinProgress.AGREED, 2, meeting=MEETING, words=examples.WORDS),
        }
    )
    outcome = cli("enrol", *CODE.split("-"))
    assert outcome.status == 0
    assert outcome.out == "Enrolled with the desk Bureau as aliya (reporter, until 2026-12-06).\n"
    assert fake.asked_for(EnrolAgree) == [EnrolAgree(MEETING, is_same=True)]
    assert read_code(fake.asked_for(EnrolCode)[0].code).code == CODE
    for part in ("Looking for the desk", "wheat", "Waiting until the desk", "coming in"):
        assert part in outcome.err


def test_a_no_is_told_to_the_desk_and_refused(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.append(False)
    fake = daemon(
        {
            EnrolCode: COMPARING,
            EnrolAgree: step(JoinProgress.REFUSED, 2, reason=JoinReason.WORDS),
        }
    )
    outcome = cli("enrol", CODE)
    assert outcome.status == 1
    assert fake.asked_for(EnrolAgree) == [EnrolAgree(MEETING, is_same=False)]
    assert "No card was taken in." in " ".join(outcome.err.split())


def test_words_that_changed_are_shown_anew(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.extend([True, True])
    other = step(JoinProgress.COMPARING, 5, meeting=b"meeting2", words=examples.WORDS)
    fake = daemon(
        {
            EnrolCode: COMPARING,
            EnrolAgree: in_turn(
                [
                    Refusal("words-changed", what="x", meaning="x", remedy="x"),
                    step(JoinProgress.JOINED, 6, enrolled=ENROLLED),
                ]
            ),
            EnrolWait: other,
        }
    )
    outcome = cli("enrol", CODE)
    assert outcome.status == 0
    assert [one.meeting for one in fake.asked_for(EnrolAgree)] == [MEETING, b"meeting2"]
    assert outcome.err.count("The desk sees these words") == 2


@pytest.mark.parametrize("reason", list(JoinReason))
def test_every_ending_says_what_happened_and_what_to_do(
    daemon: StartDaemon, cli: RunCommand, reason: JoinReason
) -> None:
    daemon({EnrolCode: step(JoinProgress.REFUSED, reason=reason)})
    outcome = cli("enrol", CODE)
    assert outcome.status == 1
    assert "Meaning:" in outcome.err
    refused = json.loads(cli("enrol", CODE, "--json").err)["refused"]
    assert refused["code"] == f"joining-{reason.value}"


def test_giving_up_elsewhere_ends_the_wait(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({EnrolCode: step(JoinProgress.SEEKING), EnrolWait: step(JoinProgress.IDLE, 1)})
    outcome = cli("enrol", CODE, "--json")
    assert outcome.status == 1
    assert json.loads(outcome.err)["refused"]["code"] == "joining-stopped"


def test_silence_is_told_once(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon(
        {
            EnrolCode: step(JoinProgress.SEEKING),
            EnrolWait: in_turn(
                [
                    step(JoinProgress.REACHED, 1),
                    step(JoinProgress.SEEKING, 2, silences=1),
                    step(JoinProgress.SEEKING, 3, silences=2),
                    step(JoinProgress.JOINED, 4, silences=2, enrolled=ENROLLED),
                ]
            ),
        }
    )
    outcome = cli("enrol", CODE)
    assert outcome.status == 0
    assert " ".join(outcome.err.split()).count("without a word") == 1


@pytest.mark.parametrize(
    "reason", [JoinReason.DESK, JoinReason.ROLE, JoinReason.CARD, JoinReason.UNPROVEN]
)
def test_what_a_machine_says_against_it_is_told_and_ends_nothing(
    daemon: StartDaemon, cli: RunCommand, reason: JoinReason
) -> None:
    daemon(
        {
            EnrolCode: step(JoinProgress.SEEKING),
            EnrolWait: in_turn(
                [
                    step(JoinProgress.REACHED, 1),
                    step(JoinProgress.SEEKING, 2, reason=reason),
                    step(JoinProgress.REACHED, 3, reason=reason),
                    step(JoinProgress.JOINED, 4, enrolled=ENROLLED),
                ]
            ),
        }
    )
    outcome = cli("enrol", CODE)
    assert outcome.status == 0
    assert " ".join(outcome.err.split()).count("so this home looks on") == 1


def test_ctrl_c_leaves_a_joiner_looking_and_says_how_to_stop(
    daemon: StartDaemon, cli: RunCommand, says: list[bool | None]
) -> None:
    says.append(None)
    daemon({EnrolCode: COMPARING})
    outcome = cli("enrol", CODE)
    assert outcome.status == 130
    assert "enrol --stop" in outcome.err


def test_a_script_that_joins_reads_one_json_line_for_each_step(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    daemon(
        {
            EnrolCode: step(JoinProgress.SEEKING),
            EnrolWait: in_turn([COMPARING]),
            EnrolAgree: step(JoinProgress.JOINED, 4, enrolled=ENROLLED),
        }
    )
    outcome = cli("enrol", CODE, "--json", "--words-compared")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [line.get("progress") for line in lines] == ["seeking", "comparing", "joined", None]
    assert lines[-1]["name"] == "aliya"
    assert outcome.err == ""


def test_stopping_says_what_is_so(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({EnrolStop: step(JoinProgress.IDLE)})
    assert "not looking" in cli("enrol", "--stop").err


@pytest.mark.parametrize(
    "typed", [[], ["x", "--stop"], ["--stop", "--request", "f"], ["--qr", "a.png", "x"]]
)
def test_one_way_of_enrolling_at_a_time(cli: RunCommand, typed: list[str]) -> None:
    assert cli("enrol", *typed).status == 2


def test_without_a_daemon_it_says_how_to_start_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meanings = {
        "nobody is looked for": ["enrol", CODE],
        "nobody who has an invitation reaches": ["desk", "invite", "--byline", "x"],
        "Nothing was changed": ["desk", "pending"],
        "nobody could find it": ["look", "5"],
        "nothing to watch": ["status", "--watch"],
        "nothing to show": ["neighbours"],
    }
    for meaning, line in meanings.items():
        assert run([*line, "--home", str(home)]) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "meshnewsd --home" in said
        assert meaning in said


def test_a_slip_in_a_code_is_told_without_a_daemon(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typo = CODE[:-1] + ("a" if CODE[-1] != "a" else "b")
    for typed in (typo, CODE[:-1], "hello"):
        assert run(["enrol", typed, "--home", str(home), "--json"]) == 1
        refused = json.loads(capsys.readouterr().err)["refused"]
        assert refused["code"] == "invitation-mistyped"
