"""How far a long request is: bars for a person, lines for a script, else nothing."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from meshnews.control.fact import Phase, Topic
from meshnews.control.reply import AttachmentSaved, Changed, Event, Filed, Progress
from meshnews.control.request import File, Open, SaveAttachment
from meshnews_cli.live import Area
from meshnews_cli.progress import APART_S, Bars, JsonLines, Load, Silence, Sparing, listener
from meshnews_cli.terminal import percent
from meshnewsd.control.server import Emit
from tests.cli import examples, schema
from tests.cli.conftest import RunCommand, StartDaemon
from tests.cli.screen import Terminal

LOADS = [Load("video.mp4", 20_000_000), Load("photo.jpg", 5_000_000)]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "24")
    return Terminal()


def progress(done: int, *, index: int = 0, phase: Phase = Phase.SEALING) -> Progress:
    return Progress(phase, index, done, LOADS[index].size)


# Bars


def test_a_person_sees_which_file_how_much_of_it_and_how_much_of_all(terminal: Terminal) -> None:
    bars = Bars(LOADS, Area(terminal), hint="Ctrl-C stops.")
    bars.hear(progress(2_500_000, index=1))
    file, all_of_them, hint = terminal.screen.text.split("\n")
    assert file.startswith("Sealing photo.jpg")
    assert file.endswith("2.5 MB of 5.0 MB, 50 %")
    assert all_of_them.startswith("2 of 2 attachments")
    assert all_of_them.endswith("22.5 MB of 25.0 MB, 90 %")
    assert hint == "Ctrl-C stops."
    bars.close()
    assert terminal.screen.text == ""


def test_of_a_single_file_there_is_one_bar(terminal: Terminal) -> None:
    bars = Bars(LOADS[:1], Area(terminal))
    bars.hear(progress(0, phase=Phase.SAVING))
    assert terminal.screen.text.startswith("Saving video.mp4")
    assert len(terminal.screen.lines) == 1


def test_nothing_is_drawn_for_other_events_or_before_the_first(terminal: Terminal) -> None:
    bars = Bars(LOADS, Area(terminal))
    bars.hear(Changed(Topic.DISPATCH))
    bars.close()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("done", "total", "says"), [(0, 10, 0), (999, 1000, 99), (10, 10, 100), (0, 0, 100)]
)
def test_a_hundred_percent_are_all(done: int, total: int, says: int) -> None:
    assert percent(done, total) == says


# Which form


def test_only_a_terminal_gets_bars_and_only_json_gets_lines() -> None:
    assert isinstance(listener(LOADS, as_json=False), Silence)
    assert isinstance(listener(LOADS, as_json=True), JsonLines)


def test_json_gets_no_bars_on_a_terminal_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshnews_cli.progress.is_drawable", lambda: True)
    assert isinstance(listener(LOADS, as_json=True), JsonLines)
    assert isinstance(listener(LOADS, as_json=False), Bars)


# Sparing


def test_the_first_and_the_last_are_told_and_a_few_a_second_between() -> None:
    told: list[int] = []
    now_s = 100.0

    class Hearing(Silence):
        def hear(self, event: Event) -> None:
            assert isinstance(event, Progress)
            told.append(event.done)

    sparing = Sparing(Hearing(), clock=lambda: now_s)
    for done in range(1001):
        sparing.tell(Progress(Phase.CHECKING, 0, done, 1000))
        now_s += APART_S / 100
    assert told[0] == 0
    assert told[-1] == 1000
    assert len(told) == 11


# The commands


async def seal(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
    for index, offer in enumerate(request.attachments):
        for done in (0, 1, offer.size):
            await emit(Progress(Phase.SEALING, index, done, offer.size))
    return Filed(id="7k2mq9xa")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name in ("a.jpg", "b\u202e.jpg"):
        (tmp_path / name).write_bytes(b"picture")
    return [str(tmp_path / name) for name in ("a.jpg", "b\u202e.jpg")]


def test_filing_for_a_script_tells_events_beside_the_result(
    daemon: StartDaemon, cli: RunCommand, files: list[str]
) -> None:
    daemon({File: seal})
    attach = [word for name in files for word in ("--attach", name)]
    outcome = cli("file", "--slug", "fire", *attach, "--json")
    assert outcome.status == 0
    assert json.loads(outcome.out)["id"] == "7k2mq9xa"
    events = [json.loads(line) for line in outcome.err.splitlines()]
    for event in events:
        schema.check(event)
    assert [(event["index"], event["done"]) for event in events] == [
        *((0, 0), (0, 1), (0, 7)),
        *((1, 0), (1, 1), (1, 7)),
    ]
    assert events[-1]["name"] == "b.jpg"
    assert outcome.err.isascii()


def test_filing_into_a_pipe_tells_nothing_on_the_way(
    daemon: StartDaemon, cli: RunCommand, files: list[str]
) -> None:
    daemon({File: seal})
    outcome = cli("file", "--slug", "fire", "--attach", files[0])
    assert outcome.out == "7k2mq9xa\n"
    assert outcome.err == "Filed: sealed for the desk, and no longer readable here.\n"


def test_saving_for_a_script_tells_of_the_writing_and_of_the_check(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    async def save(
        request: SaveAttachment, descriptors: Sequence[int], emit: Emit
    ) -> AttachmentSaved:
        os.write(descriptors[0], examples.PHOTO)
        size = len(examples.PHOTO)
        await emit(Progress(Phase.SAVING, request.index, size, size))
        return AttachmentSaved(size, hashlib.sha256(examples.PHOTO).digest())

    daemon({Open: examples.OPENED, SaveAttachment: save})
    saved = tmp_path / "saved"
    outcome = cli("open", "7k2m", "--save", saved, "--json")
    *lines, refused = map(json.loads, outcome.err.splitlines())
    for event in lines:
        schema.check(event)
    assert [event["phase"] for event in lines] == ["saving", "checking"]
    assert refused["refused"]["code"] == "attachment-incomplete"
    assert json.loads(outcome.out)["saved"] == ["photo.jpg", None]
    again = cli("open", "7k2m", "--save", saved, "--json")
    phases = [json.loads(line).get("phase") for line in again.err.splitlines()]
    assert phases == ["checking", None], "what lies there already is read, and not written"


def test_the_documented_events_are_all_there_are() -> None:
    assert set(schema.tables()) == {
        *("progress", "dispatch", "neighbours"),
        *("parts", "neighbours-item"),
    }
