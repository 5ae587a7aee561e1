"""An invitation: what a desk gives to somebody who is to join it over a link.

    invitation = secret 16 ‖ desk_id 16
    code       = 'm1-' ‖ base32(invitation ‖ b2('invitation', invitation)[:3])    3 + 56 characters

Whoever has it finds the desk's machine and can talk to it; it is good once.
The last three bytes tell a slip of the pen from a desk that does not answer.
Base32 is that of RFC 4648, in small letters; a code is read tolerantly: case,
spaces and dashes say nothing, 0 is read as o, 8 as b, and 1 as i or l, whichever
fits.  See docs/protocol/enrolment.md, "By invitation".
"""

import base64
import binascii
import enum
import itertools
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.digest import Label, b2, same
from meshnews.crypto.entropy import Entropy
from meshnews.desk.field import DESK_ID_BYTES
from meshnews.desk.limits import INVITATION_CHARS_MAX
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import DeskId

SECRET_BYTES: Final = 16
PREFIX: Final = "m1"
CODE_CHARS: Final = 56
"""Characters after the prefix that count."""

_SUM_BYTES: Final = 3
_GROUP_CHARS: Final = 4
_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_PREFIXES: Final = ("m1", "mi", "ml")
_READ_AS: Final = str.maketrans({"0": "o", "8": "b"})
_ONES_MAX: Final = 8
"""More than this many 1s are not tried in all their readings."""

_PASSED_OVER: Final = frozenset({"Zs", "Zl", "Zp", "Pd", "Pc", "Cf"})
_PASSED_OVER_TOO: Final = frozenset("\t\r\n\u2212")


class Fault(enum.Enum):
    """What is wrong with a code that was typed or read."""

    FOREIGN = "foreign"
    """It does not begin like an invitation."""
    LENGTH = "length"
    """Characters are missing, or there are too many."""
    CHARACTER = "character"
    """It holds a character that no invitation has."""
    SUM = "sum"
    """A character is another one than was given out."""


class Mistyped(Malformed):
    """A text is no invitation.

    Attributes:
        fault: what is wrong.
        count: how many characters count, of CODE_CHARS, or the place of the
            foreign one, from 1.
    """

    def __init__(self, fault: Fault, count: int = 0) -> None:
        super().__init__(f"no invitation: {fault.value}")
        self.fault = fault
        self.count = count


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a desk gives to somebody who is to join.

    Raises:
        LocalMisuse: either part is not 16 bytes.
    """

    secret: bytes = field(repr=False)
    desk: DeskId

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES or len(self.desk) != DESK_ID_BYTES:
            raise LocalMisuse("an invitation is 16 secret bytes and 16 of a desk")

    @classmethod
    def draw(cls, desk: DeskId, entropy: Entropy) -> "Invitation":
        """Return a new invitation of a desk.

        Raises:
            LocalMisuse: `desk` is no identifier.
        """
        return cls(entropy.draw(SECRET_BYTES), desk)

    @property
    def code(self) -> str:
        """The text that is given out: 59 characters, good for a QR code too."""
        whole = self.secret + self.desk
        return f"{PREFIX}-{base64.b32encode(whole + _sum(whole)).decode('ascii').lower()}"

    @property
    def mark(self) -> bytes:
        """16 bytes by which the invitation is known again and not found out."""
        return b2(Label.INVITED, self.secret + self.desk, size=16)


def grouped(code: str) -> str:
    """Return a code with a dash after every four characters, to be read aloud or typed.

    Raises:
        Nothing.
    """
    head, body = code[: len(PREFIX)], code[len(PREFIX) + 1 :]
    starts = range(0, len(body), _GROUP_CHARS)
    return "-".join([head, *(body[at : at + _GROUP_CHARS] for at in starts)])


def read_code(text: str) -> Invitation:
    """Return the invitation in a text that somebody typed, pasted or scanned.

    Source: docs/protocol/enrolment.md, "By invitation".

    Raises:
        Mistyped: it is none; `fault` says why.
    """
    if len(text) > INVITATION_CHARS_MAX:
        raise Mistyped(Fault.LENGTH, len(text))
    plain = "".join(
        each
        for each in unicodedata.normalize("NFKC", text).lower()
        if each not in _PASSED_OVER_TOO and unicodedata.category(each) not in _PASSED_OVER
    )
    if not plain.startswith(_PREFIXES):
        raise Mistyped(Fault.FOREIGN)
    body = plain[len(PREFIX) :].translate(_READ_AS)
    for place, each in enumerate(body, start=1):
        if each not in _ALPHABET and each != "1":
            raise Mistyped(Fault.CHARACTER, place)
    if len(body) != CODE_CHARS:
        raise Mistyped(Fault.LENGTH, len(body))
    return _that_fits(body)


def _that_fits(body: str) -> Invitation:
    """Return what `body` says, its 1s read so that the sum agrees; only one reading may."""
    parts = body.split("1")
    if len(parts) - 1 > _ONES_MAX:
        raise Mistyped(Fault.SUM)
    found = []
    for letters in itertools.product("il", repeat=len(parts) - 1):
        reading = "".join(map("".join, itertools.zip_longest(parts, letters, fillvalue="")))
        whole = _decoded(reading)
        if same(whole[-_SUM_BYTES:], _sum(whole[:-_SUM_BYTES])):
            found.append(whole)
    if len(found) != 1:
        raise Mistyped(Fault.SUM)
    secret, desk = found[0][:SECRET_BYTES], found[0][SECRET_BYTES:-_SUM_BYTES]
    return Invitation(secret, DeskId(desk))


def _decoded(reading: str) -> bytes:
    try:
        return base64.b32decode(reading.upper())
    except binascii.Error as exc:  # pragma: no cover  56 letters of the alphabet always decode
        raise Mistyped(Fault.SUM) from exc


def _sum(whole: bytes) -> bytes:
    return b2(Label.INVITATION, whole)[:_SUM_BYTES]
