"""Every fact a daemon can tell has its sentence."""

import enum
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from meshnews.control.fact import (
    Alarm,
    DispatchState,
    DispatchStatus,
    FilingWarning,
    NeighbourKind,
    Priority,
    RadioState,
    Verdict,
    Visibility,
)
from meshnews.control.finding import Check, Finding, Level
from meshnews_cli import sentences
from meshnews_cli.findings import RADIOS, words_of


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (sentences.VERDICTS, Verdict),
        (sentences.SHORT_VERDICTS, Verdict),
        (sentences.ALARMS, Alarm),
        (sentences.FILING_WARNINGS, FilingWarning),
        (sentences.NEIGHBOUR_KINDS, NeighbourKind),
        (sentences.VISIBILITIES, Visibility),
    ],
)
def test_every_member_is_in_its_table(
    table: Mapping[enum.StrEnum, str], kind: type[enum.StrEnum]
) -> None:
    assert set(table) == set(kind)


def sentences_in(text: str) -> int:
    return len(re.findall(r"[.!?](?= [A-Z`]|$)", text))


@pytest.mark.parametrize("check", sorted(set(Check) - {Check.STORE}))
@pytest.mark.parametrize("level", [Level.WARNING, Level.BAD])
def test_every_problem_is_one_sentence_and_one_remedy(check: Check, level: Level) -> None:
    said = words_of(Finding(check=check, level=level), Path("/home/of/mine"))
    for text in (said.what, said.remedy):
        assert text.endswith(".")
        assert sentences_in(text) == 1, text
        assert "{" not in text


# What there is nothing good to say of is told only when it is a problem.
PROBLEMS_ONLY = {
    Check.ABOVE,
    Check.OWNER,
    Check.SOCKET,
    Check.CONFIG,
    Check.FILES,
    Check.ROOM,
    Check.CLOCK_WRONG,
    Check.ENABLED,
    Check.LINGER,
    Check.PORT,
    Check.IPV4,
    Check.CALLS,
    Check.FIREWALL_UNKNOWN,
    Check.FIREWALL_MULTICAST,
    Check.FIREWALL_BROADCAST,
    Check.FIREWALL_IPV4,
    Check.FIREWALL_IPV6,
    Check.NO_MULTICAST,
    Check.NO_BROADCAST,
    Check.NAME_TAKEN,
    Check.RECALLED,
    Check.FORMER_KEY,
}


@pytest.mark.parametrize("check", sorted(set(Check) - PROBLEMS_ONLY))
def test_what_is_good_is_one_sentence_without_a_remedy(check: Check) -> None:
    said = words_of(Finding(check=check, level=Level.GOOD), Path("/home/of/mine"))
    assert sentences_in(said.what) == 1, said.what
    assert said.remedy == ""


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (1, "1 machine of your desk was heard lately."),
        (2, "2 machines of your desk were heard lately."),
    ],
)
def test_a_number_brings_its_noun_along(number: int, what: str) -> None:
    finding = Finding(check=Check.HEARD, level=Level.GOOD, number=number)
    assert words_of(finding, Path("/h")).what == what


def test_a_command_to_be_typed_is_quoted_for_the_shell() -> None:
    finding = Finding(check=Check.HOME, level=Level.BAD)
    assert "`chmod -R go= '/media/my stick'`" in words_of(finding, Path("/media/my stick")).remedy


def test_every_check_is_named_in_the_list_of_commands() -> None:
    listed = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    assert [check for check in Check if f"`{check}`" not in listed] == []


@pytest.mark.parametrize("state", DispatchState)
def test_every_state_has_a_sentence_even_without_its_times(state: DispatchState) -> None:
    bare = DispatchStatus(id="7k2m", slug="s", priority=Priority.ROUTINE, state=state)
    said = sentences.dispatch_sentence(bare)
    assert said.endswith(".")
    assert "None" not in said
    assert " sent" not in said


@pytest.mark.parametrize("state", RadioState)
def test_every_way_that_bluetooth_fares_has_a_sentence_of_its_own(state: RadioState) -> None:
    finding = Finding(check=Check.BLUETOOTH, level=Level.WARNING, name=state.value)
    assert words_of(finding, Path("home")).what == RADIOS[state].what
    assert set(RADIOS) == set(RadioState)
