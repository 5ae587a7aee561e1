"""How much of a disk an attachment may take while it is sealed."""

from typing import Final

from meshnews.node.dispatches.filing_refusal import no_room

LEFT_FREE_BYTES: Final = 32 * 1024 * 1024
"""An attachment leaves so much of the disk free: the logs of both databases (16 MB each at most)
have to find room for a node to start again, and to drop what was not finished."""


def require_room(size: int, bytes_free: int | None) -> None:
    """Return if a disk with `bytes_free` left bears an attachment of `size` bytes; None: not known.

    Raises:
        Refusal: it does not.
    """
    # Sealed, padded and on pages of the database, a file takes an eighth more, and a little.
    needed = size + size // 6 + LEFT_FREE_BYTES
    if bytes_free is not None and bytes_free < needed:
        raise no_room(needed, bytes_free)
