"""What an editor is answered about the desk, its members and its addresses."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from meshnews.control.content import CardFile, ManifestFile
from meshnews.control.fact import (
    Count,
    DeskName,
    InvitationStatus,
    JoinerStatus,
    Name,
    Role,
    SafetyWords,
)
from meshnews.control.limits import CONTROL_ITEMS_MAX
from meshnews.control.recall_reply import (
    RootSigned,
)
from meshnews.control.reply_base import ReplyBase
from meshnews.control.wire_fact import EndpointFact
from meshnews.desk.limits import EDITORS_MAX, INVITATION_CHARS_MAX


class DeskMade(ReplyBase, frozen=True, tag="desk-made", kw_only=True):
    """To `DeskCreate`: the root's key file is written, and kept nowhere else."""

    desk: DeskName
    name: Name
    words: SafetyWords
    """Of the desk identifier: what `enrol --card` shows to everybody who joins."""


class CardWords(ReplyBase, frozen=True, tag="card-words"):
    """To an unconfirmed `DeskCard` or `EnrolCard`: what both sides compare."""

    words: SafetyWords
    role: Role


class CardMade(ReplyBase, frozen=True, tag="card-made", kw_only=True):
    """To a confirmed `DeskCard`."""

    card: CardFile
    role: Role
    name: Name
    desk_words: SafetyWords
    """Of the desk identifier: what is compared before the card is taken in."""
    valid_until: dt.date | None = None


class Invited(ReplyBase, frozen=True, tag="invited", kw_only=True):
    """To `DeskInvite`: what is given to the joiner, and is told only once."""

    invitation: InvitationStatus
    code: Annotated[str, Meta(max_length=INVITATION_CHARS_MAX)]


class PendingListing(ReplyBase, frozen=True, tag="pending-listing", kw_only=True):
    """To `DeskPending`, the oldest first; of invitations that ended, the last week's."""

    version: Count
    invitations: Annotated[tuple[InvitationStatus, ...], Meta(max_length=CONTROL_ITEMS_MAX)]
    joiners: Annotated[tuple[JoinerStatus, ...], Meta(max_length=CONTROL_ITEMS_MAX)]


class EditorPrepared(ReplyBase, frozen=True, tag="editor-prepared", kw_only=True):
    """To `DeskEditor`: the unsigned manifest, and what both sides compare."""

    manifest: ManifestFile
    words: SafetyWords
    """Of the request."""
    version: Count
    editors: Annotated[int, Meta(ge=1, le=EDITORS_MAX)]


class ManifestSigned(RootSigned, frozen=True, tag="manifest-signed", kw_only=True):
    """To `DeskSign`: the signed manifest and what it says."""

    version: Count
    editors: Annotated[int, Meta(ge=0, le=EDITORS_MAX)]
    valid_until: dt.date


class EditorCardMade(ReplyBase, frozen=True, tag="editor-card-made"):
    """To `DeskEditorSigned`."""

    card: CardFile
    desk_words: SafetyWords
    """As on `CardMade`."""


class EndpointListing(ReplyBase, frozen=True, tag="endpoint-listing"):
    """To the requests about endpoints: what the desk publishes now, in the order to be tried."""

    endpoints: Annotated[tuple[EndpointFact, ...], Meta(max_length=CONTROL_ITEMS_MAX)]
