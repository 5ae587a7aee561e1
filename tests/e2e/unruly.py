"""A member's daemon that misbehaves inside its links.

    python -m tests.e2e.unruly HOW FOLDER [arguments of meshnewsd]

HOW is one of `WAYS`:

    garbage    frames of noise stand before every message
    repeats    well-formed messages of every kind, each many times, whoever waits for them
    deaf       nothing that it is given is ever said to be stored
    dribble    one byte a second

It makes the file `unruly` in FOLDER when it has misbehaved for the first time.
"""

import os
import random
import sys
from pathlib import Path
from typing import Any, Final

import trio

from meshnews.link.session import LinkSession
from meshnews.sync.layout import encode_message
from meshnews.sync.messages import Acked, Stored
from meshnewsd.main import main
from tests.sync.sample import MESSAGES

WAYS: Final = ("garbage", "repeats", "deaf", "dribble")
HEAD_BYTES: Final = 2
"""What tells a message's kind."""


class Unruly:
    """How a daemon misbehaves, and that it has."""

    def __init__(self, how: str, folder: Path) -> None:
        assert how in WAYS, how
        self._how = how
        self._mark = folder / "unruly"
        self._messages = [encode_message(each) for each in MESSAGES.values()]
        self._heads = {
            encode_message(each)[:HEAD_BYTES]
            for each in MESSAGES.values()
            if isinstance(each, Stored | Acked)
        }

    def bind(self) -> None:
        """Let this process misbehave."""
        if self._how == "dribble":
            self._bind_stream()
            return
        queue = LinkSession.queue

        def unruly_queue(session: LinkSession, message: bytes) -> None:
            if self._how == "garbage":
                self._mark.touch()
                queue(session, os.urandom(random.choice((1, 5, 50, 3000))))
            if self._how == "repeats":
                self._mark.touch()
                for each in random.choices(self._messages, k=20):
                    queue(session, each)
            if self._how == "deaf" and message[:HEAD_BYTES] in self._heads:
                self._mark.touch()
                return
            queue(session, message)

        _replace(LinkSession, "queue", unruly_queue)

    def _bind_stream(self) -> None:
        send_all = trio.SocketStream.send_all

        async def dribble(stream: trio.SocketStream, data: bytes) -> None:
            for place in range(len(data)):
                self._mark.touch()
                await send_all(stream, data[place : place + 1])
                await trio.sleep(1)

        _replace(trio.SocketStream, "send_all", dribble)


def _replace(owner: type, name: str, method: Any) -> None:
    setattr(owner, name, method)


if __name__ == "__main__":
    Unruly(sys.argv[1], Path(sys.argv[2])).bind()
    sys.exit(main(sys.argv[3:]))
