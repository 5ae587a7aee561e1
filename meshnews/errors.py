"""Whose fault it was: the exceptions that the library raises.

    MeshnewsError
      PeerError       they broke the protocol: drop the link, go on
        Malformed       bytes that are not what they claim to be
        Forged          a signature, tag or proof that does not hold
        Exceeded        more of something than the protocol allows
        OutOfTurn       a message that has no place in this state
      Refusal         a person asked for what cannot be done, and is told why
      StoreFull       weather: no room; nothing was kept, try again later
      LocalMisuse     our own bug

Messages never carry a secret, a body or a peer's raw bytes.
"""


class MeshnewsError(Exception):
    """Root of everything the library raises on purpose."""


class PeerError(MeshnewsError):
    """What came from outside breaks the protocol."""


class Malformed(PeerError):
    """Bytes are not what they claim to be: wrong length, form, range or version."""


class Forged(PeerError):
    """A signature, tag, commitment or proof of work does not hold."""


class Exceeded(PeerError):
    """A peer asked for, or sent, more than a limit allows."""


class OutOfTurn(PeerError):
    """A message has no place in the present state of the conversation."""


class Refusal(MeshnewsError):
    """A person's request cannot be carried out.

    Attributes:
        code: a stable word for scripts, such as ``no-card``.
        what: what happened, one sentence.
        meaning: what it means for the person, one sentence.
        remedy: what to do, one sentence.
    """

    def __init__(self, code: str, *, what: str, meaning: str, remedy: str) -> None:
        super().__init__(f"{what} {meaning} {remedy}")
        self.code = code
        self.what = what
        self.meaning = meaning
        self.remedy = remedy


class StoreFull(MeshnewsError):
    """The disk, or a quota, has no room for what was to be written."""


class LocalMisuse(MeshnewsError):
    """Our own code called something with what it promised never to pass."""
