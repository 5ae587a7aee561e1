"""What a desk sends after a card: new keys in place of those spent, new relays.

    a member of whom something came    what it spent, when half is gone or a week has passed
    every member                       a relay or collector that it should use and was not told of
    every relay                        a collector that it was not told of

The editor who signed a member's certificate looks after the member; when that
editor is gone, the first of those who open does.  Up to three editors give a
member prekeys of their own.  See docs/protocol/enrolment.md.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meshnews.bundle.postage import issue
from meshnews.bundle.seal import Reader, epoch_prekey
from meshnews.bundle.statement import Inner, Kind, Letter, Priority
from meshnews.crypto.keys import Ed25519Public, PostageKey
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.card import RelayRecord
from meshnews.desk.limits import (
    PACKS_PER_CARD,
    POSTAGE_ON_REFRESH_MAX,
    PREKEYS_PER_PACK,
    RELAYS_NAMED_ON_CARD,
    RELAYS_ON_CARD_MAX,
)
from meshnews.desk.manifest import Role
from meshnews.desk.pack import PrekeyPack, RelayKeys
from meshnews.desk.recall import revocation_id
from meshnews.desk.refresh import Refresh
from meshnews.errors import Refusal
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import LIVES_DAYS
from meshnews.node.home import Home
from meshnews.node.office.posting import post
from meshnews.node.office.seat import Seat, take_seat
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.roster import Known, Roster, keys_of
from meshnews.node.records.stock import CARD_POSTAGE, PostageKind, Stock, load_stock, save_stock
from meshnews.store.terms import FILING_DAYS

RENEW_DAYS: Final = 7
"""What a card brought is filled up after so long, when its holder was heard of."""

LOW_AFTER_DAYS: Final = 1
"""What is low is filled up at most so often: a dispatch only claims how much it spent."""

TRICKLE: Final = 16
"""One part in so many of what a card brings is given even when nothing was seen spent."""

PREKEYS_AT_ONCE: Final = 128
POSTAGE_AT_ONCE: Final = 450
"""In one refresh: together they fit the largest bundle."""

assert POSTAGE_AT_ONCE <= POSTAGE_ON_REFRESH_MAX


@dataclass(frozen=True, slots=True)
class _Relays:
    """The machines that were not recalled, and those of each kind; the newest first."""

    known: tuple[RelayRecord, ...]
    collectors: tuple[RelayRecord, ...]
    others: tuple[RelayRecord, ...]


class Supply:
    """Looks after those to whom this editor's desk gave cards."""

    def __init__(self, home: Home) -> None:
        self._home = home

    # What is known of those who have cards ----------------------------------

    def issued(self, holder: bytes, relays: Iterable[RelayKeys]) -> None:
        """Take note of a card that was just made: it is full, and tells of these relays."""
        home = self._home
        before = load_stock(home.open_vault, holder)
        time = 0 if before is None else before.time
        told = frozenset(bytes(one.static) for one in relays)
        today = home.moment.today
        stock = Stock(today, filled_day=today, time=time, told=told)
        save_stock(home.open_vault, holder, stock)

    def met(self, byline: bytes, letter: Letter, *, by_prekey: bool) -> None:
        """Take note of a dispatch of a member that was opened, and fill up what it spent."""
        home = self._home
        stock = load_stock(home.open_vault, byline) or Stock(Day(0))
        stock = stock.after(letter, by_prekey=by_prekey)
        save_stock(home.open_vault, byline, stock)
        known = Roster(home.open_vault).member(byline)
        seat = self.seat()
        if known is not None and seat is not None and self._wants_filling(stock):
            self._look_after(seat, Ed25519Public(byline), known, stock, self._relays())

    def turn(self) -> None:
        """Send whoever has a card what it should have by now and was not sent."""
        seat = self.seat()
        if seat is None:
            return
        # Read once: a desk of hundreds of relays has as many to look after.
        relays = self._relays()
        for byline, known in list(Roster(self._home.open_vault).members()):
            stock = load_stock(self._home.open_vault, byline)
            self._look_after(seat, byline, known, stock or Stock(Day(0)), relays)
        if seat.signer.public in seat.manifest.holders_of(Role.PUBLISH)[:1]:
            for record in relays.known:
                self._look_after_relay(record, relays.collectors)

    def seat(self) -> Seat | None:
        """Return this editor's seat; None where nobody has one, or no date can be given."""
        home = self._home
        if home.vault is None or not home.wall.trusted:
            return None
        try:
            seat = take_seat(home)
        except Refusal:
            return None
        ends, today = seat.issuer_ends, home.moment.today
        # Postage that no relay would take any more helps nobody.
        return None if ends is None or ends < today + FILING_DAYS + LIVES_DAYS[-1] else seat

    # Members ------------------------------------------------------------------

    def _look_after(
        self, seat: Seat, byline: Ed25519Public, known: Known, stock: Stock, at_hand: _Relays
    ) -> None:
        if self._home.book.is_recalled(revocation_id(byline)):
            return
        relays: list[RelayRecord] = []
        postage: list[PostageKind] = []
        prekeys = self._prekeys_due(seat, known, stock)
        if self._is_keeper(seat, known):
            relays = _untold(stock, at_hand)
            postage = list(self._postage_due(stock))
        while prekeys or postage or relays:
            now_prekeys, prekeys = min(prekeys, PREKEYS_AT_ONCE), max(0, prekeys - PREKEYS_AT_ONCE)
            now_postage, postage = postage[:POSTAGE_AT_ONCE], postage[POSTAGE_AT_ONCE:]
            refresh = Refresh(
                time=self._later_than(stock.time),
                packs=self._packs(seat, byline, now_prekeys),
                postage=tuple(self._make_postage(seat, now_postage)),
                relays=tuple(map(keys_of, relays)),
            )
            if self._send_member(seat, byline, refresh) is None:
                return
            stock = _after(stock, refresh, self._home.moment.today)
            save_stock(self._home.open_vault, byline, stock)
            relays = []

    def _wants_filling(self, stock: Stock) -> bool:
        days = self._home.moment.today - stock.filled_day
        return stock.met and days >= (LOW_AFTER_DAYS if stock.is_low else RENEW_DAYS)

    def _is_keeper(self, seat: Seat, known: Known) -> bool:
        """Tell whether it is this editor who looks after a member."""
        signer = known.card.editor
        if seat.manifest.is_editor(signer):
            return signer == seat.signer.public
        return seat.signer.public in seat.manifest.holders_of(Role.OPEN)[:1]

    def _prekeys_due(self, seat: Seat, known: Known, stock: Stock) -> int:
        if not (Role.OPEN in seat.roles and self._gives_prekeys(seat, known)):
            return 0
        if stock.sent_day == 0 and known.card.editor != seat.signer.public:
            # Another editor made the card: this one's keys are not on it.
            return PREKEYS_PER_PACK
        if not self._wants_filling(stock):
            return 0
        return max(PREKEYS_PER_PACK // TRICKLE, min(stock.prekeys, PREKEYS_PER_PACK))

    @staticmethod
    def _gives_prekeys(seat: Seat, known: Known) -> bool:
        own = seat.signer.public
        first = seat.manifest.holders_of(Role.OPEN)[:PACKS_PER_CARD]
        return own == known.card.editor or own in first

    def _postage_due(self, stock: Stock) -> Iterator[PostageKind]:
        if not self._wants_filling(stock):
            return
        for kind, full in CARD_POSTAGE.items():
            yield from [kind] * max(full // TRICKLE, min(stock.postage[kind], full))

    def _packs(self, seat: Seat, byline: bytes, count: int) -> tuple[PrekeyPack, ...]:
        if not count:
            return ()
        keys = DeskKeys(self._home.open_vault, self._home.entropy)
        scan = keys.scan(self._home.moment.today).public
        return (PrekeyPack(seat.signer.public, scan, keys.make_pack(byline, count)),)

    def _make_postage(self, seat: Seat, kinds: list[PostageKind]) -> Iterator[PostageKey]:
        assert seat.issuer_ends is not None, "looked at before"
        for kind in dict.fromkeys(kinds):
            traffic, n = kind
            yield from issue(
                seat.issuer,
                self._home.entropy,
                expiry_day=seat.issuer_ends,
                traffic=traffic,
                n=n,
                count=kinds.count(kind),
            )

    def tell_member(self, byline: Ed25519Public, keys: Refresh) -> BundleRef | None:
        """Seal to one member keys that take the place of those it has; return the letter, if any.

        The `time` of `keys` is set here.
        """
        seat, vault = self.seat(), self._home.open_vault
        if seat is None:
            return None
        stock = load_stock(vault, byline) or Stock(Day(0))
        refresh = replace(keys, time=self._later_than(stock.time))
        letter = self._send_member(seat, byline, refresh)
        if letter is not None:
            save_stock(vault, byline, _after_keys(stock, refresh))
        return letter

    def _send_member(self, seat: Seat, byline: Ed25519Public, refresh: Refresh) -> BundleRef | None:
        """Post a refresh, if there is a key to seal it to."""
        if Role.OPEN not in seat.roles:
            return None
        reader = Roster(self._home.open_vault).draw_reply_key(byline)
        if reader is None:
            return None
        return self._post(seat, refresh, reader, TrafficClass.ROUTINE)

    # Relays -------------------------------------------------------------------

    def _look_after_relay(self, record: RelayRecord, collectors: Sequence[RelayRecord]) -> None:
        home, static = self._home, bytes(record.entry.static)
        stock = load_stock(home.open_vault, static) or Stock(home.moment.today)
        known = {static, *stock.told}
        untold = [one for one in collectors if one.entry.static not in known]
        if untold:
            relays = tuple(map(keys_of, untold))[:RELAYS_ON_CARD_MAX]
            self.tell_relay(record, Refresh(time=0, relays=relays))

    def tell_relay(self, record: RelayRecord, keys: Refresh) -> BundleRef | None:
        """Seal to one relay what it should know: others' keys, a new one of its own, the desk's.

        The `time` of `keys` is set here.
        """
        seat, home, static = self.seat(), self._home, bytes(record.entry.static)
        if seat is None:
            return None
        stock = load_stock(home.open_vault, static) or Stock(home.moment.today)
        refresh = replace(keys, time=self._later_than(stock.time))
        notice = record.entry.notice
        reader = Reader(notice, epoch_prekey(notice))
        letter = self._post(seat, refresh, reader, TrafficClass.NOTICE)
        save_stock(home.open_vault, static, _after_keys(stock, refresh))
        return letter

    def _relays(self) -> _Relays:
        book = self._home.book
        known = Roster(self._home.open_vault).relays()
        good = [one for one in known if not book.is_recalled(revocation_id(one.entry.static))]
        return _Relays(
            tuple(good),
            tuple(one for one in good if _collects(one)),
            tuple(one for one in good if not _collects(one)),
        )

    # Sending --------------------------------------------------------------------

    def _later_than(self, time: int) -> int:
        return max(self._home.wall.s, time + 1)

    def _post(
        self, seat: Seat, refresh: Refresh, reader: Reader, traffic: TrafficClass
    ) -> BundleRef:
        inner = Inner(Kind.REFRESH, "", Priority.ROUTINE, cargo=refresh.encode())
        return post(
            self._home,
            inner,
            [reader],
            signer=seat.signer,
            issuer=seat.issuer,
            desk=seat.manifest.desk,
            traffic=traffic,
        )


def _untold(stock: Stock, relays: _Relays) -> list[RelayRecord]:
    """Return all collectors a member was not told of, and relays as far as it has few."""
    statics = {bytes(one.entry.static) for one in relays.others}
    room = RELAYS_NAMED_ON_CARD - len(statics & stock.told)
    collectors = [one for one in relays.collectors if bytes(one.entry.static) not in stock.told]
    others = [one for one in relays.others if bytes(one.entry.static) not in stock.told]
    return [*collectors, *others[: max(room, 0)]][:RELAYS_ON_CARD_MAX]


def _after(stock: Stock, refresh: Refresh, today: Day) -> Stock:
    """Return the stock after a refresh was sent."""
    postage = dict(stock.postage)
    for key in refresh.postage:
        postage[key.traffic, key.n] = max(0, postage[key.traffic, key.n] - 1)
    given = sum(len(pack.prekeys) for pack in refresh.packs)
    filled = bool(refresh.postage or given)
    return replace(
        _after_keys(stock, refresh),
        sent_day=today,
        filled_day=today if filled else stock.filled_day,
        met=stock.met and not filled,
        prekeys=max(0, stock.prekeys - given),
        postage=postage,
    )


def _after_keys(stock: Stock, refresh: Refresh) -> Stock:
    """Return the stock after keys were sent that everybody shares."""
    told = stock.told | {bytes(one.static) for one in refresh.relays}
    return replace(stock, time=refresh.time, told=told)


def _collects(record: RelayRecord) -> bool:
    return RelayFlags.COLLECTOR in record.entry.flags
