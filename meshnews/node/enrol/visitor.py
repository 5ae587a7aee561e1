"""Who has come with an invitation and waits for being confirmed, while the link lasts."""

from dataclasses import dataclass

from meshnews.crypto.keys import Ed25519Public
from meshnews.crypto.words import SafetyWord, safety_words
from meshnews.desk.request import EnrolmentRequest
from meshnews.node.enrol.reception import Reception


@dataclass
class Visitor:
    """A joiner who has asked and whom nobody has confirmed.

    Attributes:
        number: what an editor names it by; never given twice.
    """

    number: int
    link: Reception
    request: bytes
    asked: EnrolmentRequest
    joiner_agrees: bool = False
    desk_agrees: bool = False

    @property
    def key(self) -> Ed25519Public:
        """The key that signed its request."""
        return self.asked.signer

    @property
    def words(self) -> list[SafetyWord]:
        """What people compare: the words of the link."""
        return safety_words(self.link.session)
