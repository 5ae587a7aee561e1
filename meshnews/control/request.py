"""What the command line asks of a daemon.

Each request is answered by any number of events and then by exactly one reply
(`meshnews.control.reply`).  Some carry open files beside them: `descriptors`
says how many, and in which order.
"""

import datetime as dt
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from meshnews.control.fact import (
    AttachmentOffer,
    Count,
    ItemId,
    Name,
    Priority,
    Role,
    Slug,
    Topic,
    Visibility,
)
from meshnews.control.limits import DISPATCH_TEXT_BYTES_MAX, LOOK_S_MAX, PASSPHRASE_CHARS_MAX
from meshnews.desk.limits import (
    EDITOR_CARD_BYTES_MAX,
    ENDPOINT_PORTS_MAX,
    HOST_CHARS_MAX,
    INVITATION_CHARS_MAX,
    INVITATION_HOURS_MAX,
    MANIFEST_BYTES_MAX,
    NAME_CHARS_MAX,
    RECALL_BYTES_MAX,
    RELAYS_NAMED_ON_CARD,
    REQUEST_BYTES_MAX,
    ROOT_KEY_BYTES_MAX,
    SERVER_NAME_CHARS_MAX,
)
from meshnews.limits import ATTACHMENTS_MAX

CARD_FILE_BYTES_MAX: Final = EDITOR_CARD_BYTES_MAX + 1024
"""An editor's card and what seals it."""

Passphrase = Annotated[str, Meta(min_length=1, max_length=PASSPHRASE_CHARS_MAX)]
Text = Annotated[str, Meta(max_length=DISPATCH_TEXT_BYTES_MAX)]
Host = Annotated[str, Meta(min_length=1, max_length=HOST_CHARS_MAX)]
Port = Annotated[int, Meta(ge=1, le=65535)]
RequestFile = Annotated[bytes, Meta(min_length=1, max_length=REQUEST_BYTES_MAX)]
CardFile = Annotated[bytes, Meta(min_length=1, max_length=CARD_FILE_BYTES_MAX)]
ManifestFile = Annotated[bytes, Meta(min_length=1, max_length=MANIFEST_BYTES_MAX)]
RecallFile = Annotated[bytes, Meta(min_length=1, max_length=RECALL_BYTES_MAX)]
RootKeyFile = Annotated[bytes, Meta(min_length=1, max_length=ROOT_KEY_BYTES_MAX)]


class RequestBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    """Root of the requests.  Contents stay out of `repr`: some are secrets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    @property
    def descriptors(self) -> int:
        """How many open files travel beside this request."""
        return 0

    @property
    def is_undone_when_stopped(self) -> bool:
        """Whether nothing is left of it when its asker stops it, who is then told so."""
        return False


class Hello(RequestBase, frozen=True, tag="hello"):
    """The first request of every connection, and again after `Unlock`.  Answer: `Welcome`."""

    version: Annotated[int, Meta(ge=0, le=65535)]


class Unlock(RequestBase, frozen=True, tag="unlock"):
    """Open the vault.  Answer: `Done`."""

    passphrase: Passphrase


class Init(RequestBase, frozen=True, tag="init"):
    """Make the home.  A relay has no passphrase.  Answer: `HomeMade`."""

    role: Role
    endpoint: bool
    passphrase: Passphrase | None
    visibility: Visibility | None = None
    """What it shows of itself from the start; None: what is usual for its role."""


class DeskCreate(RequestBase, frozen=True, tag="desk-create"):
    """Make a desk with this editor's home as its first.  Answer: `DeskMade`.

    Beside it travels one descriptor of an empty file, open for writing.  The root's
    key file is in it, down to the disk, before there is a desk.
    """

    name: Name
    root_passphrase: Passphrase

    @property
    def descriptors(self) -> int:
        """One, to be written."""
        return 1


class EnrolRequest(RequestBase, frozen=True, tag="enrol-request"):
    """Make the request file of this home.  Answer: `RequestMade`."""


class EnrolCard(RequestBase, frozen=True, tag="enrol-card"):
    """Take in the card that a desk made for this home.

    Unconfirmed, nothing is taken in and the answer is `CardWords`, with the
    words of the desk; confirmed, it is `Enrolled`.
    """

    card: CardFile
    confirmed: bool = False


class DeskCard(RequestBase, frozen=True, tag="desk-card", kw_only=True):
    """Make a card for a request, under exactly one of `byline` and `relay`.

    Unconfirmed, nothing is made and the answer is `CardWords`; confirmed, it is
    `CardMade`.
    """

    request: RequestFile
    byline: Name | None = None
    relay: Name | None = None
    near: Annotated[tuple[Name, ...], Meta(max_length=RELAYS_NAMED_ON_CARD)] = ()
    confirmed: bool = False


class DeskInvite(RequestBase, frozen=True, tag="desk-invite", kw_only=True):
    """Invite somebody, under exactly one of `byline` and `relay`.  Answer: `Invited`."""

    byline: Name | None = None
    relay: Name | None = None
    near: Annotated[tuple[Name, ...], Meta(max_length=RELAYS_NAMED_ON_CARD)] = ()
    hours: Annotated[int, Meta(ge=1, le=INVITATION_HOURS_MAX)]


class DeskPending(RequestBase, frozen=True, tag="desk-pending"):
    """List invitations and who has come with them.  Answer: `PendingListing`.

    With `after`, it is answered when the listing has another version.
    """

    after: Count | None = None


class DeskConfirm(RequestBase, frozen=True, tag="desk-confirm"):
    """Say that the words of a joiner are the same on both sides.  Answer: `Done`."""

    joiner: Count


class DeskRefuse(RequestBase, frozen=True, tag="desk-refuse"):
    """Turn a joiner away; its invitation stays open.  Answer: `Done`."""

    joiner: Count


class DeskClose(RequestBase, frozen=True, tag="desk-close"):
    """End an invitation.  Answer: `Done`."""

    invitation: Count


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


class DeskEditor(RequestBase, frozen=True, tag="desk-editor"):
    """Prepare the manifest that adds an editor.  Answer: `EditorPrepared`."""

    request: RequestFile


class DeskSign(RequestBase, frozen=True, tag="desk-sign"):
    """Sign a prepared manifest or recall with a root key.  Needs no home.

    Answer: `ManifestSigned` or `RecallSigned`.
    """

    manifest: ManifestFile
    root_key: RootKeyFile
    root_passphrase: Passphrase


class DeskEditorSigned(RequestBase, frozen=True, tag="desk-editor-signed"):
    """Take in a signed manifest and make the new editor's card.  Answer: `EditorCardMade`."""

    signed: ManifestFile
    request: RequestFile


class DeskHolders(RequestBase, frozen=True, tag="desk-holders"):
    """List those to whom the desk gave cards.  Answer: `HolderListing`."""


class DeskRecall(RequestBase, frozen=True, tag="desk-recall"):
    """Prepare the recall of one of them.  Answer: `RecallPrepared`."""

    who: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    """A name, or how a key begins, in hexadecimal."""


class DeskRecallSigned(RequestBase, frozen=True, tag="desk-recall-signed", kw_only=True):
    """Publish a recall that a root, or who is recalled, has signed; replace what that one knew.

    Unconfirmed, nothing is done and the answer is `RecallShown`; confirmed, it is `Recalled`.
    """

    signed: RecallFile
    confirmed: bool = False


class RecallOwn(RequestBase, frozen=True, tag="recall-own"):
    """Make a recall of this home, to be left with somebody.  Answer: `OwnRecall`."""


class DeskEndpointAdd(RequestBase, frozen=True, tag="desk-endpoint-add", kw_only=True):
    """Publish where a collector can be called.  Answer: `EndpointListing`."""

    collector: Name
    host: Host
    ports: Annotated[tuple[Port, ...], Meta(min_length=1, max_length=ENDPOINT_PORTS_MAX)]
    pin: Annotated[bytes, Meta(max_length=32)] = b""
    """SHA-256 of the certificate that it shows; empty: it is called without TLS."""
    server_name: Annotated[str, Meta(max_length=SERVER_NAME_CHARS_MAX)] = ""


class DeskEndpointRemove(RequestBase, frozen=True, tag="desk-endpoint-remove"):
    """Take back what this editor publishes of a collector.  Answer: `EndpointListing`."""

    collector: Name
    host: Host
    port: Port | None = None


class DeskEndpointList(RequestBase, frozen=True, tag="desk-endpoint-list"):
    """List where the desk's collectors can be called.  Answer: `EndpointListing`."""


class File(RequestBase, frozen=True, tag="file", kw_only=True):
    """Seal a dispatch for the desk and queue it.  Answer: `Filed`, after `Progress` events.

    Beside it travel the attachments, open for reading, in the order of `attachments`.
    Who ends what he sends, and goes on to listen, stops it; the answer says what was done.
    """

    text: Text
    slug: Slug
    priority: Priority = Priority.ROUTINE
    now: bool = False
    """Skip the hold that keeps the first sighting from naming the author."""
    forget: bool = False
    """Keep no note of it here afterwards."""
    today: dt.date | None = None
    """What the author says the date is; asked for when the clock is not believed."""
    attachments: Annotated[tuple[AttachmentOffer, ...], Meta(max_length=ATTACHMENTS_MAX)] = ()

    @property
    def descriptors(self) -> int:
        """One for each attachment."""
        return len(self.attachments)

    @property
    def is_undone_when_stopped(self) -> bool:
        """Either all of it is filed or nothing."""
        return True


class StatusRequest(RequestBase, frozen=True, tag="status"):
    """Tell how far dispatches have got, one or all.  Answer: `Status`."""

    id: ItemId | None = None


class Watch(RequestBase, frozen=True, tag="watch"):
    """Send `Changed` for these topics until the asker hangs up."""

    topics: Annotated[tuple[Topic, ...], Meta(min_length=1, max_length=len(Topic))]


class Follow(RequestBase, frozen=True, tag="follow"):
    """Tell how far dispatches have got, one or all, and what is under way to whom, as it changes.

    `DispatchNews` and `NeighbourNews` come until the asker hangs up: first of everything, then
    of what changed, a few times a second at most.
    """

    id: ItemId | None = None


class Inbox(RequestBase, frozen=True, tag="inbox"):
    """List what has come in, CONTROL_ITEMS_MAX items at most.  Answer: `InboxListing`."""

    before: ItemId | None = None
    """Only what came in before this item; None: the newest."""


class Open(RequestBase, frozen=True, tag="open"):
    """Show one item of the inbox, and note that it was read.  Answer: `Opened`."""

    id: ItemId


class SaveAttachment(RequestBase, frozen=True, tag="save-attachment"):
    """Write a complete attachment into a file.  Answer: `AttachmentSaved`, after `Progress`.

    Beside it travels one descriptor of an empty file, open for writing.
    """

    id: ItemId
    index: Annotated[int, Meta(ge=0, lt=ATTACHMENTS_MAX)]

    @property
    def descriptors(self) -> int:
        """One, to be written."""
        return 1


class LetGo(RequestBase, frozen=True, tag="let-go"):
    """Keep the attachments of an item here no longer, now that they are saved.  Answer: `Done`."""

    id: ItemId


class SendReply(RequestBase, frozen=True, tag="send-reply"):
    """Seal an answer to the author of an item, and queue it.  Answer: `ReplyFiled`."""

    id: ItemId
    text: Text


class Neighbours(RequestBase, frozen=True, tag="neighbours"):
    """Tell who is near.  Answer: `NeighbourListing`."""


class Look(RequestBase, frozen=True, tag="look"):
    """Be findable by colleagues for a while; 0: no longer.  Answer: `Visible`."""

    seconds: Annotated[int, Meta(ge=0, le=LOOK_S_MAX)]


class TrustNetwork(RequestBase, frozen=True, tag="trust-network"):
    """Mark the networks that are here as ours, or no longer.  Answer: `Visible`."""

    trusted: bool = True


class Wire(RequestBase, frozen=True, tag="wire"):
    """Tell which ways out there are, and when there was one.  Answer: `WireStatus`."""


class WireLog(RequestBase, frozen=True, tag="wire-log"):
    """Hand out the signed log of when there was a way out.  Answer: `WireLogListing`."""


class Doctor(RequestBase, frozen=True, tag="doctor"):
    """Check that this machine is ready.  Answer: `Diagnosis`."""


Request: TypeAlias = (
    Hello
    | Unlock
    | Init
    | DeskCreate
    | EnrolRequest
    | EnrolCard
    | DeskCard
    | DeskInvite
    | DeskPending
    | DeskConfirm
    | DeskRefuse
    | DeskClose
    | EnrolCode
    | EnrolWait
    | EnrolAgree
    | EnrolStop
    | DeskEditor
    | DeskSign
    | DeskEditorSigned
    | DeskHolders
    | DeskRecall
    | DeskRecallSigned
    | RecallOwn
    | DeskEndpointAdd
    | DeskEndpointRemove
    | DeskEndpointList
    | Wire
    | WireLog
    | File
    | StatusRequest
    | Watch
    | Follow
    | Inbox
    | Open
    | SaveAttachment
    | LetGo
    | SendReply
    | Neighbours
    | Look
    | TrustNetwork
    | Doctor
)
