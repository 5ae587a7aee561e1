"""Handlers of recalls: who has a card, preparing a recall, and letting it count."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshnews.control.desk_request import DeskHolders, DeskRecall, DeskRecallSigned
from meshnews.control.enrol_request import RecallOwn
from meshnews.control.fact import Role
from meshnews.control.holder import Holder
from meshnews.control.recall_reply import (
    HolderListing,
    OwnRecall,
    Recalled,
    RecallPrepared,
    RecallShown,
)
from meshnews.node.node import Node
from meshnews.node.office import recalling as library
from meshnews.node.office.recalling import Recalling, holders, recall_own
from meshnews.node.office.seat import take_seat
from meshnewsd.control.enrolling import words_fact
from meshnewsd.control.table import Asker

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit


class RecallDesk:
    """The handlers, with the way to the node."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def holders(self, _: DeskHolders, __: Sequence[int], ___: "Emit") -> HolderListing:
        """List those to whom the desk gave cards."""

        def act(node: Node) -> HolderListing:
            take_seat(node.home)
            owed = _owed(node)
            return HolderListing(holders=tuple(_fact(one, owed) for one in holders(node.home)))

        return await self._asker.ask(act)

    async def prepare(self, request: DeskRecall, _: Sequence[int], __: "Emit") -> RecallPrepared:
        """Prepare a recall for a root to sign."""

        def act(node: Node) -> RecallPrepared:
            recall, holder = Recalling(node.home).prepare(request.who)
            return RecallPrepared(recall=recall, holder=_fact(holder, _owed(node)))

        return await self._asker.ask(act)

    async def publish(
        self, request: DeskRecallSigned, _: Sequence[int], __: "Emit"
    ) -> RecallShown | Recalled:
        """Show whom a signed recall names, or let it count."""

        def act(node: Node) -> RecallShown | Recalled:
            if not request.confirmed:
                return RecallShown(_fact(Recalling(node.home).read(request.signed), _owed(node)))
            holder, relays = node.office.recall(request.signed)
            node.know_relays()
            owed = _owed(node)
            return Recalled(holder=_fact(holder, owed), relays=relays, owed=len(owed))

        return await self._asker.ask(act)

    async def own(self, _: RecallOwn, __: Sequence[int], ___: "Emit") -> OwnRecall:
        """Make a recall of this home."""
        return OwnRecall(await self._asker.ask(lambda node: recall_own(node.home)))


def _owed(node: Node) -> set[bytes]:
    return node.work.turning.unconfirmed()


def _fact(one: library.Holder, owed: set[bytes]) -> Holder:
    return Holder(
        role=Role(one.kind.value),
        name=one.name,
        key=one.key.hex(),
        words=words_fact(one.words),
        own=one.is_own,
        recalled=one.is_recalled,
        owed=one.key in owed,
    )
