"""Recalling: whom a desk knows, the recall that a root is to sign, and what it sets going.

    WHO -> prepare -> unsigned recall -> sign_offline -> publish
    or a recall that its holder has signed in advance    -> publish

See docs/protocol/recall.md.
"""

import enum
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.words import SafetyWord, safety_words
from meshnews.desk.limits import RECALLED_MAX
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import (
    Recall,
    recall_oneself,
    revocation_id,
    unsigned_recall,
    verify_recall,
)
from meshnews.errors import PeerError, Refusal
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.node.identity import Role as HomeRole
from meshnews.node.office.seat import Seat, take_seat
from meshnews.node.person import Person
from meshnews.node.records.roster import Roster

PREFIX_DIGITS_MIN: Final = 8
"""So many digits of a key name its holder, where a name does not."""


class HolderKind(enum.StrEnum):
    """What a card was made for."""

    REPORTER = "reporter"
    RELAY = "relay"
    EDITOR = "editor"


@dataclass(frozen=True, slots=True)
class Holder:
    """One whom the desk gave a card.

    Attributes:
        key: its byline key, static key or sign key.
        name: of a reporter or relay; editors have none.
        is_own: it is this home.
    """

    kind: HolderKind
    key: bytes
    name: str
    is_recalled: bool
    is_own: bool = False

    @property
    def words(self) -> list[SafetyWord]:
        """The eight words that stand for its key: whoever signs the recall is shown the same."""
        return safety_words(revocation_id(self.key))


def holders(home: Home) -> Iterator[Holder]:
    """Yield everybody of the desk whom this editor knows: reporters, relays, editors.

    Raises:
        LocalMisuse: the vault is closed.
    """
    roster, person = Roster(home.open_vault), Person(home.open_vault)
    signer = person.sign_key()
    for byline, known in roster.members():
        yield _holder(home, HolderKind.REPORTER, byline, known.card.name)
    for record in roster.relays():
        yield _holder(home, HolderKind.RELAY, record.entry.static, record.name)
    manifest = home.book.manifest
    for editor in () if manifest is None else manifest.editors:
        is_own = signer is not None and editor.sign == signer.public
        yield _holder(home, HolderKind.EDITOR, editor.sign, "", is_own=is_own)


def _holder(home: Home, kind: HolderKind, key: bytes, name: str, *, is_own: bool = False) -> Holder:
    return Holder(kind, bytes(key), name, home.book.is_recalled(revocation_id(key)), is_own)


class Recalling:
    """Recalls cards, relays and editors, as one of a desk's editors."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def prepare(self, who: str) -> tuple[bytes, Holder]:
        """Return the recall of a holder, for a root to sign; nothing is changed.

        Args:
            who: the name of a reporter or relay, or how anybody's key begins, in hexadecimal.

        Raises:
            Refusal: this home is no editor's, nobody or more than one is meant, it is this
                home, or it was recalled already.
        """
        seat, holder = take_seat(self._home), self._find(who)
        if holder.is_recalled:
            raise Refusal(
                "recalled-already",
                what="The desk has recalled it already.",
                meaning="Nothing was prepared.",
                remedy="`meshnews doctor` says who has not confirmed the new keys yet.",
            )
        require_another(holder)
        if len(seat.manifest.recalled) >= RECALLED_MAX:
            raise Refusal(
                "too-many-recalls",
                what=f"A desk keeps at most {RECALLED_MAX} recalls.",
                meaning="Nothing was prepared.",
                remedy="Make a new desk and enrol those who stay.",
            )
        # Without a clock it counts from when it is heard.
        time = self._home.wall.s if self._home.wall.trusted else 0
        recall = Recall(seat.manifest.desk, revocation_id(holder.key), time)
        return unsigned_recall(recall, seat.manifest.roots), holder

    def read(self, signed: bytes) -> Holder:
        """Return whom a signed recall recalls.

        Raises:
            Refusal: nobody who could has signed it, or the desk knows nobody by that key.
        """
        return self._named_in(take_seat(self._home), signed)

    def publish(self, signed: bytes) -> Holder:
        """Let a signed recall count from now on, and keep it to be told to all.

        Raises:
            Refusal: nobody who could has signed it, the desk knows nobody by that key,
                or it is this home.
        """
        holder = self.read(signed)
        require_another(holder)
        self._home.book.take(Notice(NoticeKind.RECALL, signed))
        self._home.open_vault.put(shelf.RECALLED, revocation_id(holder.key), signed)
        return holder

    def restore(self) -> None:
        """Let what was published count: the vault alone may have been committed."""
        for _, signed in self._home.open_vault.scan(shelf.RECALLED):
            self._home.book.take(Notice(NoticeKind.RECALL, signed))

    def _find(self, who: str) -> Holder:
        wished = _folded(who)
        found = [one for one in holders(self._home) if one.name and _folded(one.name) == wished]
        if not found and len(wished) >= PREFIX_DIGITS_MIN:
            found = [one for one in holders(self._home) if one.key.hex().startswith(wished)]
        if len(found) != 1:
            raise Refusal(
                "nobody-known" if not found else "more-than-one",
                what=f"{'Nobody' if not found else 'More than one'} of the desk is meant by that.",
                meaning="Nothing was prepared.",
                remedy="`meshnews desk recall` lists who there is, with names and keys.",
            )
        return found[0]

    def _named_in(self, seat: Seat, signed: bytes) -> Holder:
        try:
            recall = verify_recall(signed, desk=seat.manifest.desk)
        except PeerError as exc:
            raise Refusal(
                "recall-unreadable",
                what="This file is no recall of this desk, or neither root nor holder signed it.",
                meaning="Nobody was recalled.",
                remedy="Sign the file with `meshnews desk sign FILE --root-folder DIR`.",
            ) from exc
        for one in holders(self._home):
            if revocation_id(one.key) == recall.revocation:
                return one
        raise Refusal(
            "nobody-known",
            what="The desk knows nobody by the key that this recalls.",
            meaning="Nobody was recalled.",
            remedy="Let the editor who made that card publish it.",
        )


def recall_own(home: Home) -> bytes:
    """Return a recall of this home, signed by itself: to be left with somebody.

    Raises:
        Refusal: the home belongs to no desk, or is a relay's.
    """
    signer = None if home.identity.role is HomeRole.RELAY else Person(home.open_vault).sign_key()
    if signer is None:
        raise Refusal(
            "wrong-role",
            what="A relay's key cannot sign, so a relay cannot recall itself.",
            meaning="Nothing was written.",
            remedy="An editor recalls it: `meshnews desk recall NAME`.",
        )
    if home.identity.desk is None:
        raise Refusal(
            "no-desk",
            what="This home belongs to no desk yet.",
            meaning="There is nothing that could be recalled.",
            remedy="Join a desk first: `meshnews enrol`.",
        )
    return recall_oneself(home.identity.desk, signer)


def is_own_recalled(home: Home) -> bool:
    """Tell whether the desk has recalled this home, as far as it can tell with a closed vault.

    Raises:
        Nothing.
    """
    keys: list[bytes] = []
    if home.identity.relay is not None:
        keys.append(home.identity.relay.static.public)
    if home.vault is not None and (signer := Person(home.vault).sign_key()) is not None:
        keys.append(signer.public)
    return any(home.book.is_recalled(revocation_id(key)) for key in keys)


def require_in_force(home: Home) -> None:
    """Return if the desk has not recalled this home.

    Raises:
        Refusal: it has.
    """
    if is_own_recalled(home):
        raise Refusal(
            "own-card-recalled",
            what="The desk has recalled the card of this home.",
            meaning="Whatever is filed with it would not be believed, so nothing was sealed.",
            remedy="If the card is in your hands alone, ask the desk for another, in a new home.",
        )


def require_another(holder: Holder) -> None:
    """Return if `holder` is not this home.

    Raises:
        Refusal: it is.
    """
    if holder.is_own:
        raise Refusal(
            "recall-of-oneself",
            what="That is this home itself.",
            meaning="Nobody would believe the keys that it would have to replace.",
            remedy="Let another editor of the desk do it.",
        )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name.strip()).casefold()
