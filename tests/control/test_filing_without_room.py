"""Who files while the disk is full is told what became of it, and it is so."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from meshnews.control.request import File
from meshnews.errors import StoreFull
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnewsd.control.filing import FilingDesk
from meshnewsd.control.table import Asker
from tests.control.rig import running
from tests.node.newsroom import Machine, enrolled, make_desk

T = TypeVar("T")
REQUEST = File(text="A fire.", slug="fire")
FORGET = File(text="A fire.", slug="fire", forget=True)
FINISH = 2
"""The second thing that a handler asks of the node, when nothing is attached."""


@dataclass(frozen=True, slots=True)
class Full(Asker):
    """Has no room for one question: it kept all of it, as a vault may have, or nothing."""

    keeps: bool = False
    asked: list[None] = field(default_factory=list)

    async def ask(self, question: Callable[[Node], T]) -> T:
        self.asked.append(None)
        if len(self.asked) == FINISH:
            if self.keeps:
                await Asker.ask(self, question)
            raise StoreFull
        return await Asker.ask(self, question)


@pytest.fixture(scope="module")
def made() -> Machine:
    editor, _ = make_desk()
    return enrolled(editor, "reporter-1", Role.REPORTER)


async def unheard(_: object) -> None:
    """Take no notice of progress."""


@pytest.mark.parametrize("request_made", [REQUEST, FORGET], ids=["kept", "forgotten"])
async def test_what_the_vault_has_kept_is_filed_and_told_so(
    made: Machine, request_made: File
) -> None:
    async with running(deepcopy(made)) as daemon:
        desk = FilingDesk(Full(daemon.host, once=False, keeps=True))
        filed = await desk.file(request_made, (), unheard)
        assert await daemon.do(lambda node: node.home.carry.count_elements()) == 1
        assert filed.forgotten == request_made.forget
        assert len(filed.id) == 64


async def test_what_was_not_kept_is_not_filed(made: Machine) -> None:
    async with running(deepcopy(made)) as daemon:
        desk = FilingDesk(Full(daemon.host, once=False))
        with pytest.raises(StoreFull):
            await desk.file(REQUEST, (), unheard)
        assert await daemon.do(lambda node: node.dispatches.all()) == []
