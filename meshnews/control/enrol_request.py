"""What somebody asks who wants to belong to a desk, or fears to be cut off from one."""

from typing import Annotated

from msgspec import Meta

from meshnews.control.content import CardFile
from meshnews.control.fact import Count
from meshnews.control.request_base import RequestBase
from meshnews.desk.limits import INVITATION_CHARS_MAX


class EnrolRequest(RequestBase, frozen=True, tag="enrol-request"):
    """Make the request file of this home.  Answer: `RequestMade`."""


class EnrolCard(RequestBase, frozen=True, tag="enrol-card"):
    """Take in the card that a desk made for this home.

    Unconfirmed, nothing is taken in and the answer is `CardWords`, with the
    words of the desk; confirmed, it is `Enrolled`.
    """

    card: CardFile
    confirmed: bool = False


class EnrolCode(RequestBase, frozen=True, tag="enrol-code"):
    """Join by an invitation, or go on with it.  Answer: `JoinStatus`."""

    code: Annotated[str, Meta(max_length=INVITATION_CHARS_MAX)]


class EnrolWait(RequestBase, frozen=True, tag="enrol-wait"):
    """Tell how far joining has come, once it has another version.  Answer: `JoinStatus`."""

    after: Count | None = None


class EnrolAgree(RequestBase, frozen=True, tag="enrol-agree"):
    """Say whether the words of one link are the same on both sides.  Answer: `JoinStatus`."""

    meeting: Annotated[bytes, Meta(min_length=8, max_length=8)]
    is_same: bool


class EnrolStop(RequestBase, frozen=True, tag="enrol-stop"):
    """Give up joining.  Answer: `JoinStatus`."""


class RecallOwn(RequestBase, frozen=True, tag="recall-own"):
    """Make a recall of this home, to be left with somebody.  Answer: `OwnRecall`."""
