"""What a live view does to a terminal: only lines that fit, only harmless text, and no remains."""

import os
import sys

import pytest

from meshnews_cli.live import Area, Row, is_drawable
from meshnews_cli.terminal import cells
from tests.cli.screen import Screen, Terminal

NASTY = [
    "\x1b]0;owned\x07.mp4",
    "\x1b[2Jvideo.mp4",
    "photo\u202egpj.exe",
    "one\ntwo\rthree\x9b31m",
    "[red]not a style[/red] :warning: [link=https://x.example]here[/link]",
    "火災" * 40,
    "e\u0301" * 60,
    "\ud800",
]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns and 24 lines."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LINES", "24")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


@pytest.fixture
def area(terminal: Terminal) -> Area:
    return Area(terminal)


@pytest.mark.parametrize("name", NASTY)
def test_nobodys_text_reaches_the_terminal_raw(terminal: Terminal, area: Area, name: str) -> None:
    # The terminal of the test refuses control and format characters, and lines
    # that take more columns than there are.
    area.draw([Row(name), Row(name, (1, 2), name)])
    assert not terminal.screen.overrun
    assert len(terminal.screen.lines) == 2
    if name.startswith("["):
        assert terminal.screen.text.startswith(name)


def test_a_bar_is_as_long_as_the_share_that_is_done(terminal: Terminal, area: Area) -> None:
    lengths = []
    for done in (0, 5, 10):
        area.draw([Row("left", (done, 10), "right")])
        lengths.append(terminal.getvalue().rsplit("left", 1)[1])
        assert terminal.screen.text.startswith("left  ")
        assert terminal.screen.text.endswith("right")
    assert len(set(lengths)) == 3


def test_columns_stand_below_each_other_in_any_script(terminal: Terminal, area: Area) -> None:
    area.draw([Row("a", (1, 3), "|"), Row("火災.jpg", (2, 3), "|"), Row("e\u0301", (3, 3), "|")])
    ends = {cells(line.split("|")[0]) for line in terminal.screen.lines}
    assert len(ends) == 1


@pytest.mark.parametrize("columns", [20, 49, 60, 80, 200])
def test_a_line_takes_no_more_than_80_columns_nor_than_there_are(
    terminal: Terminal, area: Area, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal.screen.columns = min(columns, 80)
    area.draw([Row("x" * 300), Row("y" * 300, (1, 3), "z" * 300)])
    assert not terminal.screen.overrun
    assert len(terminal.screen.lines) == 2


def test_without_room_for_all_the_last_lines_are_drawn(
    terminal: Terminal, area: Area, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "6")
    area.draw([Row(f"line {number}") for number in range(50)])
    assert terminal.screen.text.split("\n") == [f"line {number}" for number in range(45, 50)]


def test_what_is_drawn_takes_the_place_of_what_was(terminal: Terminal, area: Area) -> None:
    area.draw([Row("a long line that was here before"), Row("and another one"), Row("a third")])
    area.draw([Row("short")])
    assert terminal.screen.text == "short"
    area.draw([Row("one"), Row("two")])
    assert terminal.screen.text == "one\ntwo"


def test_each_picture_is_written_in_one_piece(terminal: Terminal, area: Area) -> None:
    area.draw([Row("one", (0, 3)), Row("two")])
    before = terminal.writes
    for done in range(1, 4):
        area.draw([Row("one", (done, 3)), Row("two")])
    assert terminal.writes == before + 3


def test_when_it_is_over_nothing_is_left_and_the_cursor_is_back(
    terminal: Terminal, area: Area
) -> None:
    area.draw([Row("one", (1, 3)), Row("two")])
    assert not terminal.screen.is_cursor_shown
    area.close()
    area.close()
    assert terminal.screen.text == ""
    assert terminal.screen.is_cursor_shown
    area.draw([Row("again")])
    assert terminal.screen.text == "again"


def test_colours_are_left_out_where_they_are_not_wanted(
    terminal: Terminal, area: Area, monkeypatch: pytest.MonkeyPatch
) -> None:
    area.draw([Row("one", (1, 2), "half")])
    assert terminal.screen.colours
    area.close()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Area(plain).draw([Row("one", (1, 2), "half")])
    assert "\x1b[3" not in plain.getvalue()
    assert plain.screen.text.split() == ["one", "━" * 9, "half"]


class Stream:
    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("out", "err", "term", "columns", "drawable"),
    [
        (True, True, "xterm", 80, True),
        (True, True, "linux", 50, True),
        (False, True, "xterm", 80, False),
        (True, False, "xterm", 80, False),
        (False, False, "xterm", 80, False),
        (True, True, "dumb", 80, False),
        (True, True, None, 80, False),
        (True, True, "xterm", 49, False),
    ],
)
def test_only_a_terminal_on_both_sides_that_can_be_drawn_on_is_drawn_on(
    monkeypatch: pytest.MonkeyPatch,
    out: bool,
    err: bool,
    term: str | None,
    columns: int,
    drawable: bool,
) -> None:
    monkeypatch.setattr(sys, "stdout", Stream(is_terminal=out))
    monkeypatch.setattr(sys, "stderr", Stream(is_terminal=err))
    monkeypatch.setenv("COLUMNS", str(columns))
    # What makes rich take a file for a terminal does not count.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    assert is_drawable() is drawable
    assert os.environ["FORCE_COLOR"] == "1"


def test_the_terminal_of_these_tests_sees_what_must_not_be() -> None:
    with pytest.raises(AssertionError, match=r"U\+202E"):
        Screen().feed("\u202e")
    with pytest.raises(AssertionError, match="no view needs"):
        Screen().feed("\x1b[2J")
    wide = Screen(columns=4)
    wide.feed("火災x")
    assert wide.overrun
