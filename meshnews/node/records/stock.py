"""What a desk believes to be left of what it gave to one member or relay.

    stock   byline or static key
                -> [sent day, filled day, time, met, prekeys, [postage …], [static …]]

Only what the desk has seen spent is counted, never more than a card brings: a
dispatch that was lost on its way spent its keys too, and one that came claims
how much its attachments spent.  See docs/protocol/enrolment.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from meshnews.bundle.statement import Letter
from meshnews.bundle.tree import AttachmentTree
from meshnews.desk.limits import PREKEYS_PER_PACK, RELAYS_MAX
from meshnews.ids import Day, TrafficClass
from meshnews.limits import DAY_MAX, INDEX_CHILDREN_MAX, POSTAGE_IDS_MAX
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

PostageKind: TypeAlias = tuple[TrafficClass, int]
"""Of which class postage is, and how many bundles one piece of it franks."""

CARD_POSTAGE: Final[dict[PostageKind, int]] = {
    (TrafficClass.FLASH, 1): 16,
    (TrafficClass.ROUTINE, 1): 240,
    (TrafficClass.ROUTINE, POSTAGE_IDS_MAX): 64,
    (TrafficClass.BULK, POSTAGE_IDS_MAX): 2100,
}
"""Postage on a press card: how many keys of each kind."""

_KINDS: Final = tuple(CARD_POSTAGE)
_NEVER: Final = Day(0)
_ENTRY_BYTES_MAX: Final = 16 * 1024
_USED_MAX: Final = 1 << 40
_TIME_MAX: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Stock:
    """What was given to one, and how much of it is known to be gone.

    Attributes:
        sent_day: when it was last sent something; 0: never, since its card.
        filled_day: when it was last given prekeys or postage.
        time: the `time` of the last refresh; each has a later one.
        met: something of its holder has come since then.
        prekeys: one-time prekeys of this editor known to be used.
        postage: keys known to be used, by kind.
        told: static keys of the relays it was told of.
    """

    sent_day: Day
    filled_day: Day = _NEVER
    time: int = 0
    met: bool = False
    prekeys: int = 0
    postage: dict[PostageKind, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    told: frozenset[bytes] = frozenset()

    @property
    def is_low(self) -> bool:
        """Of something less than half is left of what a card brings."""
        return self.prekeys * 2 > PREKEYS_PER_PACK or any(
            self.postage[kind] * 2 > full for kind, full in CARD_POSTAGE.items()
        )

    def after(self, letter: Letter, *, by_prekey: bool) -> "Stock":
        """Return the stock after a dispatch that was opened here."""
        postage = dict(self.postage)
        traffic = letter.inner.priority.traffic
        n = POSTAGE_IDS_MAX if traffic is TrafficClass.BULK else 1
        postage[traffic, n] += 1
        for tree in letter.statement.attachments:
            postage[tree.traffic, POSTAGE_IDS_MAX] += -(-_bundles(tree) // POSTAGE_IDS_MAX)
        postage = {kind: min(spent, CARD_POSTAGE[kind]) for kind, spent in postage.items()}
        return replace(self, met=True, prekeys=self.prekeys + by_prekey, postage=postage)


def _bundles(tree: AttachmentTree) -> int:
    """Return how many bundles a file was: its leaves, and the nodes that list them."""
    nodes = total = tree.n
    for _ in range(tree.depth):
        nodes = -(-nodes // INDEX_CHILDREN_MAX)
        total += nodes
    return total


def load_stock(vault: Vault, holder: bytes) -> Stock | None:
    """Return what the desk believes of one holder; None: it was never given anything here."""
    value = vault.get(shelf.STOCK, holder)
    if value is None:
        return None
    fields = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=7)
    sent_day, filled_day, time, met, prekeys, postage, told = fields
    used = as_list(postage, size=len(_KINDS))
    return Stock(
        sent_day=Day(as_int(sent_day, 0, DAY_MAX)),
        filled_day=Day(as_int(filled_day, 0, DAY_MAX)),
        time=as_int(time, 0, _TIME_MAX),
        met=bool(as_int(met, 0, 1)),
        prekeys=as_int(prekeys, 0, _USED_MAX),
        postage={kind: as_int(n, 0, _USED_MAX) for kind, n in zip(_KINDS, used, strict=True)},
        told=frozenset(as_bytes(one, 32) for one in as_list(told, at_most=RELAYS_MAX)),
    )


def all_stocks(vault: Vault) -> Iterator[tuple[bytes, Stock]]:
    """Yield what the desk believes of everybody it gave something from here."""
    for holder, _ in vault.scan(shelf.STOCK):
        stock = load_stock(vault, holder)
        if stock is not None:
            yield holder, stock


def save_stock(vault: Vault, holder: bytes, stock: Stock) -> None:
    """Keep what the desk believes of one holder."""
    used = [stock.postage[kind] for kind in _KINDS]
    fields: list[Value] = [stock.sent_day, stock.filled_day, stock.time, int(stock.met)]
    value = encode([*fields, stock.prekeys, used, sorted(stock.told)])
    vault.put(shelf.STOCK, holder, value)
