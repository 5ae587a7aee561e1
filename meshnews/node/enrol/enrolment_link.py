"""What both ends of an enrolment link share: what waits to be said, signs of life, an end.

    open ──hang up, or fifteen minutes──▶ over        once what is queued is out, the link ends
      └──a minute without a sign of life──▶ silence

See docs/protocol/enrolment.md, "By invitation".
"""

import abc
from collections import deque
from collections.abc import Sequence

from meshnews.desk.joining import JoinMessage, Keep, decode_join_message, encode_join_message
from meshnews.desk.limits import ENROLMENT_KEEP_S, ENROLMENT_LINK_S_MAX, ENROLMENT_SILENT_S_MAX
from meshnews.errors import OutOfTurn
from meshnews.store.age import Moment
from meshnews.sync.event import SyncEvent


class EnrolmentLink(abc.ABC):
    """One end of an enrolment link; `session` is the handshake hash."""

    def __init__(self, session: bytes) -> None:
        self.session = session
        self._waiting: deque[bytes] = deque()
        self._is_over = False
        self._since_s = self._heard_s = self._said_s = 0.0

    def say(self, message: JoinMessage) -> None:
        """Queue a message."""
        self._waiting.append(encode_join_message(message))

    def hang_up(self) -> None:
        """End the link once what is queued is out."""
        self._is_over = True

    @property
    def is_over(self) -> bool:
        """Nothing is to be said after what is queued."""
        return self._is_over

    @property
    def queued(self) -> bool:
        """There is something to send."""
        return bool(self._waiting)

    def pull(self, room_bytes: int, moment: Moment) -> list[bytes]:
        """Return messages for about `room_bytes`, at least one if any is ready.

        Raises:
            Nothing.
        """
        bodies: list[bytes] = []
        while room_bytes > 0 and (body := self._next()) is not None:
            bodies.append(body)
            room_bytes -= len(body)
        if bodies:
            self._said_s = moment.lived_s
        return bodies

    def _next(self) -> bytes | None:
        """Return the next message; None: nothing to say."""
        return self._waiting.popleft() if self._waiting else None

    def start(self, moment: Moment) -> None:
        """Begin: the link stands."""
        self._since_s = self._heard_s = self._said_s = moment.lived_s
        self._begin()

    def receive(self, message: bytes, moment: Moment) -> Sequence[SyncEvent]:
        """Advance on one message.  What comes after the end is not looked at.

        Raises:
            PeerError: it is malformed, has no place in this state, or is forged.
        """
        self._heard_s = moment.lived_s
        if not self._is_over:
            taken = decode_join_message(message)
            if not isinstance(taken, Keep):
                self._take(taken)
        return ()

    @property
    def deadline_s(self) -> float | None:
        """When to call `tick`."""
        silent_s = self._heard_s + ENROLMENT_SILENT_S_MAX
        if self._is_over:
            return silent_s
        keep_s, last_s = self._said_s + ENROLMENT_KEEP_S, self._since_s + ENROLMENT_LINK_S_MAX
        return min(silent_s, keep_s, last_s)

    def tick(self, moment: Moment) -> Sequence[SyncEvent]:
        """Show that we are there, and end what has lasted too long.

        Raises:
            OutOfTurn: the other side has not shown for a minute that it is there.
        """
        if moment.lived_s >= self._heard_s + ENROLMENT_SILENT_S_MAX:
            raise OutOfTurn("no sign of life on an enrolment link")
        if self._is_over:
            return ()
        if moment.lived_s >= self._since_s + ENROLMENT_LINK_S_MAX:
            self.hang_up()
        elif moment.lived_s >= self._said_s + ENROLMENT_KEEP_S:
            self._said_s = moment.lived_s
            self.say(Keep())
        return ()

    @abc.abstractmethod
    def _begin(self) -> None:
        """Say what is said first."""

    @abc.abstractmethod
    def _take(self, message: JoinMessage) -> None:
        """Advance on one message.

        Raises:
            PeerError: it has no place in this state, or is forged.
        """

    def harvest(self) -> Sequence[SyncEvent]:
        """Return nothing: an enrolment reports nothing to the node."""
        return ()

    @abc.abstractmethod
    def ended(self) -> None:
        """Let go of everything: the link is gone."""
