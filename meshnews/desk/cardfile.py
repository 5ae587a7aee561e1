"""A card on its way as a file: sealed to the card key of the request it answers.

    file = 01 ‖ enc 32 ‖ HPKE.Seal_base(card key, info = 'card-file1' ‖ b2('request', request),
                                        aad = 01, card)

No name, no word and no key can be read on it.  Whoever holds a request file can
seal a card to it: that the card is the desk's, people find out by the words of
`desk_id`.  See docs/protocol/enrolment.md; RFC 9180, section 6.1.
"""

from typing import Final

from meshnews.crypto.digest import Label
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.hpke import open_base, seal_base
from meshnews.crypto.keys import KEY_BYTES, X25519Public, X25519Secret
from meshnews.desk.limits import EDITOR_CARD_BYTES_MAX
from meshnews.errors import Malformed

_VERSION: Final = b"\x01"
_ENC_END: Final = len(_VERSION) + KEY_BYTES
_TAG_BYTES: Final = 16
OVERHEAD_BYTES: Final = _ENC_END + _TAG_BYTES


def seal_card(card: bytes, card_key: X25519Public, entropy: Entropy, *, request: bytes) -> bytes:
    """Return the file in which an encoded card travels to who made the request.

    `request` is `words_digest` of the request file.

    Raises:
        Forged: `card_key` is of low order.
    """
    ephemeral = X25519Secret(entropy.draw(KEY_BYTES))
    info = Label.CARD_FILE_1.person + request
    sealed = seal_base(ephemeral, card_key, info=info, aad=_VERSION, plaintext=card)
    return _VERSION + ephemeral.public + sealed


def open_card(
    file: bytes,
    secret: X25519Secret,
    *,
    request: bytes,
    bytes_max: int = EDITOR_CARD_BYTES_MAX,
) -> bytes:
    """Return the encoded card in `file`, at most `bytes_max` of it.

    Raises:
        Malformed: `file` is too short or too long, or of another version.
        Forged: it was not sealed to this key and this request.
    """
    if not OVERHEAD_BYTES <= len(file) <= OVERHEAD_BYTES + bytes_max:
        raise Malformed(f"a card file of {len(file)} bytes")
    if not file.startswith(_VERSION):
        raise Malformed("no card file, or of another version")
    return open_base(
        secret,
        file[len(_VERSION) : _ENC_END],
        info=Label.CARD_FILE_1.person + request,
        aad=_VERSION,
        ciphertext=file[_ENC_END:],
    )
