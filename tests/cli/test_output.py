"""What each command prints, to a person at 80 columns and as JSON: kept, and looked at.

To write the kept files anew after a change of words: delete them and run the
tests, then read what appeared.
"""

import datetime as dt
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from meshnews.control.desk_reply import (
    CardMade,
    CardWords,
    DeskMade,
    EditorCardMade,
    EditorPrepared,
)
from meshnews.control.desk_request import (
    DeskCard,
    DeskCreate,
    DeskEditor,
    DeskEditorSigned,
    DeskHolders,
    DeskRecall,
    DeskRecallSigned,
)
from meshnews.control.enrol_reply import Enrolled, RequestMade
from meshnews.control.enrol_request import EnrolCard, EnrolRequest, RecallOwn
from meshnews.control.fact import FilingWarning, Role
from meshnews.control.recall_reply import (
    OwnRecall,
    Recalled,
    RecallPrepared,
    RecallShown,
)
from meshnews.control.reply import (
    Filed,
    HomeMade,
    InboxListing,
    NeighbourListing,
    ReplyFiled,
    Status,
)
from meshnews.control.request import (
    Doctor,
    File,
    Inbox,
    Init,
    Look,
    Neighbours,
    Open,
    Request,
    SendReply,
    StatusRequest,
    TrustNetwork,
)
from tests.cli import examples
from tests.cli.conftest import Answer, RunCommand, StartDaemon

GOLDEN = Path(__file__).parent / "golden"

ANSWERS: dict[type[Request], Answer] = {
    StatusRequest: examples.STATUS,
    Inbox: examples.INBOX,
    Open: examples.OPENED,
    Neighbours: examples.NEIGHBOURS,
    Look: examples.VISIBLE,
    TrustNetwork: examples.TRUSTED,
    Doctor: examples.DIAGNOSIS,
    File: Filed(
        id="7k2mq9xa",
        release_at=examples.LATER,
        expires_on=examples.EXPIRY,
        forgotten=True,
        warnings=tuple(FilingWarning),
    ),
    SendReply: ReplyFiled(id="0a1b2c3d", to="aliya", release_at=examples.LATER),
    EnrolRequest: RequestMade(b"request", examples.WORDS, Role.REPORTER),
    DeskHolders: examples.HOLDERS,
    DeskRecall: RecallPrepared(recall=b"recall", holder=examples.HOLDER),
    RecallOwn: OwnRecall(b"recall"),
    DeskEditor: EditorPrepared(manifest=b"m", words=examples.WORDS, version=2, editors=2),
    DeskEditorSigned: EditorCardMade(b"card", examples.WORDS),
}


async def create_handler(request: DeskCreate, descriptors: Sequence[int], emit: object) -> DeskMade:
    os.write(descriptors[0], b"key")
    return DeskMade(desk=examples.DESK, name="Bureau", words=examples.WORDS)


async def recall_handler(
    request: DeskRecallSigned, descriptors: object, emit: object
) -> RecallShown | Recalled:
    if not request.confirmed:
        return RecallShown(examples.HOLDER)
    return Recalled(holder=examples.HOLDER, relays=3, owed=12)


async def card_handler(
    request: DeskCard, descriptors: object, emit: object
) -> CardWords | CardMade:
    if not request.confirmed:
        return CardWords(examples.WORDS, Role.REPORTER)
    return CardMade(
        card=b"card",
        role=Role.REPORTER,
        name=request.byline or "",
        desk_words=examples.WORDS,
        valid_until=examples.EXPIRY,
    )


async def taking_handler(
    request: EnrolCard, descriptors: object, emit: object
) -> CardWords | Enrolled:
    if not request.confirmed:
        return CardWords(examples.WORDS, Role.REPORTER)
    return Enrolled(
        desk=examples.DESK,
        desk_name="Bureau",
        words=examples.WORDS,
        role=Role.REPORTER,
        name="aliya",
        valid_until=examples.EXPIRY,
    )


TWO_STEPS: dict[type[Request], Answer] = {
    DeskCard: card_handler,
    EnrolCard: taking_handler,
    DeskCreate: create_handler,
    DeskRecallSigned: recall_handler,
}

COMMANDS: dict[str, list[str]] = {
    "status": ["status"],
    "inbox": ["inbox"],
    "open": ["open", "7k2m"],
    "neighbours": ["neighbours"],
    "trust-network": ["neighbours", "--trust-network"],
    "look": ["look", "15"],
    "doctor": ["doctor"],
    "file": ["file", "story.txt", "--slug", "market-fire"],
    "reply": ["reply", "7k2m", "Where was this?"],
    "enrol-request": ["enrol", "--request", "me.bin"],
    "enrol-card": ["enrol", "--card", "card.bin", "--words-compared"],
    "desk-create": [
        "desk",
        "create",
        "Bureau",
        "--root-folder",
        "stick",
        "--root-passphrase-file",
        "secret",
    ],
    "desk-card": [
        "desk",
        "card",
        "req.bin",
        "--byline",
        "aliya",
        "-o",
        "out.bin",
        "--words-compared",
    ],
    "desk-recall-list": ["desk", "recall"],
    "desk-recall": ["desk", "recall", "aliya"],
    "desk-recall-signed": ["desk", "recall", "--signed", "signed.bin", "--yes"],
    "desk-recall-own": ["desk", "recall", "--own"],
    "desk-editor": ["desk", "editor", "req.bin", "--words-compared"],
    "desk-editor-signed": ["desk", "editor", "req.bin", "--signed", "signed.bin"],
}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    # Of one length wherever tests run: a longer one would have lines broken elsewhere.
    with tempfile.TemporaryDirectory(prefix="mn", dir="/tmp") as made:
        yield Path(made)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "story.txt").write_text(examples.TEXT)
    (tmp_path / "secret").write_text("four words for roots\n")
    (tmp_path / "stick").mkdir()
    for name in ("card.bin", "req.bin", "signed.bin"):
        (tmp_path / name).write_bytes(b"bytes")
    return tmp_path


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    if not path.exists():
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("form", ["txt", "json"])
def test_output_is_as_kept(
    daemon: StartDaemon, cli: RunCommand, folder: Path, name: str, form: str
) -> None:
    daemon({**ANSWERS, **TWO_STEPS})
    outcome = cli(*COMMANDS[name], *(["--json"] if form == "json" else []))
    assert outcome.status == (1 if name == "doctor" else 0)
    if form == "json":
        data = json.loads(outcome.out.replace(str(folder), "FOLDER"))
        compare(f"{name}.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    else:
        parts = outcome.out, outcome.err
        out, err = (part.replace(str(folder), "FOLDER") for part in parts)
        compare(f"{name}.txt", f"{out}--- stderr\n{err}")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal(
    daemon: StartDaemon, cli: RunCommand, folder: Path, name: str
) -> None:
    daemon({**ANSWERS, **TWO_STEPS})
    outcome = cli(*COMMANDS[name])
    for line in (outcome.out + outcome.err).replace(str(folder), "").splitlines():
        assert len(line) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_one_line_of_ascii_with_times_in_utc(
    daemon: StartDaemon, cli: RunCommand, folder: Path, name: str
) -> None:
    daemon({**ANSWERS, **TWO_STEPS})
    out = cli(*COMMANDS[name], "--json").out
    assert out.isascii()
    assert out.count("\n") == 1
    for time in re.findall(r'"([^"]*T\d\d:\d\d[^"]*)"', out):
        assert dt.datetime.fromisoformat(time).utcoffset() == dt.timedelta(0)
        assert time.endswith("Z")


def test_an_empty_house_says_so(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon(
        {
            StatusRequest: Status(dispatches=()),
            Inbox: InboxListing(items=()),
            Neighbours: NeighbourListing(visibility=examples.NEIGHBOURS.visibility, neighbours=()),
        }
    )
    assert cli("status").out == "Nothing has been filed here.\n"
    assert cli("inbox").out == "Nothing has come in.\n"
    assert cli("neighbours").out == "No other machine has a link to this one now.\n"


def test_a_long_inbox_says_how_to_see_the_rest(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = daemon({Inbox: InboxListing(items=examples.INBOX.items, more=34_000)})
    assert "`meshnews inbox --before c9t41wpz` goes on" in " ".join(cli("inbox").err.split())
    assert cli("inbox", "--before", "C9T41WPZ").status == 0
    assert fake.asked_for(Inbox) == [Inbox(), Inbox(before="c9t41wpz")]


@pytest.mark.parametrize(
    ("role", "endpoint"), [("reporter", False), ("editor", True), ("relay", True)]
)
def test_init_says_what_comes_next(
    daemon: StartDaemon, cli: RunCommand, folder: Path, role: str, endpoint: bool
) -> None:
    fake = daemon({Init: HomeMade(Role(role), endpoint)}, role=None)
    secret = [] if role == "relay" else ["--passphrase-file", "secret"]
    flags = ["--endpoint"] if endpoint else []
    outcome = cli("init", "--role", role, *flags, *secret)
    assert outcome.status == 0
    compare(
        f"init-{role}.txt",
        f"{outcome.out}--- stderr\n{outcome.err}".replace(str(folder), "FOLDER"),
    )
    passphrase = None if role == "relay" else "four words for roots"
    assert fake.asked_for(Init) == [Init(Role(role), endpoint, passphrase)]
