"""What is refused about invitations, on either side: what happened, what it means, what to do."""

from typing import Final

from meshnews.desk.invitation import CODE_CHARS, Fault, Mistyped
from meshnews.desk.limits import INVITATIONS_MAX
from meshnews.errors import Refusal

_NOTHING: Final = "Nothing was changed."


def name_invited() -> Refusal:
    """Somebody is invited under that name."""
    return Refusal(
        "name-invited",
        what="An invitation under that name is open already.",
        meaning="Two could not be told apart, so none was made.",
        remedy="Use that one, or close it with `meshnews desk pending --close N`.",
    )


def too_many() -> Refusal:
    """Each open invitation is shown on every network."""
    return Refusal(
        "too-many-invitations",
        what=f"At most {INVITATIONS_MAX} invitations can be open at once.",
        meaning="None was made.",
        remedy="Close those that nobody needs with `meshnews desk pending --close N`.",
    )


def home_silent() -> Refusal:
    """Its keeper fixed that nobody may find it."""
    return Refusal(
        "visibility-fixed",
        what='The configuration of this home says visibility = "silent".',
        meaning="Nobody who comes with an invitation could find it, so none was made.",
        remedy="Change or remove that line of config.toml and start the daemon again.",
    )


def no_such_invitation(number: int) -> Refusal:
    """It never was, or has ended."""
    return Refusal(
        "no-such-invitation",
        what=f"No invitation {number} is open.",
        meaning=_NOTHING,
        remedy="`meshnews desk pending` lists those that are.",
    )


def no_such_joiner(number: int) -> Refusal:
    """It has gone, or called again and has another number now."""
    return Refusal(
        "no-such-joiner",
        what=f"Nobody of number {number} is waiting.",
        meaning="Who lost the link and called again has another number and other words. "
        "Nobody was confirmed or refused.",
        remedy="`meshnews desk pending` shows who waits, and the words to compare.",
    )


def words_changed() -> Refusal:
    """The link of before is gone, and so are its words."""
    return Refusal(
        "words-changed",
        what="The link was lost while the words were being compared.",
        meaning="The next link has other words; the ones of before say nothing about it.",
        remedy="Run the command again and compare the new words.",
    )


def mistyped(why: Mistyped) -> Refusal:
    """What was typed is no invitation."""
    what = {
        Fault.FOREIGN: "This is no invitation: one begins with m1.",
        Fault.LENGTH: f"An invitation has {CODE_CHARS} characters after m1; this has {why.count}.",
        Fault.CHARACTER: f"Character {why.count} after m1 is none that an invitation has.",
        Fault.SUM: "A character of this invitation was mistyped.",
    }
    return Refusal(
        "invitation-mistyped",
        what=what[why.fault],
        meaning="Nobody was looked for: it was seen without asking anybody.",
        remedy="Compare it with what the desk gave you, or scan its picture with --qr.",
    )


def other_desk() -> Refusal:
    """The home belongs somewhere."""
    return Refusal(
        "other-desk",
        what="This invitation is of another desk than the one this home belongs to.",
        meaning=f"A home belongs to one desk. {_NOTHING}",
        remedy="Make another home with `meshnews init --home DIR` to join that desk.",
    )


def editors_join_by_file() -> Refusal:
    """A second editor needs the root's signature."""
    return Refusal(
        "wrong-role",
        what="An editor does not join by invitation.",
        meaning=f"Its name has to be signed with the root key first. {_NOTHING}",
        remedy="Use `meshnews enrol --request FILE`, and `meshnews desk editor` at the desk.",
    )


def not_joining() -> Refusal:
    """There is nothing to agree to."""
    return Refusal(
        "not-joining",
        what="This home is not joining any desk at present.",
        meaning=_NOTHING,
        remedy="Use `meshnews enrol CODE` with the invitation you were given.",
    )
