"""Randomness as an argument.

The library never asks the system for random bytes: whoever calls it passes an
`Entropy`.  The daemon passes the operating system's, tests and the simulator
one grown from a seed, and the same seed then gives the same bytes.
"""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from meshnews.crypto.digest import Label, b2

Item = TypeVar("Item")

_BLOCK_BYTES: Final = 64
_FLOAT_BITS: Final = 53


class Entropy(Protocol):
    """A source of unpredictable bytes."""

    def draw(self, size: int) -> bytes:
        """Return `size` fresh bytes."""
        ...


class SeededEntropy:
    """An endless stream of bytes that a seed determines: for tests and simulation only.

    block i = b2('seeded-entropy', i as 8 bytes big endian, key=seed, n=64)

    The seed is 1 to 64 bytes.  How the stream is cut into draws does not change it.
    """

    def __init__(self, seed: bytes) -> None:
        assert 1 <= len(seed) <= 64, "a seed is 1 to 64 bytes"
        self._seed = seed
        self._block = 0
        self._rest = b""

    @classmethod
    def of_words(cls, words: str) -> "SeededEntropy":
        """Return the stream of a text of any length: what is too long for a seed is hashed.

        Raises:
            Nothing.
        """
        seed = words.encode()
        if len(seed) > _BLOCK_BYTES:
            seed = b2(Label.SEEDED_ENTROPY, seed, size=_BLOCK_BYTES)
        return cls(seed)

    def draw(self, size: int) -> bytes:
        """Return the next `size` bytes of the stream.

        Raises:
            Nothing.
        """
        rest = self._rest
        if len(rest) < size:
            count = -(-(size - len(rest)) // _BLOCK_BYTES)
            start = self._block
            self._block = start + count
            rest += b"".join(self._one_block(index) for index in range(start, start + count))
        self._rest = rest[size:]
        return rest[:size]

    def _one_block(self, index: int) -> bytes:
        counter = index.to_bytes(8, "big")
        return b2(Label.SEEDED_ENTROPY, counter, key=self._seed, size=_BLOCK_BYTES)


def below(entropy: Entropy, limit: int) -> int:
    """Return an integer 0 ≤ n < `limit`, each equally likely; `limit` is at least 1.

    Raises:
        Nothing.
    """
    assert limit >= 1, "nothing is below 1"
    bits = (limit - 1).bit_length()
    size = (bits + 7) // 8
    surplus = size * 8 - bits
    while True:
        number = int.from_bytes(entropy.draw(size), "big") >> surplus
        if number < limit:
            return number


def between(entropy: Entropy, low: float, high: float) -> float:
    """Return a number low ≤ x ≤ high, uniformly.

    Raises:
        Nothing.
    """
    share = (int.from_bytes(entropy.draw(7), "big") >> (56 - _FLOAT_BITS)) / (1 << _FLOAT_BITS)
    return low + (high - low) * share


def shuffled(entropy: Entropy, items: Iterable[Item]) -> list[Item]:
    """Return the items in an order drawn at random, each order equally likely.

    Raises:
        Nothing.
    """
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        other = below(entropy, last + 1)
        order[last], order[other] = order[other], order[last]
    return order
