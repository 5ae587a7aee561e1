"""Inviting, from the editor's terminal: gives the code out, waits, and asks about the words."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import click

from meshnews.control.desk_reply import Invited, PendingListing
from meshnews.control.desk_request import DeskConfirm, DeskInvite, DeskPending, DeskRefuse
from meshnews.control.fact import InvitationState, InvitationStatus, JoinerStatus
from meshnews.control.reply import Done
from meshnews.desk.invitation import grouped
from meshnews.errors import Refusal
from meshnews_cli import complaint, joining_complaint, words
from meshnews_cli.client import Connection
from meshnews_cli.folder import new_file
from meshnews_cli.session import Access
from meshnews_cli.shape import to_json
from meshnews_cli.terminal import moment, note, row, say

_KINDS = {".png": "png", ".svg": "svg"}
_ENDED = {
    InvitationState.USED: "{name} has its card: the {role} is enrolled.",
    InvitationState.EXPIRED: "The invitation of {name} has expired.",
    InvitationState.CLOSED: "The invitation of {name} was closed.",
}
_STATES = {
    InvitationState.OPEN: "open until {until}",
    InvitationState.GIVEN: "card made, not known to have arrived; open until {until}",
    InvitationState.USED: "used {until}",
    InvitationState.EXPIRED: "expired {until}",
    InvitationState.CLOSED: "closed {until}",
}


def give_out(
    access: Access, connection: Connection, asked: DeskInvite, file: Path | None
) -> Invited:
    """Invite, and show the code: as text, on a terminal as QR code, and in a picture if asked."""
    with contextlib.ExitStack() as closing:
        fill = None if file is None else _picture_file(closing, file)
        invited = connection.ask(asked, Invited)
        _show_code(access, invited, file)
        if fill is not None:
            fill(invited.code)
    return invited


def _picture_file(closing: contextlib.ExitStack, path: Path) -> Callable[[str], None]:
    """Return what writes a code as a picture into a file that is made now."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise joining_complaint.picture_kind(path)
    fill = closing.enter_context(new_file(path))

    def write(code: str) -> None:
        from meshnews_cli.qr import picture

        fill(picture(code, kind=kind))

    return write


def _show_code(access: Access, invited: Invited, file: Path | None) -> None:
    if access.as_json:
        facts = {"invitation": invited.invitation, "code": invited.code}
        click.echo(to_json({**facts, "file": None if file is None else str(file)}))
        return
    row(grouped(invited.code))
    if sys.stderr.isatty():
        from meshnews_cli.qr import draw

        for line in draw(invited.code):
            click.echo(line, err=True, color=True)
    if file is not None:
        note(f"As a picture: {file}")
    note(
        f"For {invited.invitation.name} alone. There: `meshnews enrol CODE`, with the daemon "
        "running and both machines on one network."
    )


def say_how_to_go_on(access: Access, invitation: InvitationStatus) -> None:
    """Say what to do when nobody waits here."""
    if access.as_json:
        return
    until = moment(invitation.ends_at) if invitation.ends_at is not None else "it is used"
    note(
        f"It is open until {until}. `meshnews desk pending` shows who has come; "
        f"`meshnews desk pending --close {invitation.number}` ends it."
    )


def receive(
    access: Access, connection: Connection, invitation: InvitationStatus, *, words_compared: bool
) -> None:
    """Wait for who comes with an invitation until it has ended, and ask about the words.

    Raises:
        Refusal: it ended without a card.
    """
    if not access.as_json:
        note("Waiting; Ctrl-C leaves it open.")
    try:
        _receive(access, connection, invitation, words_compared=words_compared)
    except (KeyboardInterrupt, click.Abort):
        if not access.as_json:
            note()
        say_how_to_go_on(access, invitation)
        raise


def _receive(
    access: Access, connection: Connection, invitation: InvitationStatus, *, words_compared: bool
) -> None:
    asked: set[int] = set()
    shown, version = invitation, None
    while True:
        listing = connection.ask(DeskPending(version), PendingListing, patient=True)
        version = listing.version
        here = [one for one in listing.invitations if one.number == invitation.number]
        if not here:
            raise _ended(shown)
        _tell(access, here[0], shown)
        shown = here[0]
        if shown.state is InvitationState.USED:
            return
        if shown.state in _ENDED:
            raise _ended(shown)
        for joiner in listing.joiners:
            if joiner.invitation == invitation.number and joiner.number not in asked:
                asked.add(joiner.number)
                _ask_about(access, connection, joiner, words_compared=words_compared)


def _tell(access: Access, now: InvitationStatus, before: InvitationStatus) -> None:
    if access.as_json:
        if (now.state, now.alarm, now.words_differed, now.trouble) != (
            before.state,
            before.alarm,
            before.words_differed,
            before.trouble,
        ):
            click.echo(to_json({"invitation": now}))
        return
    for sentence in _alarms(now):
        if sentence not in _alarms(before):
            note(sentence)
    if now.state is InvitationState.GIVEN and before.state is InvitationState.OPEN:
        note("The card is on its way.")
    if now.state is InvitationState.USED:
        say(_ENDED[now.state].format(name=now.name, role=now.role.value))


def _alarms(invitation: InvitationStatus) -> list[str]:
    found = []
    if invitation.alarm:
        found.append(
            "ALARM: more than one machine has come with this invitation, so somebody else has it "
            f"too. Unless you know why, end it with `meshnews desk pending --close "
            f"{invitation.number}` and give out another in person."
        )
    if invitation.words_differed:
        found.append(
            "ALARM: a joiner said that the words were not the same. Somebody may stand between "
            "you and them."
        )
    if invitation.trouble:
        found.append(f"The card could not be made: {invitation.trouble}")
    return found


def _ended(invitation: InvitationStatus) -> Refusal:
    template = _ENDED.get(invitation.state, "The invitation of {name} is not open any more.")
    return Refusal(
        f"invitation-{invitation.state.value}",
        what=template.format(name=invitation.name, role=invitation.role.value),
        meaning="Nobody was enrolled with it, and its code is of no use any more.",
        remedy="Invite again with `meshnews desk invite`.",
    )


def confirm(access: Access, connection: Connection, number: int, *, words_compared: bool) -> None:
    """Show a joiner's words, ask whether they are the same, and say so to the daemon.

    Raises:
        Refusal: nobody of that number waits, or the words are not the same.
    """
    listing = connection.ask(DeskPending(None), PendingListing)
    waiting = {joiner.number: joiner for joiner in listing.joiners}
    if number in waiting:
        _show(access, waiting[number])
        if not words_compared:
            words.confirm("Are all eight the same?", complaint.not_confirmed())
    connection.ask(DeskConfirm(max(0, number)), Done)
    if not access.as_json:
        note("Confirmed. The card goes out when the joiner has said so too.")


def _ask_about(
    access: Access, connection: Connection, joiner: JoinerStatus, *, words_compared: bool
) -> None:
    _show(access, joiner)
    is_same = words_compared or words.are_same("Are all eight the same?")
    try:
        if is_same:
            connection.ask(DeskConfirm(joiner.number), Done)
        else:
            connection.ask(DeskRefuse(joiner.number), Done)
    except Refusal as why:
        if why.code != "no-such-joiner":
            # A card that cannot be made: the invitation is as it was.
            complaint.show(why, as_json=access.as_json)
        elif not access.as_json:
            note("That joiner has gone. Who calls again has other words; compare those.")
        return
    if access.as_json:
        return
    if is_same:
        note("Confirmed. The card goes out when the joiner has said so too.")
    else:
        note(
            "Turned away. If you cannot explain it, somebody stands between you: end the "
            f"invitation with `meshnews desk pending --close {joiner.invitation}`."
        )


def _show(access: Access, joiner: JoinerStatus) -> None:
    if access.as_json:
        click.echo(to_json({"joiner": joiner}))
        return
    note(f"Joiner {joiner.number} sees these words. Compare them over a call or in person:")
    words.show(joiner.words)
    note()


def show_pending(access: Access, connection: Connection) -> None:
    """Print invitations and who waits."""
    listing = connection.ask(DeskPending(None), PendingListing)
    if access.as_json:
        click.echo(to_json({"invitations": listing.invitations, "joiners": listing.joiners}))
        return
    if not listing.invitations:
        say("Nobody is invited.")
    for invitation in listing.invitations:
        until = moment(invitation.ends_at) if invitation.ends_at is not None else "an unknown time"
        state = _STATES[invitation.state].format(until=until)
        row(f"{invitation.number:>4}  {invitation.name} ({invitation.role.value}): {state}")
        for sentence in _alarms(invitation):
            say(sentence, first="      ")
        for joiner in listing.joiners:
            if joiner.invitation == invitation.number:
                _show_waiting(joiner)


def _show_waiting(joiner: JoinerStatus) -> None:
    if joiner.desk_agrees:
        say(
            f"Joiner {joiner.number} is confirmed here; its own side has not said yes yet.",
            first="      ",
        )
        return
    say(
        f"Joiner {joiner.number} waits, and sees these words. When they are the same: "
        f"`meshnews desk pending --confirm {joiner.number}`.",
        first="      ",
    )
    words.show(joiner.words)
