"""Room for bodies: the quota, its partitions, and who goes first.

Order of eviction: acked; stamped; aged; then class 3, 2, 1, in each the lowest
day and the most copied first.  A newcomer displaces only what goes before it.
Stamped bundles have at most STAMP_SHARE_MAX of the quota; notices may use all.
"""

from dataclasses import replace
from typing import Final

from meshnews.ids import AuthKind, BundleRef, TrafficClass
from meshnews.limits import STAMP_SHARE_MAX
from meshnews.store.port import Carry, Entry, State

RESERVE_BYTES: Final = 64 * 1024 * 1024
"""Left free on the disk for everything else that the machine does."""

_LOOK_AT: Final = 64


class Room:
    """How much the store may hold, and making room in it."""

    def __init__(self, carry: Carry, quota_bytes: int) -> None:
        self._carry = carry
        self._quota = quota_bytes
        self._disk_free: int | None = None

    def free_space(self, bytes_free: int) -> None:
        """Take note of what the disk has left."""
        self._disk_free = bytes_free

    @property
    def allowed_bytes(self) -> int:
        """What bodies may take now: the quota, or what the disk still bears."""
        if self._disk_free is None:
            return self._quota
        bearable = self._carry.usage().total + self._disk_free - RESERVE_BYTES
        return max(0, min(self._quota, bearable))

    @property
    def free_bytes(self) -> int:
        """What is left without displacing anything."""
        return max(0, self.allowed_bytes - self._carry.usage().total)

    @property
    def is_easy(self) -> bool:
        """A tenth is free: what was turned away may be asked for again."""
        return self.free_bytes * 10 >= self.allowed_bytes

    def could_take(self, ref: BundleRef, size: int) -> bool:
        """Tell whether a bundle would find room, without making it."""
        if self.free_bytes >= size:
            return True
        first = self._carry.first_to_go(at_most=1)
        return bool(first) and _goes_before(first[0], ref, AuthKind.POSTAGE)

    def make(self, ref: BundleRef, size: int, auth: AuthKind) -> bool:
        """Displace what goes before a bundle until it has room; tell whether it has."""
        if auth is AuthKind.STAMP:
            allowed = int(self.allowed_bytes * STAMP_SHARE_MAX)
            if self._carry.usage().stamped + size > allowed:
                return False
        while self.free_bytes < size:
            candidates = self._carry.first_to_go(at_most=_LOOK_AT)
            if not candidates:
                return False
            for entry in candidates:
                if not _goes_before(entry, ref, auth):
                    return False
                self.evict(entry)
                if self.free_bytes >= size:
                    return True
        return True

    def shrink(self, *, at_most: int) -> int:
        """Displace bodies above what is allowed; return how many went."""
        gone = 0
        while gone < at_most and self._carry.usage().total > self.allowed_bytes:
            candidates = self._carry.first_to_go(at_most=min(_LOOK_AT, at_most - gone))
            if not candidates:
                break
            for entry in candidates:
                if self._carry.usage().total <= self.allowed_bytes:
                    break
                self.evict(entry)
                gone += 1
        return gone

    def evict(self, entry: Entry) -> None:
        """Drop a body; keep the mark that its state leaves, if any."""
        match entry.state:
            case State.ACKED_WITH_BODY:
                self._carry.change(replace(entry, state=State.ACKED))
            case State.AGED:
                # Age is what a peer said: it leaves no mark.
                self._carry.forget(entry.ref)
            case _:
                self._carry.change(replace(entry, state=State.LACKING))


def _goes_before(entry: Entry, ref: BundleRef, auth: AuthKind) -> bool:
    """Tell whether `entry` is displaced for a new bundle `ref`."""
    if ref.traffic is TrafficClass.NOTICE or entry.state in {State.ACKED_WITH_BODY, State.AGED}:
        return True
    if entry.auth is AuthKind.STAMP and auth is AuthKind.POSTAGE:
        return True
    if auth is AuthKind.STAMP and entry.auth is AuthKind.POSTAGE:
        return False
    return (entry.ref.traffic, -entry.ref.day) > (ref.traffic, -ref.day)
