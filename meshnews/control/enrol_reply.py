"""What somebody is answered who wants to belong to a desk."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

from meshnews.control.content import RequestFile
from meshnews.control.fact import (
    Count,
    DeskName,
    JoinProgress,
    JoinReason,
    MaybeName,
    Role,
    SafetyWord,
    SafetyWords,
)
from meshnews.control.reply_base import ReplyBase


class RequestMade(ReplyBase, frozen=True, tag="request-made"):
    """To `EnrolRequest`."""

    request: RequestFile
    words: SafetyWords
    role: Role
    key: Annotated[str, Meta(max_length=64)] = ""
    """How a relay's own key begins, in hexadecimal: what others' configurations name it by."""


class Enrolled(ReplyBase, frozen=True, tag="enrolled", kw_only=True):
    """To a confirmed `EnrolCard`: which desk, and as whom."""

    desk: DeskName
    desk_name: MaybeName = ""
    words: SafetyWords
    """Of the desk identifier."""
    role: Role
    name: MaybeName
    """The byline, or the relay's name; empty for an editor."""
    valid_until: dt.date | None = None


class JoinStatus(ReplyBase, frozen=True, tag="join-status", kw_only=True):
    """To `EnrolCode`, `EnrolWait`, `EnrolAgree` and `EnrolStop`."""

    version: Count
    progress: JoinProgress
    meeting: Annotated[bytes, Meta(max_length=8)] = b""
    """Names the link whose words these are, for `EnrolAgree`."""
    words: Annotated[tuple[SafetyWord, ...], Meta(max_length=8)] = ()
    """Eight, while they are to be compared."""
    silences: Count = 0
    """How often a machine that has the invitation was reached and ended the link wordlessly."""
    reason: JoinReason | None = None
    enrolled: Enrolled | None = None
    """Once it has joined."""
