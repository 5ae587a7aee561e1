"""Why a dispatch is not filed.  Whatever is refused here, nothing of it was filed."""

from meshnews.errors import Refusal
from meshnews.limits import ATTACHMENTS_MAX, SLUG_CHARS_MAX


def no_card() -> Refusal:
    """The home belongs to no desk, or its vault is closed."""
    return Refusal(
        "no-card",
        what="This home has no press card.",
        meaning="Nothing was filed: there is no desk to seal it for.",
        remedy="Ask the desk for a card, then run `meshnews enrol --card FILE`.",
    )


def no_postage() -> Refusal:
    """There is no postage of the kind that is needed, good for as long as it is needed."""
    return Refusal(
        "no-postage",
        what="The postage on this card is used up or has run out.",
        meaning="Nothing was filed: relays would not carry it.",
        remedy="Meet the desk, or ask it for a new card.",
    )


def date_too_early() -> Refusal:
    """The date that a person gave lies before what something signed has proved."""
    return Refusal(
        "date-too-early",
        what="That date lies before the last one this machine knows for certain.",
        meaning="Nothing was filed.",
        remedy="Give today's date, or none if you are not sure.",
    )


def too_many_attachments() -> Refusal:
    """There are as many attachments as a dispatch can have."""
    return Refusal(
        "too-many-attachments",
        what=f"A dispatch has at most {ATTACHMENTS_MAX} attachments.",
        meaning="Nothing was filed.",
        remedy="File the others with a second dispatch under the same slug.",
    )


def no_room(needed: int, free: int) -> Refusal:
    """The disk could not bear an attachment that is being sealed."""
    return Refusal(
        "disk-full",
        what=f"The disk has not the room to seal this attachment: {_megabytes(needed)} are needed, "
        f"{_megabytes(free)} are free.",
        meaning="Nothing was filed. A disk that is filled to its end could not even be tidied up.",
        remedy="Free some space, or attach less, and try again.",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"


def file_changed() -> Refusal:
    """A file gave fewer or more bytes than it was said to have."""
    return Refusal(
        "file-changed",
        what="An attachment changed while it was being read.",
        meaning="Nothing was filed.",
        remedy="File again when nothing else is writing to it.",
    )


def interrupted() -> Refusal:
    """The node was built anew, and dropped the chunks of what was being filed."""
    return Refusal(
        "filing-interrupted",
        what="The daemon had to begin anew while this was being filed.",
        meaning="Nothing was filed: what had been sealed of the attachments is dropped.",
        remedy="File it again.",
    )


def bad_slug() -> Refusal:
    """A slug that is no word, or too long a one."""
    return Refusal(
        "bad-slug",
        what=f"A slug is one word of at most {SLUG_CHARS_MAX} characters.",
        meaning="Nothing was filed.",
        remedy="Choose one word for the story, in any language.",
    )


def text_too_long(needed: int, room: int) -> Refusal:
    """The text does not fit into one bundle of its class."""
    return Refusal(
        "text-too-long",
        what=f"The text takes {needed} bytes; {room} fit with this priority.",
        meaning="Nothing was filed.",
        remedy="Shorten it, file it with lower priority, or attach it as a file.",
    )


def no_reader() -> Refusal:
    """No editor can be sealed to."""
    return Refusal(
        "no-reader",
        what="This machine knows no key of any editor of the desk.",
        meaning="Nothing was filed: nobody could have opened it.",
        remedy="Ask the desk for a new card.",
    )
