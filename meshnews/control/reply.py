"""What a daemon answers: one reply to each request, and events before it."""

import datetime as dt
from typing import Annotated, TypeAlias

from msgspec import Meta

from meshnews.control.content import Text
from meshnews.control.desk_reply import (
    CardMade,
    CardWords,
    DeskMade,
    EditorCardMade,
    EditorPrepared,
    EndpointListing,
    Invited,
    ManifestSigned,
    PendingListing,
)
from meshnews.control.enrol_reply import Enrolled, JoinStatus, RequestMade
from meshnews.control.fact import (
    Alarm,
    AttachmentStatus,
    Count,
    DispatchStatus,
    FilingWarning,
    InboxItem,
    ItemId,
    ItemKind,
    LinkStatus,
    MaybeName,
    Moment,
    Neighbour,
    Phase,
    Priority,
    Role,
    Sha256,
    Slug,
    Topic,
    Verdict,
    Visibility,
)
from meshnews.control.finding import Finding
from meshnews.control.limits import ALARMS_MAX, CONTROL_ITEMS_MAX
from meshnews.control.recall_reply import (
    HolderListing,
    OwnRecall,
    Recalled,
    RecallPrepared,
    RecallShown,
    RecallSigned,
)
from meshnews.control.reply_base import ReplyBase
from meshnews.control.wire_fact import DropFact, RouteFact, WireEntry
from meshnews.errors import Refusal
from meshnews.limits import ATTACHMENTS_MAX, NEIGHBOURS_MAX_COLLECTOR, WIRE_LOG_MAX

Sentence = Annotated[str, Meta(max_length=1024)]
InterfaceName = Annotated[str, Meta(min_length=1, max_length=15)]
"""As the kernel has it (IFNAMSIZ)."""
INTERFACES_MAX = 64


class Welcome(ReplyBase, frozen=True, tag="welcome", kw_only=True):
    """Who answers: to `Hello`.

    Behind a closed vault nothing is known but that there is a home: while
    `locked`, neither `role`, `endpoint` nor `clock_sure` says anything.
    """

    version: Annotated[int, Meta(ge=0, le=65535)]
    program: Annotated[str, Meta(max_length=32)]
    """Release of the daemon."""
    role: Role | None
    """What the home is for; None when there is no home yet."""
    endpoint: bool = False
    locked: bool = False
    """There is a vault and it is closed: `Unlock` comes first."""
    once: bool = False
    """Started for this connection alone: nothing moves between machines."""
    clock_sure: bool = True
    """The date is believed; otherwise `file` asks for it."""


class Done(ReplyBase, frozen=True, tag="done"):
    """It was done and there is nothing to tell."""


class HomeMade(ReplyBase, frozen=True, tag="home-made"):
    """To `Init`."""

    role: Role
    endpoint: bool


class WireStatus(ReplyBase, frozen=True, tag="wire-status", kw_only=True):
    """To `Wire`.

    Attributes:
        up_since: since when a collector has been answering; None: none does.
    """

    up_since: Moment | None = None
    last_at: Moment | None = None
    """When a collector last answered over an uplink."""
    expected_at: Moment | None = None
    told_at: Moment | None = None
    """Now, by the clock of the machine that answers."""
    has_network: bool = True
    routes: Annotated[tuple[RouteFact, ...], Meta(max_length=CONTROL_ITEMS_MAX)] = ()
    drops: Annotated[tuple[DropFact, ...], Meta(max_length=CONTROL_ITEMS_MAX)] = ()
    certificate: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """On a collector: SHA-256 of what it shows in TLS."""


class WireLogListing(ReplyBase, frozen=True, tag="wire-log-listing"):
    """To `WireLog`: signed entries, the oldest first, and whose signature it is."""

    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    entries: Annotated[tuple[WireEntry, ...], Meta(max_length=WIRE_LOG_MAX)]
    days_by_half_hour: Annotated[tuple[Count, ...], Meta(max_length=48)] = ()
    """From midnight UTC: on how many of the last 14 days there was a wire in it."""


class Filed(ReplyBase, frozen=True, tag="filed", kw_only=True):
    """To `File`: sealed and on disk."""

    id: ItemId
    release_at: Moment | None = None
    """Held back until then; None when it goes at once."""
    expires_on: dt.date | None = None
    forgotten: bool = False
    warnings: Annotated[tuple[FilingWarning, ...], Meta(max_length=len(FilingWarning))] = ()


class Status(ReplyBase, frozen=True, tag="status", kw_only=True):
    """To `StatusRequest`, newest first."""

    dispatches: Annotated[tuple[DispatchStatus, ...], Meta(max_length=CONTROL_ITEMS_MAX)]
    more: Count = 0
    """How many older ones were left out."""
    wire_last_at: Moment | None = None
    """When this machine last reached a collector itself."""
    wire_expected_at: Moment | None = None
    recalled: bool = False
    """The desk has recalled this home."""
    told_at: Moment | None = None
    """Now, by the clock of the machine that answers."""


class InboxListing(ReplyBase, frozen=True, tag="inbox-listing", kw_only=True):
    """To `Inbox`, newest first."""

    items: Annotated[tuple[InboxItem, ...], Meta(max_length=CONTROL_ITEMS_MAX)]
    more: Count = 0
    """How many came in before the last of these: `Inbox.before` that one lists them."""


class Opened(ReplyBase, frozen=True, tag="opened", kw_only=True):
    """To `Open`: one item, whole."""

    id: ItemId
    kind: ItemKind
    slug: Slug
    byline: MaybeName
    priority: Priority
    verdict: Verdict
    alarms: Annotated[tuple[Alarm, ...], Meta(max_length=ALARMS_MAX)] = ()
    text: Text
    claimed_at: Moment | None = None
    arrived_at: Moment | None = None
    in_reply_to: ItemId | None = None
    attachments: Annotated[tuple[AttachmentStatus, ...], Meta(max_length=ATTACHMENTS_MAX)] = ()


class AttachmentSaved(ReplyBase, frozen=True, tag="attachment-saved"):
    """To `SaveAttachment`: everything was written."""

    size: Count
    sha256: Sha256


class ReplyFiled(ReplyBase, frozen=True, tag="reply-filed", kw_only=True):
    """To `SendReply`."""

    id: ItemId
    to: MaybeName
    release_at: Moment | None = None
    warnings: Annotated[tuple[FilingWarning, ...], Meta(max_length=len(FilingWarning))] = ()


class NeighbourListing(ReplyBase, frozen=True, tag="neighbour-listing", kw_only=True):
    """To `Neighbours`."""

    visibility: Visibility
    neighbours: Annotated[tuple[Neighbour, ...], Meta(max_length=NEIGHBOURS_MAX_COLLECTOR)]


class Visible(ReplyBase, frozen=True, tag="visible", kw_only=True):
    """To `Look` and `TrustNetwork`: who can notice this machine now, and where."""

    visibility: Visibility
    interfaces: Annotated[tuple[InterfaceName, ...], Meta(max_length=INTERFACES_MAX)] = ()
    """On these only; none while it is silent, or visible everywhere."""
    until: Moment | None = None
    """When it stops being findable everywhere."""


class Diagnosis(ReplyBase, frozen=True, tag="diagnosis"):
    """To `Doctor`, in the order in which a person should read it."""

    findings: Annotated[tuple[Finding, ...], Meta(max_length=256)]


class Refused(ReplyBase, frozen=True, tag="refused"):
    """To any request: it was not carried out, and why.  The fields are those of `Refusal`."""

    code: Annotated[str, Meta(pattern=r"^[a-z-]{1,40}\Z")]
    what: Sentence
    meaning: Sentence
    remedy: Sentence

    @classmethod
    def of(cls, refusal: Refusal) -> "Refused":
        """Return the reply that carries `refusal`."""
        return cls(refusal.code, refusal.what, refusal.meaning, refusal.remedy)

    def as_refusal(self) -> Refusal:
        """Return what `of` was made from."""
        return Refusal(self.code, what=self.what, meaning=self.meaning, remedy=self.remedy)


class Progress(ReplyBase, frozen=True, tag="progress"):
    """Event: how far a long request is, in bytes of one file."""

    phase: Phase
    index: Annotated[int, Meta(ge=0, lt=ATTACHMENTS_MAX)]
    """Which attachment."""
    done: Count
    total: Count


class Changed(ReplyBase, frozen=True, tag="changed"):
    """Event: something that is being watched has changed."""

    topic: Topic
    id: ItemId | None = None


class DispatchNews(ReplyBase, frozen=True, tag="dispatch-news"):
    """Event: how far a dispatch has got, to who follows it."""

    dispatch: DispatchStatus


class NeighbourNews(ReplyBase, frozen=True, tag="neighbour-news", kw_only=True):
    """Event: who is near and what is under way, to who follows."""

    visibility: Visibility
    neighbours: Annotated[tuple[LinkStatus, ...], Meta(max_length=NEIGHBOURS_MAX_COLLECTOR)]


Event: TypeAlias = Progress | Changed | DispatchNews | NeighbourNews

Reply: TypeAlias = (
    Welcome
    | Done
    | HomeMade
    | DeskMade
    | RequestMade
    | CardWords
    | CardMade
    | Enrolled
    | Invited
    | PendingListing
    | JoinStatus
    | EditorPrepared
    | ManifestSigned
    | EditorCardMade
    | RecallSigned
    | HolderListing
    | RecallPrepared
    | RecallShown
    | Recalled
    | OwnRecall
    | EndpointListing
    | WireStatus
    | WireLogListing
    | Filed
    | Status
    | InboxListing
    | Opened
    | AttachmentSaved
    | ReplyFiled
    | NeighbourListing
    | Visible
    | Diagnosis
    | Refused
)
