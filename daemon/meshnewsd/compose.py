"""Puts the real things together: stores, node, control server.

The one place that knows every room.  `meshnewsd.app` runs what this returns and
is tested with fakes in its stead.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from meshnews.errors import LocalMisuse
from meshnews.node.settings import Visibility
from meshnewsd.config import Config
from meshnewsd.host import Host, NodeMachine, Stores


class ClosableStores(Stores, Protocol):
    """Stores that somebody has to close."""

    def close(self) -> None:
        """Close the files."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """What a start was asked for.

    Attributes:
        home: the home directory; it may not exist.
        config: what its configuration says.
        once_fd: the descriptor of a ``--once`` run, which has no network; else None.
        ask_passphrase: returns the passphrase, or None where there is nobody to
            ask and no file; may block, and is to be called in the worker's thread.
    """

    home: Path
    config: Config
    once_fd: int | None
    ask_passphrase: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs beside the node, under supervision.

    Attributes:
        name: what the log calls it.
        run: gives a fresh run of it.
        ends_all: the daemon ends when it returns.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    ends_all: bool = False


@dataclass(frozen=True, slots=True)
class Composition:
    """What a daemon is made of.

    Attributes:
        open_stores: called once, in the worker's thread.  May raise `Refusal`.
        build: makes the node from the stores, inside a transaction; called again
            after every failure.
        visibility: of a home whose configuration names none; called in a
            transaction, before `build`.
        parts: what runs beside the node, the control server above all.
    """

    open_stores: Callable[[], ClosableStores]
    build: Callable[[ClosableStores], NodeMachine]
    visibility: Callable[[ClosableStores], Visibility]
    parts: Callable[["Host[Any]"], Sequence[Part]]


def compose(launch: Launch) -> Composition:
    """Return the real daemon for one home.

    Raises:
        Refusal: `launch` asks for what cannot be.
    """
    raise LocalMisuse(f"nothing is composed yet for {launch.home.name}")
