"""Who is still to be told of keys that were replaced.

    owed   byline, static or sign key ‖ name of the key (`meshnews.node.records.keyring`)
               -> [since day, sent day, reference of the letter]

A debt ends when the letter's receipt has come.  A relay gives none, and a letter
that nobody fetched is gone after two weeks: so each is written anew every
AGAIN_DAYS, for as long as a card is meant to last.  See docs/protocol/recall.md.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from meshnews.crypto.keys import KEY_BYTES
from meshnews.ids import BundleRef, Day
from meshnews.limits import DAY_MAX
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.store.reference import key_of, ref_of
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

AGAIN_DAYS: Final = 7
"""What was not confirmed is told again after so long: twice within the life of a letter."""

KEPT_DAYS: Final = 400

_ENTRY_BYTES_MAX: Final = 128
_REF_BYTES: Final = 37


@dataclass(frozen=True, slots=True)
class Debt:
    """One key that one holder is to be told of.

    Attributes:
        sent_day: when it was last told; None: not yet.
        letter: what told it.
    """

    holder: bytes
    name: bytes
    since_day: Day
    sent_day: Day | None = None
    letter: BundleRef | None = None

    def is_due(self, today: Day) -> bool:
        """Tell whether it is to be told today, for the first time or again."""
        return self.sent_day is None or self.sent_day + AGAIN_DAYS <= today


class Debts:
    """All that an editor still has to tell."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def owe(self, holder: bytes, names: Iterable[bytes], today: Day) -> None:
        """Owe a holder these keys from now on, whatever it was told of them before."""
        for name in names:
            self._put(Debt(holder, name, today))

    def by_holder(self) -> Iterator[tuple[bytes, list[Debt]]]:
        """Yield each holder and what it is owed."""
        for holder, debts in groupby(list(self._all()), key=lambda debt: debt.holder):
            yield holder, list(debts)

    def _all(self) -> Iterator[Debt]:
        for key, value in self._vault.scan(shelf.OWED):
            since, sent, letter = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=3)
            reference = as_bytes(letter, at_most=_REF_BYTES)
            sent_day = as_int(sent, 0, DAY_MAX)
            yield Debt(
                holder=key[:KEY_BYTES],
                name=key[KEY_BYTES:],
                since_day=Day(as_int(since, 0, DAY_MAX)),
                sent_day=Day(sent_day) if sent_day else None,
                letter=ref_of(reference) if reference else None,
            )

    def told(self, debts: Iterable[Debt], letter: BundleRef, today: Day) -> None:
        """Take note of the letter that told these."""
        for debt in debts:
            self._put(Debt(debt.holder, debt.name, debt.since_day, today, letter))

    def settle(self, debts: Iterable[Debt]) -> None:
        """Owe these no more."""
        for debt in debts:
            self._vault.delete(shelf.OWED, debt.holder + debt.name)

    def _put(self, debt: Debt) -> None:
        letter = b"" if debt.letter is None else key_of(debt.letter)
        value = encode([debt.since_day, debt.sent_day or 0, letter])
        self._vault.put(shelf.OWED, debt.holder + debt.name, value)
