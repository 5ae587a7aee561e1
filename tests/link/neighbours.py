"""Two machines that may meet, and a stream between them that can be cut anywhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey, X25519Secret
from meshnews.ids import Day
from meshnews.limits import RECORDS_PER_KEY
from meshnews.link.beacon_book import OwnBeacon
from meshnews.link.party import InvitationTarget, LinkKeys, MemberTarget, RelayTarget, Target
from meshnews.link.rendezvous import Mode, Rendezvous
from meshnews.link.session import LinkSession

MODES = list(Mode)


class Guard:
    """Remembers in memory; what is not durable dies with a restart."""

    def __init__(self, durable: set[bytes] | None = None) -> None:
        self.durable = durable or set()
        self.volatile: set[bytes] = set()

    def first_time(self, hash16: bytes, *, durable: bool) -> bool:
        assert len(hash16) == 16
        shelf = self.durable if durable else self.volatile
        if hash16 in shelf:
            return False
        shelf.add(hash16)
        return True

    def restarted(self) -> "Guard":
        return Guard(self.durable)


@dataclass(frozen=True)
class Meeting:
    """What a caller knows of a responder, and what the responder answers to."""

    target: Target
    keys: LinkKeys
    entropy: SeededEntropy

    def caller(self, *, per_key: int = RECORDS_PER_KEY) -> LinkSession:
        return LinkSession.initiate(self.target, entropy=self.entropy, per_key=per_key)

    def responder(
        self, guard: Guard | None = None, *, per_key: int = RECORDS_PER_KEY
    ) -> LinkSession:
        return LinkSession.respond(
            self.keys, replay=guard or Guard(), entropy=self.entropy, per_key=per_key
        )


def rendezvous_of(mode: Mode, entropy: SeededEntropy) -> Rendezvous:
    match mode:
        case Mode.RELAY:
            return Rendezvous.at_relay(SymmetricKey(entropy.draw(32)))
        case Mode.MEMBER:
            return Rendezvous.of_members(SymmetricKey(entropy.draw(32)), Day(740))
        case Mode.ENROLMENT:
            return Rendezvous.by_invitation(entropy.draw(16), entropy.draw(16))


def meeting(mode: Mode, seed: int = 0, *, beacon: bool = True) -> Meeting:
    entropy = SeededEntropy(b"meeting %d" % seed)
    rendezvous = rendezvous_of(mode, entropy)
    nonce = entropy.draw(16) if beacon else b""
    static = X25519Secret(entropy.draw(32))
    target: Target
    match mode:
        case Mode.RELAY:
            target = RelayTarget(static.public, rendezvous, nonce)
        case Mode.MEMBER:
            target = MemberTarget(rendezvous, nonce)
        case Mode.ENROLMENT:
            target = InvitationTarget(rendezvous, nonce)
    keys = LinkKeys(
        beacons=[OwnBeacon(rendezvous, nonce)] if beacon else [],
        unprompted=[] if beacon else [rendezvous],
        static=static if mode is Mode.RELAY else None,
    )
    return Meeting(target, keys, entropy)


def linked(
    mode: Mode = Mode.RELAY, seed: int = 0, *, per_key: int = RECORDS_PER_KEY
) -> tuple[LinkSession, LinkSession]:
    """Return caller and responder of an open link."""
    met = meeting(mode, seed)
    caller, responder = met.caller(per_key=per_key), met.responder(per_key=per_key)
    assert responder.receive(caller.start()) == []
    assert caller.receive(responder.take(0)) == []
    assert responder.receive(caller.take(0)) == []
    assert caller.established
    assert responder.established
    return caller, responder


def split(stream: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """Yield `stream` in pieces as long as `cuts` say, over and over; whole without cuts."""
    start, turn = 0, 0
    while start < len(stream):
        size = cuts[turn % len(cuts)] if cuts else len(stream)
        yield stream[start : start + size]
        start += size
        turn += 1


def deliver(session: LinkSession, stream: bytes, cuts: Sequence[int] = ()) -> list[bytes]:
    """Feed `stream` in pieces; return the messages that came out."""
    messages: list[bytes] = []
    for piece in split(stream, cuts):
        messages += session.receive(piece)
    return messages
