"""The one hash of the protocol: BLAKE2b with a label per purpose.

    b2(label, data, key, n) = BLAKE2b(data, digest size n, key, person = label ‖ zeros to 16)

No two purposes share a label, so what was hashed for one never passes for
another.  See docs/protocol/primitives.md.
"""

import enum
import hmac
from collections.abc import Callable
from hashlib import blake2b


class Label(enum.Enum):
    """What a hash, a signature or a sealed thing is for.  At most 16 bytes.

    A value that ends in a digit is put in front of signed bytes, or of the
    info of a sealed key; none of these may begin another.
    """

    person: bytes
    """The value again, where reading it costs least."""

    # Crypto
    DATA_KEY = b"vk"
    SEEDED_ENTROPY = b"seeded-entropy"
    SLOT_1 = b"slot1"

    # Bundle
    BUNDLE_CT = b"bundle-ct"
    BUNDLE_ID = b"bundle-id"
    BUNDLE_REST = b"bundle-rest"
    CARRY = b"carry"
    CHUNK = b"chunk"
    CHUNK_EPHEMERAL = b"chunk-ephemeral"
    CHUNK_KEY = b"chunk-key"
    CHUNK_STANZAS = b"chunk-stanzas"
    EPOCH_REF = b"epoch-ref"
    FRANK_1 = b"frank1"
    HINT_1 = b"hint1"
    INNER = b"inner"
    ISSUER = b"issuer"
    NOTICE = b"notice"
    PAYLOAD = b"payload"
    POSTAGE_1 = b"postage1"
    POSTAGE_NAME = b"postage-name"
    PURGE = b"purge"
    ANSWER_POSTAGE = b"answer-postage"
    PURGE_COMMIT = b"purge-commit"
    STAMP = b"stamp"
    STATEMENT = b"statement"
    STATEMENT_1 = b"statement1"
    WRAP_1 = b"wrap1"

    # Desk
    BULLETIN_1 = b"bulletin1"
    CARD_1 = b"card1"
    CARD_FILE_1 = b"card-file1"
    DESK = b"desk"
    GIVEN = b"given"
    GIVEN_1 = b"given1"
    INVITATION = b"invitation"
    INVITED = b"invited"
    JOIN_1 = b"join1"
    RECALL_1 = b"recall1"
    REQUEST = b"request"
    REQUEST_1 = b"request1"
    REV = b"rev"
    ROOT_1 = b"root1"
    STORED_1 = b"stored1"

    # Link
    BCN_KEY = b"bcn-key"
    BCN_MAC = b"bcn-mac"
    BCN_MASK = b"bcn-mask"
    BCN_SHORT_MAC = b"bcn-short-mac"
    BCN_SHORT_MASK = b"bcn-short-mask"
    LINK_KEY = b"link-key"
    LINK_MASK = b"link-mask"
    LINK_ONCE = b"link-once"
    LINK_PSK = b"link-psk"
    LINK_STREAM = b"link-stream"
    LINK_WIRE = b"link-wire"
    MESH_DAY = b"mesh-day"

    # Node
    DROP_NAME = b"drop-name"
    NETWORK = b"network"
    WIRE_1 = b"wire1"

    # Store and sync
    AGE_FLOOR = b"age-floor"
    BUCKET = b"bucket"
    BUCKET_PAGE = b"bucket-page"
    KEY_CARRY = b"key-carry"
    KEY_VAULT = b"key-vault"
    SYNC_CELLS = b"sync-cells"
    SYNC_DAY = b"sync-day"
    SYNC_GRID = b"sync-grid"
    SYNC_POSITION = b"sync-position"
    SYNC_SALT = b"sync-salt"
    SYNC_SPAN = b"sync-span"

    def __init__(self, person: bytes) -> None:
        assert 1 <= len(person) <= 16, "a label is 1 to 16 bytes"
        self.person = person


def b2(label: Label, data: bytes, *, key: bytes = b"", size: int = 32) -> bytes:
    """Return the labelled BLAKE2b of `data`, keyed when `key` is given (RFC 7693).

    `key` is at most 64 bytes and `size` is 1 to 64.

    Raises:
        ValueError: our own code passed a longer key or another size.
    """
    return blake2b(data, digest_size=size, key=key, person=label.person).digest()


def b2_under(label: Label, *, key: bytes, size: int) -> Callable[[bytes], bytes]:
    """Return what computes `b2` of many short inputs under one key, in two thirds of its time.

    Raises:
        ValueError: our own code passed a longer key or another size.
    """
    prepared = blake2b(digest_size=size, key=key, person=label.person)

    def digest_of(data: bytes) -> bytes:
        state = prepared.copy()
        state.update(data)
        return state.digest()

    return digest_of


def same(one: bytes, other: bytes) -> bool:
    """Tell whether two byte strings agree, in a time that does not depend on where they differ.

    Raises:
        Nothing: strings of different length merely differ.
    """
    return hmac.compare_digest(one, other)
