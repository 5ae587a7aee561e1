"""Safety words: a hash that two people can compare by voice.

    number i = bits 11·i … 11·i + 10 of the digest, first bit first        0 … 2047
    word i   = the English list of BIP-39, counted from 0

Eight words are 88 bits; who wants to forge a match has one try against two
people, not a night of tries against a machine.  The numbers serve people who
do not read Latin letters.
"""

import pkgutil
from functools import cache
from typing import Final, NamedTuple

from meshnews.errors import LocalMisuse

BITS_PER_WORD: Final = 11
LIST_WORDS: Final = 1 << BITS_PER_WORD


class SafetyWord(NamedTuple):
    """One of the words to compare, and its place in the list."""

    number: int
    word: str


@cache
def word_list() -> tuple[str, ...]:
    """Return the 2,048 words in order.

    Source: BIP-39, English.

    Raises:
        Nothing.
    """
    text = pkgutil.get_data("meshnews.crypto", "wordlist.txt")
    assert text is not None, "the word list is part of the package"
    words = tuple(text.decode("ascii").split())
    assert len(words) == LIST_WORDS, "the word list is whole"
    return words


def safety_words(digest: bytes, count: int = 8) -> list[SafetyWord]:
    """Return the first `count` words of `digest`.

    Source: docs/protocol/primitives.md, "Safety words".

    Raises:
        LocalMisuse: `digest` has fewer than 11 bits a word.
    """
    surplus = len(digest) * 8 - count * BITS_PER_WORD
    if surplus < 0:
        raise LocalMisuse("a digest too short for so many words")
    bits = int.from_bytes(digest, "big") >> surplus
    words = word_list()
    numbers = [
        bits >> (count - 1 - place) * BITS_PER_WORD & (LIST_WORDS - 1) for place in range(count)
    ]
    return [SafetyWord(number, words[number]) for number in numbers]
