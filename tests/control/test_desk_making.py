"""A desk is made once its root's key is on the disk, and not before."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshnews.control.desk_reply import DeskMade
from meshnews.control.desk_request import DeskCreate
from meshnews.control.reply import Event
from meshnews.desk.rootkey import open_root_key
from meshnews.errors import Refusal
from meshnews.node.identity import Role
from meshnewsd.control.enrolling import EnrolmentDesk
from meshnewsd.control.table import Asker
from tests.control.rig import running
from tests.node.newsroom import Machine, make_home

REQUEST = DeskCreate("Bureau", "four words for roots")


@pytest.fixture
def editor() -> Machine:
    return make_home("editor-1", Role.EDITOR)


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "root", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


async def deaf(_: Event) -> None:
    pass


async def create(machine: Machine, descriptor: int) -> DeskMade | str:
    """Make a desk; return the answer, or the code of the refusal."""
    async with running(machine) as daemon:
        desk = EnrolmentDesk(Asker(daemon.host, once=False))
        try:
            return await desk.create(REQUEST, [descriptor], deaf)
        except Refusal as refused:
            return refused.code


async def test_the_root_key_is_in_its_file_when_there_is_a_desk(
    editor: Machine, stick: int
) -> None:
    made = await create(editor, stick)
    assert isinstance(made, DeskMade)
    assert editor.node.home.identity.desk is not None
    assert editor.node.home.identity.desk.hex() == made.desk
    root = open_root_key(os.pread(stick, 4096, 0), REQUEST.root_passphrase)
    manifest = editor.node.home.book.manifest
    assert manifest is not None
    assert list(manifest.roots.keys) == [root.public]


async def test_where_the_root_key_cannot_be_written_no_desk_is_made(
    editor: Machine, stick: int
) -> None:
    full = os.open("/dev/full", os.O_RDWR)
    assert await create(editor, full) == "root-unwritten"
    os.close(full)
    editor.restart()
    assert editor.node.home.identity.desk is None
    assert isinstance(await create(editor, stick), DeskMade), "there is another stick"
