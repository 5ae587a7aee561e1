"""docs/operating.md says what the programs say, and its configuration is understood."""

import re
import shlex
from pathlib import Path

import click
import pytest

from meshnews_cli.main import program
from meshnews_cli.wire_sentences import RESTS, TROUBLES
from meshnewsd.config import parse_config

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "operating.md").read_text("utf-8")
CONFIGURATIONS = [
    *re.findall(r"config\.toml <<'END'\n(.*?)\nEND\n", PAGE, re.DOTALL),
    *re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL),
    *re.findall(r"```toml\n(.*?)```", (DOCS / "configuration.md").read_text("utf-8"), re.DOTALL),
]
COMMANDS = re.findall(r"(?:^|/)meshnews ([a-z].*?)(?:  +#.*)?$", PAGE, re.MULTILINE)


def test_every_trouble_has_its_sentence_in_the_table() -> None:
    page = " ".join(PAGE.split())
    for sentence in TROUBLES.values():
        assert f"| {sentence} |" in page
    for why in RESTS.values():
        assert f"| Rests until …: {why}. A flash still goes. |" in page


def test_there_is_something_to_look_at() -> None:
    assert len(CONFIGURATIONS) >= 4
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_what_is_written_into_config_toml_is_understood(text: str) -> None:
    parse_config(text)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_that_there_is(line: str) -> None:
    words = shlex.split(line.replace("SHA256", "ab" * 32))
    command: click.Command = program
    context = click.Context(program)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
    known = {option for each in command.params for option in each.opts}
    assert {word for word in words if word.startswith("-")} <= known
