"""What the command line asks of a daemon.

Each request is answered by any number of events and then by exactly one reply
(`meshnews.control.reply`).  Some carry open files beside them: `descriptors`
says how many, and in which order.  Those about a desk and its members are in
`desk_request` and `enrol_request`.
"""

import datetime as dt
from typing import Annotated, TypeAlias

from msgspec import Meta

from meshnews.control.content import Passphrase, Text
from meshnews.control.desk_request import (
    DeskCard,
    DeskClose,
    DeskConfirm,
    DeskCreate,
    DeskEditor,
    DeskEditorSigned,
    DeskEndpointAdd,
    DeskEndpointList,
    DeskEndpointRemove,
    DeskHolders,
    DeskInvite,
    DeskPending,
    DeskRecall,
    DeskRecallSigned,
    DeskRefuse,
    DeskSign,
)
from meshnews.control.enrol_request import (
    EnrolAgree,
    EnrolCard,
    EnrolCode,
    EnrolRequest,
    EnrolStop,
    EnrolWait,
    RecallOwn,
)
from meshnews.control.fact import (
    AttachmentOffer,
    ItemId,
    Priority,
    Role,
    Slug,
    Topic,
    Visibility,
)
from meshnews.control.limits import LOOK_S_MAX
from meshnews.control.request_base import RequestBase
from meshnews.limits import ATTACHMENTS_MAX


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
