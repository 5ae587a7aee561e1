"""What an editor sends back to a reporter: an answer, and the word that a dispatch was read."""

from typing import Final

from meshnews.bundle.statement import Inner, Kind, Priority, clean_text
from meshnews.desk.manifest import Role
from meshnews.desk.recall import revocation_id
from meshnews.errors import Refusal
from meshnews.ids import BundleId
from meshnews.node.dispatches.item import Heading, Verdict
from meshnews.node.home import Home
from meshnews.node.office.posting import post
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.roster import Roster

REPLY_BYTES_MAX: Final = 60_000
"""Fits the largest bundle with everything round it."""


class Answers:
    """Seals what goes to one reporter."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def reply(self, item: Heading, text: str) -> bytes:
        """Send a text to the author of an item; return its identifier.

        Raises:
            Refusal: this home is no editor's, or the author is not known or was recalled.
        """
        if self._is_recalled(item):
            raise Refusal(
                "author-recalled",
                what="The desk has recalled the card of this item's author.",
                meaning="Whoever has the card now would read the answer, so nothing was sent.",
                remedy="Reach the author another way, and give them a new card.",
            )
        words = clean_text(text)
        if len(words.encode("utf-8")) > REPLY_BYTES_MAX:
            raise Refusal(
                "text-too-long",
                what=f"An answer has at most {REPLY_BYTES_MAX} bytes.",
                meaning="Nothing was sent.",
                remedy="Shorten it, or send it in parts.",
            )
        inner = Inner(Kind.REPLY, item.slug, Priority.ROUTINE, item.pc, text=words)
        sent = self._send(item, inner)
        if sent is None:
            raise _cannot_answer()
        return sent

    def tell_read(self, item: Heading) -> None:
        """Tell the author that an item was read; silently nothing where that cannot be."""
        is_proven = item.verdict in {Verdict.VERIFIED, Verdict.LAPSED}
        if not is_proven or item.kind is not Kind.DISPATCH or self._is_recalled(item):
            return
        inner = Inner(Kind.READ, "", Priority.ROUTINE, item.pc)
        self._send(item, inner)

    def _is_recalled(self, item: Heading) -> bool:
        return self._home.book.is_recalled(revocation_id(item.author))

    def _send(self, item: Heading, inner: Inner) -> BundleId | None:
        """Seal to the author of an item; None, and nothing written, where that cannot be."""
        home = self._home
        person = Person(home.open_vault)
        signer = person.sign_key()
        issuer = DeskKeys(home.open_vault, home.entropy).issuer()
        manifest = home.book.manifest
        if signer is None or issuer is None or manifest is None:
            return None
        if signer.public not in manifest.holders_of(Role.OPEN):
            return None
        reader = Roster(home.open_vault).draw_reply_key(item.author)
        if reader is None:
            return None
        desk = manifest.desk
        return post(home, inner, [reader], signer=signer, issuer=issuer, desk=desk).id


def _cannot_answer() -> Refusal:
    return Refusal(
        "cannot-answer",
        what="There is nobody to answer: the desk knows no key of this item's author.",
        meaning="Nothing was sent.",
        remedy="Only an editor can answer, and only items of reporters with a card.",
    )
