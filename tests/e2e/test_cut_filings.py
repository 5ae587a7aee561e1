"""A dispatch whose filing is cut off reaches the desk whole, once, or not at all.

What a person may rely on (docs/commands.md, "When it is interrupted"): an
identifier that was printed names one dispatch that comes to the desk as it was
filed; without one, `status` tells whether there is a dispatch or none.
"""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cut_filing import (
    Attempt,
    attempt,
    desk_with_a_collector,
    kept_for_drafts,
    verify,
    words,
)
from tests.e2e.mortal import MOMENTS
from tests.e2e.newsroom import Newsroom
from tests.e2e.world import Machine, open_world, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    with open_world(tmp_path_factory.mktemp("cut")) as world:
        newsroom, _, _ = desk_with_a_collector(world)
        yield newsroom


@pytest.fixture
def reporter(newsroom: Newsroom) -> Iterator[Machine]:
    machine = newsroom.world.machines["reporter-1"]
    yield machine
    machine.kill()
    machine.program = ("meshnewsd",)


def test_a_daemon_killed_at_any_commit_has_filed_one_dispatch_or_none(
    newsroom: Newsroom, reporter: Machine
) -> None:
    attempts: list[Attempt] = []
    steps = [("add", "after"), *(("finish", moment) for moment in MOMENTS)]
    for step, moment in steps:
        reporter.program = ("tests.e2e.mortal", f"{step}:1:{moment}")
        reporter.start()
        attempts.append(attempt(reporter, newsroom.folder, f"daemon-{step}-{moment}"))
        reporter.bury()
        reporter.program = ("meshnewsd",)
        reporter.start()
        attempts[-1].look(reporter)
        reporter.stop()
    assert [each.identifier for each in attempts] == [None] * len(attempts), "nobody was told"
    assert [len(each.filed) for each in attempts] == [0, 0, 1, 1]
    assert kept_for_drafts(reporter) == 0, "the room of what was not filed is free again"
    reporter.start()
    verify(newsroom.world.machines["editor-1"], reporter, newsroom.folder, attempts)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_command_killed_while_its_dispatch_is_sealed_has_filed_all_of_it_or_nothing(
    newsroom: Newsroom, reporter: Machine, moment: str, tmp_path: Path
) -> None:
    reporter.program = ("tests.e2e.mortal", f"finish:1:{moment}:{tmp_path}")
    reporter.start()
    made = Attempt(f"command-{moment}")
    command = reporter.begin(*words(newsroom.folder, made.slug))
    wait_until((tmp_path / "reached").exists, within_s=20, what="the dispatch is being sealed")
    command.kill()
    assert command.communicate()[0] == ""
    # The daemon sees that nobody listens any more, and then goes on with its commit.
    time.sleep(0.5)
    (tmp_path / "go").touch()
    made.look(reporter)
    assert made.filed, "what was being committed is not taken back"
    verify(newsroom.world.machines["editor-1"], reporter, newsroom.folder, [made])
    reporter.stop()
    assert kept_for_drafts(reporter) == 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_command_ended_before_its_dispatch_is_sealed_has_filed_nothing(
    newsroom: Newsroom, reporter: Machine, end: signal.Signals, tmp_path: Path
) -> None:
    reporter.program = ("tests.e2e.mortal", f"add:1:before:{tmp_path}")
    reporter.start()
    made = Attempt(f"command-{end.name.lower()}")
    command = reporter.begin(*words(newsroom.folder, made.slug))
    wait_until((tmp_path / "reached").exists, within_s=20, what="the picture is being sealed")
    command.send_signal(end)
    assert command.communicate()[0] == ""
    assert command.returncode == (130 if end is signal.SIGINT else -end)
    time.sleep(0.5)
    (tmp_path / "go").touch()
    made.look(reporter)
    assert not made.filed
    reporter.stop()
    assert kept_for_drafts(reporter) == 0, "without a restart"


def test_a_daemon_told_to_end_while_it_seals_ends_in_two_seconds_and_has_filed_nothing(
    newsroom: Newsroom, reporter: Machine, tmp_path: Path
) -> None:
    reporter.program = ("tests.e2e.mortal", f"add:3:before:{tmp_path}")
    reporter.start()
    made = Attempt("ended")
    command = reporter.begin(*words(newsroom.folder, made.slug, size=64 << 20))
    wait_until((tmp_path / "reached").exists, within_s=20, what="the picture is being sealed")
    (tmp_path / "go").touch()
    assert reporter.stop() < 2.0
    said, complaint = command.communicate(timeout=20)
    assert said == ""
    assert json.loads(complaint.splitlines()[-1])["refused"]["code"] == "daemon-gone"
    reporter.program = ("meshnewsd",)
    reporter.start()
    made.look(reporter)
    assert not made.filed
    reporter.stop()
    assert kept_for_drafts(reporter) == 0


def test_the_same_command_again_files_another_dispatch(
    newsroom: Newsroom, reporter: Machine
) -> None:
    reporter.start()
    first, second = (attempt(reporter, newsroom.folder, "again").identifier for _ in range(2))
    shown = {one["id"] for one in reporter.ask("status")["dispatches"] if one["slug"] == "again"}
    assert shown == {first, second}
    assert len(shown) == 2
