"""Which first messages were answered already: each is answered once, across restarts too."""

from collections import OrderedDict
from typing import Final

from meshnews.node import shelf
from meshnews.store.port import Carry

REMEMBERED_MAX: Final = 4096
"""Answers to beacons kept in memory; such an answer dies with the beacon's nonce anyway."""


class ReplayShelf:
    """Remembers the hashes of callers' ephemeral keys: durable ones on carry.

    An entry on carry is written in the transaction whose effects answer the
    call, so no power cut lets a recording be answered twice.
    """

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._recent: OrderedDict[bytes, None] = OrderedDict()

    def first_time(self, hash16: bytes, *, durable: bool) -> bool:
        """Tell whether `hash16` is new, and remember it."""
        if hash16 in self._recent or self._carry.get(shelf.REPLAY, hash16) is not None:
            return False
        if durable:
            self._carry.put(shelf.REPLAY, hash16, b"")
            return True
        self._recent[hash16] = None
        if len(self._recent) > REMEMBERED_MAX:
            self._recent.popitem(last=False)
        return True
