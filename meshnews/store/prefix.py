"""Ranges of keys that share a beginning."""


def past_prefix(prefix: bytes) -> bytes | None:
    """Return the first byte string above all that begin with `prefix`; None when there is none.

    Raises:
        Nothing.
    """
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,)) if stem else None
