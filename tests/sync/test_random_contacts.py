"""One node in contact with several neighbours, at random: news, losses, cuts, silences.

Whatever happens, nobody is cut for it: all are honest.  What somebody in contact holds comes
before all is quiet, and nothing is left in the table of what is in flight.  After silences what
was given up in both ways may wait for the next contact: then one more has to bring the rest.
"""

import random
from dataclasses import replace

import pytest

from meshnews.ids import BundleRef, TrafficClass
from meshnews.store.port import State
from meshnews.sync.pace import Pace
from tests.sync.world import LAN, MOMENT, SMALL, Contact, Node, Press, Sample

CHUNK_BYTES = 66560
WIDE = Pace(block_bytes=32 * 1024, window_bytes=8 * CHUNK_BYTES)
BLUETOOTH = Pace(block_bytes=1024, window_bytes=32 * 1024)
UPLINK = Pace(block_bytes=1400, window_bytes=512 * 1024)
STEPS_MAX = 20_000
CUTS_MAX = 6
NEWS = 20


class Neighbourhood:
    """A node that has little, and neighbours that have much of the same."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.moment = MOMENT
        self.lost: set[BundleRef] = set()
        self.held: set[Sample] = set()
        self.cuts = 0
        press = Press(seed)
        samples = press.some(self.draw.choice((30, 60)))
        large = self.draw.choice((TrafficClass.ROUTINE, TrafficClass.BULK))
        samples += [press.make(large, size=CHUNK_BYTES) for _ in range(self.draw.choice((0, 20)))]
        self.news = press.some(NEWS)
        self.taker = Node("taker")
        self.givers = [Node(f"giver {number}") for number in range(self.draw.randint(1, 3))]
        for giver in self.givers:
            share = self.draw.choice((0.5, 1.0))
            for sample in samples:
                if self.draw.random() < share:
                    self.keep(giver, sample)
        self.contacts = [self.meet(giver) for giver in self.givers]

    def keep(self, giver: Node, sample: Sample) -> None:
        giver.keep(sample)
        self.held.add(sample)

    def meet(self, giver: Node) -> Contact:
        return Contact(
            self.taker,
            giver,
            pace=self.draw.choice((LAN, WIDE, SMALL, UPLINK, BLUETOOTH)),
            room_bytes=self.draw.choice((512, 2048, 4096, 65536)),
            session=self.draw.randbytes(64),
            moment=self.moment,
        )

    def happen(self, *, loses: bool, cuts: bool, silences: bool) -> None:
        """Let something befall one of the neighbours."""
        number = self.draw.randrange(len(self.givers))
        giver, contact = self.givers[number], self.contacts[number]
        luck = self.draw.random()
        if luck < 0.15 and self.news:
            sample = self.news.pop()
            self.keep(giver, sample)
            contact.machines[1].announce(sample.ref, self.moment)
        elif luck < 0.25 and loses:
            sample = self.draw.choice(sorted(self.held, key=lambda one: one.ref))
            giver.custody.forget(sample.ref)
            self.lost.add(sample.ref)
        elif luck < 0.26 and cuts and self.cuts < CUTS_MAX:
            contact.end()
            self.cuts += 1
            self.contacts[number] = self.meet(giver)
        elif luck < 0.32 and silences and self.have_greeted:
            self.wait(self.draw.choice((1.0, 10.0, 25.0, 40.0)))

    @property
    def have_greeted(self) -> bool:
        return all(side.talk is not None for one in self.contacts for side in one.machines)

    def wait(self, seconds: float) -> None:
        self.moment = replace(self.moment, lived_s=self.moment.lived_s + seconds)
        for contact in self.contacts:
            contact.moment = self.moment
            for machine in contact.machines:
                if machine.deadline_s is not None and machine.deadline_s <= self.moment.lived_s:
                    machine.tick(self.moment)

    def play(self, **happens: bool) -> None:
        """Let things happen until there is no news any more and nothing moves."""
        for _ in range(STEPS_MAX):
            contact = self.draw.choice(self.contacts)
            contact.run(messages_max=self.draw.choice((1, 3, 7, 20)))
            self.happen(**happens)
            if not self.news and not self.moves():
                return
        raise AssertionError("there is no end to it")

    def moves(self) -> bool:
        """Let all that can move do so; tell whether anything did."""
        before = sum(sum(contact.sent_bytes) for contact in self.contacts)
        for contact in self.contacts:
            contact.run()
        return sum(sum(contact.sent_bytes) for contact in self.contacts) != before

    def missing(self) -> set[BundleRef]:
        """Return what never was lost anywhere and is not with the taker."""
        return {
            sample.ref
            for sample in self.held
            if sample.ref not in self.lost and self.taker.state(sample) is not State.HELD
        }


@pytest.mark.parametrize("seed", range(60))
def test_all_that_neighbours_hold_comes_and_nothing_is_left_in_flight(seed: int) -> None:
    around = Neighbourhood(seed)
    around.play(loses=seed % 2 == 0, cuts=seed % 3 == 0, silences=False)
    assert not around.missing()
    assert not len(around.taker.inflight)
    assert all(machine.is_idle for one in around.contacts for machine in one.machines)


@pytest.mark.parametrize("seed", range(100, 140))
def test_nobody_is_cut_for_silences_and_the_next_contact_brings_the_rest(seed: int) -> None:
    around = Neighbourhood(seed)
    around.play(loses=seed % 2 == 0, cuts=False, silences=True)
    for _ in range(20):
        around.wait(60.0)
        around.moves()
    assert not len(around.taker.inflight)
    for contact in around.contacts:
        contact.end()
    around.contacts = [around.meet(giver) for giver in around.givers]
    around.moves()
    around.moves()
    assert not around.missing()
    assert not len(around.taker.inflight)
