"""One node, whole: events in, effects out; the daemon runs one, the simulator thousands.

Every call happens inside one transaction of the stores and starts from what
is in them: a node that is thrown away and made again goes on where the last
transaction left it.  See docs/protocol/README.md and docs/decisions/0001.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import Ed25519Public, SymmetricKey
from meshnews.desk.pack import RelayKeys
from meshnews.desk.recall import revocation_id
from meshnews.ids import BundleRef, Day, IssuerId, TrafficClass
from meshnews.node import identity as who
from meshnews.node.book import DeskBook
from meshnews.node.dispatches.answer import Answers
from meshnews.node.dispatches.dispatch import Dispatches
from meshnews.node.dispatches.filing import Filing
from meshnews.node.dispatches.letter import Letters
from meshnews.node.enrol.enrolment import Enrolment
from meshnews.node.event import (
    Accepted,
    Advertise,
    Carrier,
    Close,
    DialFailed,
    Dialled,
    Drained,
    Effect,
    Event,
    FreeSpace,
    Heard,
    Listening,
    Lost,
    Networks,
    Received,
    Tick,
    Topic,
    Wake,
)
from meshnews.node.home import Home, Wall
from meshnews.node.links.conversation import Conversation
from meshnews.node.links.dialler import Dialler
from meshnews.node.links.drop import Drop, Taken
from meshnews.node.links.neighbour import Neighbour, neighbours_of, relay_of
from meshnews.node.links.presence import Presence
from meshnews.node.links.surroundings import Surroundings
from meshnews.node.links.switchboard import Happening, Switchboard
from meshnews.node.links.uplink import UplinkKeeper
from meshnews.node.links.wire_log import WireLog
from meshnews.node.office.endpoints import Endpoints
from meshnews.node.office.office import Office
from meshnews.node.records.former import FormerKeys, beacon_of
from meshnews.node.settings import Settings
from meshnews.node.work import Work
from meshnews.store.age import Clock, Timekeeper
from meshnews.store.custody import Custody
from meshnews.store.port import Carry, Vault
from meshnews.store.terms import Terms
from meshnews.sync.event import Arrived, Carried, Greeted, HandedOver, InSync, Receipted

TICK_S_MAX: Final = 60.0
"""A node is woken at least this often."""

WAKE_S_MIN: Final = 0.05
WAKE_LATE_S: Final = 0.001
"""And not more often than the one; the other later than is needed.  Life is a sum of floats:
a timer set to the very moment goes off a hair before it as often as not, for nothing."""

_SHOWN_ALIKE: Final = (Received, Drained, Heard, DialFailed)


class Node:
    """One node over its stores."""

    def __init__(
        self,
        *,
        carry: Carry,
        vault: Vault | None,
        entropy: Entropy,
        settings: Settings,
    ) -> None:
        identity = who.load_identity(carry)
        book = DeskBook(carry, identity.desk)
        terms = Terms(
            quota_bytes=settings.quota_bytes,
            collector=identity.is_collector,
            desk=identity.is_desk,
            batch_s=settings.batch_s,
            flash_batch_s=settings.flash_batch_s,
        )
        custody = Custody(carry, terms, entropy, self._issuers)
        self.home = Home(carry, vault, entropy, settings, identity, book, custody)
        self.time = Timekeeper(carry)
        self.home.raise_floor = self.time.raise_floor
        self.dialler = Dialler(entropy, identity.links_max)
        self.surroundings = Surroundings(self.home)
        self.presence = Presence(self.home, self.dialler, self.surroundings)
        self.uplinks = UplinkKeeper(self.home, self.dialler.numbers)
        self.switchboard = Switchboard(self.home, self.dialler, self.uplinks, self.presence)
        self.work = Work(self.home)
        self.wire_log = WireLog(self.home)
        self.drop = Drop(self.home)
        self._ticked_s = -math.inf
        self._shown = Advertise(())
        self._is_shown_stale = True
        self._sweep_s = 0.0

    def _issuers(self, issuer: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
        """Ask the book of now: a card may have changed it since the start."""
        return self.home.book.issuers(issuer)

    # The border -----------------------------------------------------------

    def start(self, clock: Clock) -> list[Effect]:
        """Begin, or go on after a restart; return what is wanted first."""
        self.at(clock)
        self.know_relays()
        self.wire_log.start()
        self.work.start()
        if self.home.custody.days(TrafficClass.FLASH):
            self.uplinks.urge()
        return self.settle(clock)

    def handle(self, event: Event, clock: Clock) -> list[Effect]:
        """Take one event; return what is wanted because of it."""
        return self.handle_all((event,), clock)

    def handle_all(self, events: Iterable[Event], clock: Clock) -> list[Effect]:
        """Take the events of one moment, in their order; return what is wanted because of them.

        The consequences are drawn once: with hundreds of streams open that costs more than
        an event does, and what one of them is to be told of a batch goes in one message.
        """
        self.at(clock)
        for event in events:
            self._handle(event)
        return self.settle(clock)

    def at(self, clock: Clock) -> None:
        """Let it be the moment that these clocks show: before anything is asked of a part."""
        self.home.moment = self.time.moment(clock)
        self.home.wall = Wall(int(clock.wall_s), self.time.believes_wall(clock))
        self._is_shown_stale |= self.presence.turn(clock)

    def settle(self, clock: Clock) -> list[Effect]:
        """Draw the consequences of what was done since `at`; return the effects."""
        home, moment = self.home, self.home.moment
        if moment.lived_s >= self._sweep_due_s():
            self._sweep()
        self._spread()
        if any(change.topic is Topic.DESK for change in home.changed):
            self.switchboard.wish_for_refused()
            self.drop.wish_for_refused()
        callers = self.switchboard.talks.callers()
        self.switchboard.effects += self.dialler.due(moment.lived_s, callers=callers)
        for link in self.uplinks.charge(self.switchboard.talks.moved_on):
            self.switchboard.leave(link)
        self.switchboard.effects += self.uplinks.due(self._elsewhere())
        self.wire_log.note(is_up=bool(self.uplinks.linked))
        last = self.switchboard.fill()
        if last:
            self._happened(last)
            self._spread()
            self.switchboard.fill()
        shown = self._show()
        effects, self.switchboard.effects = [*self.switchboard.effects, *shown], []
        effects.extend(dict.fromkeys(home.changed))
        home.changed.clear()
        effects.append(Wake(self._wake_after_s(clock)))
        return effects

    def _show(self) -> list[Effect]:
        """Return what finders are to be told, when that has changed."""
        presence, effects = self.presence, list[Effect]()
        if self._is_shown_stale or self.home.changed:
            if any(change.topic is Topic.DESK for change in self.home.changed):
                self.know_relays()
            presence.follow()
            shown = presence.shown()
            if shown != self._shown:
                self._shown = shown
                effects.append(shown)
            self._is_shown_stale = False
        effects += presence.effects
        presence.effects.clear()
        return effects

    def _handle(self, event: Event) -> None:
        # Nothing that streams and beacons carry changes what is shown, but for what the home
        # is told; nor does it that somebody is not there.
        self._is_shown_stale |= not isinstance(event, _SHOWN_ALIKE)
        match event:
            case Received():
                self._happened(self.switchboard.received(event))
            case Drained(link):
                self.switchboard.drained(link)
            case Tick():
                self._ticked_s = self.home.moment.lived_s
                self._happened(self.switchboard.tick())
            case Networks(here):
                if self.surroundings.moved(here):
                    self.dialler.hurry(self.home.moment.lived_s)
                    self.uplinks.hurry()
            case Accepted() | Dialled() | DialFailed() | Lost():
                self._stream(event)
            case Heard():
                self.presence.heard(event)
            case Listening(transport, port):
                self.presence.listening(transport, port)
            case FreeSpace(bytes_free):
                self.home.custody.free_space(bytes_free)

    def _stream(self, event: Accepted | Dialled | DialFailed | Lost) -> None:
        match event:
            case Accepted():
                self.switchboard.accepted(event)
            case Dialled(attempt, link, _, address):
                target = self.dialler.opened(attempt, link, address) or self.uplinks.opened(event)
                if target is not None:
                    self.switchboard.dialled(event, target)
                else:
                    self.switchboard.effects.append(Close(link, 0.0))
            case DialFailed(attempt, trouble):
                self.dialler.failed(attempt, self.home.moment.lived_s)
                self.uplinks.failed(attempt, trouble)
            case Lost(link):
                self.switchboard.lost(link)

    # What follows from what happened --------------------------------------

    def _happened(self, happenings: Iterable[Happening]) -> None:
        for talk, event in happenings:
            match event:
                case Arrived(bundle):
                    if self.home.identity.is_desk:
                        self.uplinks.proved(talk.link)
                    self._urge(bundle.ref, talk)
                    self.switchboard.announce(bundle.ref, besides=talk)
                    self.dialler.has_news(self.home.moment.lived_s)
                    self.work.arrived(bundle)
                case Receipted(ref):
                    self.uplinks.proved(talk.link)
                    self.switchboard.announce_receipt(ref, besides=talk)
                    self.work.receipted(ref)
                case Carried(ref):
                    self.uplinks.took(talk.link)
                    self.work.carried(ref, at_collector=talk.is_at_collector)
                case HandedOver(ref):
                    self.work.handed_over(ref, relay_of(talk))
                case Greeted():
                    if talk.is_at_collector and talk.machine is not None:
                        talk.machine.hand_over(self.work.due(relay_of(talk)))
                case InSync():
                    pass

    def _urge(self, ref: BundleRef, talk: Conversation | None = None) -> None:
        """Let a way that rests be used if this is a flash that has yet to leave."""
        is_from_there = talk is not None and talk.is_at_collector
        if ref.traffic is TrafficClass.FLASH and not is_from_there:
            self.uplinks.urge()

    def _spread(self) -> None:
        """Tell the neighbours in contact what entered the set in this batch."""
        home = self.home
        if home.announced:
            self.dialler.has_news(home.moment.lived_s)
        for ref in dict.fromkeys(home.announced):
            self._urge(ref)
            self.switchboard.announce(ref)
        for ref in dict.fromkeys(home.receipted):
            self.switchboard.announce_receipt(ref)
            self.work.receipted(ref)
        if home.due:
            for talk in self.switchboard.talks.talking():
                if talk.is_at_collector and talk.machine is not None:
                    talk.machine.hand_over(list(home.due))
        home.announced.clear()
        home.receipted.clear()
        home.due.clear()

    def _sweep(self) -> None:
        swept = self.home.custody.sweep(self.home.moment)
        self.home.announced += swept.released
        self.home.receipted += swept.acked
        self.work.sweep()
        self.time.save()
        self._sweep_s = min(self.home.moment.lived_s + TICK_S_MAX, self.time.save_s)

    def _sweep_due_s(self) -> float:
        """Return when to sweep: what just happened may have set an earlier time."""
        due_s = self.home.custody.next_s(self.home.moment)
        return self._sweep_s if due_s is None else min(due_s, self._sweep_s)

    def _wake_after_s(self, clock: Clock) -> float:
        if self.switchboard.is_behind:
            return 0.0
        now_s, callers = self.home.moment.lived_s, self.switchboard.talks.callers()
        times = [self._sweep_due_s(), now_s + TICK_S_MAX, now_s + self.presence.due_in_s(clock)]
        times += [
            s
            for s in (
                self.switchboard.next_s(),
                self.dialler.next_s(callers=callers),
                self.uplinks.next_s(self._elsewhere()),
                self.wire_log.due_s,
            )
            if s is not None
        ]
        # Counted from the last: each event asks anew, and were there no end of them, in vain.
        at_s = max(min(times) + WAKE_LATE_S, self._ticked_s + WAKE_S_MIN)
        return max(0.0, at_s - now_s)

    def _elsewhere(self) -> set[bytes]:
        """Return the collectors in contact by other ways than an uplink, where there is one."""
        if not self.uplinks.routes:
            return set()
        return {
            talk.target.name
            for talk in self.switchboard.talks.talking()
            if talk.target is not None
            and talk.target.is_collector
            and talk.carrier is not Carrier.UPLINK
        }

    @property
    def filing(self) -> Filing:
        """Filing, for who has a card."""
        return self.work.filing

    @property
    def dispatches(self) -> Dispatches:
        """What was filed here."""
        return self.work.dispatches

    @property
    def letters(self) -> Letters:
        """What was opened here."""
        return self.work.letters

    @property
    def office(self) -> Office:
        """An editor's office."""
        return Office(self.home, self.work.rotation)

    @property
    def endpoints(self) -> Endpoints:
        """Where the desk's collectors can be called."""
        return Endpoints(self.home, self.work.rotation)

    @property
    def enrolment(self) -> Enrolment:
        """Joining a desk."""
        return self.work.enrolment

    @property
    def answers(self) -> Answers:
        """What an editor sends back."""
        return Answers(self.home)

    # What the shell and the control socket ask ----------------------------

    def know_relays(self) -> None:
        """Let the dialler know the relays on the card and the addresses in the settings.

        Those that were recalled are forgotten, and called no more.
        """
        former, now_s = FormerKeys(self.home.carry), self.home.moment.lived_s
        in_force: list[tuple[RelayKeys, tuple[SymmetricKey, ...]]] = []
        for keys in who.load_relays(self.home.carry):
            if self.home.book.is_recalled(revocation_id(keys.static)):
                self.switchboard.part_from(keys.static)
                self.dialler.forget(keys.static)
            else:
                in_force.append((keys, tuple(former.of(beacon_of(keys.static), now_s))))
        self.uplinks.know(in_force)
        for keys, earlier in in_force:
            fixed = [
                neighbour.address
                for neighbour in self.home.settings.neighbours
                if keys.static.startswith(neighbour.relay)
            ]
            self.dialler.know(keys, fixed, earlier)

    def take_from_drop(self, name: str, data: bytes, place: str) -> Taken:
        """Take in what lay in a dead drop, as if a neighbour had brought it."""
        taken = self.drop.take(name, data, place)
        if taken.bundle is not None:
            self.home.announced.append(taken.bundle.ref)
            self.work.arrived(taken.bundle)
        self.home.receipted.extend(taken.acked)
        return taken

    def neighbours(self) -> list[Neighbour]:
        """Return who is in contact now, the longest first."""
        return neighbours_of(self.switchboard.talks.talking(), self.home.moment.lived_s)
