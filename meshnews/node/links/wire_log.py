"""When there was a way out, and when there was none: a signed log, and what it teaches.

    entry  = pack[body, signature 64],   Ed25519(key, 'wire1' ‖ body)
    body   = pack['wire1', number, what (1 up | 0 down), s since 1970, clock believed?, prev 16]
    prev   = b2('wire1', the entry before)[:16]; sixteen zeros in the first

A relay signs with its own key; anybody else with one made for this log alone, so
that who publishes it does not name a byline.  A link that is renewed is no
window's end: only half a minute without any is.  After a power cut the window
ends when it was last seen open.  See docs/protocol/uplinks.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, verify
from meshnews.errors import Malformed
from meshnews.limits import WIRE_LOG_MAX
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.store.age import DAY_S
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

TAG: Final = "wire1"
GAP_S: Final = 30.0
"""A window has ended when nobody was reached for so long."""

SEEN_S: Final = 60.0
"""How often it is written down that a window is still open."""

SLOT_S: Final = 1800
SLOTS: Final = 48
"""A day is learnt in half hours of UTC."""
LEARNT_DAYS: Final = 14
DAYS_MIN: Final = 2
"""On so many days there must have been a window at a time, to expect one then again."""

_S_MAX: Final = 1 << 40
_ENTRY_BYTES_MAX: Final = 512
_PREV_BYTES: Final = 16
_ENTRY, _KEY, _SEEN = b"l", b"k", b"s"


@dataclass(frozen=True, slots=True)
class WireEvent:
    """One entry of the log.

    Attributes:
        at: seconds since 1970, by this machine's clock.
        clock_sure: that clock was believed.
        signed: the entry as it was signed.
    """

    number: int
    is_up: bool
    at: int
    clock_sure: bool
    prev: bytes
    signed: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """A time with a way out; `ended` is None while it lasts."""

    began: int
    ended: int | None


def read_entry(signed: bytes, key: Ed25519Public) -> WireEvent:
    """Return what an entry says.

    Raises:
        Malformed: it is none.
        Forged: `key` has not signed it.
    """
    raw, proof = as_list(decode(signed, bytes_max=_ENTRY_BYTES_MAX), size=2)
    body = as_bytes(raw, at_most=_ENTRY_BYTES_MAX)
    tag, number, up, at, sure, prev = as_list(decode(body, bytes_max=_ENTRY_BYTES_MAX), size=6)
    if tag != TAG:
        raise Malformed("no entry of a log of uplinks")
    event = WireEvent(
        as_int(number, 0, _S_MAX),
        bool(as_int(up, 0, 1)),
        as_int(at, 0, _S_MAX),
        bool(as_int(sure, 0, 1)),
        as_bytes(prev, _PREV_BYTES),
        signed,
    )
    verify(key, as_bytes(proof, 64), Label.WIRE_1, body)
    return event


def link_of(signed: bytes) -> bytes:
    """Return what the entry after this one has as `prev`.

    Raises:
        Nothing.
    """
    return b2(Label.WIRE_1, signed)[:_PREV_BYTES]


class WireLog:
    """The log of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._ended_s: float | None = None
        self._ended_at = 0
        self._seen_s = float("-inf")
        self._last: WireEvent | None = None

    def start(self) -> None:
        """Go on with the log; end the window that a power cut left open."""
        found = [value for _, value in self._home.carry.scan(shelf.WIRE, _ENTRY)]
        last = self._last = read_entry(found[-1], self.key) if found else None
        if last is not None and last.is_up:
            seen = self._home.carry.get(shelf.WIRE, _SEEN)
            at = as_int(decode(seen, bytes_max=16), 0, _S_MAX) if seen else last.at
            self._append(is_up=False, at=max(at, last.at))

    def note(self, *, is_up: bool) -> None:
        """Take note of whether a collector answers over an uplink at this moment."""
        now_s, wall = self._home.moment.lived_s, max(0, self._home.wall.s)
        last = self._last
        was_up = last is not None and last.is_up
        if is_up:
            self._ended_s = None
            if not was_up:
                self._append(is_up=True, at=wall)
            if now_s >= self._seen_s + SEEN_S or not was_up:
                self._seen_s = now_s
                self._home.carry.put(shelf.WIRE, _SEEN, encode(wall))
        elif was_up and self._ended_s is None:
            self._ended_s, self._ended_at = now_s, wall
        elif was_up and self._ended_s is not None and now_s >= self._ended_s + GAP_S:
            self._append(is_up=False, at=self._ended_at)
            self._ended_s = None

    @property
    def due_s(self) -> float | None:
        """Return when `note` has something to do without anything having happened."""
        return None if self._ended_s is None else self._ended_s + GAP_S

    def _append(self, *, is_up: bool, at: int) -> None:
        carry, key, last = self._home.carry, self._key(), self._last
        number = 0 if last is None else last.number + 1
        prev = bytes(_PREV_BYTES) if last is None else link_of(last.signed)
        sure = self._home.wall.trusted
        body = encode([TAG, number, int(is_up), at, int(sure), prev])
        signed = encode([body, key.sign(Label.WIRE_1, body)])
        carry.put(shelf.WIRE, _ENTRY + number.to_bytes(4, "big"), signed)
        self._last = read_entry(signed, key.public)
        if number >= WIRE_LOG_MAX:
            carry.delete(shelf.WIRE, _ENTRY + (number - WIRE_LOG_MAX).to_bytes(4, "big"))

    def _key(self) -> Ed25519Secret:
        relay = self._home.identity.relay
        if relay is not None:
            return relay.sign
        raw = self._home.carry.get(shelf.WIRE, _KEY)
        if raw is None:
            raw = self._home.entropy.draw(32)
            self._home.carry.put(shelf.WIRE, _KEY, raw)
        return Ed25519Secret(raw)

    @property
    def key(self) -> Ed25519Public:
        """Whose signature the entries bear."""
        return self._key().public

    def entries(self) -> list[WireEvent]:
        """Return what is kept, the oldest first."""
        key = self.key
        return [read_entry(value, key) for _, value in self._home.carry.scan(shelf.WIRE, _ENTRY)]

    @property
    def up_since(self) -> int | None:
        """When the window began that is open now, in s since 1970; None: none is."""
        return self._last.at if self._last is not None and self._last.is_up else None

    @property
    def last_at(self) -> int | None:
        """When there last was a way out, in s since 1970; None: never."""
        if self._last is None:
            return None
        return self._home.wall.s if self._last.is_up else self._last.at

    def windows(self) -> Iterator[Window]:
        """Yield the times with a way out, the oldest first."""
        began: int | None = None
        for entry in self.entries():
            if entry.is_up:
                began = entry.at
            elif began is not None:
                yield Window(began, max(began, entry.at))
                began = None
        if began is not None:
            yield Window(began, None)

    def histogram(self) -> tuple[int, ...]:
        """Return for each half hour of a day (UTC) on how many days there was a wire in it.

        Of the last `LEARNT_DAYS` days, by this machine's clock.
        """
        now = self._home.wall.s
        days: list[set[int]] = [set() for _ in range(SLOTS)]
        for window in self.windows():
            # What a clock that was wrong dated after today has not been yet.
            ended = now if window.ended is None else min(window.ended, now)
            slot = max(window.began, now - LEARNT_DAYS * DAY_S) // SLOT_S
            while slot * SLOT_S <= ended:
                days[slot % SLOTS].add(slot // SLOTS)
                slot += 1
        return tuple(map(len, days))

    def expected_at(self) -> int | None:
        """Return when the next window may be looked for, in s since 1970; None: nothing is learnt.

        The beginning of the next half hour of the day in which there was a window on at
        least `DAYS_MIN` of the last `LEARNT_DAYS` days, and on half as many of them at
        least as in the best half hour.
        """
        now, days = self._home.wall.s, self.histogram()
        enough = max(DAYS_MIN, (max(days) + 1) // 2)
        for slot in range(now // SLOT_S + 1, now // SLOT_S + SLOTS + 1):
            if days[slot % SLOTS] >= enough:
                return slot * SLOT_S
        return None
