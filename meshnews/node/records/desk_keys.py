"""An editor's secrets: what recognises bundles, what opens them, and when each is burnt.

    scan    first day u32 -> secret                   90 days handed out, 400 kept
    epoch   ref8 -> [first day, days, secret]         deleted 14 days after a day, 30 after a week
    prekey  ref8 -> [secret, psk, byline, used at, pc]    deleted 72 hours after its use
    used    when u64 ‖ ref8 -> nothing                prekeys that wait to be deleted
    burnt   ref8 -> byline ‖ pc                       to whom a deleted prekey had been given

See docs/protocol/keys.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import KEY_BYTES, Ed25519Secret, Prekey, PrekeySecret, X25519Secret
from meshnews.desk.bulletin import EpochKey, epoch_ref
from meshnews.desk.limits import EPOCH_DAYS_AHEAD, EPOCH_WEEKS_AHEAD
from meshnews.ids import Day, KeyRef
from meshnews.limits import DAY_MAX
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

SCAN_DAYS: Final = 90
SCAN_KEPT_DAYS: Final = 400
DAILY_KEPT_DAYS: Final = 14
WEEKLY_KEPT_DAYS: Final = 30
USED_KEPT_S: Final = 72 * 3600
WEEK: Final = 7

_ENTRY_BYTES_MAX: Final = 512
_REF_BYTES: Final = 8
_S_MAX: Final = 1 << 40
_USED_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class GivenPrekey:
    """The private half of a one-time prekey, and to whom the public half was given.

    Attributes:
        used_at_s: when it opened its bundle, in seconds of this node's life; 0: not yet.
        opened: the purge commitment of that bundle; empty: none yet.
    """

    secret: PrekeySecret
    byline: bytes
    used_at_s: int = 0
    opened: bytes = b""


@dataclass(frozen=True, slots=True)
class BurntPrekey:
    """What is left of a one-time prekey: to whom it was given, and what it opened.

    Attributes:
        byline: of the reporter whose card had it.
        opened: the purge commitment of the one bundle it ever opened.
    """

    byline: bytes
    opened: bytes


class DeskKeys:
    """Typed access to an editor's secrets."""

    def __init__(self, vault: Vault, entropy: Entropy) -> None:
        self._vault = vault
        self._entropy = entropy

    def issuer(self) -> Ed25519Secret | None:
        """Return the key that certifies postage."""
        raw = self._vault.get(shelf.PERSON, b"issuer")
        return None if raw is None else Ed25519Secret(raw)

    def make_issuer(self) -> Ed25519Secret:
        """Make and keep the key that certifies postage."""
        made = Ed25519Secret(self._entropy.draw(32))
        self._vault.put(shelf.PERSON, b"issuer", made.raw)
        return made

    def scan(self, today: Day) -> X25519Secret:
        """Return the scan key to hand out now; makes one every 90 days, drops those too old."""
        newest: tuple[int, X25519Secret] | None = None
        for first_day, secret in self._scans():
            if first_day + SCAN_KEPT_DAYS < today:
                self._vault.delete(shelf.SCAN, first_day.to_bytes(4, "big"))
            else:
                newest = first_day, secret
        if newest is not None and newest[0] + SCAN_DAYS > today:
            return newest[1]
        made = X25519Secret(self._entropy.draw(32))
        self._vault.put(shelf.SCAN, today.to_bytes(4, "big"), made.raw)
        return made

    def scans(self) -> list[X25519Secret]:
        """Return the scan keys under which bundles may still come, newest first."""
        return [secret for _, secret in reversed(list(self._scans()))]

    def _scans(self) -> Iterator[tuple[int, X25519Secret]]:
        for key, raw in self._vault.scan(shelf.SCAN):
            yield int.from_bytes(key, "big"), X25519Secret(raw)

    def epochs(self, today: Day) -> tuple[EpochKey, ...]:
        """Return the epoch keys to publish, made ahead as far as they should be; burn old ones."""
        known: dict[tuple[int, int], EpochKey] = {}
        for ref, epoch in self._epochs():
            kept_days = WEEKLY_KEPT_DAYS if epoch.days == WEEK else DAILY_KEPT_DAYS
            if epoch.end_day + kept_days < today:
                self._vault.delete(shelf.EPOCH, ref)
            elif epoch.end_day > today:
                known[epoch.first_day, epoch.days] = epoch
        week = today - today % WEEK
        wanted = [(today + ahead, 1) for ahead in range(EPOCH_DAYS_AHEAD)]
        wanted += [(week + WEEK * ahead, WEEK) for ahead in range(EPOCH_WEEKS_AHEAD)]
        for first_day, days in wanted:
            if (first_day, days) not in known:
                known[first_day, days] = self._make_epoch(Day(first_day), days)
        return tuple(known[span] for span in sorted(known) if span in set(wanted))

    def _make_epoch(self, first_day: Day, days: int) -> EpochKey:
        secret = X25519Secret(self._entropy.draw(32))
        epoch = EpochKey(first_day, days, secret.public)
        value = encode([first_day, days, secret.raw])
        self._vault.put(shelf.EPOCH, epoch_ref(secret.public), value)
        return epoch

    def _epochs(self) -> Iterator[tuple[bytes, EpochKey]]:
        for ref, value in self._vault.scan(shelf.EPOCH):
            first_day, days, raw = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=3)
            public = X25519Secret(as_bytes(raw, 32)).public
            yield ref, EpochKey(Day(as_int(first_day, 0, DAY_MAX)), as_int(days, 1, WEEK), public)

    def epoch_secret(self, ref: KeyRef) -> PrekeySecret | None:
        """Return the secret half of an epoch key, or of a scan key used as one."""
        value = self._vault.get(shelf.EPOCH, ref)
        if value is not None:
            raw = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=3)[2]
            return PrekeySecret(ref, X25519Secret(as_bytes(raw, 32)), b"")
        for scan in self.scans():
            if epoch_ref(scan.public) == ref:
                return PrekeySecret(ref, scan, b"")
        return None

    def make_pack(self, byline: bytes, count: int) -> tuple[Prekey, ...]:
        """Make one-time prekeys for a reporter's card; return the halves to give out."""
        made: list[Prekey] = []
        for _ in range(count):
            draw = self._entropy.draw
            one = PrekeySecret(KeyRef(draw(_REF_BYTES)), X25519Secret(draw(32)), draw(32))
            self._put(GivenPrekey(one, byline))
            made.append(one.prekey)
        return tuple(made)

    def prekey(self, ref: KeyRef) -> GivenPrekey | None:
        """Return the one-time prekey of this reference."""
        value = self._vault.get(shelf.PREKEY, ref)
        return None if value is None else _given(ref, value)

    def use(self, given: GivenPrekey, opened: bytes, now_s: float) -> None:
        """Take note that a prekey has opened the bundle with this `pc`: burnt 72 hours later."""
        if not given.used_at_s:
            used_at_s = max(1, int(now_s))
            self._put(replace(given, used_at_s=used_at_s, opened=opened))
            self._vault.put(shelf.USED, _used_key(used_at_s, given.secret.ref), b"")

    def burnt(self, ref: KeyRef) -> BurntPrekey | None:
        """Return what is left of a prekey that is burnt."""
        value = self._vault.get(shelf.BURNT, ref)
        return None if value is None else BurntPrekey(value[:KEY_BYTES], value[KEY_BYTES:])

    def burn(self, now_s: float) -> None:
        """Delete the prekeys that were used more than 72 hours ago."""
        # A desk has given out tens of thousands: only those used are looked at.
        for key, _ in self._vault.scan(shelf.USED):
            used_at_s, ref = int.from_bytes(key[:_USED_BYTES], "big"), KeyRef(key[_USED_BYTES:])
            if used_at_s + USED_KEPT_S >= now_s:
                return
            given = self.prekey(ref)
            if given is not None:
                self._vault.delete(shelf.PREKEY, ref)
                self._vault.put(shelf.BURNT, ref, given.byline + given.opened)
            self._vault.delete(shelf.USED, key)

    def _put(self, given: GivenPrekey) -> None:
        secret = given.secret
        value = encode([secret.secret.raw, secret.psk, given.byline, given.used_at_s, given.opened])
        self._vault.put(shelf.PREKEY, secret.ref, value)


def _given(ref: KeyRef, value: bytes) -> GivenPrekey:
    raw, psk, byline, used_at, opened = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=5)
    return GivenPrekey(
        secret=PrekeySecret(ref, X25519Secret(as_bytes(raw, 32)), as_bytes(psk, 32)),
        byline=as_bytes(byline, 32),
        used_at_s=as_int(used_at, 0, _S_MAX),
        opened=as_bytes(opened, at_most=32),
    )


def _used_key(used_at_s: int, ref: KeyRef) -> bytes:
    return used_at_s.to_bytes(_USED_BYTES, "big") + ref
