"""Joining by invitation, from the joiner's terminal: waits, tells, and asks about the words."""

import click

from meshnews.control.enrol_reply import Enrolled, JoinStatus
from meshnews.control.enrol_request import EnrolAgree, EnrolCode, EnrolStop, EnrolWait
from meshnews.control.fact import JoinProgress, JoinReason
from meshnews.desk.invitation import Mistyped, read_code
from meshnews.errors import Refusal
from meshnews.node.enrol.invitation_refusal import mistyped
from meshnews_cli import joining_complaint as complaint
from meshnews_cli import words
from meshnews_cli.client import Connection
from meshnews_cli.daemon_complaint import Without
from meshnews_cli.session import Access, Needs, session
from meshnews_cli.shape import to_json
from meshnews_cli.terminal import note

_TOLD = {
    JoinProgress.SEEKING: "Looking for the desk's machine on the networks of this one. Ctrl-C "
    "leaves it looking, for a day.",
    JoinProgress.REACHED: "A machine with this invitation was reached.",
    JoinProgress.AGREED: "Waiting until the desk has compared the words too.",
    JoinProgress.TAKING: "The card is coming in.",
}
_ANYBODY = (
    " Whoever has the code could do that, so this home looks on. Ask the desk; "
    "`meshnews enrol --stop` gives it up."
)
_SAID = {
    JoinReason.DESK: "A machine with this invitation says that the desk turned this home away, "
    "or closed the invitation." + _ANYBODY,
    JoinReason.ROLE: "A machine with this invitation says that it is for a home of another role."
    + _ANYBODY,
    JoinReason.CARD: "A machine with this invitation says that the desk could not make the card."
    + _ANYBODY,
    JoinReason.UNPROVEN: "A machine with this invitation gave a card that is none of the desk's."
    + _ANYBODY,
}


def join(access: Access, code: str, *, words_compared: bool) -> Enrolled:
    """Return what this home has become, once it has joined by the invitation `code`.

    Raises:
        Refusal: the code is none, or it came to nothing.
    """
    try:
        read_code(code)
    except Mistyped as why:
        raise mistyped(why) from why
    with session(access, Needs.DAEMON, without=Without.SEARCH) as conversation:
        connection = conversation.connection
        status = connection.ask(EnrolCode(code), JoinStatus)
        try:
            return _follow(access, connection, status, words_compared=words_compared)
        except (KeyboardInterrupt, click.Abort):
            if not access.as_json:
                note()
                note(
                    "This home goes on looking for the desk. The same command shows how far it "
                    "has come; `meshnews enrol --stop` gives it up."
                )
            raise


def stop(access: Access) -> None:
    """Give up joining."""
    with session(access, Needs.VAULT) as conversation:
        status = conversation.connection.ask(EnrolStop(), JoinStatus)
    if access.as_json:
        click.echo(to_json(_facts(status)))
    elif status.progress is JoinProgress.JOINED:
        note("This home has its card already; it stays.")
    else:
        note("This home is not looking for a desk any more.")


def _follow(
    access: Access, connection: Connection, status: JoinStatus, *, words_compared: bool
) -> Enrolled:
    before: JoinStatus | None = None
    while True:
        _tell(access, status, before)
        before = status
        match status.progress:
            case JoinProgress.JOINED if status.enrolled is not None:
                return status.enrolled
            case JoinProgress.REFUSED if status.reason is not None:
                raise complaint.refused(status.reason)
            case JoinProgress.IDLE:
                raise complaint.stopped()
            case JoinProgress.COMPARING:
                status = _agree(access, connection, status, words_compared=words_compared)
            case _:
                wait = EnrolWait(status.version)
                status = connection.ask(wait, JoinStatus, patient=True)


def _agree(
    access: Access, connection: Connection, status: JoinStatus, *, words_compared: bool
) -> JoinStatus:
    """Ask the person about the words that are shown; the link may be gone by then."""
    is_same = words_compared or words.are_same("Are all eight the same?")
    try:
        return connection.ask(EnrolAgree(status.meeting, is_same), JoinStatus)
    except Refusal as why:
        if why.code != "words-changed":
            raise
        if not access.as_json:
            note("The link was lost meanwhile. The next one has other words; compare those.")
        return connection.ask(EnrolWait(None), JoinStatus)


def _tell(access: Access, status: JoinStatus, before: JoinStatus | None) -> None:
    if access.as_json:
        if before is None or _facts(status) != _facts(before):
            click.echo(to_json(_facts(status)))
        return
    if before is not None and status.silences > before.silences == 0:
        note(
            "That machine ended the link without a word. If this goes on, somebody else has used "
            "the invitation: ask the desk."
        )
    if status.reason in _SAID and (before is None or before.reason is not status.reason):
        note(_SAID[status.reason])
    if before is not None and (status.progress, status.meeting) == (
        before.progress,
        before.meeting,
    ):
        return
    if status.progress is JoinProgress.COMPARING:
        note("The desk sees these words. Compare them over a call or in person:")
        words.show(status.words)
        note()
    elif status.progress in _TOLD:
        note(_TOLD[status.progress])


def _facts(status: JoinStatus) -> dict[str, object]:
    """Return what a script is told of one step."""
    return {
        "progress": status.progress,
        "words": status.words,
        "silences": status.silences,
        "reason": status.reason,
    }
