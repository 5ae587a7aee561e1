"""Handlers of what a reporter does: file, and look how far things have got."""

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import trio

from meshnews.bundle.statement import Priority, Role
from meshnews.control import refusal
from meshnews.control.fact import (
    AttachmentOffer,
    DispatchState,
    DispatchStatus,
    FilingWarning,
    ItemKind,
    PartStatus,
    Phase,
    Topic,
)
from meshnews.control.fact import Priority as PriorityWord
from meshnews.control.limits import CONTROL_ITEMS_MAX
from meshnews.control.reply import Changed, Filed, Progress, Status
from meshnews.control.request import File, StatusRequest, Watch
from meshnews.errors import StoreFull
from meshnews.ids import BundleRef
from meshnews.node.dispatches import dispatch as record
from meshnews.node.dispatches.filing import FilingDraft
from meshnews.node.node import Node
from meshnews.node.office.recalling import is_own_recalled
from meshnewsd.control.sparing import Sparing
from meshnewsd.control.table import Asker
from meshnewsd.control.times import date_of, day_of, moment
from meshnewsd.control.wire import HungUp
from meshnewsd.host import NodeFailed

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

PRIORITIES: Final = {
    PriorityWord.FLASH: Priority.FLASH,
    PriorityWord.URGENT: Priority.URGENT,
    PriorityWord.ROUTINE: Priority.ROUTINE,
    PriorityWord.BULK: Priority.BULK,
}
WORDS: Final = {priority: word for word, priority in PRIORITIES.items()}

ABANDON_S_MAX: Final = 60.0
"""How long dropping a draft may take: a node with a slow disk has other work before it."""

FINISH_S_MAX: Final = 60.0
"""How long the end of a filing may keep whoever wants to stop it waiting for its outcome."""

STEP_BYTES: Final = 1024 * 1024
"""What is sealed in one transaction: others get their turn between two."""


class FilingDesk:
    """The handlers, with the way to the node, and what tells how much the home's disk has left."""

    def __init__(self, asker: Asker, read_free: Callable[[], int | None] = lambda: None) -> None:
        self._asker = asker
        self._read_free = read_free

    async def file(self, request: File, descriptors: Sequence[int], emit: "Emit") -> Filed:
        """Seal a dispatch and queue it."""
        today = None if request.today is None else day_of(request.today)
        priority = PRIORITIES[request.priority]
        draft = await self._asker.ask(lambda node: node.filing.begin(priority, today=today))
        try:
            for number, offer in enumerate(request.attachments):
                await self._attach(draft, number, offer, descriptors[number], emit)
            return await self._finish(draft, request)
        except BaseException:
            # A cancelled caller frees its draft too.
            await self._abandon(draft)
            raise

    async def _abandon(self, draft: FilingDraft) -> None:
        """Free the room of a draft; where that cannot be, the node does it when it next starts."""
        with (
            trio.move_on_after(ABANDON_S_MAX, shield=True),
            contextlib.suppress(NodeFailed, StoreFull),
        ):
            await self._asker.ask(lambda node: node.filing.abandon(draft))

    async def _finish(self, draft: FilingDraft, request: File) -> Filed:
        """File what is sealed.  It is too late to stop it: whoever asked is told that it is done.

        Raises:
            Refusal: it cannot be filed.
            StoreFull: there is no room, and it was not filed.
            HungUp: whether it was filed cannot be told.
        """
        with trio.move_on_after(FINISH_S_MAX, shield=True):
            try:
                return await self._asker.ask(lambda node: _finish(node, draft, request))
            except StoreFull:
                # The vault may have kept it before carry had no room.  Then it goes out.
                filed = await self._asker.ask(lambda node: _finished(node, draft, request))
                if filed is None:
                    raise
                return filed
        raise HungUp

    async def _attach(
        self, draft: FilingDraft, number: int, offer: AttachmentOffer, descriptor: int, emit: "Emit"
    ) -> None:
        role = Role(offer.role.value)
        free = self._read_free()
        await self._asker.ask(
            lambda node: node.filing.attach(
                draft, offer.name, size=offer.size, role=role, bytes_free=free
            )
        )
        done, sparing = 0, Sparing(emit)
        await sparing.tell(Progress(Phase.SEALING, number, done, offer.size))
        while piece := await trio.to_thread.run_sync(os.pread, descriptor, STEP_BYTES, done):
            done += len(piece)
            if done > offer.size:
                raise refusal.attachment_changed(number + 1)
            await self._asker.ask(functools.partial(_add, draft=draft, piece=piece))
            await sparing.tell(Progress(Phase.SEALING, number, done, offer.size))
        await self._asker.ask(lambda node: node.filing.end_attachment(draft))

    async def status(self, request: StatusRequest, _: Sequence[int], __: "Emit") -> Status:
        """Tell how far dispatches have got."""
        return await self._asker.ask(lambda node: _status(node, request.id))

    async def watch(self, request: Watch, _: Sequence[int], emit: "Emit") -> Status:
        """Send `Changed` events until the asker hangs up, which cancels this."""
        wanted = {topic.value for topic in request.topics}
        with self._asker.host.watch() as watch:
            while True:
                for change in await watch.next():
                    if change.topic.value in wanted:
                        item = None if change.ref is None else change.ref.id.hex()
                        await emit(Changed(Topic(change.topic.value), item))


def _add(node: Node, *, draft: FilingDraft, piece: bytes) -> None:
    node.filing.add(draft, piece)


def _finish(node: Node, draft: FilingDraft, request: File) -> Filed:
    filed = node.filing.finish(
        draft, text=request.text, slug=request.slug, now=request.now, forget=request.forget
    )
    warnings = []
    if filed.stale_keys:
        warnings.append(FilingWarning.OLD_KEY)
    if filed.shared_keys:
        warnings.append(FilingWarning.EPOCH_KEY)
    return _told(node, filed.ref, draft, request, warnings)


def _finished(node: Node, draft: FilingDraft, request: File) -> Filed | None:
    """Return what was filed all the same, without a word of the keys that it was sealed to."""
    ref = node.filing.finished_as(draft)
    return None if ref is None else _told(node, ref, draft, request, [])


def _told(
    node: Node, ref: BundleRef, draft: FilingDraft, request: File, warnings: list[FilingWarning]
) -> Filed:
    home = node.home
    entry = home.custody.entry(ref)
    held_s = 0.0 if entry is None else max(0.0, entry.release_at_s - home.moment.lived_s)
    unsure = () if draft.clock_trusted else (FilingWarning.CLOCK_UNSURE,)
    return Filed(
        id=ref.id.hex(),
        release_at=moment(home.wall.s + held_s) if held_s else None,
        expires_on=None if entry is None else date_of(entry.expiry_day),
        forgotten=request.forget,
        warnings=(*warnings, *unsure),
    )


def _status(node: Node, item: str | None) -> Status:
    found = node.dispatches.all() if item is None else [node.dispatches.find(item)]
    return Status(
        dispatches=tuple(
            dispatch_fact(node, one, parts=item is not None) for one in found[:CONTROL_ITEMS_MAX]
        ),
        more=max(0, len(found) - CONTROL_ITEMS_MAX),
        recalled=is_own_recalled(node.home),
        wire_last_at=moment(node.wire_log.last_at or 0),
        wire_expected_at=moment(node.wire_log.expected_at() or 0),
        told_at=moment(node.home.wall.s),
    )


def dispatch_fact(node: Node, progress: record.Progress, *, parts: bool) -> DispatchStatus:
    """Return how far a dispatch has got, with its attachments one by one if `parts`."""
    one = progress.dispatch
    entry = node.home.custody.entry(one.ref)
    return DispatchStatus(
        id=one.ref.id.hex(),
        slug=one.slug,
        kind=ItemKind.DISPATCH,
        priority=WORDS[one.priority],
        state=DispatchState(progress.state.value),
        filed_at=moment(one.filed_at) if one.clock_trusted else None,
        release_at=moment(node.home.wall.s + progress.held_for_s) if progress.held_for_s else None,
        carried_by=progress.copies,
        on_wire_at=moment(one.on_wire_at),
        received_at=moment(one.received_at),
        read_at=moment(one.read_at),
        expires_on=None if entry is None else date_of(entry.expiry_day),
        attachments=len(one.attachments),
        attachments_received=sum(part.received >= part.bundles for part in one.attachments),
        parts=tuple(map(_part, one.attachments)) if parts else (),
    )


def _part(attached: record.Attached) -> PartStatus:
    return PartStatus(
        name=attached.name,
        size=attached.size,
        pieces=attached.bundles,
        carried=attached.carried,
        received=attached.received,
    )
