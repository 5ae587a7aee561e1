"""What the command line refuses about invitations, and how a joining that ended is told."""

from pathlib import Path
from typing import Final

from meshnews.control.fact import JoinReason
from meshnews.errors import Refusal

_SOUGHT: Final = "Nobody was looked for, and nothing was changed."


def picture_unreadable(path: Path) -> Refusal:
    """No picture, or one that cannot be opened within bounds."""
    return Refusal(
        "picture-unreadable",
        what=f"The picture {path} cannot be read.",
        meaning="It is damaged, far too large, or of a kind that is not known here (known are PNG, "
        f"JPEG, WebP, GIF and BMP). {_SOUGHT}",
        remedy="Take it again, or type the invitation: `meshnews enrol CODE`.",
    )


def not_one_invitation(path: Path, found: int) -> Refusal:
    """None, or more than one."""
    several = "more than one invitation" if found else "no invitation that can be read"
    return Refusal(
        "picture-without-invitation",
        what=f"There is {several} on the picture {path}.",
        meaning=_SOUGHT,
        remedy="Take it closer, straight and sharp, with one code on it; or type the invitation.",
    )


def picture_kind(path: Path) -> Refusal:
    """The name ends in neither."""
    return Refusal(
        "picture-kind",
        what=f"It cannot be told from its name what kind of picture {path} is to be.",
        meaning="Nobody was invited.",
        remedy="Let the name end in .png or .svg.",
    )


def stopped() -> Refusal:
    """It was given up, from elsewhere or after a day."""
    return Refusal(
        "joining-stopped",
        what="This home is no longer looking for the desk.",
        meaning="It was given up with `meshnews enrol --stop`, or the desk did not answer for a "
        "day. No card was taken in.",
        remedy="Ask the desk whether the invitation is still open, and run the command again.",
    )


def refused(reason: JoinReason) -> Refusal:
    """The joining has ended without a card."""
    what, meaning, remedy = _REFUSED[reason]
    return Refusal(f"joining-{reason.value}", what=what, meaning=meaning, remedy=remedy)


_NO_CARD: Final = "No card was taken in."
_REFUSED: Final[dict[JoinReason, tuple[str, str, str]]] = {
    JoinReason.WORDS: (
        "You said that the words are not the same.",
        f"Somebody who knows the invitation may stand between you and the desk. {_NO_CARD}",
        "Tell the desk over a way you trust, and ask for a new invitation, given to you in person.",
    ),
    JoinReason.STOPPED: ("Joining was given up.", _NO_CARD, "Run the command again to go on."),
    JoinReason.UNPROVEN: (
        "What came was no card of the desk that invited you.",
        f"Somebody else has the invitation and posed as the desk. {_NO_CARD}",
        "Tell the desk over a way you trust, and ask for a new invitation, given to you in person.",
    ),
    JoinReason.DESK: (
        "The desk turned you away, or closed the invitation.",
        f"An editor did so by hand. {_NO_CARD}",
        "Speak with the desk over a way you trust; it can invite you again.",
    ),
    JoinReason.ROLE: (
        "This invitation is for a home of another role.",
        f"One for a relay makes no reporter, nor the other way round; it stays open. {_NO_CARD}",
        "Use it in the right home with --home, or ask the desk for another.",
    ),
    JoinReason.CARD: (
        "The desk could not make the card.",
        f"Its editor is told why, such as a name in use by another card. {_NO_CARD}",
        "Speak with the desk, and run the command again when it has been put right.",
    ),
}
