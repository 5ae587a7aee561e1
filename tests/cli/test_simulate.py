"""`simulate` plays a plan for people, for scripts and for browsers, and needs no home."""

import json
from pathlib import Path

import pytest

from meshnews.sim.planfile import read_plan
from meshnews_cli.main import run

PLAN = Path(__file__).parents[2] / "docs" / "plans" / "relay.json"


def simulated(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    status = run(["simulate", str(PLAN), *options])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_the_table_has_every_item_beside_its_bound(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = simulated(capsys)
    assert status == 0
    for item in read_plan(PLAN.read_bytes()).items:
        assert item.slug in out
    assert "6 of 6 in time" in out
    assert "Cryptography: real." in out
    assert "of CPU" in err


def test_rows_and_picture_are_written_and_rows_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    svg, rows = tmp_path / "a.svg", tmp_path / "a.json"
    status, out, _ = simulated(capsys, "--json", "--svg", str(svg), "--rows", str(rows))
    assert status == 0
    assert json.loads(out) == json.loads(rows.read_bytes())
    assert {tuple(row) for row in json.loads(out)} == {("slug", "node", "at")}
    assert svg.read_text(encoding="utf-8").startswith("<svg")


def test_a_name_that_is_taken_is_refused_before_the_play_and_leaves_no_empty_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    svg, rows = tmp_path / "a.svg", tmp_path / "a.json"
    rows.write_text("kept")
    status, _, err = simulated(capsys, "--svg", str(svg), "--rows", str(rows))
    assert status != 0
    assert "There is already something" in err
    assert "Playing" not in err
    assert rows.read_text() == "kept"
    assert not svg.exists()


def test_the_bound_alone_plays_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = simulated(capsys, "--bound")
    assert status == 0
    assert len(json.loads(out)) == 6
    assert not err


@pytest.mark.parametrize(
    "options",
    [
        ("--stopped", "nobody"),
        ("--hostile", "relay=king"),
        ("--hostile", "nobody=drop"),
        ("--routing", "guess"),
        ("--quota", "0"),
        ("--quota", "-3"),
        ("--quota", "nan"),
        ("--quota", "inf"),
        ("--cut", "nan"),
    ],
)
def test_what_the_plan_does_not_have_is_refused_in_words(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    status, out, err = simulated(capsys, *options)
    assert status == 1
    assert not out
    assert "Nothing was simulated." in err


def test_a_file_that_is_no_plan_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"nodes": 1}', encoding="utf-8")
    assert run(["simulate", str(bad)]) == 1
    assert "$.nodes" in capsys.readouterr().err
