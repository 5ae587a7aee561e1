"""What happens to a node, and what it wants done: the whole of its border.

The shell hands events in and carries effects out.  All events of a batch are
handled inside one transaction of the stores, and effects leave only after it
is on disk, so an effect may always be believed.

A stream is driven by pulling: after a `Send` the shell answers `Drained` when
the transport has taken all of it, and only then does the node make the next
bytes.  What is urgent therefore never waits behind more than one `Send`.
"""

import enum
from dataclasses import dataclass, field

from meshnews.ids import BundleRef, LinkId


class Carrier(enum.StrEnum):
    """What a stream runs over."""

    LAN = "lan"
    BLUETOOTH = "bluetooth"
    UPLINK = "uplink"


class Trouble(enum.StrEnum):
    """Why a call led to nobody, as far as the caller's side can tell."""

    NO_NETWORK = "no-network"
    """This machine has no way to there."""
    NO_NAME = "no-name"
    """The host's name leads nowhere."""
    NO_ANSWER = "no-answer"
    """Nothing came back in time."""
    REFUSED = "refused"
    """The machine there, or one on the way, turned the call away at once."""
    CUT = "cut"
    """The call was taken and then ended from outside, before the collector had answered."""
    SILENT = "silent"
    """The call was taken, and what was sent into it was never answered."""
    STRANGER = "stranger"
    """Something answered that is not whom we called."""
    OTHER_CERTIFICATE = "other-certificate"
    """Something answered in TLS, with another certificate than the desk published."""
    PROXY_GONE = "proxy-gone"
    """The proxy does not take calls."""
    PROXY_REFUSED = "proxy-refused"
    """The proxy takes calls and could not, or would not, pass this one on."""
    NO_AUTHORITY = "no-authority"
    """A file service shows a certificate that no authority vouches for, for that name and now."""
    DENIED = "denied"
    """A file service does not accept our name and password."""
    NO_FOLDER = "no-folder"
    """A file service has no such folder or bucket."""
    FULL = "full"
    """A file service has no room left."""
    FAULTY = "faulty"
    """A file service says that it has a fault of its own."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a stream can be opened: an opaque word for the transport named first.

    ``tcp`` takes ``host:port`` or ``[host%scope]:port``.
    """

    transport: str
    where: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """A neighbour opened a stream to us."""

    link: LinkId
    carrier: Carrier
    address: Address


@dataclass(frozen=True, slots=True)
class Dialled:
    """A stream that a `Dial` asked for is open; `attempt` is the dial's, `address` where it led."""

    attempt: int
    link: LinkId
    carrier: Carrier
    address: Address


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A stream that a `Dial` asked for could not be opened."""

    attempt: int
    trouble: Trouble = Trouble.NO_ANSWER
    """Of the last address that was tried."""


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came in on a stream."""

    link: LinkId
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Drained:
    """The transport has taken everything of the last `Send` on this stream."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class Lost:
    """A stream has ended, from whichever side.  No more events of it follow."""

    link: LinkId


@dataclass(frozen=True, slots=True)
class Heard:
    """A finder came upon what may be a beacon, and where its sender listens.

    48 bytes, or the 20 of a short one, which names the port of a radio.
    """

    beacon: bytes
    addresses: tuple[Address, ...]
    """Without ports where the finder learns none: the beacon carries the port."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A transport now accepts streams at this port of every interface."""

    transport: str
    port: int


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline of the last `Wake` has come, or nothing has happened for a while."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that this machine is connected to, by one of its interfaces."""

    interface: str
    mark: bytes = field(repr=False)
    """What tells it from others, such as the hardware address of its router; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks can be reached now; told at the start and whenever that changes."""

    here: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """How many bytes the disk under the stores has free; told once a minute."""

    bytes_free: int


Event = (
    Accepted
    | Dialled
    | DialFailed
    | Received
    | Drained
    | Lost
    | Heard
    | Listening
    | Tick
    | FreeSpace
    | Networks
)


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on a stream, then answer `Drained`."""

    link: LinkId
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """End a stream, after `after_s` of silence in which what comes in is thrown away."""

    link: LinkId
    after_s: float


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a stream to one of these addresses, tried in order; answer Dialled or DialFailed."""

    attempt: int
    addresses: tuple[Address, ...]
    within_s: float | None = None
    """How long all of them together may take; None: as long as suits a neighbour."""


@dataclass(frozen=True, slots=True)
class Advertise:
    """Let finders show these beacons (48 bytes each) until told otherwise; none: show nothing.

    Streams are accepted exactly where and as long as beacons are shown.
    """

    beacons: tuple[bytes, ...]
    interfaces: tuple[str, ...] | None = None
    """Where to show them, and nowhere else; None: everywhere."""
    seeks: tuple[bytes, ...] = ()
    """Beacons under others' keys, for finders that call into a network: each is sent once,
    now and on every interface that comes up later."""
    short: tuple[bytes, ...] = ()
    """Short beacons (20 bytes each) for Bluetooth, on every adapter.  Streams over it are
    accepted as long as there are any."""


@dataclass(frozen=True, slots=True)
class Beckon:
    """Send these beacons once more, after a while, where `Advertise` allows: one was heard."""

    beacons: tuple[bytes, ...]
    after_s: float


@dataclass(frozen=True, slots=True)
class Relisten:
    """Accept streams at fresh ports, unless the keeper fixed them; answer `Listening` for each.

    A port that repeats would tell that two beacons are one machine's.
    """

    keep_s: float
    """For how long the ports of before are still good."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Answer `Tick` after this many seconds, in place of any earlier wish."""

    after_s: float


class Topic(enum.StrEnum):
    """What changed, for those who watch."""

    DISPATCH = "dispatch"
    INBOX = "inbox"
    NEIGHBOURS = "neighbours"
    DESK = "desk"
    WIRE = "wire"


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that a person may be watching has changed."""

    topic: Topic
    ref: BundleRef | None = None


Effect = Send | Close | Dial | Advertise | Beckon | Relisten | Wake | Changed
