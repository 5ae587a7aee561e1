"""What a mutation is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change to the code.

    Attributes:
        name: what becomes of it, in words.
        path: the file.
        old, new: a piece of its text that is there once, and what takes its place.
        tests: what pytest is given; one of them has to fail.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]
