"""What a press card brought to spend: prekeys, postage, and own keys for answers.

Everything is drawn at random, so that nothing shows in which order it was
spent, and deleted in the transaction that spends it.  See docs/protocol/keys.md.
"""

from collections.abc import Iterator
from typing import Final

from meshnews.bundle.seal import Reader
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy, below
from meshnews.crypto.keys import (
    Ed25519Public,
    PostageKey,
    Prekey,
    PrekeySecret,
    X25519Public,
    X25519Secret,
)
from meshnews.desk.card import PressCard
from meshnews.desk.pack import PrekeyPack
from meshnews.ids import BundleRef, Day, IssuerId, KeyRef, TrafficClass
from meshnews.limits import POSTAGE_IDS_MAX
from meshnews.node import shelf
from meshnews.store.port import Carry, Vault
from meshnews.store.reference import key_of, ref_of
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

SCAN_DAYS: Final = 60
"""A reply scan key is handed out for this long."""
SCAN_KEPT_DAYS: Final = 400
"""And listened under for this long after it was made."""

_REF_BYTES: Final = 8
_ENTRY_BYTES_MAX: Final = 512
_DAY_MAX: Final = 0xFFFF


class Wallet:
    """The spendable part of a vault."""

    def __init__(self, vault: Vault, entropy: Entropy) -> None:
        self._vault = vault
        self._entropy = entropy

    def fill(self, card: PressCard) -> None:
        """Add what a press card brings; what is left of earlier cards stays."""
        for pack in card.packs:
            self.add_pack(pack)
        # A card may be taken in twice, when the power went out in between.
        held = {key.seed for _, key in self._postage(b"")}
        for key in card.postage:
            if key.seed not in held:
                self.add_postage(key)

    def add_pack(self, pack: PrekeyPack) -> None:
        """Add one editor's one-time prekeys."""
        for prekey in pack.prekeys:
            value = encode([pack.scan, prekey.public, prekey.psk])
            self._vault.put(shelf.PACK, pack.editor + prekey.ref, value)

    def draw_prekey(self, editor: Ed25519Public) -> Reader | None:
        """Take one of an editor's one-time prekeys at random; None when there is none left."""
        entries = list(self._vault.scan(shelf.PACK, editor))
        if not entries:
            return None
        key, value = entries[below(self._entropy, len(entries))]
        self._vault.delete(shelf.PACK, key)
        scan, public, psk = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=3)
        prekey = Prekey(
            KeyRef(key[-_REF_BYTES:]), X25519Public(as_bytes(public, 32)), as_bytes(psk, 32)
        )
        return Reader(X25519Public(as_bytes(scan, 32)), prekey)

    def prekeys_left(self, editor: Ed25519Public) -> int:
        """Return how many of an editor's one-time prekeys are left."""
        return sum(1 for _ in self._vault.scan(shelf.PACK, editor))

    def add_postage(self, key: PostageKey) -> None:
        """Add one postage key; the same again is the same."""
        # By its hash they are drawn in an order that means nothing.
        drawn = b2(Label.POSTAGE_NAME, key.seed)[:_REF_BYTES]
        name = bytes([key.traffic, key.n]) + drawn
        value = encode([key.seed, key.expiry_day, key.issuer, key.certificate])
        self._vault.put(shelf.POSTAGE, name, value)

    def draw_postage(self, traffic: TrafficClass, n: int, *, good_on: Day) -> PostageKey | None:
        """Take a postage key of this class and count that is good on a day; None: none is left."""
        usable = [
            (name, key)
            for name, key in self._postage(bytes([traffic, n]))
            if key.expiry_day >= good_on
        ]
        if not usable:
            return None
        name, key = usable[below(self._entropy, len(usable))]
        self._vault.delete(shelf.POSTAGE, name)
        return key

    def last_postage_day(self, traffic: TrafficClass, n: int) -> Day | None:
        """Return the last day on which postage of this class and count is good; None: none left."""
        days = (key.expiry_day for _, key in self._postage(bytes([traffic, n])))
        return max(days, default=None)

    def postage_left(self, traffic: TrafficClass) -> int:
        """Return how many bundles of a class the postage left can frank."""
        return sum(key.n for _, key in self._postage(bytes([traffic])))

    def pieces_left(self, traffic: TrafficClass, n: int) -> int:
        """Return how many postage keys of a class and count are left."""
        return sum(1 for _ in self._vault.scan(shelf.POSTAGE, bytes([traffic, n])))

    def _postage(self, prefix: bytes) -> Iterator[tuple[bytes, PostageKey]]:
        for name, value in self._vault.scan(shelf.POSTAGE, prefix):
            seed, day, issuer, certificate = as_list(
                decode(value, bytes_max=_ENTRY_BYTES_MAX), size=4
            )
            yield (
                name,
                PostageKey(
                    seed=as_bytes(seed, 32),
                    expiry_day=Day(as_int(day, 0, _DAY_MAX)),
                    traffic=TrafficClass(name[0]),
                    n=as_int(name[1], 1, POSTAGE_IDS_MAX),
                    issuer=IssuerId(as_bytes(issuer, 4)),
                    certificate=as_bytes(certificate, 64),
                ),
            )

    def make_reply_keys(self, count: int) -> tuple[Prekey, ...]:
        """Make one-time keys for answers to this person; return the halves to hand out."""
        return tuple(self._make_reply_key().prekey for _ in range(count))

    def _make_reply_key(self) -> PrekeySecret:
        draw = self._entropy.draw
        made = PrekeySecret(KeyRef(draw(_REF_BYTES)), X25519Secret(draw(32)), draw(32))
        self._vault.put(shelf.REPLY_KEY, made.ref, encode([made.secret.raw, made.psk]))
        return made

    def reply_key(self, ref: KeyRef) -> PrekeySecret | None:
        """Return the own one-time key of this reference."""
        value = self._vault.get(shelf.REPLY_KEY, ref)
        if value is None:
            return None
        secret, psk = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=2)
        return PrekeySecret(ref, X25519Secret(as_bytes(secret, 32)), as_bytes(psk, 32))

    def spend_reply_key(self, ref: KeyRef, answer: BundleRef) -> None:
        """Take note that an own one-time key has opened an answer: it is burnt later."""
        self._vault.put(shelf.SPENT, ref, key_of(answer))

    def burn_spent(self, carry: Carry) -> None:
        """Delete the one-time keys whose answers are in the other store too.

        The power can fail between the two: then the answer comes again and must open.
        """
        for ref, answer in list(self._vault.scan(shelf.SPENT)):
            if carry.state(ref_of(answer)) is not None:
                self._vault.delete(shelf.REPLY_KEY, ref)
                self._vault.delete(shelf.SPENT, ref)

    def reply_scan(self, today: Day) -> X25519Public:
        """Return the scan key to hand out now; makes one every 60 days, drops those too old."""
        self.drop_reply_scans(today)
        kept = list(self._scans())
        if not kept or kept[-1][0] + SCAN_DAYS <= today:
            made = X25519Secret(self._entropy.draw(32))
            self._vault.put(shelf.REPLY_SCAN, today.to_bytes(4, "big"), made.raw)
            return made.public
        return kept[-1][1].public

    def reply_scans(self, today: Day) -> list[X25519Secret]:
        """Return the scan keys under which answers may still come, newest first."""
        kept = [secret for first_day, secret in self._scans() if not _is_over(first_day, today)]
        return kept[::-1]

    def drop_reply_scans(self, today: Day) -> None:
        """Delete the scan keys under which no answer may come any more."""
        for key, _ in self._vault.scan(shelf.REPLY_SCAN):
            if _is_over(int.from_bytes(key, "big"), today):
                self._vault.delete(shelf.REPLY_SCAN, key)

    def _scans(self) -> Iterator[tuple[int, X25519Secret]]:
        for key, raw in self._vault.scan(shelf.REPLY_SCAN):
            yield int.from_bytes(key, "big"), X25519Secret(raw)


def _is_over(first_day: int, today: Day) -> bool:
    return first_day + SCAN_KEPT_DAYS < today
