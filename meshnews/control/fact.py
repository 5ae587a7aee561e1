"""The facts that a daemon tells its command line: words, states, lists.

Nothing here is a sentence.  The daemon says what is so, in enumerations,
numbers and times; the command line says it to a person.  Texts of other
people (slugs, names, words of a dispatch) travel as they came, and whoever
prints them makes them harmless first.

Times are aware datetimes; on the wire they are MessagePack timestamps, UTC.
"""

import datetime as dt
import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from meshnews.control.limits import ALARMS_MAX, FILE_NAME_BYTES_MAX
from meshnews.desk.limits import NAME_CHARS_MAX
from meshnews.limits import ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, SLUG_CHARS_MAX

Moment = Annotated[dt.datetime, Meta(tz=True)]
"""A time; always aware."""

Count = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
"""A byline, or the name of a relay or a desk."""
MaybeName = Annotated[str, Meta(max_length=NAME_CHARS_MAX)]
"""A name, or nothing when there is none to tell."""
Slug = Annotated[str, Meta(max_length=SLUG_CHARS_MAX)]
ItemId = Annotated[str, Meta(pattern=r"^[0-9a-z-]{1,64}\Z")]
"""What a person types to mean one item: an identifier, or the beginning of one."""
DeskName = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
"""A desk identifier in hexadecimal."""
Sha256 = Annotated[bytes, Meta(min_length=32, max_length=32)]


class Role(enum.StrEnum):
    """What a home is for."""

    REPORTER = "reporter"
    RELAY = "relay"
    EDITOR = "editor"


class Priority(enum.StrEnum):
    """How urgent an item is, in the order in which items travel."""

    FLASH = "flash"
    URGENT = "urgent"
    ROUTINE = "routine"
    BULK = "bulk"


class DispatchState(enum.StrEnum):
    """How far a dispatch has got.  Only a receipt makes it `RECEIVED`."""

    DRAFT = "draft"
    FILED = "filed"
    CARRIED = "carried"
    ON_THE_WIRE = "on the wire"
    RECEIVED = "received"
    READ = "read"


class ItemKind(enum.StrEnum):
    """What lies in an inbox."""

    DISPATCH = "dispatch"
    REPLY = "reply"
    NOTICE = "notice"


class Verdict(enum.StrEnum):
    """What is known of who wrote an item."""

    VERIFIED = "verified"
    """The signature holds, and the card behind it was in force when it was opened here."""
    DESK = "desk"
    """Signed by an editor of our own desk."""
    UNPROVEN = "unproven"
    """Opened after the card was recalled."""
    FORK = "fork"
    """Opened after the recall, and it does not continue what the desk knew."""
    LAPSED = "lapsed"
    """The signature holds; the card had expired."""
    UNREADABLE = "unreadable"
    """Sealed to a key that is gone: the author must be asked to send it again."""


class Alarm(enum.StrEnum):
    """Something about an item that a person should look into."""

    TWO_PLACES = "two-places"
    """A one-time key was used twice: the card may be in two places."""
    GAP = "gap"
    """Numbers are missing before this item."""
    BRANCH = "branch"
    """Two items follow the same one."""


class AttachmentRole(enum.StrEnum):
    """What an attachment is to its dispatch."""

    PREVIEW = "preview"
    ORIGINAL = "original"
    FILE = "file"


class FilingWarning(enum.StrEnum):
    """What a person should know about an item that was filed all the same."""

    EPOCH_KEY = "epoch-key"
    """No one-time key was left; a key that many dispatches share was used."""
    OLD_KEY = "old-key"
    """The newest key known of the desk does not cover today."""
    CLOCK_UNSURE = "clock-unsure"
    """The date is not known; the longest life was given."""
    LITTLE_POSTAGE = "little-postage"


class NeighbourKind(enum.StrEnum):
    """What is known of a neighbour; no member ever learns which member another is."""

    RELAY = "relay"
    COLLECTOR = "collector"
    MEMBER = "member"
    CALLER = "caller"
    """Somebody called us and, being a client, has shown no key of its own."""


class CarrierName(enum.StrEnum):
    """What a link runs over."""

    LAN = "lan"
    BLUETOOTH = "bluetooth"
    UPLINK = "uplink"


class RadioState(enum.StrEnum):
    """How Bluetooth fares on this machine."""

    ON = "on"
    ABSENT = "absent"
    OFF = "off"
    NO_SERVICE = "no-service"
    DENIED = "denied"
    FAILING = "failing"
    SPARED = "spared"


class Visibility(enum.StrEnum):
    """How much this machine shows of itself at present."""

    OPEN = "open"
    VEILED = "veiled"
    SILENT = "silent"


def usual_visibility(role: Role, *, endpoint: bool) -> Visibility:
    """Return what a home shows of itself while its keeper has not said otherwise.

    A person's home goes from silent to veiled on networks they trust, and while they look.
    """
    return Visibility.OPEN if role is Role.RELAY or endpoint else Visibility.SILENT


class Topic(enum.StrEnum):
    """What changed, for those who watch."""

    DISPATCH = "dispatch"
    INBOX = "inbox"
    NEIGHBOURS = "neighbours"
    DESK = "desk"
    WIRE = "wire"


class InvitationState(enum.StrEnum):
    """What has become of an invitation."""

    OPEN = "open"
    GIVEN = "given"
    """A card is made for one joiner, and it is not known yet that it is on disk there."""
    USED = "used"
    EXPIRED = "expired"
    CLOSED = "closed"


class JoinProgress(enum.StrEnum):
    """How far a home has come in joining a desk by invitation."""

    IDLE = "idle"
    SEEKING = "seeking"
    REACHED = "reached"
    COMPARING = "comparing"
    AGREED = "agreed"
    """This side has agreed; the desk has not, or has not given the card yet."""
    TAKING = "taking"
    JOINED = "joined"
    REFUSED = "refused"


class JoinReason(enum.StrEnum):
    """Why joining was refused."""

    WORDS = "words"
    """This side said that the words were not the same."""
    STOPPED = "stopped"
    UNPROVEN = "unproven"
    """What came was no card of the desk that the invitation names."""
    DESK = "desk"
    """An editor refused, or closed the invitation."""
    ROLE = "role"
    """The invitation is for somebody of another role."""
    CARD = "card"
    """The desk could not make the card; its editor is told why."""


class Phase(enum.StrEnum):
    """What a long request is doing."""

    SEALING = "sealing"
    SAVING = "saving"
    CHECKING = "checking"
    """Reading what was written, to compare it with what its author signed."""


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value inside a message.  Its contents stay out of `repr`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class SafetyWord(Fact, frozen=True):
    """One of eight words that two people compare, and its number in the list."""

    number: Annotated[int, Meta(ge=0, le=2047)]
    word: Annotated[str, Meta(min_length=1, max_length=16)]


SafetyWords = Annotated[tuple[SafetyWord, ...], Meta(min_length=8, max_length=8)]


class InvitationStatus(Fact, frozen=True, kw_only=True):
    """One invitation of a desk."""

    number: Count
    role: Role
    name: Name
    state: InvitationState
    ends_at: Moment | None
    """When it expires; of one that has ended, when it did."""
    alarm: bool = False
    """More than one machine has called with it: somebody else has it too."""
    words_differed: bool = False
    """A joiner said that the words were not the same."""
    trouble: Annotated[str, Meta(max_length=1024)] = ""
    """Why its card could not be made, as `Refusal.what`."""


class JoinerStatus(Fact, frozen=True, kw_only=True):
    """Somebody who has come with an invitation and waits for being confirmed."""

    number: Count
    """Never given twice: it names these words and no others."""
    invitation: Count
    words: SafetyWords
    joiner_agrees: bool
    desk_agrees: bool


class AttachmentOffer(Fact, frozen=True):
    """One file to be attached; its descriptor travels beside the request."""

    name: Annotated[str, Meta(max_length=FILE_NAME_BYTES_MAX)]
    size: Annotated[int, Meta(ge=1, le=ATTACHMENT_BYTES_MAX)]
    role: AttachmentRole = AttachmentRole.FILE


class AttachmentStatus(Fact, frozen=True, kw_only=True):
    """How much of an attachment of somebody's dispatch is here."""

    name: Annotated[str, Meta(max_length=4096)]
    """As the sender wrote it; may be empty, and is never to be trusted."""
    size: Count
    role: AttachmentRole
    sha256: Sha256
    bytes_here: Count
    complete: bool
    let_go: bool = False
    """It was complete and is kept here no longer."""


class PartStatus(Fact, frozen=True, kw_only=True):
    """How far one attachment of a dispatch of this machine has got, piece by piece."""

    name: Annotated[str, Meta(max_length=FILE_NAME_BYTES_MAX)]
    size: Count
    pieces: Count
    """Bundles that it was sealed into; each travels by itself."""
    carried: Count
    """How many of them another machine has said are on its disk."""
    received: Count
    """For how many of them the desk's receipt has come."""


class DispatchStatus(Fact, frozen=True, kw_only=True):
    """How far one dispatch of this machine has got."""

    id: ItemId
    slug: Slug
    kind: ItemKind = ItemKind.DISPATCH
    priority: Priority
    state: DispatchState
    filed_at: Moment | None = None
    release_at: Moment | None = None
    """Until then it is held back, so that its first sighting does not name its author."""
    carried_by: Count = 0
    """How many other machines have said that it is on their disk."""
    on_wire_at: Moment | None = None
    received_at: Moment | None = None
    read_at: Moment | None = None
    expires_on: dt.date | None = None
    """After this day nobody carries it any more."""
    attachments: Count = 0
    attachments_received: Count = 0
    parts: Annotated[tuple[PartStatus, ...], Meta(max_length=ATTACHMENTS_MAX)] = ()
    """The attachments one by one; left out of a listing of many dispatches."""


class InboxItem(Fact, frozen=True, kw_only=True):
    """One line of an inbox."""

    id: ItemId
    kind: ItemKind
    slug: Slug
    byline: MaybeName
    priority: Priority
    verdict: Verdict
    alarms: Annotated[tuple[Alarm, ...], Meta(max_length=ALARMS_MAX)] = ()
    arrived_at: Moment | None = None
    claimed_at: Moment | None = None
    """When the author says it was written: never evidence."""
    opened: bool = False
    attachments: Count = 0
    attachments_complete: Count = 0


class Neighbour(Fact, frozen=True, kw_only=True):
    """One machine that this one has a link to."""

    kind: NeighbourKind
    name: MaybeName = ""
    """Under which the card names it; empty when it is not one we know by name."""
    carrier: CarrierName
    since: Moment
    bytes_received: Count
    bytes_sent: Count
    bytes_per_s: Count
    """Both ways, the mean since then."""
    watched: bool = False
    """A recalled card knew its key and it has not yet taken the new one."""


class LinkStatus(Neighbour, frozen=True, kw_only=True):
    """A neighbour, and what is under way between it and this machine.

    Neither side knows what it will ask for before all is compared, so nothing here is a total.
    """

    link: Count
    """Tells links apart, as long as the daemon runs."""
    sent_per_s: Count | None
    """Bytes a second since it was last told; None the first time."""
    received_per_s: Count | None
    to_send: Count
    """About how many bytes it has asked for and was not sent yet."""
    to_receive: Count
    """How many bytes it has that this machine lacks, at most: another may bring them first."""
    compared: bool
    """All is compared: more comes only as news."""
