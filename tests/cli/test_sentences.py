"""Every fact a daemon can tell has its sentence."""

import enum
from collections.abc import Mapping

import pytest

from meshnews.control.fact import (
    Alarm,
    Check,
    DispatchState,
    DispatchStatus,
    FilingWarning,
    Finding,
    Level,
    NeighbourKind,
    Priority,
    Verdict,
    Visibility,
)
from meshnews_cli import sentences


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


@pytest.mark.parametrize("check", Check)
@pytest.mark.parametrize("level", Level)
def test_every_finding_has_a_sentence_even_without_its_facts(check: Check, level: Level) -> None:
    said = sentences.finding_sentence(Finding(check=check, level=level))
    assert said.endswith(".")
    assert "{" not in said


@pytest.mark.parametrize("state", DispatchState)
def test_every_state_has_a_sentence_even_without_its_times(state: DispatchState) -> None:
    bare = DispatchStatus(id="7k2m", slug="s", priority=Priority.ROUTINE, state=state)
    said = sentences.dispatch_sentence(bare)
    assert said.endswith(".")
    assert "None" not in said
    assert " sent" not in said
