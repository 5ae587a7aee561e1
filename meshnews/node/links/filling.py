"""In which order streams are given their next bytes, and how much all of them get at once.

A crowd of fast streams takes turns: what one settling makes for all has a bound, and
the next begins with those that had to wait.  So nobody waits long for an answer, and
what was made for them needs little memory.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from meshnews.ids import LinkId
from meshnews.node.links.conversation import Conversation

FILL_BYTES_MAX: Final = 1024 * 1024
"""What all streams are given at once; a fast one alone is given as much."""


class Filling:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._waiting: tuple[LinkId, ...] = ()
        self._left_bytes = 0

    @property
    def is_behind(self) -> bool:
        """Some had to wait for the next time."""
        return bool(self._waiting)

    def turns(self, talks: Iterable[Conversation]) -> Iterator[Conversation]:
        """Yield the conversations to be given bytes now, for as long as there is room.

        Those come first that had to wait the last time, in their order.

        Raises:
            Nothing.
        """
        order = list(talks)
        if self._waiting:
            places = {link: place for place, link in enumerate(self._waiting)}
            order.sort(key=lambda talk: places.get(talk.link, len(places)))
        self._waiting, self._left_bytes = (), FILL_BYTES_MAX
        for index, talk in enumerate(order):
            if self._left_bytes <= 0:
                self._waiting = tuple(each.link for each in order[index:])
                return
            yield talk

    def gave(self, size: int) -> None:
        """Take note of what the one that was yielded last was given."""
        self._left_bytes -= size
