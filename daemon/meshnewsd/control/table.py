"""What each request does in a daemon: asks the node, in a transaction, and answers.

One handler a request, gathered from the modules beside this one.  A handler
turns a request into calls of the node and facts into a reply; it decides
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from meshnews.control import codec
from meshnews.control.fact import Role
from meshnews.control.reply import Welcome
from meshnews.control.request import Hello
from meshnews.node.node import Node
from meshnews.store.age import Clock

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit
    from meshnewsd.host import Host

T = TypeVar("T")

PROGRAM = "0.1.0"


@dataclass(frozen=True, slots=True)
class Asker:
    """The way from a handler to the node.

    Attributes:
        once: the daemon serves this caller alone and has no network.
    """

    host: "Host[Node]"
    once: bool

    async def ask(self, question: Callable[[Node], T]) -> T:
        """Return what `question` returns of the node, once what it changed is on disk.

        Raises:
            Refusal, PeerError: by the question; nothing was changed.
            StoreFull: carry was not changed; the vault perhaps was.
        """

        def work(node: Node, clock: Clock) -> T:
            node.at(clock)
            return question(node)

        return await self.host.call(work)

    async def welcome(self, _: Hello, __: Sequence[int], ___: "Emit") -> Welcome:
        """Answer `Hello` for a home that is open."""

        def who(node: Node) -> Welcome:
            identity = node.home.identity
            return Welcome(
                version=codec.VERSION,
                program=PROGRAM,
                role=Role(identity.role.value),
                endpoint=identity.endpoint,
                once=self.once,
                clock_sure=node.home.wall.trusted,
            )

        return await self.ask(who)
