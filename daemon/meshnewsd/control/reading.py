"""Handlers of reading: the inbox, one item, its attachments, and an answer to it."""

import functools
import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from meshnews.bundle.tree import leaf_bytes
from meshnews.control import refusal
from meshnews.control.fact import (
    Alarm,
    AttachmentRole,
    AttachmentStatus,
    InboxItem,
    ItemKind,
    Phase,
    Verdict,
)
from meshnews.control.limits import CONTROL_ITEMS_MAX
from meshnews.control.reply import AttachmentSaved, Done, InboxListing, Opened, Progress, ReplyFiled
from meshnews.control.request import Inbox, LetGo, Open, SaveAttachment, SendReply
from meshnews.limits import CHUNK_BYTES
from meshnews.node.dispatches.item import Heading, Item
from meshnews.node.node import Node
from meshnewsd.control.filing import WORDS
from meshnewsd.control.sparing import Sparing
from meshnewsd.control.table import Asker
from meshnewsd.control.times import moment

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

LEAVES_PER_STEP = 16
"""Leaves read in one transaction: others get their turn between two."""

PIECES_PER_STEP = 256
"""Pieces let go in one transaction."""


class ReadingDesk:
    """The handlers, with the way to the node."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def inbox(self, request: Inbox, _: Sequence[int], __: "Emit") -> InboxListing:
        """List what has come in, a part of it at a time."""

        def act(node: Node) -> InboxListing:
            before = None if request.before is None else node.letters.find(request.before)
            found = node.letters.listing(at_most=CONTROL_ITEMS_MAX, before=before)
            more = found[-1].number if found else 0
            return InboxListing(items=tuple(map(_line, found)), more=more)

        return await self._asker.ask(act)

    async def open(self, request: Open, _: Sequence[int], __: "Emit") -> Opened:
        """Show one item, note that it was read, and tell its author so."""

        def act(node: Node) -> Opened:
            item = node.letters.find_whole(request.id)
            if not item.read_at:
                node.letters.mark_read(item)
                if node.home.identity.is_desk:
                    node.answers.tell_read(item)
            return _whole(item)

        return await self._asker.ask(act)

    async def save(
        self, request: SaveAttachment, descriptors: Sequence[int], emit: "Emit"
    ) -> AttachmentSaved:
        """Write an attachment into an open file, verified leaf by leaf and as a whole."""
        item = await self._asker.ask(lambda node: node.letters.find(request.id))
        if request.index >= len(item.trees):
            raise refusal.no_such_attachment(request.index + 1)
        tree, here = item.trees[request.index]
        if here < tree.n:
            raise refusal.attachment_incomplete(request.index + 1)
        whole, done, sparing = hashlib.sha256(), 0, Sparing(emit)
        await sparing.tell(Progress(Phase.SAVING, request.index, done, tree.size))
        for start in range(0, tree.n, LEAVES_PER_STEP):
            read = functools.partial(_leaves, item=item, index=request.index, start=start)
            for leaf in await self._asker.ask(read):
                whole.update(leaf)
                await trio.to_thread.run_sync(_write_all, descriptors[0], leaf, done)
                done += len(leaf)
            await sparing.tell(Progress(Phase.SAVING, request.index, done, tree.size))
        if whole.digest() != tree.sha256 or done != tree.size:
            raise refusal.save_failed(request.index + 1)
        await trio.to_thread.run_sync(os.fsync, descriptors[0])
        return AttachmentSaved(done, tree.sha256)

    async def let_go(self, request: LetGo, _: Sequence[int], __: "Emit") -> Done:
        """Keep the attachments of an item no longer."""

        def act(node: Node) -> bool:
            return node.letters.let_go(node.letters.find(request.id), at_most=PIECES_PER_STEP)

        while not await self._asker.ask(act):
            pass
        return Done()

    async def reply(self, request: SendReply, _: Sequence[int], __: "Emit") -> ReplyFiled:
        """Seal an answer to the author of an item."""

        def act(node: Node) -> ReplyFiled:
            item = node.letters.find(request.id)
            identifier = node.answers.reply(item, request.text)
            return ReplyFiled(id=identifier.hex(), to=item.name)

        return await self._asker.ask(act)


def _leaves(node: Node, *, item: Heading, index: int, start: int) -> list[bytes]:
    tree, _ = item.trees[index]
    end = min(start + LEAVES_PER_STEP, tree.n)
    return [node.letters.piece(item, index, position) for position in range(start, end)]


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _line(item: Heading) -> InboxItem:
    return InboxItem(
        id=item.ref.id.hex(),
        kind=_kind(item),
        slug=item.slug,
        byline=item.name,
        priority=WORDS[item.priority],
        verdict=Verdict(item.verdict.value),
        alarms=tuple(Alarm(alarm.value) for alarm in item.alarms),
        arrived_at=moment(item.arrived_at),
        claimed_at=moment(item.claimed_at),
        opened=bool(item.read_at),
        attachments=len(item.trees),
        attachments_complete=sum(here >= tree.n for tree, here in item.trees),
    )


def _whole(item: Item) -> Opened:
    return Opened(
        id=item.ref.id.hex(),
        kind=_kind(item),
        slug=item.slug,
        byline=item.name,
        priority=WORDS[item.priority],
        verdict=Verdict(item.verdict.value),
        alarms=tuple(Alarm(alarm.value) for alarm in item.alarms),
        text=item.text,
        claimed_at=moment(item.claimed_at),
        arrived_at=moment(item.arrived_at),
        in_reply_to=item.reference.hex() or None,
        attachments=tuple(
            AttachmentStatus(
                name=tree.name,
                size=tree.size,
                role=AttachmentRole(tree.role.value),
                sha256=tree.sha256,
                bytes_here=bytes_here(tree.size, leaves=tree.n, here=here),
                complete=here >= tree.n,
                let_go=item.let_go_at > 0,
            )
            for tree, here in item.trees
        ),
    )


def bytes_here(size: int, *, leaves: int, here: int) -> int:
    """Return how much of a file `here` of its leaves hold at least: the last is a short one."""
    if not 0 < here < leaves:
        return size if here else 0
    return (here - 1) * CHUNK_BYTES + leaf_bytes(leaves - 1, size)


def _kind(item: Heading) -> ItemKind:
    return ItemKind.REPLY if item.kind.value == "reply" else ItemKind.DISPATCH
