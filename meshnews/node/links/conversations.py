"""The conversations of a node: by stream, in one order, and what went over all of them."""

from collections.abc import Iterator

from meshnews.ids import LinkId
from meshnews.node.links.conversation import Conversation
from meshnews.node.links.dialler import Callers


class Conversations:
    """Those that are open now, and the count of what went over those that were."""

    def __init__(self) -> None:
        self._by_link: dict[LinkId, Conversation] = {}
        self._in_order: tuple[Conversation, ...] | None = ()
        self._moved_before = 0

    def __iter__(self) -> Iterator[Conversation]:
        """Yield them in order of their streams; they may come and go meanwhile."""
        if self._in_order is None:
            self._in_order = tuple(self._by_link[link] for link in sorted(self._by_link))
        return iter(self._in_order)

    def get(self, link: LinkId) -> Conversation | None:
        """Return the one on a stream; None: that has ended."""
        return self._by_link.get(link)

    def add(self, talk: Conversation) -> None:
        """Take in one whose stream has opened."""
        self._by_link[talk.link], self._in_order = talk, None

    def remove(self, link: LinkId) -> Conversation | None:
        """Take out and return the one on a stream that has ended, or will be closed."""
        self._in_order = None
        talk = self._by_link.pop(link, None)
        if talk is not None:
            self._moved_before += talk.sent + talk.received
        return talk

    def talking(self) -> list[Conversation]:
        """Return those whose session stands: the neighbours in contact."""
        return [talk for talk in self if talk.is_talking]

    def callers(self) -> Callers:
        """Return from where each neighbour in contact called us."""
        return {talk.link: talk.address for talk in self.talking() if talk.address is not None}

    def rate_of(self, link: LinkId) -> int:
        """Return how many bytes a second a stream took lately; 0: nobody knows."""
        talk = self._by_link.get(link)
        return 0 if talk is None else talk.rate

    def moved_on(self, link: LinkId) -> int:
        """Return how many bytes went over a stream so far, both ways."""
        talk = self._by_link.get(link)
        return 0 if talk is None else talk.sent + talk.received

    @property
    def bytes_moved(self) -> int:
        """Bytes that went over all streams since the start, both ways."""
        return self._moved_before + sum(talk.sent + talk.received for talk in self)
