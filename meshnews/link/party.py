"""Who may be called, what a responder answers to, and what a link says of the other side.

See docs/protocol/link.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from meshnews.crypto.keys import X25519Public, X25519Secret
from meshnews.errors import LocalMisuse
from meshnews.ids import Day
from meshnews.link.beacon_book import OwnBeacon
from meshnews.link.rendezvous import Mode, Rendezvous

_BEACON_NONCE_BYTES: Final = (16, 8, 0)


@dataclass(frozen=True, slots=True)
class RelayTarget:
    """A relay or collector to call: its static key and the rendezvous of its beacon key.

    `nonce` is that of its beacon; empty when it is called at a known address.
    """

    static: X25519Public
    rendezvous: Rendezvous
    nonce: bytes = b""


@dataclass(frozen=True, slots=True)
class MemberTarget:
    """A member to call, of whom nothing is known but the beacon with this nonce."""

    rendezvous: Rendezvous
    nonce: bytes


@dataclass(frozen=True, slots=True)
class InvitationTarget:
    """The desk's machine to call with an invitation; `nonce` as for a relay."""

    rendezvous: Rendezvous
    nonce: bytes = b""


Target = RelayTarget | MemberTarget | InvitationTarget


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """What a responder answers to.

    Attributes:
        beacons: own beacons, as `BeaconBook.answered` gives them.
        unprompted: rendezvous whose secret this machine alone answers for, and
            which may be called without a beacon: its own as a relay, open
            invitations.  Never a mesh key: a first message recorded anywhere
            would draw an answer from every member.
        static: the relay's own; needed by who answers as a relay.

    Raises:
        LocalMisuse: a mesh key among `unprompted`, or no `static` where one is needed.
    """

    beacons: Sequence[OwnBeacon] = ()
    unprompted: Sequence[Rendezvous] = ()
    static: X25519Secret | None = None

    def __post_init__(self) -> None:
        for rendezvous, nonce in self.candidates():
            if rendezvous.mode is Mode.MEMBER and not nonce:
                raise LocalMisuse("a mesh key answers beacons only")
            if rendezvous.mode is Mode.RELAY and self.static is None:
                raise LocalMisuse("a relay without a static key")

    def candidates(self) -> Iterator[tuple[Rendezvous, bytes]]:
        """Yield each rendezvous and beacon nonce that may have been called, likeliest first.

        Raises:
            Nothing.
        """
        for own in self.beacons:
            yield own.rendezvous, own.nonce
        for rendezvous in self.unprompted:
            yield rendezvous, b""


class ReplayGuard(Protocol):
    """Remembers which first messages were answered."""

    def first_time(self, hash16: bytes, *, durable: bool) -> bool:
        """Tell whether `hash16` is new, and remember it.

        A durable one outlives restarts, as long as the secret that it was
        called under; another may be forgotten after three beacon epochs.
        """
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """What a finished handshake says of the other side.

    Attributes:
        rendezvous: the secret under which the two have met.
        static: the other side's static key: a relay's, to its caller; a joiner's
            or the desk machine's, made for this link alone; else None.
        nonce: of the beacon that was answered; empty if there was none.
    """

    rendezvous: Rendezvous
    static: X25519Public | None
    nonce: bytes

    @property
    def mode(self) -> Mode:
        """Why the two have met."""
        return self.rendezvous.mode

    @property
    def day(self) -> Day | None:
        """The day of the mesh key; None in other modes."""
        return self.rendezvous.day


_TARGET_MODE: Final[dict[type, Mode]] = {
    RelayTarget: Mode.RELAY,
    MemberTarget: Mode.MEMBER,
    InvitationTarget: Mode.ENROLMENT,
}


def check_target(target: Target) -> None:
    """Return if `target` can be called.

    Raises:
        LocalMisuse: its rendezvous is of another mode, its nonce has no length of
            a beacon's, or a member is called without a beacon.
    """
    mode = _TARGET_MODE[type(target)]
    if target.rendezvous.mode is not mode:
        raise LocalMisuse("a target with the rendezvous of another mode")
    if len(target.nonce) not in _BEACON_NONCE_BYTES:
        raise LocalMisuse("a beacon nonce of no beacon's length")
    if mode is Mode.MEMBER and not target.nonce:
        raise LocalMisuse("a member is called only in answer to a beacon")
