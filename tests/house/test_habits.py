"""The habits of CONTRIBUTING.md that no linter knows."""

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("meshnews", "daemon", "cli")
OURS = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
CODE = [*OURS, *sorted((ROOT / "tests").rglob("*.py"))]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]

SCREEN_LINES = 60
UNEXPLAINED = re.compile(r"# (noqa(: [A-Z0-9, ]+)?|type: ignore(\[[a-z, -]+\])?)$", re.MULTILINE)
PAGE_NAMED = re.compile(r"docs/[\w/-]+\.md")
FILE_NAMED = re.compile(r"`((?:meshnews|daemon|cli|tests)/[\w/-]+\.py)`")
DECISION_NAMED = re.compile(r"(?:docs/decisions/|\bdecisions? )(\d{4})\b")


def faults(paths: list[Path], look: Callable[[str], Iterable[str]]) -> dict[str, list[str]]:
    """Return what `look` finds in the text of each file, where it finds something."""
    found = {
        str(path.relative_to(ROOT)): sorted(look(path.read_text(encoding="utf-8")))
        for path in paths
    }
    return {path: faulty for path, faulty in found.items() if faulty}


def long_functions(text: str) -> list[str]:
    return [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= SCREEN_LINES
    ]


def missing(text: str) -> set[str]:
    """Return the pages, files and decisions that a text names and that are not there."""
    named = {*PAGE_NAMED.findall(text), *FILE_NAMED.findall(text)}
    kept = {page.name[:4] for page in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    return {each for each in named if not (ROOT / each).exists()} | (
        set(DECISION_NAMED.findall(text)) - kept
    )


def test_whatever_a_check_is_told_to_overlook_carries_its_reason() -> None:
    assert faults(CODE, lambda text: [found[0] for found in UNEXPLAINED.finditer(text)]) == {}


def test_a_function_fits_a_screen() -> None:
    assert faults(OURS, long_functions) == {}


def test_a_page_a_file_or_a_decision_that_is_named_exists() -> None:
    assert faults([*CODE, *PAGES], missing) == {}


@pytest.mark.parametrize(
    "line", ["x = 1  # noqa: E501", "x = 1  # noqa", "x = y  # type: ignore[misc]"]
)
def test_an_unexplained_exception_is_noticed(line: str) -> None:
    assert UNEXPLAINED.search(line)
    assert not UNEXPLAINED.search(f"{line}  # because")
