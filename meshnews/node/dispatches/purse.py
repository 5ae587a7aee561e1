"""Postage for one filing: until when it is good, and one piece for many chunks.

A piece is drawn from the wallet when the last is used up, and what is left of
it when the filing ends is gone: pieces of two dispatches under one key would
show that they have one author.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.postage import ByPostage
from meshnews.bundle.statement import Priority
from meshnews.crypto.keys import PostageKey
from meshnews.ids import Day, TrafficClass
from meshnews.limits import LIVES_DAYS, POSTAGE_IDS_MAX
from meshnews.node.dispatches import filing_refusal as refusal
from meshnews.node.records.stock import PostageKind
from meshnews.node.records.wallet import Wallet
from meshnews.store.terms import FILING_DAYS

LIFE_DAYS: Final = LIVES_DAYS[-1]
"""What is filed lives as long as anything may."""


CHUNK_KINDS: Final[tuple[PostageKind, ...]] = (
    (TrafficClass.ROUTINE, POSTAGE_IDS_MAX),
    (TrafficClass.BULK, POSTAGE_IDS_MAX),
)


def text_kind(priority: Priority) -> PostageKind:
    """Return what postage the text of a dispatch takes."""
    traffic = priority.traffic
    return traffic, POSTAGE_IDS_MAX if traffic is TrafficClass.BULK else 1


def latest_day(wallet: Wallet, kinds: Iterable[PostageKind], *, floor_day: Day) -> Day:
    """Return the last day that postage of each kind can frank; what has run out sets none.

    Raises:
        Refusal: none of any of them is left.
    """
    lasts = [last for kind in kinds if (last := wallet.last_postage_day(*kind)) is not None]
    days = [Day(last - FILING_DAYS - LIFE_DAYS) for last in lasts]
    good = [day for day in days if day >= floor_day]
    if not good:
        raise refusal.no_postage()
    return min(good)


@dataclass(slots=True)
class _Piece:
    franker: ByPostage
    left: int


class Purse:
    """The postage of one dispatch, whose bundles all bear one day."""

    def __init__(self, day: Day) -> None:
        self._good_on = Day(day + FILING_DAYS + LIFE_DAYS)
        self._pieces: dict[TrafficClass, _Piece] = {}

    def chunk_franker(self, wallet: Wallet, traffic: TrafficClass) -> ByPostage:
        """Return what franks the next chunk.

        Raises:
            Refusal: no postage is left.
        """
        piece = self._pieces.get(traffic)
        if piece is None or not piece.left:
            key = self.draw(wallet, (traffic, POSTAGE_IDS_MAX))
            piece = self._pieces[traffic] = _Piece(ByPostage(key), key.n)
        piece.left -= 1
        return piece.franker

    def draw(self, wallet: Wallet, kind: PostageKind) -> PostageKey:
        """Take a piece out of the wallet.

        Raises:
            Refusal: no postage is left.
        """
        key = wallet.draw_postage(*kind, good_on=self._good_on)
        if key is None:
            raise refusal.no_postage()
        return key
