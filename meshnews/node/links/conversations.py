"""The conversations of a node: by stream, in one order, and what went over all of them."""

from collections.abc import Iterator

from meshnews.ids import LinkId
from meshnews.node.links.candidates import NOBODY, Callers
from meshnews.node.links.conversation import Conversation
from meshnews.node.speaker import Speaker
from meshnews.store.age import Moment


class Conversations:
    """Those that are open now, and the count of what went over those that were."""

    def __init__(self) -> None:
        self._by_link: dict[LinkId, Conversation] = {}
        self._in_order: tuple[Conversation, ...] | None = ()
        self._talking: tuple[Conversation, ...] | None = ()
        self._callers: Callers | None = NOBODY
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
        self._by_link[talk.link] = talk
        self._look_anew()

    def begin(self, talk: Conversation, speaker: Speaker, moment: Moment) -> None:
        """Let `speaker` speak in one of them: its session stands."""
        talk.begin(speaker, moment)
        self._look_anew()

    def remove(self, link: LinkId) -> Conversation | None:
        """Take out and return the one on a stream that has ended, or will be closed."""
        self._look_anew()
        talk = self._by_link.pop(link, None)
        if talk is not None:
            self._moved_before += talk.sent + talk.received
        return talk

    def _look_anew(self) -> None:
        self._in_order = self._talking = self._callers = None

    def talking(self) -> tuple[Conversation, ...]:
        """Return those whose session stands: the neighbours in contact."""
        if self._talking is None:
            self._talking = tuple([talk for talk in self if talk.is_talking])
        return self._talking

    def callers(self) -> Callers:
        """Return from where each neighbour in contact called us."""
        if self._callers is None:
            called_us = ((talk.link, talk.address) for talk in self.talking())
            self._callers = {link: where for link, where in called_us if where is not None}
        return self._callers

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
