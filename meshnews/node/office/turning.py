"""Replacing the keys that somebody knew who was recalled, and telling everybody else.

    recalled    replaced
    reporter    beacon keys of the relays on its card; mesh key; both notice keys
    relay       beacon keys of those it was told of; desk notice key
    editor      all of them; another editor signs the certificates it had signed

Whoever publishes the recall replaces the keys and owes them (`meshnews.node.records.owed`)
to all holders; whoever told somebody a key before owes its successor.  All of it
is in the vault, so that what a crash or a closed lid interrupts goes on later.
See docs/protocol/recall.md and decisions 0116 to 0118.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from meshnews.bundle.statement import Kind, Letter
from meshnews.crypto.keys import Ed25519Public, SymmetricKey
from meshnews.desk.card import RelayRecord
from meshnews.desk.certificate import Member, sign_certificate
from meshnews.desk.limits import RELAYS_ON_CARD_MAX
from meshnews.desk.manifest import Role
from meshnews.desk.pack import RelayKeys
from meshnews.desk.recall import revocation_id
from meshnews.desk.refresh import Refresh, decode_refresh
from meshnews.errors import Refusal
from meshnews.ids import BundleRef, Day
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role as HomeRole
from meshnews.node.office.colleagues import colleagues, tell_colleagues
from meshnews.node.office.notices import Notices
from meshnews.node.office.recalling import Holder, HolderKind, Recalling, require_another
from meshnews.node.office.refreshing import latest_time
from meshnews.node.office.seat import Seat, take_seat
from meshnews.node.office.supply import Supply
from meshnews.node.office.whole_desk import own_record
from meshnews.node.person import Person
from meshnews.node.records.former import NOTICE, beacon_of
from meshnews.node.records.keyring import (
    MEMBER_NOTICE,
    MESH,
    Keyring,
    SharedKey,
    Stamp,
    static_in,
)
from meshnews.node.records.owed import KEPT_DAYS, Debt, Debts
from meshnews.node.records.roster import Roster, keys_of
from meshnews.node.records.stock import all_stocks, load_stock
from meshnews.store.age import DAY_S, DAY_ZERO_S
from meshnews.store.port import State

LETTERS_AT_ONCE: Final = 64
"""Letters written in one transaction: others get their turn between two."""


class Turning:
    """An editor's part in replacing keys after a recall.

    Attributes:
        is_behind: there may be more letters to write than one turn has written.
    """

    def __init__(self, home: Home, notices: Notices, supply: Supply) -> None:
        self._home = home
        self._notices = notices
        self._supply = supply
        self.is_behind = False

    def require_ready(self, holder: Holder) -> None:
        """Return if keys that a holder knew could be replaced by this home now.

        Raises:
            Refusal: the holder is this home, or its clock is not believed.
        """
        require_another(holder)
        if not self._home.wall.trusted:
            raise _clock_unsure()

    def begin(self, holder: Holder) -> int:
        """Replace what a recalled holder knew, and owe it to everybody else.

        Returns:
            How many relays and collectors have another beacon key from now on.

        Raises:
            Refusal: this home is no editor's.
        """
        seat, home = take_seat(self._home), self._home
        ring = Keyring(home)
        stamp = Stamp(max(home.wall.s, ring.latest() + 1), seat.signer.public)
        beacons = {beacon_of(static) for static in self._known_to(seat, holder)}
        names = beacons | {NOTICE}
        if holder.kind is not HolderKind.RELAY:
            names |= {MESH, MEMBER_NOTICE}
        for name in sorted(names):
            key = SymmetricKey(home.entropy.draw(32))
            ring.put(SharedKey(name, key, stamp, self._mesh_day() if name == MESH else Day(0)))
        self._owe(seat, names, told_since=Day(0))
        self._notices.follow_keys()
        home.tell(Topic.DESK)
        return len(beacons)

    def _mesh_day(self) -> Day:
        """Return the day from which a new mesh key is good: whoever is behind can use it too."""
        mesh = Person(self._home.open_vault).mesh_key()
        assert mesh is not None, "a desk without a mesh key"
        return mesh[1]

    def _known_to(self, seat: Seat, holder: Holder) -> Iterable[bytes]:
        """Return the machines whose beacon keys a holder knew, as far as is known: or all."""
        roster, own = Roster(self._home.open_vault), self._home.identity.relay
        relays = [bytes(one.entry.static) for one in roster.relays()]
        if own is not None:
            relays.append(bytes(own.static.public))
        relays = [one for one in relays if not self._is_recalled(one)]
        stock = load_stock(self._home.open_vault, holder.key)
        if stock is None or not self._alone_told(seat, holder):
            return relays
        return [one for one in relays if one in stock.told]

    def _alone_told(self, seat: Seat, holder: Holder) -> bool:
        """Tell whether nobody but this editor can have told a holder of relays."""
        if holder.kind is HolderKind.REPORTER:
            known = Roster(self._home.open_vault).member(holder.key)
            return known is not None and known.card.editor == seat.signer.public
        return holder.kind is HolderKind.RELAY and len(seat.manifest.editors) == 1

    def take(self, letter: Letter) -> None:
        """Take in keys that another editor has replaced.

        Raises:
            Malformed: the letter says that it is a refresh, and is none.
        """
        home = self._home
        try:
            seat = take_seat(home)
        except Refusal:
            return
        if not seat.manifest.is_editor(letter.author):
            return
        refresh = decode_refresh(letter.inner.cargo)
        if refresh.time > latest_time(home):
            return
        ring, stamp = Keyring(home), Stamp(refresh.time, letter.author)
        new = list(_named(refresh, stamp))
        before = [ring.get(one.name) for one in new]
        changed = {one.name for one in new if ring.put(one)}
        if changed:
            # What this editor had told everybody itself must not have the last word anywhere.
            is_own = any(
                one is not None and one.stamp.editor == seat.signer.public for one in before
            )
            told_since = Day(0) if is_own else _day_before(refresh.time)
            self._owe(seat, changed, told_since=told_since)
            self._notices.follow_keys()
            home.tell(Topic.DESK)
            self.turn()

    def restore(self) -> None:
        """Do again on carry what a crash kept from it."""
        home = self._home
        if home.vault is None or home.identity.role is not HomeRole.EDITOR:
            return
        Recalling(home).restore()
        if Keyring(home).restore():
            self._notices.follow_keys()
            home.tell(Topic.DESK)

    def _owe(self, seat: Seat, names: set[bytes], *, told_since: Day) -> None:
        """Owe keys to the other editors, and to holders what they have of them.

        A beacon key goes to those whom this editor told the one before, and to the machine
        itself.  The others go to those with something given here since `told_since`: the
        editor who replaces a key sees to everybody, and who hears of it only to those who
        were given the one before since then.
        """
        home, debts = self._home, Debts(self._home.open_vault)
        today = home.moment.today
        roster, stocks = Roster(home.open_vault), dict(all_stocks(home.open_vault))
        everybody = told_since == 0
        for holder, common in _holders_of(roster):
            stock, owed = stocks.get(holder), {beacon_of(holder)}
            if stock is not None:
                owed |= set(map(beacon_of, stock.told))
            if everybody or (stock is not None and stock.filled_day >= told_since):
                owed |= common
            if not self._is_recalled(holder):
                debts.owe(holder, names & owed, today)
        for editor in colleagues(home, seat):
            debts.owe(editor, names, today)

    def turn(self) -> None:
        """Write the letters that are due, and sign certificates whose editor has gone."""
        seat = self._supply.seat()
        if seat is None:
            return
        self._sign_anew(seat)
        debts, left = Debts(self._home.open_vault), LETTERS_AT_ONCE
        for holder, owed in list(debts.by_holder()):
            over = [one for one in owed if self._is_over(one)]
            debts.settle(over)
            if left > 0:
                left -= self._pay(seat, holder, [one for one in owed if one not in over])
        self.is_behind = left <= 0

    def _pay(self, seat: Seat, holder: bytes, owed: Sequence[Debt]) -> int:
        """Write to one holder what is due; return how many letters that took."""
        debts, today = Debts(self._home.open_vault), self._home.moment.today
        written = 0
        for some in self._portions([one for one in owed if one.is_due(today)]):
            letter = self._write(seat, holder, some)
            if letter is not None:
                self._let_go(some)
                debts.told(some, letter, today)
                written += 1
        return written

    def _portions(self, debts: Sequence[Debt]) -> Iterator[Sequence[Debt]]:
        """Yield what goes into one letter: keys replaced at one time, and not too many."""
        ring = Keyring(self._home)
        timed = [(key.stamp.time, one) for one in debts if (key := ring.get(one.name)) is not None]
        timed.sort(key=lambda pair: (pair[0], pair[1].name))
        for _, group in groupby(timed, key=lambda pair: pair[0]):
            some = [one for _, one in group]
            for start in range(0, len(some), RELAYS_ON_CARD_MAX):
                yield some[start : start + RELAYS_ON_CARD_MAX]

    def unconfirmed(self) -> set[bytes]:
        """Return those who have not confirmed keys that were replaced; a relay never does."""
        debts = Debts(self._home.open_vault)
        return {
            holder
            for holder, owed in debts.by_holder()
            if not all(self._is_over(one) for one in owed)
        }

    def _is_over(self, debt: Debt) -> bool:
        home, static = self._home, static_in(debt.name)
        if debt.since_day + KEPT_DAYS < home.moment.today or self._is_recalled(debt.holder):
            return True
        if static and self._is_recalled(static):
            return True
        entry = None if debt.letter is None else home.custody.entry(debt.letter)
        return entry is not None and entry.state in {State.ACKED, State.ACKED_WITH_BODY}

    def _let_go(self, debts: Sequence[Debt]) -> None:
        """Let letters go by the ordinary rules that are written anew."""
        for letter in {one.letter for one in debts if one.letter is not None}:
            self._home.custody.unpin(letter, self._home.moment)

    def _write(self, seat: Seat, holder: bytes, debts: Sequence[Debt]) -> BundleRef | None:
        """Tell a holder these keys; None where it cannot be told now."""
        roster, ring = Roster(self._home.open_vault), Keyring(self._home)
        keys = [one for debt in debts if (one := ring.get(debt.name)) is not None]
        record = roster.relay(holder)
        if record is not None:
            return self._supply.tell_relay(record, self._refresh(keys, to=record))
        if roster.member(holder) is not None:
            return self._supply.tell_member(Ed25519Public(holder), self._refresh(keys))
        # Between editors a key keeps the time at which it was replaced.
        time = max((one.stamp.time for one in keys), default=0)
        cargo = replace(self._refresh(keys), time=time).encode()
        return tell_colleagues(self._home, seat, Kind.REFRESH, cargo, only=holder)

    def _refresh(self, keys: Sequence[SharedKey], *, to: RelayRecord | None = None) -> Refresh:
        by_name = {one.name: one for one in keys}
        mesh = by_name.get(MESH)
        own = None if to is None else beacon_of(to.entry.static)
        relays = [self._relay_keys(one) for one in keys if static_in(one.name) and one.name != own]
        return Refresh(
            time=0,
            relays=tuple(one for one in relays if one is not None),
            desk_notice_key=_key(by_name.get(NOTICE)),
            member_notice_key=_key(by_name.get(MEMBER_NOTICE)),
            mesh_key=_key(mesh),
            mesh_day=Day(0) if mesh is None else mesh.day,
            beacon_key=None if own is None else _key(by_name.get(own)),
        )

    def _relay_keys(self, one: SharedKey) -> RelayKeys | None:
        static = static_in(one.name)
        record, own = Roster(self._home.open_vault).relay(static), own_record(self._home)
        if record is None and own is not None and own.entry.static == static:
            record = own
        return None if record is None else replace(keys_of(record), beacon_key=one.key)

    def _sign_anew(self, seat: Seat) -> None:
        """Sign the certificates that an editor had signed who is one no more."""
        if seat.signer.public not in seat.manifest.holders_of(Role.ENROL)[:1]:
            return
        roster = Roster(self._home.open_vault)
        for byline, known in list(roster.members()):
            card = known.card
            if seat.manifest.is_editor(card.editor) or self._is_recalled(byline):
                continue
            certificate = sign_certificate(
                seat.signer,
                desk=seat.manifest.desk,
                byline=byline,
                name=card.name,
                expiry_day=card.expiry_day,
            )
            roster.set_member(byline, replace(known, certificate=certificate))
            record = Member(certificate, known.reply_scan, ()).encode()
            tell_colleagues(self._home, seat, Kind.CARD, record)

    def _is_recalled(self, key: bytes) -> bool:
        return self._home.book.is_recalled(revocation_id(key))


def _holders_of(roster: Roster) -> Iterator[tuple[bytes, set[bytes]]]:
    """Yield everybody with a card, and which of the keys are theirs that all share."""
    for byline, _ in roster.members():
        yield bytes(byline), {NOTICE, MEMBER_NOTICE, MESH}
    for record in roster.relays():
        yield bytes(record.entry.static), {NOTICE}


def _named(refresh: Refresh, stamp: Stamp) -> Iterator[SharedKey]:
    """Yield the keys in another editor's letter."""
    for keys in refresh.relays:
        yield SharedKey(beacon_of(keys.static), keys.beacon_key, stamp)
    if refresh.desk_notice_key is not None:
        yield SharedKey(NOTICE, refresh.desk_notice_key, stamp)
    if refresh.member_notice_key is not None:
        yield SharedKey(MEMBER_NOTICE, refresh.member_notice_key, stamp)
    if refresh.mesh_key is not None:
        yield SharedKey(MESH, refresh.mesh_key, stamp, refresh.mesh_day)


def _key(one: SharedKey | None) -> SymmetricKey | None:
    return None if one is None else one.key


def _day_before(time: int) -> Day:
    return Day(max(1, (time - DAY_ZERO_S) // DAY_S - 1))


def _clock_unsure() -> Refusal:
    return Refusal(
        "clock-not-trusted",
        what="This machine cannot tell whether its clock is right.",
        meaning="New keys carry the time at which they were made, so nobody was recalled.",
        remedy="Let the clock be set from the network; if you are sure that it is right, "
        'write clock = "trusted" into the configuration.',
    )
