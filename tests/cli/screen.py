"""A terminal that shows what was written to it: as much of ECMA-48 as a live view uses."""

import io
import re
from dataclasses import dataclass, field

from meshnews_cli.terminal import cells

_TOKEN = re.compile(
    r"\x1b\[(?P<private>\??)(?P<number>\d*)[\d;]*(?P<final>[A-Za-z])|(?P<char>.)", re.DOTALL
)


@dataclass
class Screen:
    """What a person sees.

    Attributes:
        overrun: a line took more columns than there are.
        colours: how often a colour or a weight was set.
    """

    columns: int = 80
    lines: list[str] = field(default_factory=lambda: [""])
    at: int = 0
    is_cursor_shown: bool = True
    overrun: bool = False
    colours: int = 0

    def feed(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            if token["char"] is not None:
                self._put(token["char"])
            else:
                self._obey(token["private"], int(token["number"] or 1), token["final"])

    def _put(self, char: str) -> None:
        if char == "\r":
            return
        if char == "\n":
            self.at += 1
            if self.at == len(self.lines):
                self.lines.append("")
            return
        assert char.isprintable(), f"U+{ord(char):04X} reached the terminal"
        self.lines[self.at] += char
        self.overrun |= cells(self.lines[self.at]) > self.columns

    def _obey(self, private: str, number: int, final: str) -> None:
        match private, final:
            case "", "A":
                self.at -= number
                assert self.at >= 0, "the cursor left the screen"
            case "", "K":
                self.lines[self.at] = ""
            case "", "m":
                self.colours += 1
            case "?", "l" | "h":
                self.is_cursor_shown = final == "h"
            case _:
                raise AssertionError(f"an escape sequence that no view needs: {final}")

    @property
    def text(self) -> str:
        """What stands there, without empty lines at the end."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal, and counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.screen = Screen()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes += 1
        self.screen.feed(text)
        return super().write(text)
