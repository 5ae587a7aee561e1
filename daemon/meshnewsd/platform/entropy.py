"""The operating system's randomness, in the form that the library asks for."""

import os


class OsEntropy:
    """Draws from getrandom(2).  Meets `meshnews.crypto.entropy.Entropy`."""

    def draw(self, size: int) -> bytes:
        """Return `size` random bytes."""
        return os.urandom(size)
