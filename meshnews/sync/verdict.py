"""What is done about one element that the two sides know differently.

The table of docs/protocol/sync.md, "Comparison", for whoever holds both sides'
states: the answerer of a LIST; and for whoever only knows that the other side
has nothing, or has it not acked: both, after keys were compared.
"""

from meshnews.ids import BundleRef, TrafficClass
from meshnews.store.port import ACKED, State
from meshnews.sync.compare import Findings, Sides
from meshnews.sync.messages import Flag
from meshnews.sync.question import Answer

_WITH_BODY = frozenset({State.HELD, State.ACKED_WITH_BODY})


def tell(sides: Sides, ref: BundleRef, state: State, findings: Findings) -> None:
    """Note what the peer is told of an element of ours that it does not know.

    Raises:
        Nothing.
    """
    if state is State.LACKING:
        return
    wanted = Flag.WANTS if state is State.HELD else Flag.WANTS_ACKED
    if state is not State.ACKED and sides.they_want(ref.traffic, wanted):
        findings.names.append(ref)
    elif state is not State.HELD:
        findings.full_receipts.append(ref)


def answer_unknown(sides: Sides, traffic: TrafficClass, theirs: State) -> Answer:
    """Return what to ask for of a listed element that we do not know.

    Raises:
        Nothing.
    """
    wanted = Flag.WANTS if theirs is State.HELD else Flag.WANTS_ACKED
    if theirs in _WITH_BODY and sides.we_want(traffic, wanted):
        return Answer.NAME
    return Answer.FULL_RECEIPT if theirs in ACKED else Answer.NOTHING


def answer_known(sides: Sides, traffic: TrafficClass, ours: State, theirs: State) -> Answer:
    """Return what to ask for of a listed element that we know as well.

    Raises:
        Nothing.
    """
    if theirs not in ACKED or ours in ACKED:
        return Answer.NOTHING
    if (
        ours is State.LACKING
        and theirs is State.ACKED_WITH_BODY
        and sides.we_want(traffic, Flag.WANTS_ACKED)
    ):
        return Answer.NAME
    return Answer.SHORT_RECEIPT
