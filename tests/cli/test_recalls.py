"""``desk recall`` and what a root's keeper is told of a recall."""

import io
import json
from pathlib import Path

import pytest

from meshnews.control.desk_request import DeskRecall, DeskRecallSigned
from meshnews.control.recall_reply import (
    Recalled,
    RecallPrepared,
    RecallShown,
    RecallSigned,
)
from meshnews.control.reply import Status
from meshnews.control.request import StatusRequest
from meshnews.errors import Refusal
from meshnews_cli.commands.recall import report_signed_recall
from meshnews_cli.session import Access
from tests.cli import examples
from tests.cli.conftest import Outcome, RunCommand, StartDaemon


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def publishing(
    request: DeskRecallSigned, _descriptors: object, _emit: object
) -> RecallShown | Recalled:
    if not request.confirmed:
        return RecallShown(examples.HOLDER)
    return Recalled(holder=examples.HOLDER, relays=3, owed=12)


def answering(cli: RunCommand, monkeypatch: pytest.MonkeyPatch, typed: str, *words: str) -> Outcome:
    """Run a command with somebody at the keyboard."""
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(typed))
        return cli(*words)


def test_nobody_is_recalled_without_a_yes(
    daemon: StartDaemon, cli: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = daemon({DeskRecallSigned: publishing})
    Path("signed").write_bytes(b"signed")
    for typed in ("n\n", "\n", ""):
        outcome = answering(cli, monkeypatch, typed, "desk", "recall", "--signed", "signed")
        assert outcome.status == 1
        assert "Recall the reporter aliya? It cannot be taken back." in outcome.err
    assert not any(asked.confirmed for asked in fake.asked_for(DeskRecallSigned))
    outcome = answering(cli, monkeypatch, "y\n", "desk", "recall", "--signed", "signed")
    assert outcome.status == 0
    assert outcome.out == "Recalled: the reporter aliya.\n"


def test_the_file_to_be_signed_is_named_by_the_key_and_not_by_the_name(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    daemon({DeskRecall: RecallPrepared(recall=b"recall", holder=examples.HOLDER)})
    assert cli("desk", "recall", "aliya").status == 0
    assert Path("recall-0f1e2d3c.unsigned").read_bytes() == b"recall"
    assert cli("desk", "recall", "aliya").status == 1, "never over anything"
    assert cli("desk", "recall", "aliya", "-o", "other").status == 0


def test_a_refused_recall_leaves_no_file(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({DeskRecall: Refusal("nobody-known", what="Nobody.", meaning="No.", remedy="List.")})
    outcome = cli("desk", "recall", "somebody", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.err)["refused"]["code"] == "nobody-known"
    assert not list(Path().glob("*.unsigned"))


def test_two_things_at_once_are_mistyped(cli: RunCommand) -> None:
    assert cli("desk", "recall", "aliya", "--own").status == 2
    assert cli("desk", "recall", "--own", "--signed", "f").status == 2


def test_an_empty_answer_file_is_refused(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({DeskRecallSigned: publishing})
    Path("signed").write_bytes(b"")
    assert cli("desk", "recall", "--signed", "signed", "--yes").status == 1


def test_a_recalled_home_is_told_so_with_its_status(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({StatusRequest: Status(dispatches=(), recalled=True)})
    outcome = cli("status")
    assert "The desk has recalled this home" in " ".join(outcome.err.split())
    assert json.loads(cli("status", "--json").out)["recalled"] is True


def test_whoever_signs_is_shown_the_words_of_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    made = RecallSigned(signed=b"s", desk=examples.DESK, words=examples.WORDS, since=examples.LATER)
    report_signed_recall(Access(Path("home"), None, as_json=False), made, Path("r.signed"))
    said = capsys.readouterr()
    assert said.out == "Signed: r.signed\n"
    for word in examples.WORDS:
        assert word.word in said.err
    assert "2026-11-21 14:31" in said.err
