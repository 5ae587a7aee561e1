"""Two nodes whose contacts are cut, who meet again until nothing is left to do; what must hold.

The accounting, exact:

    payload     bytes of bundles in DATA messages that arrived whole
    again       those of them that had arrived at that node before
    in vain     bytes of the stream that crossed before a cut and completed no message: of the
                record that was not whole (a record is opened whole or not at all), and of
                the message that had begun in the records before it
    twice       again + in vain

A cut of the link alone makes nothing come again, and each way less than one block and one record
cross in vain.  A node that dies forgets besides what it has not written down of the bundles
under way, which is a second of a slow bundle or the whole of a fast one.  What was sent and had
not crossed is in no account: it is a tenth of a second's worth, or the least send of a slow line.
"""

import enum
from dataclasses import dataclass, field

from meshnews.ids import BundleRef
from meshnews.limits import WIRE_BYTES
from meshnews.node.event import Carrier
from meshnews.node.links.carriage import CARRIAGES
from meshnews.store.port import WITH_BODY, State
from tests.sync.cable import Account, Cable, CountingCarry, Watch
from tests.sync.test_convergence import ACKED, expected, seeded
from tests.sync.world import Node, Sample

CONTACTS_MAX = 3
"""So many contacts after the last cut are enough: to finish, and to find nothing left to do."""

SHARE_TWICE_MAX = 0.01


class Cut(enum.StrEnum):
    """What ends a contact."""

    LINK = "the link breaks"
    LEFT = "the left node dies"
    RIGHT = "the right node dies"


@dataclass(frozen=True)
class Case:
    """Two stores that a seed fills, and what they meet over."""

    seed: int
    count: int = 60
    desk: bool = False
    carrier: Carrier = Carrier.LAN
    bytes_per_s: float = 1e6

    @property
    def cut_bytes(self) -> int:
        """What may have crossed in vain one way at a cut: less than a block and a record."""
        carriage = CARRIAGES[self.carrier]
        return carriage.block_bytes + carriage.records[-1]

    def meet(self) -> "Reunion":
        left, right, samples = seeded(
            self.seed, count=self.count, desk=self.desk, carry=CountingCarry
        )
        return Reunion(self, [left, right], samples)


@dataclass
class Reunion:
    """Two nodes, and all their contacts."""

    case: Case
    nodes: list[Node]
    samples: list[Sample]
    watch: Watch = field(default_factory=Watch)
    account: Account = field(default_factory=Account)
    contacts: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        self.before = [tuple(node.state(one) for node in self.nodes) for one in self.samples]
        for node in self.nodes:
            assert isinstance(node.carry, CountingCarry)
            node.carry.written.clear()

    @property
    def contents(self) -> tuple[dict[BundleRef, State], dict[BundleRef, State]]:
        return self.nodes[0].contents(), self.nodes[1].contents()

    def contact(self) -> Cable:
        self.contacts += 1
        return Cable(
            self.nodes[0],
            self.nodes[1],
            self.samples,
            number=self.contacts,
            carrier=self.case.carrier,
            bytes_per_s=self.case.bytes_per_s,
            watch=self.watch,
            account=self.account,
        )

    def cut(self, cable: Cable, how: Cut) -> None:
        """End a contact in the middle, and with it perhaps a node."""
        if how is not Cut.LINK:
            self.deaths += 1
        dead = {Cut.LEFT: 0, Cut.RIGHT: 1}.get(how)
        cable.cut(dead=dead)
        if dead is not None:
            self.nodes[dead] = self.nodes[dead].restarted()
        for node in self.nodes:
            assert not len(node.inflight)

    def cut_at(self, byte: int, how: Cut) -> None:
        """Meet, and be cut when so many bytes have crossed; there must be as many."""
        cable = self.contact()
        assert not cable.run(bytes_max=byte) or sum(cable.delivered) == byte
        self.cut(cable, how)

    def finish(self) -> None:
        """Meet until a contact has nothing left to bring, and check all that was promised."""
        for _ in range(CONTACTS_MAX):
            payload_bytes, contents = self.account.payload_bytes, self.contents
            cable = self.contact()
            assert cable.run()
            assert cable.is_done, "both ends know that they are done"
            cable.end()
            if self.account.payload_bytes == payload_bytes and self.contents == contents:
                self.check()
                return
        raise AssertionError(f"not done after {CONTACTS_MAX} contacts")

    # What must hold

    def check(self) -> None:
        for sample, states in zip(self.samples, self.before, strict=True):
            self._check_union(sample, states)
            self._check_once(sample, states)
        account = self.account
        if not self.deaths:
            assert account.again_bytes == 0, f"{self.case}: what had crossed crossed again"
        assert account.in_vain_most_bytes <= self.case.cut_bytes, self.case
        assert account.twice_bytes <= self.allowed_bytes, self.case

    @property
    def allowed_bytes(self) -> float:
        """How many bytes may have crossed twice or in vain."""
        account = self.account
        once_bytes = account.payload_bytes - account.again_bytes
        per_cut = 2 * account.cuts * self.case.cut_bytes + self.deaths * WIRE_BYTES[-1]
        return SHARE_TWICE_MAX * once_bytes + per_cut

    def _check_union(self, sample: Sample, states: tuple[State | None, ...]) -> None:
        for side, node in enumerate(self.nodes):
            state = node.state(sample)
            body, acked = expected(states[side], states[1 - side], desk=node.desk)
            where = f"{self.case}: {sample.ref} at {node.name} was {states}, is {state}"
            if body:
                assert state in WITH_BODY or (acked and state is State.ACKED), where
            if any(one is not None for one in states) and (acked or body):
                assert (state in ACKED) == acked, where

    def _check_once(self, sample: Sample, states: tuple[State | None, ...]) -> None:
        for node, before in zip(self.nodes, states, strict=True):
            where = f"{self.case}: {sample.ref} at {node.name}"
            assert isinstance(node.carry, CountingCarry)
            written = node.carry.written[sample.ref]
            arrived = self.account.arrived[node.name, sample.ref]
            carried = self.account.carried[node.name, sample.ref]
            assert written == arrived <= (before not in WITH_BODY), f"stored twice: {where}"
            assert carried <= 1, f"said STORED twice: {where}"
            if arrived or carried:
                kept = node.state(sample)
                assert kept in WITH_BODY or kept is State.ACKED, f"accepted and lost: {where}"
                assert node.carry.body(sample.ref) in {sample.bundle.wire, None}
