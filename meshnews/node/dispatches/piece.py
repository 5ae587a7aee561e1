"""The record of one piece of an attachment that is here, and why one cannot be had.

leaf   letter id ‖ attachment u8 ‖ position u64 -> [chunk id, data hash]
"""

from meshnews.bundle.chunks import TreeNode
from meshnews.errors import Refusal
from meshnews.ids import BundleId
from meshnews.wire.codec import as_bytes, as_list, decode


def key_of_leaf(letter: bytes, index: int, position: int) -> bytes:
    """Return the key of one piece of a letter's attachment."""
    return letter + bytes([index]) + position.to_bytes(8, "big")


def leaf(value: bytes, position: int) -> TreeNode:
    """Return the leaf of which this is the record.

    Raises:
        Malformed: the vault holds something else.
    """
    identifier, data_hash = as_list(decode(value, bytes_max=128), size=2)
    return TreeNode(BundleId(as_bytes(identifier, 32)), as_bytes(data_hash, 32), 0, position)


def incomplete(index: int) -> Refusal:
    """Not all of an attachment is here."""
    return Refusal(
        "attachment-incomplete",
        what=f"Attachment {index + 1} is not complete yet.",
        meaning="Parts of it are still on their way.",
        remedy="Try again after the next contact; `meshnews open` says how much is here.",
    )


def let_go(index: int) -> Refusal:
    """An attachment was complete and is kept no longer."""
    return Refusal(
        "attachment-let-go",
        what=f"Attachment {index + 1} was let go to make room.",
        meaning="It had been saved; only the text of the item is kept here.",
        remedy="Look where it was saved, or ask another editor.",
    )
