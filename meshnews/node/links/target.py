"""One machine that may be called: by which secrets, at which addresses, and how it went so far.

The states of a call are those of `meshnews.node.links.dialler`.
See docs/protocol/discovery.md.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.link import handshake
from meshnews.link.beacon import Heard
from meshnews.link.handshake import InvitationTarget, MemberTarget, RelayTarget
from meshnews.link.rendezvous import Mode, Rendezvous
from meshnews.node.event import Address
from meshnews.node.links.company import place_of

BACKOFF_S_MIN: Final = 1.0

TRIES_PER_BEACON: Final = 8
TRIES_PER_SHORT_BEACON: Final = 3
"""Calls that reach nobody at the address of one beacon, before the next beacon.  Over the air each
costs seconds of a radio that others need (decision 0152)."""

SPOILED_REMEMBERED_MAX: Final = 32

_RADIO: Final = b"radio:"


@dataclass
class Target:
    """One machine that may be called.

    Attributes:
        name: what sorts it: the static key of a relay, the nonce of a member's beacon.
        rendezvous: the secret shared with it.
        relay: its keys, when it is a relay or collector.
        former: secrets that it may still be called by: it has perhaps not heard of the new one.
        turn: which of these secrets, the new one first, the next call to a fixed address uses.
        fixed: addresses its keeper wrote down.
        heard: addresses at which its newest beacon was heard.
        heard_at_s: when that was.
        nonce: nonce of that beacon; empty: none heard.
        beacon: what it said.
        spoiled: answers that met silence: the nonce of the beacon, and where.
        answered: the last answer that led to a link: the nonce of the beacon, and where.
        cuts: where answers to its newest beacon were cut short, once for each since the last link.
        reached: where the call, or the link, leads that there is now.
        going_to: the place of that call or link.
        is_extra: it goes to one more than are wanted.
        linked_at_s: when that link was completed.
        met_at_s: when there was last a link.
        ended_at_s: when the last call to it, or the link that this led to, was over; 0: none was.
        tries: calls since that beacon that reached nobody.
        twin: another stream to the same machine, which was kept in place of ours.
        crowded_s: how long to stay away when it next has no room; 0: it had room.
        shunned_s: how long it is left alone, having broken the protocol; 0: it has not, lately.
        is_radio: it is called over Bluetooth, where its short beacons are heard.  A machine
            that is known by name may be there twice, and is called over networks first.
    """

    name: bytes
    rendezvous: Rendezvous
    relay: RelayKeys | None = None
    former: tuple[Rendezvous, ...] = ()
    turn: int = 0
    fixed: tuple[Address, ...] = ()
    heard: tuple[Address, ...] = ()
    heard_at_s: float = 0.0
    nonce: bytes = b""
    beacon: Heard[bytes] | None = None
    spoiled: deque[tuple[bytes, Address]] = field(
        default_factory=lambda: deque(maxlen=SPOILED_REMEMBERED_MAX)
    )
    answered: tuple[bytes, Address | None] | None = None
    cuts: list[Address] = field(default_factory=list)
    reached: Address | None = None
    going_to: str = ""
    is_extra: bool = False
    linked_at_s: float = 0.0
    met_at_s: float = -math.inf
    ended_at_s: float = 0.0
    tries: int = 0
    attempt: int | None = None
    link: LinkId | None = None
    twin: LinkId | None = None
    not_before_s: float = 0.0
    backoff_s: float = BACKOFF_S_MIN
    crowded_s: float = 0.0
    shunned_s: float = 0.0
    is_radio: bool = False
    completed: bool = True
    """The last call completed its handshake; true before the first."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to try: first where a beacon was heard, and of these the first heard."""
        heard = [each for each in self.heard if (self.nonce, each) not in self.spoiled]
        return tuple(dict.fromkeys((*heard, *self.fixed)))

    @property
    def has_address(self) -> bool:
        """There is somewhere to try."""
        if self.fixed or (self.heard and not self.spoiled):
            return True
        return any((self.nonce, each) not in self.spoiled for each in self.heard)

    @property
    def places(self) -> tuple[str, ...]:
        """The places of these addresses."""
        return tuple(dict.fromkeys(map(place_of, self.addresses)))

    @property
    def handshake(self) -> handshake.Target:
        """Whom the handshake is for, where the call has reached."""
        if self.rendezvous.mode is Mode.MEMBER:
            return MemberTarget(self.rendezvous, self.nonce)
        nonce = self.nonce if self.answers_a_beacon else b""
        if self.relay is None:
            return InvitationTarget(self.rendezvous, nonce)
        if nonce and self.beacon is not None:
            return RelayTarget(self.relay.static, self.beacon.rendezvous, nonce)
        secrets = self.secrets
        return RelayTarget(self.relay.static, secrets[self.turn % len(secrets)], b"")

    @property
    def secrets(self) -> tuple[Rendezvous, ...]:
        """Every secret it may be found and called by, the newest first."""
        return (self.rendezvous, *self.former)

    @property
    def answers_a_beacon(self) -> bool:
        """The call has reached where a beacon was heard, and its answer is not known to fail."""
        where = self.reached
        return where in self.heard and (self.nonce, where) not in self.spoiled

    @property
    def is_member(self) -> bool:
        """Nothing is known of it but that it is of our desk."""
        return self.rendezvous.mode is Mode.MEMBER

    @property
    def is_relay(self) -> bool:
        """It is a relay, and no collector."""
        return self.relay is not None and not self.is_collector

    @property
    def is_collector(self) -> bool:
        """Its desk's card says that it stands on the internet for the desk."""
        return self.relay is not None and self.relay.is_collector

    @property
    def is_idle(self) -> bool:
        """Neither linked nor being called."""
        return self.attempt is None and self.link is None and self.twin is None

    @property
    def may_be_called(self) -> bool:
        """There is somewhere to call, and something to gain by it."""
        if not self.is_idle:
            return False
        if self.fixed:
            return True
        tries_max = TRIES_PER_SHORT_BEACON if self.is_radio else TRIES_PER_BEACON
        return self.tries < tries_max and self.has_address

    @property
    def is_promising(self) -> bool:
        """There is a link, or a call, or one to be made of which nothing bad is known."""
        if not self.is_idle:
            return True
        return self.may_be_called and self.completed and not self.tries

    def hasten(self, at_s: float) -> None:
        """Let it be called by `at_s`: something is new.  Who broke the protocol is left alone."""
        if not self.shunned_s:
            self.not_before_s = min(self.not_before_s, at_s)

    def is_claimed_elsewhere(self, addresses: Sequence[Address]) -> bool:
        """Tell whether a member's beacon is heard where its link does not lead.

        Any member can repeat another's beacon as its own and take the calls: whoever shows it
        elsewhere, at an address of the same kind, may be the one who made it.
        """
        if not self.is_member or self.link is None or self.reached is None or not addresses:
            return False
        reached, heard = self.reached, addresses[0]
        same_kind = reached.where.startswith("[") == heard.where.startswith("[")
        return same_kind and place_of(reached) != place_of(heard)


def on_radio(name: bytes) -> bytes:
    """Return what the target is called that leads to the same machine over Bluetooth."""
    return _RADIO + name


def off_radio(name: bytes) -> bytes:
    """Return what the target is called that leads to the same machine over networks."""
    return name.removeprefix(_RADIO)
