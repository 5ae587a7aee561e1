"""All streams of a node: who may talk, what comes in, what goes out next.

Accepted streams begin in a pool of unfinished handshakes that strangers cannot get out of; a new
one takes the place of the oldest of whoever has most.  A peer that fails is left in silence for a
random time; a stream whose records were spoilt on the way ends at once.  See docs/protocol/link.md.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from meshnews.crypto.entropy import between
from meshnews.errors import OutOfTurn, PeerError
from meshnews.ids import BundleRef, LinkId
from meshnews.limits import HANDSHAKES_PENDING_MAX, SILENCE_S
from meshnews.link.crowding import makes_room
from meshnews.link.rendezvous import Mode
from meshnews.link.session import LinkSession
from meshnews.node.event import Accepted, Carrier, Close, Dialled, Effect, Received, Topic, Trouble
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.links.carriage import CARRIAGES, pace_on
from meshnews.node.links.conversation import Conversation
from meshnews.node.links.conversations import Conversations
from meshnews.node.links.desk_seen import DeskSeen, routing_of
from meshnews.node.links.dialler import Dialler
from meshnews.node.links.displacement import FRESH_S, displaced_by, needless, one_too_many
from meshnews.node.links.economy import Economy
from meshnews.node.links.filling import Filling
from meshnews.node.links.presence import Presence
from meshnews.node.links.replay import ReplayShelf
from meshnews.node.links.target import Target
from meshnews.node.links.uplink import UplinkKeeper
from meshnews.sync.event import Arrived, Carried, Greeted, HandedOver, Receipted, SyncEvent
from meshnews.sync.machine import SyncMachine
from meshnews.sync.messages import INSTANCE_BYTES, Reason
from meshnews.sync.schedule import InFlight


class Happening(NamedTuple):
    """Something a sync conversation reports, and on which stream."""

    conversation: Conversation
    event: SyncEvent


class Switchboard:
    """The conversations of a node, by stream."""

    def __init__(
        self, home: Home, dialler: Dialler, uplinks: UplinkKeeper, presence: Presence
    ) -> None:
        self._home = home
        self._dialler = dialler
        self._uplinks = uplinks
        self._presence = presence
        self._replay = ReplayShelf(home.carry)
        self._inflight = InFlight()
        self._economy = Economy(home.settings.bluetooth_bulk_after_s)
        self._desk_seen = DeskSeen(home)
        self._routing = routing_of(home, self._desk_seen)
        self._instance = home.entropy.draw(INSTANCE_BYTES)
        self._filling = Filling()
        self.talks = Conversations()
        self.effects: list[Effect] = []

    # Streams come and go --------------------------------------------------

    def accepted(self, event: Accepted) -> None:
        """A neighbour, or a stranger, opened a stream."""
        pending = [t for t in self.talks if t.target is None and not t.is_open]
        if len(pending) >= HANDSHAKES_PENDING_MAX:
            pending.sort(key=lambda talk: talk.opened_s)
            self._hang_up(pending[makes_room([talk.where for talk in pending])])
        session = LinkSession.respond(
            self._presence.keys(),
            replay=self._replay,
            entropy=self._home.entropy,
            sizes=CARRIAGES[event.carrier].records,
        )
        self.talks.add(
            Conversation(
                event.link, session, event.carrier, self._home.moment.lived_s, event.address
            )
        )

    def dialled(self, event: Dialled, target: Target) -> None:
        """A stream that we asked for is open."""
        session = LinkSession.initiate(
            target.handshake, entropy=self._home.entropy, sizes=CARRIAGES[event.carrier].records
        )
        talk = Conversation(
            event.link, session, event.carrier, self._home.moment.lived_s, target=target
        )
        self.talks.add(talk)
        talk.greeting = session.start()

    def lost(self, link: LinkId) -> None:
        """A stream has ended."""
        talk = self.talks.remove(link)
        if talk is not None:
            self._ended(talk, cut=True)

    def drained(self, link: LinkId) -> None:
        """The transport has taken the last send on a stream."""
        talk = self.talks.get(link)
        if talk is not None:
            talk.drained(self._home.moment.lived_s)

    def received(self, event: Received) -> Iterator[Happening]:
        """Bytes came in; yield what they make happen.

        What came last is judged by what was learnt from what came before it, so
        each happening is to be dealt with before the next is asked for.
        """
        talk = self.talks.get(event.link)
        if talk is None:
            return
        talk.heard(len(event.data))
        try:
            messages = talk.session.receive(event.data)
            if talk.session.established and talk.speaker is None:
                self._begin(talk)
            talk.watch_frame(self._home.moment.lived_s, has_ended=bool(messages))
            for message in messages:
                assert talk.speaker is not None, "the session stands"
                for reported in talk.speaker.receive(message, self._home.moment):
                    self._note(talk, reported)
                    yield Happening(talk, reported)
                if self.talks.get(talk.link) is None:
                    # It was one too many: what else it said is of no use.
                    return
        except PeerError:
            # What came before the fault is in the store, and has to be dealt with.
            yield from self._harvest(talk)
            self._fail(talk)

    def _harvest(self, talk: Conversation) -> Iterator[Happening]:
        for reported in () if talk.speaker is None else talk.speaker.harvest():
            self._note(talk, reported)
            yield Happening(talk, reported)

    def _begin(self, talk: Conversation) -> None:
        """Let the right one speak, now that the session stands.

        Raises:
            OutOfTurn: a caller whose invitation nobody has a use for.
        """
        moment = self._home.moment
        if talk.target is not None:
            self._dialler.completed(talk.link, moment.lived_s)
            self._uplinks.completed(talk.link)
            self._presence.linked(talk.target, talk.session.peer.rendezvous)
        if talk.session.peer.mode is Mode.ENROLMENT:
            speaker = self._home.enrolment(talk.session, talk.target is not None)
            if speaker is None:
                raise OutOfTurn("an invitation that is not open, or is crowded")
            self.talks.begin(talk, speaker, moment)
            return
        self.talks.begin(talk, self._sync(talk), moment)
        self._make_room_for(talk)
        self._home.tell(Topic.NEIGHBOURS)

    def _name_for(self, talk: Conversation) -> bytes:
        """Return what this node calls itself on a stream, to join several of one pair.

        A relay may be in wrong hands, and others too: by a name that stays they would
        know a nameless caller again.  A person's node has a new one for each relay that
        it calls (and calls each but once), and for others as soon as nobody has the last.
        """
        is_relay = self._home.identity.role is Role.RELAY
        if not is_relay and talk.target is not None and talk.session.peer.mode is Mode.RELAY:
            return self._home.entropy.draw(INSTANCE_BYTES)
        if not is_relay and all(other.own_instance != self._instance for other in self.talks):
            self._instance = self._home.entropy.draw(INSTANCE_BYTES)
        return self._instance

    def _sync(self, talk: Conversation) -> SyncMachine:
        home = self._home
        talk.own_instance = self._name_for(talk)
        return SyncMachine(
            home.custody,
            self._inflight,
            dialler=talk.target is not None,
            session=talk.session.session_id,
            instance=talk.own_instance,
            entropy=home.entropy,
            pace=pace_on(
                talk.carrier,
                is_metered=home.settings.is_metered,
                is_narrow=self._uplinks.is_narrow(talk.link),
                unloads=not home.identity.is_desk,
            ),
            routing=self._routing,
            desk=home.identity.is_desk or home.identity.is_collector,
        )

    def _make_room_for(self, newcomer: Conversation) -> None:
        leaving = displaced_by(
            newcomer,
            self._replaceable(newcomer),
            most=self._home.identity.links_max,
            now_s=self._home.moment.lived_s,
            luck=self._home.entropy,
        )
        self._let_go(leaving)
        if leaving is None and newcomer.target is not None and newcomer.target.is_extra:
            newcomer.trial_until_s = self._home.moment.lived_s + FRESH_S

    def _end_trial(self, extra: Conversation) -> None:
        """Let one go, now that a call to one more than are wanted has been a link for a while."""
        extra.trial_until_s = math.inf
        now_s, luck = self._home.moment.lived_s, self._home.entropy
        self._let_go(one_too_many(extra, self._replaceable(extra), now_s=now_s, luck=luck))

    def _replaceable(self, newcomer: Conversation) -> list[Conversation]:
        others = [t for t in self.talks.talking() if t is not newcomer and not t.is_leaving]
        # Nobody near takes the place of the way out.
        return [t for t in others if t.target is None or t.carrier is not Carrier.UPLINK]

    @staticmethod
    def _let_go(talk: Conversation | None) -> None:
        if talk is not None:
            assert talk.machine is not None, "it talks"
            talk.machine.leave(Reason.FULL)

    def _note(self, talk: Conversation, event: SyncEvent) -> None:
        if talk.is_at_collector:
            self._desk_seen.note()
        talk.was_useful |= isinstance(event, Arrived | Receipted | Carried | HandedOver)
        if isinstance(event, Arrived):
            talk.brought(self._home.moment.lived_s, event.bundle.size)
        elif isinstance(event, Greeted):
            talk.instance = event.hello.instance
            self._economy.joined(talk.instance, talk.carrier, self._home.moment.lived_s)
            self._collapse(talk)

    def _collapse(self, talk: Conversation) -> None:
        """Of two streams between one pair of nodes, keep one, and both sides the same.

        It is the faster one; of two that are alike, the one dialled by the smaller.
        """
        if any(other.own_instance == talk.instance for other in self.talks):
            # We have called ourselves.
            self._hang_up(talk)
            return
        for other in self.talks.talking():
            if other is talk or other.instance != talk.instance:
                continue
            loser = needless(talk, other)
            kept = other if loser is talk else talk
            self._dialler.shares(loser.link, kept.link)
            self._hang_up(loser)
            # Nobody was added.
            kept.trial_until_s = math.inf
            if loser is talk:
                return

    # Endings --------------------------------------------------------------

    def _fail(self, talk: Conversation, trouble: Trouble = Trouble.STRANGER) -> None:
        """Leave a peer that broke the protocol in silence."""
        if talk.session.was_spoilt:
            # Whoever did that could have cut the stream as well, and it ends like a cut one.
            self._hang_up(talk)
            return
        if not talk.is_open:
            talk.trouble = trouble
        talk.broke = talk.machine is not None and talk.machine.is_over
        self._drop(talk)
        after_s = between(self._home.entropy, *SILENCE_S)
        self.effects.append(Close(talk.link, after_s))

    def part_from(self, relay: bytes) -> None:
        """End the calls to a relay or collector with which we will have nothing to do any more."""
        for talk in self.talks:
            keys = None if talk.target is None else talk.target.relay
            if keys is not None and keys.static == relay:
                self._hang_up(talk)

    def leave(self, link: LinkId) -> None:
        """End the conversation on a stream in good order."""
        talk = self.talks.get(link)
        if talk is not None and talk.machine is not None:
            talk.machine.leave()

    def _hang_up(self, talk: Conversation) -> None:
        self._drop(talk)
        self.effects.append(Close(talk.link, 0.0))

    def _drop(self, talk: Conversation) -> None:
        self.talks.remove(talk.link)
        self._ended(talk, cut=talk.session.was_spoilt)

    def _ended(self, talk: Conversation, *, cut: bool) -> None:
        if cut and not talk.is_open:
            talk.trouble = Trouble.CUT
        self._dialler.ended(
            talk.link,
            self._home.moment.lived_s,
            crowded=talk.was_crowded_out,
            cut=cut,
            broke=talk.broke,
            useful=talk.was_useful,
        )
        moved = talk.sent + talk.received
        self._uplinks.ended(talk.link, talk.trouble, moved=moved, useful=talk.was_useful)
        if talk.speaker is not None:
            talk.speaker.ended()
        if talk.instance:
            self._economy.joined(talk.instance, talk.carrier, self._home.moment.lived_s)
        if talk.is_talking:
            self._home.tell(Topic.NEIGHBOURS)

    # Time and what goes out -----------------------------------------------

    def tick(self) -> list[Happening]:
        """Do what time demands: end what lasted too long, move stalled requests."""
        moment = self._home.moment
        happenings: list[Happening] = []
        for talk in self.talks:
            if talk.answer_by_s <= moment.lived_s:
                if talk.is_doubted:
                    talk.trouble = Trouble.SILENT
                talk.is_doubted = True
            if talk.deadline_s <= moment.lived_s:
                self._hang_up(talk) if talk.is_open else self._fail(talk, Trouble.SILENT)
                continue
            if talk.trial_until_s <= moment.lived_s:
                self._end_trial(talk)
            if self._bulk_from(talk) <= moment.lived_s and talk.machine is not None:
                talk.machine.take_bulk()
            talk.tell_held(moment)
            if talk.speaker is not None:
                try:
                    reported = talk.speaker.tick(moment)
                except PeerError:
                    happenings += self._harvest(talk)
                    self._fail(talk)
                else:
                    happenings += [Happening(talk, event) for event in reported]
        return happenings

    def next_s(self) -> float | None:
        """Return when `tick` has something to do, in seconds of the node's life."""
        times = [min(talk.due_s, self._bulk_from(talk)) for talk in self.talks]
        return min(times, default=None)

    def _bulk_from(self, talk: Conversation) -> float:
        """Return when a conversation may begin to ask for bulk; never, if it does so already."""
        if talk.machine is None or talk.machine.takes_bulk or not talk.instance:
            return math.inf
        return self._economy.bulk_from_s(talk.instance, talk.carrier)

    def announce(self, ref: BundleRef, *, besides: Conversation | None = None) -> None:
        """Tell the neighbours in contact of a bundle that entered the set."""
        for talk in self.talks.talking():
            if talk is not besides:
                talk.tell(ref, self._home.moment, self._home.entropy)

    def announce_receipt(self, ref: BundleRef, *, besides: Conversation | None = None) -> None:
        """Tell the neighbours in contact of a bundle that became acked."""
        for talk in self.talks.talking():
            if talk is not besides and talk.machine is not None:
                talk.machine.announce_receipt(ref)

    def wish_for_refused(self) -> None:
        """Ask the neighbours once more for notices that were refused: the desk is known better."""
        for talk in self.talks.talking():
            if talk.machine is not None:
                talk.machine.wish_for_refused()

    @property
    def is_behind(self) -> bool:
        """There is more to give than the last `fill` gave."""
        return self._filling.is_behind

    def fill(self) -> list[Happening]:
        """Give streams that can take some their next bytes, in turns.

        Returns what happened, of which a fault kept us from being told.
        """
        happenings: list[Happening] = []
        for talk in self._filling.turns(self.talks):
            try:
                send = talk.next_send(self._home.moment)
            except PeerError:
                happenings += self._harvest(talk)
                self._fail(talk)
                continue
            if send is not None:
                self._filling.gave(len(send.data))
                self.effects.append(send)
            elif talk.is_finished:
                self._hang_up(talk)
        return happenings
