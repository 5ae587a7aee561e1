"""What is filed through the daemon is filed whole or not at all; what is saved is as it was."""

import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock

from meshnews.control.fact import AttachmentOffer, Phase
from meshnews.control.limits import CONTROL_ITEMS_MAX
from meshnews.control.reply import AttachmentSaved, Event, Filed, Opened, Progress
from meshnews.control.request import File, Inbox, Open, SaveAttachment, SendReply
from meshnews.errors import Refusal
from meshnews.ids import BundleId
from meshnews.node import shelf
from meshnews.node.node import Node
from meshnewsd.control.filing import STEP_BYTES, FilingDesk
from meshnewsd.control.reading import ReadingDesk
from tests.control.rig import Daemon, running
from tests.node.newsroom import Machine
from tests.node.newswork import Desk, bring, fresh_desk, items, only, save, wires, withheld

T = TypeVar("T")

TEXT = "Алаңда атыс естілді."
PICTURE = bytes(range(256)) * (STEP_BYTES * 5 // 2 // 256)
COMMIT_S = 1.0


@dataclass
class SlowWorker:
    """Does a piece of work at once; where `is_slow` says so its disk takes a while after that."""

    is_slow: Callable[[], bool] = lambda: False

    async def run(self, work: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        done = work()
        if self.is_slow():
            with trio.CancelScope(shield=True):
                await trio.sleep(COMMIT_S)
        return done


@pytest.fixture
def desk() -> Desk:
    return fresh_desk()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "picture.jpg"
    file.write_bytes(PICTURE)
    return file


Emit = Callable[[Event], Awaitable[None]]


async def ignore(event: Event) -> None:
    await trio.lowlevel.checkpoint()


async def file(daemon: Daemon, path: Path, emit: Emit = ignore, *, now: bool = True) -> Filed:
    """File a text and the file at `path`, said to be as long as the picture."""
    request = File(
        text=TEXT,
        slug="alań",
        now=now,
        attachments=(AttachmentOffer("picture.jpg", len(PICTURE)),),
    )
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return await FilingDesk(daemon.asker).file(request, [descriptor], emit)
    finally:
        os.close(descriptor)


def assert_nothing_left(reporter: Machine) -> None:
    """Look for anything of a draft, without starting the node anew, which would drop it."""
    assert withheld(reporter) == []
    assert reporter.carry.count(shelf.DRAFT) == 0
    assert wires(reporter) == []
    assert reporter.ask(lambda node: node.dispatches.all()) == []


def assert_arrives(desk: Desk, filed: Filed | None = None) -> None:
    desk.reporter.later(0.1)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    assert filed is None or item.ref.id.hex() == filed.id
    assert item.text == TEXT
    assert save(desk.editor, item) == PICTURE


# Filing -----------------------------------------------------------------------


async def test_what_is_filed_arrives_and_its_sealing_is_told_step_by_step(
    desk: Desk, picture: Path
) -> None:
    told: list[Event] = []

    async def hear(event: Event) -> None:
        told.append(event)

    async with running(desk.reporter) as daemon:
        filed = await file(daemon, picture, hear)
    steps = [*range(0, len(PICTURE), STEP_BYTES), len(PICTURE)]
    all_steps = [Progress(Phase.SEALING, 0, done, len(PICTURE)) for done in steps]
    assert [told[0], told[-1]] == [all_steps[0], all_steps[-1]]
    assert told == [step for step in all_steps if step in told], "in order, and none twice"
    assert_arrives(desk, filed)


@pytest.mark.parametrize("size", [0, 1, STEP_BYTES, len(PICTURE) - 1, len(PICTURE) + 1])
async def test_a_file_that_grows_or_shrinks_is_refused_and_nothing_of_it_stays(
    desk: Desk, picture: Path, size: int
) -> None:
    os.truncate(picture, size)
    async with running(desk.reporter) as daemon:
        with pytest.raises(Refusal) as caught:
            await file(daemon, picture)
    assert caught.value.code in {"attachment-changed", "file-changed"}
    assert_nothing_left(desk.reporter)


@pytest.mark.parametrize("step", [1, 2])
async def test_an_asker_who_leaves_before_it_is_sealed_has_filed_nothing(
    desk: Desk, picture: Path, step: int
) -> None:
    scope, seen = trio.CancelScope(), []

    async def leave(event: Event) -> None:
        seen.append(event)
        if len(seen) == step:
            scope.cancel()

    async with running(desk.reporter) as daemon:
        with scope:
            await file(daemon, picture, leave)
    assert scope.cancelled_caught
    assert_nothing_left(desk.reporter)


@pytest.mark.parametrize("now", [True, False])
async def test_an_asker_who_leaves_while_it_is_committed_has_filed_all_of_it(
    desk: Desk, picture: Path, autojump_clock: MockClock, now: bool
) -> None:
    scope = trio.CancelScope()

    def leave_at_the_end() -> bool:
        assert desk.reporter.vault is not None
        if not desk.reporter.vault.count(shelf.OUTBOX):
            return False
        scope.cancel()
        return True

    worker = SlowWorker()
    async with running(desk.reporter, worker) as daemon:
        worker.is_slow = leave_at_the_end
        with scope:
            filed = await file(daemon, picture, now=now)
    assert scope.cancel_called
    assert not scope.cancelled_caught, "and who may still listen is told"
    assert_arrives(desk, filed)


async def test_a_node_that_fails_while_it_seals_has_filed_nothing(
    desk: Desk, picture: Path, autojump_clock: MockClock
) -> None:
    async with running(desk.reporter) as daemon:

        async def fail(event: Event) -> None:
            assert isinstance(event, Progress)
            if event.done == len(PICTURE):
                await daemon.fail()

        with pytest.raises(Refusal) as caught:
            await file(daemon, picture, fail)
        assert caught.value.code == "filing-interrupted"
        assert_nothing_left(desk.reporter)
        filed = await file(daemon, picture)
    assert_arrives(desk, filed)


async def test_a_daemon_that_ends_while_it_seals_does_not_wait_for_itself(
    desk: Desk, picture: Path, autojump_clock: MockClock
) -> None:
    ended_s = -math.inf
    async with trio.open_nursery() as nursery:
        daemon = Daemon(desk.reporter)
        nursery.start_soon(daemon.host.run)
        await daemon.host.started.wait()

        async def end(event: Event) -> None:
            nonlocal ended_s
            # While a thread reads the file the clock may jump; from here on none does.
            ended_s = trio.current_time()
            nursery.cancel_scope.cancel()
            # The node is gone by the time that the handler hears of it.
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)

        nursery.start_soon(file, daemon, picture, end)
    assert trio.current_time() - ended_s < 1.0
    desk.reporter.restart()
    assert_nothing_left(desk.reporter)


# Reading ----------------------------------------------------------------------


@pytest.fixture
async def saved_to(tmp_path: Path) -> AsyncIterator[int]:
    descriptor = os.open(tmp_path / "saved", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def contents(descriptor: int) -> bytes:
    return os.pread(descriptor, len(PICTURE) + 1, 0)


async def filed_by(desk: Desk, picture: Path) -> str:
    async with running(desk.reporter) as daemon:
        return (await file(daemon, picture)).id


async def test_an_attachment_is_saved_to_the_byte(desk: Desk, picture: Path, saved_to: int) -> None:
    identifier = await filed_by(desk, picture)
    bring(desk.editor, *wires(desk.reporter))
    told: list[Any] = []

    async def hear(event: Event) -> None:
        told.append(event)

    async with running(desk.editor) as daemon:
        reading = ReadingDesk(daemon.asker)
        answer = await reading.save(SaveAttachment(identifier, 0), [saved_to], hear)
    assert answer == AttachmentSaved(len(PICTURE), sha256(PICTURE).digest())
    assert contents(saved_to) == PICTURE
    assert [event.done for event in told] == sorted({event.done for event in told})
    assert told[-1] == Progress(Phase.SAVING, 0, len(PICTURE), len(PICTURE))


async def test_what_cannot_be_saved_whole_is_not_begun(
    desk: Desk, picture: Path, saved_to: int
) -> None:
    identifier = await filed_by(desk, picture)
    texts = sorted(wires(desk.reporter), key=len)[:2]
    bring(desk.editor, *texts)
    async with running(desk.editor) as daemon:
        reading = ReadingDesk(daemon.asker)
        for request, code in (
            (SaveAttachment(identifier, 0), "attachment-incomplete"),
            (SaveAttachment(identifier, 1), "no-such-attachment"),
            (SaveAttachment("00" * 32, 0), "no-such-item"),
        ):
            with pytest.raises(Refusal) as caught:
                await reading.save(request, [saved_to], ignore)
            assert caught.value.code == code
    assert contents(saved_to) == b""


async def test_an_inbox_is_told_in_parts_of_a_thousand(desk: Desk, picture: Path) -> None:
    await filed_by(desk, picture)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)

    def fill(node: Node) -> None:
        for number in range(CONTROL_ITEMS_MAX + 2):
            ref = item.ref._replace(id=BundleId(number.to_bytes(32, "big")))
            node.letters.add(replace(item, ref=ref, trees=()))

    desk.editor.ask(fill)
    async with running(desk.editor) as daemon:
        reading = ReadingDesk(daemon.asker)
        newest = await reading.inbox(Inbox(), [], ignore)
        oldest = await reading.inbox(Inbox(before=newest.items[-1].id), [], ignore)
        with pytest.raises(Refusal) as caught:
            await reading.inbox(Inbox(before="nothing-like-it"), [], ignore)
    assert (len(newest.items), newest.more) == (CONTROL_ITEMS_MAX, 3)
    assert (len(oldest.items), oldest.more) == (3, 0)
    assert oldest.items[-1].id == item.ref.id.hex()
    assert caught.value.code == "no-such-item"


async def test_an_item_is_read_also_where_its_author_cannot_be_told(
    desk: Desk, picture: Path
) -> None:
    identifier = await filed_by(desk, picture)
    bring(desk.editor, *wires(desk.reporter))
    assert desk.editor.vault is not None
    with desk.editor.vault.transaction():
        for key, _ in list(desk.editor.vault.scan(shelf.MEMBER)):
            desk.editor.vault.delete(shelf.MEMBER, key)
    async with running(desk.editor) as daemon:
        reading = ReadingDesk(daemon.asker)
        opened = await reading.open(Open(identifier), [], ignore)
        with pytest.raises(Refusal) as caught:
            await reading.reply(SendReply(identifier, "Received."), [], ignore)
    assert isinstance(opened, Opened)
    assert opened.text == TEXT
    assert caught.value.code == "cannot-answer"
    assert items(desk.editor)[0].read_at > 0
