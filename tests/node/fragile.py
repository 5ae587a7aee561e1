"""A machine whose power goes out at one transaction.

The vault is committed before carry, so there are three moments in which a
transaction can end: before both, between the two, and after both.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from tests.node.newsroom import Machine

T = TypeVar("T")


class PowerCut(Exception):
    """The power went out."""


@dataclass
class Fragile(Machine):
    """A machine whose power goes out at one transaction."""

    cut_at: int = 0
    moment: str = ""
    seen: int = 0

    def _within(self, work: Callable[[], T]) -> T:
        self.seen += 1
        is_cut = self.seen == self.cut_at
        with ExitStack() as stack:
            stack.enter_context(self.carry.transaction())
            if is_cut and self.moment == "between":
                stack.enter_context(_cut())
            if self.vault is not None:
                stack.enter_context(self.vault.transaction())
            if is_cut and self.moment == "before both":
                stack.enter_context(_cut())
            result = work()
        if is_cut and self.moment == "after both":
            raise PowerCut
        return result


@contextlib.contextmanager
def _cut() -> Iterator[None]:
    yield
    raise PowerCut


def fragile(machine: Machine) -> Fragile:
    """Return the same machine, able to lose its power."""
    return Fragile(machine.name, machine.carry, machine.vault, machine.entropy, machine.clock)
