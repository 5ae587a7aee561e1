"""One-time keys for answers: whose each is, and those by which this editor may answer.

    member-key       byline ‖ ref8 -> [scan, public, psk]     this editor's, not used yet
    member-key-gone  byline ‖ ref8 -> empty                   used, or another editor's

A one-time key opens one answer, and what else is sealed to it is lost.  So each
belongs to one editor, who was told so by whoever gave it: the reporter in a
dispatch, the editor that made a card.  What was ever given away, used or named
as another's is never taken in again, however often word of it arrives.
See docs/protocol/enrolment.md, "Whose reply keys are whose".
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from meshnews.bundle.seal import Reader
from meshnews.crypto.keys import Ed25519Public, Prekey, X25519Public
from meshnews.ids import KeyRef
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.wire.codec import as_bytes, as_list, decode, encode

_ENTRY_BYTES_MAX: Final = 256


def deal(
    keys: Iterable[Prekey], editors: Sequence[Ed25519Public]
) -> dict[Ed25519Public, tuple[Prekey, ...]]:
    """Return which of the keys belong to which editor, dealt out in turn; none gets no entry.

    Raises:
        Nothing.
    """
    dealt = list(keys)
    shares = {editor: tuple(dealt[turn :: len(editors)]) for turn, editor in enumerate(editors)}
    return {editor: share for editor, share in shares.items() if share}


def in_turn(
    editors: Sequence[Ed25519Public], *, first: Ed25519Public, start: int
) -> list[Ed25519Public]:
    """Return the editors in the order in which the keys of a dispatch are dealt out to them.

    `first` begins, if it is among them.  The others follow from the one at `start`,
    so that dispatch by dispatch each has its turn though the keys do not go round.

    Raises:
        Nothing.
    """
    others = [editor for editor in editors if editor != first]
    cut = start % max(1, len(others))
    return [*([first] if first in editors else []), *others[cut:], *others[:cut]]


class ReplyKeys:
    """An editor's one-time keys for answers to one reporter."""

    def __init__(self, vault: Vault, byline: bytes) -> None:
        self._vault = vault
        self._byline = byline

    def is_known(self, ref: KeyRef) -> bool:
        """Tell whether a key was heard of before: one to use, a used one, or another editor's."""
        name = self._byline + ref
        return any(
            self._vault.get(where, name) is not None
            for where in (shelf.MEMBER_KEY, shelf.MEMBER_KEY_GONE)
        )

    def add(self, reader: Reader) -> None:
        """Take in a key that is this editor's; one that was heard of before stays what it was."""
        prekey = reader.prekey
        if not self.is_known(prekey.ref):
            value = encode([reader.scan, prekey.public, prekey.psk])
            self._vault.put(shelf.MEMBER_KEY, self._byline + prekey.ref, value)

    def pass_over(self, ref: KeyRef) -> None:
        """Never use a key: it is used, or another editor's.

        Of a key that was named as this editor's too, neither uses it then: an
        answer by the reply scan key is better than none.
        """
        self._vault.delete(shelf.MEMBER_KEY, self._byline + ref)
        self._vault.put(shelf.MEMBER_KEY_GONE, self._byline + ref, b"")

    def draw(self) -> Reader | None:
        """Take a key to answer with; None when none is left."""
        for reader in self._all():
            self.pass_over(reader.prekey.ref)
            return reader
        return None

    def give(self, scan: X25519Public, *, one_in: int) -> tuple[Prekey, ...]:
        """Give away one in so many of the keys that go with a scan key; return those."""
        ours = [reader.prekey for reader in self._all() if reader.scan == scan]
        given = tuple(ours[: len(ours) // one_in])
        for prekey in given:
            self.pass_over(prekey.ref)
        return given

    def _all(self) -> Iterator[Reader]:
        for key, value in self._vault.scan(shelf.MEMBER_KEY, self._byline):
            scan, public, psk = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=3)
            prekey = Prekey(
                KeyRef(key[len(self._byline) :]),
                X25519Public(as_bytes(public, 32)),
                as_bytes(psk, 32),
            )
            yield Reader(X25519Public(as_bytes(scan, 32)), prekey)
