"""Finding any of many byte strings on a disk, in one pass over it.

Whoever holds a string of at least 31 bytes holds, wherever it begins, one of its
first 16 runs of 16 bytes at a multiple of 16.  So of a disk only every sixteenth
run is looked up among those; what is found there is then looked for in full.
"""

from collections.abc import Iterator, Mapping
from typing import Final

_RUN: Final = 16
_BYTES_MIN: Final = 2 * _RUN - 1


class Needles:
    """Byte strings to be looked for, each under a name."""

    def __init__(self, strings: Mapping[str, bytes]) -> None:
        self._strings = dict(strings)
        self._short = [name for name, one in strings.items() if len(one) < _BYTES_MIN]
        self._runs: dict[bytes, set[str]] = {}
        for name, one in strings.items():
            if len(one) >= _BYTES_MIN:
                for at in range(_RUN):
                    self._runs.setdefault(one[at : at + _RUN], set()).add(name)

    def found_in(self, haystack: bytes) -> Iterator[str]:
        """Yield the names of the strings that are in `haystack`.

        Raises:
            Nothing.
        """
        runs = {haystack[at : at + _RUN] for at in range(0, len(haystack), _RUN)}
        likely = {name for run in runs & self._runs.keys() for name in self._runs[run]}
        for name in sorted({*self._short, *likely}):
            if self._strings[name] in haystack:
                yield name
