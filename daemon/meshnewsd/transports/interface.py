"""What a transport is: something that opens and accepts streams of bytes.

A transport moves bytes in order and reliably, or breaks.  It knows nothing of
what they mean; secrecy and identity are made above it.  Every transport passes
tests/contract/test_transport_contract.py.
"""

import errno
from collections.abc import Callable
from typing import Final, Protocol

import trio

from meshnews.node.event import Address, Carrier, Trouble

Take = Callable[[trio.abc.HalfCloseableStream, Address], None]
"""Called with each accepted stream and where it came from; must not block, owns the stream."""

SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
SCARCITY_S: Final = 0.2
"""With these errors the system has no room for another stream; so long accepting pauses then."""


class Unreachable(Exception):
    """Nobody answers there, or the words name no place.

    Attributes:
        trouble: what the node is told of it.
    """

    def __init__(self, message: str, trouble: Trouble = Trouble.NO_ANSWER) -> None:
        super().__init__(message)
        self.trouble = trouble


class Doorway(Protocol):
    """One place where streams are accepted."""

    @property
    def port(self) -> int:
        """The port that neighbours dial; the same for as long as the doorway exists."""
        ...

    async def serve(self, take: Take, interfaces: tuple[str, ...] | None = None) -> None:
        """Accept streams until cancelled; may be called again afterwards.

        Args:
            take: given each stream.
            interfaces: the only ones to accept streams on, for a transport that has
                such; None: all.

        Raises:
            OSError: the port was lost to somebody else, or the system gave up on it.
        """
        ...

    async def aclose(self) -> None:
        """Give the port back."""
        ...


class _Way(Protocol):
    @property
    def name(self) -> str:
        """The word that `Address.transport` holds."""
        ...

    @property
    def carrier(self) -> Carrier:
        """What the node is told that its streams run over."""
        ...


class Caller(_Way, Protocol):
    """A way to open streams; an uplink driver is nothing else."""

    async def open(self, where: str) -> trio.abc.HalfCloseableStream:
        """Open a stream; the caller sets the deadline.

        Raises:
            Unreachable: nobody answers at `where`, or it makes no sense.
        """
        ...


class Host(_Way, Protocol):
    """A way to accept streams."""

    async def bind(self, port: int) -> Doorway:
        """Take a port, 0 for any, without accepting yet.

        Raises:
            OSError: the port cannot be had.
        """
        ...


class Transport(Caller, Host, Protocol):
    """A way to carry streams."""
