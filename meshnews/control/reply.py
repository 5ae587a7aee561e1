"""What a daemon answers: one reply to each request, and events before it."""

import datetime as dt
from typing import Annotated, TypeAlias

from msgspec import Meta

from meshnews.control.fact import (
    Alarm,
    AttachmentStatus,
    Count,
    DeskName,
    DispatchStatus,
    FilingWarning,
    InboxItem,
    InvitationStatus,
    ItemId,
    ItemKind,
    JoinerStatus,
    JoinProgress,
    JoinReason,
    LinkStatus,
    MaybeName,
    Moment,
    Name,
    Neighbour,
    Phase,
    Priority,
    Role,
    SafetyWord,
    SafetyWords,
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
    RootSigned,
)
from meshnews.control.reply_base import ReplyBase
from meshnews.control.request import (
    CardFile,
    ManifestFile,
    RequestFile,
    Text,
)
from meshnews.control.wire_fact import DropFact, EndpointFact, RouteFact, WireEntry
from meshnews.desk.limits import EDITORS_MAX, INVITATION_CHARS_MAX
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


class DeskMade(ReplyBase, frozen=True, tag="desk-made", kw_only=True):
    """To `DeskCreate`: the root's key file is written, and kept nowhere else."""

    desk: DeskName
    name: Name
    words: SafetyWords
    """Of the desk identifier: what `enrol --card` shows to everybody who joins."""


class RequestMade(ReplyBase, frozen=True, tag="request-made"):
    """To `EnrolRequest`."""

    request: RequestFile
    words: SafetyWords
    role: Role
    key: Annotated[str, Meta(max_length=64)] = ""
    """How a relay's own key begins, in hexadecimal: what others' configurations name it by."""


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


class Invited(ReplyBase, frozen=True, tag="invited", kw_only=True):
    """To `DeskInvite`: what is given to the joiner, and is told only once."""

    invitation: InvitationStatus
    code: Annotated[str, Meta(max_length=INVITATION_CHARS_MAX)]


class PendingListing(ReplyBase, frozen=True, tag="pending-listing", kw_only=True):
    """To `DeskPending`, the oldest first; of invitations that ended, the last week's."""

    version: Count
    invitations: Annotated[tuple[InvitationStatus, ...], Meta(max_length=CONTROL_ITEMS_MAX)]
    joiners: Annotated[tuple[JoinerStatus, ...], Meta(max_length=CONTROL_ITEMS_MAX)]


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
