"""What a daemon answers about recalls, and about signing with the root."""

from typing import Annotated

from msgspec import Meta

from meshnews.control.content import ManifestFile, RecallFile
from meshnews.control.fact import Count, DeskName, Moment, SafetyWords
from meshnews.control.holder import Holder
from meshnews.control.reply_base import ReplyBase
from meshnews.desk.limits import EDITORS_MAX, MEMBERS_MAX, RELAYS_MAX

HOLDERS_MAX = MEMBERS_MAX + RELAYS_MAX + EDITORS_MAX
"""Everybody whom a desk can have given a card."""


class RootSigned(ReplyBase, frozen=True, kw_only=True):
    """To `DeskSign`: what is common to all that a root signs."""

    signed: ManifestFile
    desk: DeskName


class RecallSigned(RootSigned, frozen=True, tag="recall-signed", kw_only=True):
    """To `DeskSign`: the signed recall and whom it names."""

    words: SafetyWords
    """Of the key that is recalled."""
    since: Moment | None = None
    """Not to be trusted since then; None: since it is heard."""


class HolderListing(ReplyBase, frozen=True, tag="holder-listing", kw_only=True):
    """To `DeskHolders`: reporters, relays, editors."""

    holders: Annotated[tuple[Holder, ...], Meta(max_length=HOLDERS_MAX)]


class RecallPrepared(ReplyBase, frozen=True, tag="recall-prepared", kw_only=True):
    """To `DeskRecall`: the recall to be signed."""

    recall: RecallFile
    holder: Holder


class RecallShown(ReplyBase, frozen=True, tag="recall-shown"):
    """To an unconfirmed `DeskRecallSigned`: whom it names."""

    holder: Holder


class Recalled(ReplyBase, frozen=True, tag="recalled", kw_only=True):
    """To a confirmed `DeskRecallSigned`."""

    holder: Holder
    relays: Count
    """So many relays and collectors have another key from now on."""
    owed: Count
    """So many holders are to be told of new keys."""


class OwnRecall(ReplyBase, frozen=True, tag="own-recall"):
    """To `RecallOwn`."""

    recall: RecallFile
