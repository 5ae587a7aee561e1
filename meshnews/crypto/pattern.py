"""Noise patterns as data, read from the notation of the specification.

So the handshake engine can be checked against the vectors of patterns that
links do not use.  Source: The Noise Protocol Framework, revision 34.
"""

from dataclasses import dataclass

from meshnews.errors import LocalMisuse


@dataclass(frozen=True, slots=True)
class Script:
    """What both sides of a handshake do.

    Attributes:
        name: the pattern's name, such as ``NKpsk0``.
        initiator_known: the responder knows the initiator's static key beforehand.
        responder_known: the initiator knows the responder's static key beforehand.
        messages: the tokens of each message, the initiator's first.
    """

    name: str
    initiator_known: bool
    responder_known: bool
    messages: tuple[tuple[str, ...], ...]

    @property
    def psks(self) -> int:
        """How many pre-shared keys it mixes in."""
        return sum(message.count("psk") for message in self.messages)

    def draws(self, *, initiator: bool) -> bool:
        """Tell whether this side sends a key of this handshake."""
        return any("e" in message for message in self.messages[0 if initiator else 1 :: 2])

    def uses_static(self, *, initiator: bool) -> bool:
        """Tell whether this side needs a lasting key of its own."""
        own = 0 if initiator else 1
        return any(
            len(token) == 2 and token[own] == "s" for message in self.messages for token in message
        )


def script(name: str, before: str, messages: str) -> Script:
    """Return the script for a pattern written as in the specification.

    `before` is what is known beforehand: any of ``i`` and ``r``.  `messages`
    are tokens between blanks, messages between commas.  A suffix of `name`
    such as ``psk0`` or ``psk0+psk2`` puts the tokens in their places.

    Source: revision 34, sections 7.4 and 9.4.

    Raises:
        LocalMisuse: a psk has no place in these messages.
    """
    lines = [message.split() for message in messages.split(",")]
    for modifier in name.split("psk")[1:]:
        place = int(modifier.rstrip("+"))
        if place > len(lines):
            raise LocalMisuse("a psk after the last message")
        if place:
            lines[place - 1].append("psk")
        else:
            lines[0].insert(0, "psk")
    return Script(name, "i" in before, "r" in before, tuple(map(tuple, lines)))
