"""Whom a desk knows: its reporters, how to answer them, and its relays by name.

    member      byline -> [certificate, reply scan]
    relay-book  static -> [notice, sign, flags, beacon key, name, order]

Several editors answer one reporter without agreeing first: each has one-time
keys of its own for that, `meshnews.node.records.reply_keys`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.seal import Reader, epoch_prekey
from meshnews.bundle.statement import ReplyTo
from meshnews.crypto.keys import (
    Ed25519Public,
    SymmetricKey,
    X25519Public,
)
from meshnews.desk.bulletin import RelayEntry, RelayFlags
from meshnews.desk.card import RelayRecord
from meshnews.desk.certificate import CardCertificate, Member, Share, read_certificate
from meshnews.desk.limits import CERTIFICATE_BYTES_MAX
from meshnews.desk.pack import RelayKeys
from meshnews.node import shelf
from meshnews.node.records.reply_keys import ReplyKeys
from meshnews.store.port import Vault
from meshnews.wire.codec import as_bytes, as_int, as_list, as_text, decode, encode

_ENTRY_BYTES_MAX: Final = 2 * CERTIFICATE_BYTES_MAX
_NAME_CHARS_MAX: Final = 256
_ORDER_MAX: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Known:
    """What the desk knows of one reporter."""

    certificate: bytes
    reply_scan: X25519Public

    @property
    def card(self) -> CardCertificate:
        """The certificate, which was verified when it was taken in."""
        return read_certificate(self.certificate)


class Roster:
    """Reporters and relays of one desk, as one of its editors knows them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def member(self, byline: bytes) -> Known | None:
        """Return what is known of the holder of a byline key."""
        value = self._vault.get(shelf.MEMBER, byline)
        if value is None:
            return None
        certificate, scan = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=2)
        return Known(
            as_bytes(certificate, at_most=CERTIFICATE_BYTES_MAX),
            X25519Public(as_bytes(scan, 32)),
        )

    def set_member(self, byline: bytes, known: Known) -> None:
        """Keep what is known of a reporter."""
        value = encode([known.certificate, known.reply_scan])
        self._vault.put(shelf.MEMBER, byline, value)

    def add_member(self, member: Member, *, own: Ed25519Public) -> None:
        """Take in a reporter, or a new certificate of one, and the reply keys of editor `own`."""
        byline = read_certificate(member.certificate).byline
        self.set_member(byline, Known(member.certificate, member.reply_scan))
        keys = ReplyKeys(self._vault, byline)
        for share in member.shares:
            for key in share.reply_keys:
                if share.editor == own:
                    keys.add(Reader(member.reply_scan, key))
                else:
                    keys.pass_over(key.ref)

    def members(self) -> Iterator[tuple[Ed25519Public, Known]]:
        """Yield every reporter, in order of byline key."""
        for key, _ in self._vault.scan(shelf.MEMBER):
            known = self.member(key)
            if known is not None:
                yield Ed25519Public(key), known

    def members_for(
        self, editor: Ed25519Public, *, openers: Sequence[Ed25519Public]
    ) -> tuple[Member, ...]:
        """Return every reporter in the form of a further editor's card.

        An equal part of the reply keys that this editor has is the further editor's
        from now on, when that is one of `openers`.
        """
        found: list[Member] = []
        for byline, known in self.members():
            keys = ReplyKeys(self._vault, byline)
            given = keys.give(known.reply_scan, one_in=len(openers)) if editor in openers else ()
            shares = (Share(editor, given),) if given else ()
            found.append(Member(known.certificate, known.reply_scan, shares))
        return tuple(found)

    def heard(self, byline: bytes, reply: ReplyTo, *, own: Ed25519Public) -> None:
        """Keep what a reporter's dispatch says of answers, of its keys those that are for `own`."""
        known = self.member(byline)
        if known is None:
            return
        # No scan key is listened under for ever: what is left when one-time keys
        # have run out is to be the latest.
        self.set_member(byline, Known(known.certificate, reply.scan))
        keys = ReplyKeys(self._vault, byline)
        for key in reply.keys:
            if key.is_for(own):
                keys.add(Reader(reply.scan, key.prekey))

    def draw_reply_key(self, byline: bytes) -> Reader | None:
        """Take a key by which this editor may answer a reporter.

        With no one-time key left it is the reporter's reply scan key; None for
        somebody who is not known.
        """
        known = self.member(byline)
        if known is None:
            return None
        drawn = ReplyKeys(self._vault, byline).draw()
        return drawn or Reader(known.reply_scan, epoch_prekey(known.reply_scan))

    def relays(self) -> list[RelayRecord]:
        """Return the relays and collectors, the newest first."""
        found = [_relay(*entry) for entry in self._vault.scan(shelf.RELAY_BOOK)]
        return [record for _, record in sorted(found, key=lambda pair: -pair[0])]

    def relay(self, static: bytes) -> RelayRecord | None:
        """Return one relay or collector."""
        value = self._vault.get(shelf.RELAY_BOOK, static)
        return None if value is None else _relay(static, value)[1]

    def add_relay(self, record: RelayRecord) -> None:
        """Take in a relay or collector; one that is known keeps its place in the order."""
        entry = record.entry
        before = self._vault.get(shelf.RELAY_BOOK, entry.static)
        order = self._vault.count(shelf.RELAY_BOOK)
        if before is not None:
            order = as_int(
                as_list(decode(before, bytes_max=_ENTRY_BYTES_MAX), size=6)[5], 0, _ORDER_MAX
            )
        value = encode(
            [entry.notice, entry.sign, int(entry.flags), record.beacon_key.raw, record.name, order]
        )
        self._vault.put(shelf.RELAY_BOOK, entry.static, value)


def _relay(static: bytes, value: bytes) -> tuple[int, RelayRecord]:
    fields = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=6)
    notice, sign, flags, beacon, name, order = fields
    entry = RelayEntry(
        X25519Public(static),
        X25519Public(as_bytes(notice, 32)),
        Ed25519Public(as_bytes(sign, 32)),
        RelayFlags(as_int(flags, 0, 255)),
    )
    beacon_key = SymmetricKey(as_bytes(beacon, 32))
    record = RelayRecord(entry, beacon_key, as_text(name, chars_max=_NAME_CHARS_MAX))
    return as_int(order, 0, _ORDER_MAX), record


def keys_of(record: RelayRecord) -> RelayKeys:
    """Return what it takes to find and link to a relay."""
    return RelayKeys(record.entry.static, record.beacon_key, record.entry.flags)
