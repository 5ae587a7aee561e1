"""What commands ask of the daemon, write, refuse, and never do."""

import datetime as dt
import hashlib
import json
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from meshnews.control import refusal
from meshnews.control.desk_reply import CardMade, CardWords, DeskMade, EditorPrepared
from meshnews.control.desk_request import DeskCard, DeskCreate, DeskEditor
from meshnews.control.enrol_reply import Enrolled, RequestMade
from meshnews.control.enrol_request import EnrolCard, EnrolRequest
from meshnews.control.fact import (
    AttachmentRole,
    AttachmentStatus,
    ItemKind,
    Phase,
    Priority,
    Role,
    Verdict,
    Visibility,
)
from meshnews.control.limits import DISPATCH_TEXT_BYTES_MAX
from meshnews.control.reply import (
    AttachmentSaved,
    Diagnosis,
    Done,
    Filed,
    HomeMade,
    Opened,
    Progress,
    ReplyFiled,
)
from meshnews.control.request import (
    Doctor,
    File,
    Inbox,
    Init,
    LetGo,
    Open,
    SaveAttachment,
    SendReply,
    StatusRequest,
    Unlock,
)
from meshnews_cli.main import COMMANDS, program
from meshnewsd.control.server import Emit, Handler
from meshnewsd.control.wire import HungUp
from tests.cli import examples
from tests.cli.conftest import RunCommand, StartDaemon


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def saver(content: bytes) -> Handler:
    async def handle(
        request: SaveAttachment, descriptors: Sequence[int], emit: Emit
    ) -> AttachmentSaved:
        os.write(descriptors[0], content)
        await emit(Progress(Phase.SAVING, request.index, len(content), len(content)))
        return AttachmentSaved(len(content), hashlib.sha256(content).digest())

    return handle


def opened(*names: str, content: bytes = examples.PHOTO, complete: bool = True) -> Opened:
    return Opened(
        id="7k2mq9xa",
        kind=ItemKind.DISPATCH,
        slug="market",
        byline="aliya",
        priority=Priority.ROUTINE,
        verdict=Verdict.VERIFIED,
        text="A fire.",
        attachments=tuple(
            AttachmentStatus(
                name=name,
                size=len(content),
                role=AttachmentRole.FILE,
                sha256=hashlib.sha256(content).digest(),
                bytes_here=len(content) if complete else 1,
                complete=complete,
            )
            for name in names
        ),
    )


# Making a home


@pytest.mark.parametrize("degree", [None, *Visibility])
def test_a_script_says_by_an_option_who_may_notice_a_home_and_is_never_asked(
    daemon: StartDaemon, cli: RunCommand, degree: Visibility | None
) -> None:
    fake = daemon({Init: HomeMade(Role.RELAY, endpoint=False)}, role=None)
    given = [] if degree is None else ["--visibility", degree.value]
    outcome = cli("init", "--role", "relay", *given)
    assert outcome.status == 0
    assert "notice" not in outcome.err
    (request,) = fake.asked_for(Init)
    assert request.visibility is degree


# Filing


def test_a_dispatch_goes_over_with_its_open_files(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    read: list[bytes] = []

    async def handle(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
        read.extend(os.read(each, 1000) for each in descriptors)
        return Filed(id="7k2mq9xa")

    (tmp_path / "story.txt").write_bytes("\ufeffCafe\u0301\r\nline two\r".encode())
    (tmp_path / "a.jpg").write_bytes(b"first")
    (tmp_path / "b\x1b[1m.jpg").write_bytes(b"second")
    fake = daemon({File: handle})
    outcome = cli(
        *("file", tmp_path / "story.txt", "--slug", "cafe\u0301", "--flash", "--now", "--forget"),
        *("--attach", tmp_path / "a.jpg", "--attach", tmp_path / "b\x1b[1m.jpg"),
    )
    assert (outcome.status, outcome.out) == (0, "7k2mq9xa\n")
    (request,) = fake.asked_for(File)
    assert isinstance(request, File)
    assert request.text == "Caf\u00e9\nline two\n"
    assert request.slug == "caf\u00e9"
    assert request.priority is Priority.FLASH
    assert request.now
    assert request.forget
    assert request.today is None
    assert [(each.name, each.size) for each in request.attachments] == [
        ("a.jpg", 5),
        ("b[1m.jpg", 6),
    ]
    assert read == [b"first", b"second"]


@pytest.mark.parametrize("typed", [["-"], []])
def test_text_may_come_from_standard_input(
    daemon: StartDaemon,
    cli: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: list[str],
) -> None:
    (tmp_path / "stdin").write_text("Пожар")
    fake = daemon({File: Filed(id="7k2mq9xa")})
    with (tmp_path / "stdin").open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert cli("file", *typed, "--slug", "s").status == 0
    assert fake.asked_for(File) == [File(text="Пожар", slug="s")]


def test_attachments_alone_need_no_text(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"first")
    fake = daemon({File: Filed(id="7k2mq9xa")})
    assert cli("file", "--slug", "s", "--attach", tmp_path / "a.jpg", "--urgent").status == 0
    (request,) = fake.asked_for(File)
    assert isinstance(request, File)
    assert request.text == ""
    assert request.priority is Priority.URGENT


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"ok\nbad \xff byte", "line 2 holds other bytes"),
        (b"ok\nbad \x1b[31m", "line 2 holds the control character U+001B"),
        (b"a\x00b", "control character U+0000"),
        (b"x" * (DISPATCH_TEXT_BYTES_MAX + 1), "60001 bytes"),
        (b" \n\t\n", "no text and no attachment"),
        (b"x" * (17 * DISPATCH_TEXT_BYTES_MAX), "has more than 960.0 kB"),
    ],
)
def test_text_that_cannot_be_filed_is_refused_with_its_reason(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "t").write_bytes(content)
    fake = daemon({File: Filed(id="7k2mq9xa")})
    outcome = cli("file", tmp_path / "t", "--slug", "s")
    assert outcome.status == 1
    assert says in " ".join(outcome.err.split())
    assert not outcome.out
    assert fake.asked == []


@pytest.mark.parametrize(
    "slug", ["", "two words", "a/b", "-x", "x" * 65, "\x1b[1m", "a\u202eb", "-"]
)
def test_a_slug_is_one_short_word(cli: RunCommand, tmp_path: Path, slug: str) -> None:
    (tmp_path / "t").write_text("text")
    outcome = cli("file", tmp_path / "t", f"--slug={slug}")
    assert outcome.status == 1
    assert "not one short word" in outcome.err


@pytest.mark.parametrize(
    "slug", ["market-fire", "рынок", "बाज़ार", "می\u200cشود", "火災", "a", "v1.2_x"]
)
def test_a_slug_may_be_in_any_script(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, slug: str
) -> None:
    (tmp_path / "t").write_text("text")
    daemon({File: Filed(id="7k2mq9xa")})
    assert cli("file", tmp_path / "t", "--slug", slug).status == 0


def test_what_cannot_be_attached_is_refused(cli: RunCommand, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for name, says in [
        ("pipe", "not an ordinary file"),
        ("empty", "is empty"),
        (".", "not an ordinary file"),
        ("none", "no such file"),
    ]:
        outcome = cli("file", "--slug", "s", "--attach", tmp_path / name)
        assert outcome.status == 1
        assert says in " ".join(outcome.err.split())
    many = [each for _ in range(17) for each in ("--attach", str(tmp_path / "empty"))]
    assert "at most 16" in cli("file", "--slug", "s", *many).err


def test_the_date_is_not_asked_of_a_script(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    (tmp_path / "t").write_text("text")
    fake = daemon({File: Filed(id="7k2mq9xa")}, clock_sure=False)
    with (tmp_path / "t").open() as stdin, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", stdin)
        assert cli("file", tmp_path / "t", "--slug", "s").status == 0
    assert fake.asked_for(File) == [File(text="text", slug="s")]


# Refusals


def test_a_refusal_has_three_parts_on_stderr(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({StatusRequest: refusal.no_such_item("zzz")})
    outcome = cli("status", "zzz")
    assert outcome.status == 1
    assert outcome.out == ""
    assert outcome.err == (
        "Nothing here is called zzz.\n"
        "Meaning:  Nothing was changed.\n"
        "To do:    `meshnews status` lists what you filed and `meshnews inbox` what came\n"
        "          in.\n"
    )


def test_a_refusal_under_json_is_json(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({StatusRequest: refusal.no_such_item("zzz")})
    outcome = cli("status", "zzz", "--json")
    assert (outcome.status, outcome.out) == (1, "")
    assert json.loads(outcome.err)["refused"] == {
        "code": "no-such-item",
        "what": "Nothing here is called zzz.",
        "meaning": "Nothing was changed.",
        "remedy": "`meshnews status` lists what you filed and `meshnews inbox` what came in.",
    }


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["status", "--wach"], "No such option"),
        (["fyle"], "No such command"),
        (["file"], "Missing option '--slug'"),
        (["file", "--slug", "s", "--flash", "--urgent", "x"], "either --flash or --urgent"),
        (["enrol"], "one of CODE, --qr, --stop, --request and --card"),
        (["enrol", "--request", "a", "--card", "b"], "one of CODE, --qr, --stop"),
        (["desk", "card", "r", "-o", "o"], "either --byline NAME or --relay NAME"),
        (["init", "--role", "reporter", "--endpoint"], "--endpoint goes with"),
        (["init", "--role", "relay", "--passphrase-file", "x"], "a relay has no passphrase"),
        (["init", "--role", "king"], "'king' is not one of"),
    ],
)
def test_a_mistyped_command_is_explained(cli: RunCommand, typed: list[str], says: str) -> None:
    outcome = cli(*typed, with_home=False)
    assert outcome.status == 2
    assert says in " ".join(outcome.err.split())
    assert "Meaning:" in outcome.err
    assert "--help" in outcome.err


def test_without_a_daemon_the_others_say_how_to_start_it(cli: RunCommand, home: Path) -> None:
    for typed in (["neighbours"], ["status", "--watch"]):
        outcome = cli(*typed)
        assert outcome.status == 1
        assert "No daemon is running for this home." in outcome.err
        assert (
            f"meshnewsd --home {home}" in outcome.err.replace("\n          ", " ").replace("\n", "")
            or str(home)[:20] in outcome.err
        )


def test_no_home_yet_is_said(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({Inbox: examples.INBOX}, role=None)
    outcome = cli("inbox")
    assert outcome.status == 1
    assert outcome.err.startswith("There is no home in this directory yet.")


def test_a_daemon_of_another_release_is_said(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({Inbox: Done()})
    outcome = cli("inbox")
    assert outcome.status == 1
    assert "does not understand" in outcome.err


# Passphrases


def test_a_closed_vault_is_opened_with_the_passphrase_file(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("cafe\u0301 noir du matin\n")
    fake = daemon({Unlock: Done(), Inbox: examples.INBOX}, locked=True)
    outcome = cli("inbox", "--passphrase-file", tmp_path / "secret")
    assert outcome.status == 0
    assert fake.asked_for(Unlock) == [Unlock("caf\u00e9 noir du matin")]
    assert "stays open" in outcome.err


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 5000])
def test_a_file_that_holds_no_passphrase_is_refused(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "secret").write_bytes(content)
    fake = daemon({Unlock: Done(), Inbox: examples.INBOX}, locked=True)
    assert cli("inbox", "--passphrase-file", tmp_path / "secret").status == 1
    assert fake.asked_for(Unlock) == []


def test_a_short_new_passphrase_is_refused(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("short")
    fake = daemon({Init: Done()}, role=None)
    outcome = cli("init", "--role", "reporter", "--passphrase-file", tmp_path / "secret")
    assert outcome.status == 1
    assert "at least 10 characters" in outcome.err
    assert fake.asked_for(Init) == []


def test_init_leaves_a_home_alone(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = daemon({Init: Done()})
    outcome = cli("init", "--role", "relay")
    assert outcome.status == 1
    assert "already a home" in outcome.err
    assert fake.asked_for(Init) == []


# Files that are written


def test_a_request_is_written_for_its_owner_alone_and_never_over_anything(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    daemon({EnrolRequest: RequestMade(b"request", examples.WORDS, Role.REPORTER)})
    target = tmp_path / "me.bin"
    assert cli("enrol", "--request", target).status == 0
    assert target.read_bytes() == b"request"
    assert mode(target) == 0o600
    target.write_bytes(b"precious")
    outcome = cli("enrol", "--request", target)
    assert outcome.status == 1
    assert "nothing is ever overwritten" in outcome.err
    assert target.read_bytes() == b"precious"


def test_a_refused_request_leaves_no_file(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    daemon({EnrolRequest: refusal.disk_full()})
    assert cli("enrol", "--request", tmp_path / "me.bin").status == 1
    assert not (tmp_path / "me.bin").exists()


def test_the_root_key_is_written_outside_the_home(
    daemon: StartDaemon, cli: RunCommand, home: Path, tmp_path: Path
) -> None:
    made = DeskMade(desk=examples.DESK, name="B", words=examples.WORDS)
    written = True

    async def write(request: DeskCreate, descriptors: Sequence[int], emit: Emit) -> DeskMade:
        if not written:
            raise refusal.root_unwritten()
        os.write(descriptors[0], b"root")
        return made

    fake = daemon({DeskCreate: write})
    (tmp_path / "secret").write_text("four words for roots")
    (tmp_path / "stick").mkdir()
    (home / "inside").mkdir()

    def create(folder: Path) -> int:
        flag = "--root-passphrase-file"
        secret = tmp_path / "secret"
        return cli("desk", "create", "B", "--root-folder", folder, flag, secret).status

    assert create(home / "inside") == 1
    assert create(tmp_path / "not-mounted") == 1
    assert fake.asked_for(DeskCreate) == []
    assert create(tmp_path / "stick") == 0
    assert (tmp_path / "stick" / "root-1.key").read_bytes() == b"root"
    assert mode(tmp_path / "stick" / "root-1.key") == 0o600
    assert create(tmp_path / "stick") == 1
    assert len(fake.asked_for(DeskCreate)) == 1
    written = False
    (tmp_path / "full").mkdir()
    assert create(tmp_path / "full") == 1
    assert list((tmp_path / "full").iterdir()) == []


def test_a_root_key_that_was_written_stays_when_the_answer_is_lost(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    async def write(request: DeskCreate, descriptors: Sequence[int], emit: Emit) -> DeskMade:
        os.write(descriptors[0], b"root")
        raise HungUp

    daemon({DeskCreate: write})
    (tmp_path / "secret").write_text("four words for roots")
    flag, secret = "--root-passphrase-file", tmp_path / "secret"
    outcome = cli("desk", "create", "B", "--root-folder", tmp_path, flag, secret)
    assert outcome.status == 1
    assert "not known" in outcome.err
    assert (tmp_path / "root-1.key").read_bytes() == b"root"


def test_a_card_is_made_only_once_the_words_are_confirmed(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handle(
        request: DeskCard, descriptors: Sequence[int], emit: Emit
    ) -> CardWords | CardMade:
        if not request.confirmed:
            return CardWords(examples.WORDS, Role.REPORTER)
        return CardMade(card=b"card", role=Role.REPORTER, name="aliya", desk_words=examples.WORDS)

    fake = daemon({DeskCard: handle})
    (tmp_path / "req").write_bytes(b"request")
    target = tmp_path / "card"
    typed = ("desk", "card", tmp_path / "req", "--byline", "aliya", "--near", "shop", "-o", target)
    for answer in ("n\n", "\n", "", "yes please\n"):
        (tmp_path / "stdin").write_text(answer)
        with (tmp_path / "stdin").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            outcome = cli(*typed)
        assert outcome.status == 1
        assert "The words were not confirmed." in outcome.err
        assert not target.exists()
    assert not any(each.confirmed for each in fake.asked_for(DeskCard))
    (tmp_path / "stdin").write_text("y\n")
    with (tmp_path / "stdin").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        outcome = cli(*typed)
    assert outcome.status == 0
    assert "nephew    1204" in outcome.err
    assert target.read_bytes() == b"card"
    assert fake.asked[-1] == DeskCard(
        request=b"request", byline="aliya", near=("shop",), confirmed=True
    )


def test_a_card_is_taken_only_once_the_desks_words_are_confirmed(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handle(
        request: EnrolCard, descriptors: Sequence[int], emit: Emit
    ) -> CardWords | Enrolled:
        if not request.confirmed:
            return CardWords(examples.WORDS, Role.REPORTER)
        return Enrolled(desk=examples.DESK, words=examples.WORDS, role=Role.REPORTER, name="aliya")

    fake = daemon({EnrolCard: handle})
    (tmp_path / "card").write_bytes(b"card")
    for answer in ("n\n", "\n", "", "yes please\n"):
        (tmp_path / "stdin").write_text(answer)
        with (tmp_path / "stdin").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            outcome = cli("enrol", "--card", tmp_path / "card")
        assert outcome.status == 1
        assert "nephew    1204" in outcome.err
        assert "Nothing was taken in." in outcome.err
    assert not any(each.confirmed for each in fake.asked_for(EnrolCard))
    (tmp_path / "stdin").write_text("y\n")
    with (tmp_path / "stdin").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert cli("enrol", "--card", tmp_path / "card").status == 0
    assert fake.asked[-1] == EnrolCard(b"card", confirmed=True)
    assert cli("enrol", "--card", tmp_path / "card", "--words-compared").status == 0


def test_an_unsigned_manifest_is_not_written_without_the_words(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = EditorPrepared(manifest=b"m", words=examples.WORDS, version=2, editors=2)
    daemon({DeskEditor: prepared})
    (tmp_path / "req").write_bytes(b"request")
    (tmp_path / "stdin").write_text("n\n")
    with (tmp_path / "stdin").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert cli("desk", "editor", tmp_path / "req").status == 1
    assert not (tmp_path / "req.unsigned").exists()
    assert cli("desk", "editor", tmp_path / "req", "--words-compared").status == 0
    assert (tmp_path / "req.unsigned").read_bytes() == b"m"


# Saving attachments


def test_attachments_are_saved_under_harmless_names_and_never_over_anything(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    names = ("../../etc/passwd", "photo.jpg", "photo.jpg", "\u202egpj.exe", "", "CON.txt")
    daemon({Open: opened(*names), SaveAttachment: saver(examples.PHOTO)})
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"precious")
    outcome = cli("open", "7k2m", "--save", folder)
    assert outcome.status == 0
    saved = {path.name for path in folder.iterdir()}
    assert saved == {
        "7k2mq9xa.txt",
        "passwd",
        "photo.jpg",
        "photo-2.jpg",
        "gpj.exe",
        "attachment-5",
        "_CON.txt",
    }
    assert (folder / "photo.jpg").read_bytes() == b"precious"
    for name in saved - {"photo.jpg", "7k2mq9xa.txt"}:
        assert (folder / name).read_bytes() == examples.PHOTO
        assert mode(folder / name) == 0o600
    assert (folder / "7k2mq9xa.txt").read_text() == "A fire."


def test_saving_again_writes_nothing_twice(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    fake = daemon({Open: opened("a.jpg"), SaveAttachment: saver(examples.PHOTO)})
    for _ in range(2):
        assert cli("open", "7k2m", "--save", tmp_path / "out").status == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.jpg", "7k2mq9xa.txt"}
    assert len(fake.asked_for(SaveAttachment)) == 1
    (tmp_path / "out" / "a.jpg").write_bytes(b"x" * len(examples.PHOTO))
    for _ in range(2):
        assert cli("open", "7k2m", "--save", tmp_path / "out").status == 0
    assert len(fake.asked_for(SaveAttachment)) == 2
    assert (tmp_path / "out" / "a-2.jpg").read_bytes() == examples.PHOTO


def test_attachments_are_let_go_once_all_of_them_are_saved(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    fake = daemon({Open: opened("a.jpg"), SaveAttachment: saver(examples.PHOTO), LetGo: Done()})
    outcome = cli("open", "7k2m", "--save", tmp_path / "out", "--let-go")
    assert outcome.status == 0
    assert fake.asked_for(LetGo) == [LetGo("7k2mq9xa")]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == examples.PHOTO


def test_nothing_is_let_go_that_is_not_saved(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    fake = daemon({Open: opened("a.jpg", complete=False), LetGo: Done()})
    assert cli("open", "7k2m", "--let-go").status == 2
    assert cli("open", "7k2m", "--save", tmp_path / "out", "--let-go").status == 1
    assert fake.asked_for(LetGo) == []


def test_what_was_let_go_is_said_and_not_asked_for_again(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    item = opened("a.jpg")
    gone = msgspec.structs.replace(item.attachments[0], let_go=True)
    fake = daemon({Open: msgspec.structs.replace(item, attachments=(gone,)), LetGo: Done()})
    outcome = cli("open", "7k2m", "--save", tmp_path / "out")
    assert outcome.status == 0
    assert "let go" in outcome.out
    assert fake.asked_for(SaveAttachment) == []
    # Letting go may have been interrupted.
    assert cli("open", "7k2m", "--save", tmp_path / "out", "--let-go").status == 0
    assert len(fake.asked_for(LetGo)) == 1


def test_an_incomplete_attachment_is_not_saved_and_the_status_says_so(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    fake = daemon({Open: opened("a.jpg", complete=False), SaveAttachment: saver(b"")})
    outcome = cli("open", "7k2m", "--save", tmp_path / "out")
    assert outcome.status == 1
    assert "1 attachment has not come in completely" in " ".join(outcome.err.split())
    assert fake.asked_for(SaveAttachment) == []


@pytest.mark.parametrize("content", [b"", b"not really a photogrape", examples.PHOTO + b"x"])
def test_an_attachment_that_is_not_what_was_announced_leaves_nothing(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, content: bytes
) -> None:
    daemon({Open: opened("a.jpg"), SaveAttachment: saver(content)})
    outcome = cli("open", "7k2m", "--save", tmp_path / "out")
    assert outcome.status == 1
    assert "is not what its dispatch announced" in " ".join(outcome.err.split())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"7k2mq9xa.txt"}


def test_a_refused_attachment_leaves_nothing(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    daemon({Open: opened("a.jpg"), SaveAttachment: refusal.save_failed(1)})
    assert cli("open", "7k2m", "--save", tmp_path / "out").status == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"7k2mq9xa.txt"}


def test_a_link_in_the_folder_is_not_followed(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    daemon({Open: opened("a.jpg"), SaveAttachment: saver(examples.PHOTO)})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").symlink_to(tmp_path / "elsewhere")
    assert cli("open", "7k2m", "--save", tmp_path / "out").status == 0
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "out" / "a-2.jpg").read_bytes() == examples.PHOTO


# Answers, watching, doctor


def test_an_answer_is_sent(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = daemon({SendReply: ReplyFiled(id="0a1b", to="aliya")})
    assert cli("reply", "7K2M", "Where\r\nwas this?").out == "0a1b\n"
    assert fake.asked_for(SendReply) == [SendReply("7k2m", "Where\nwas this?")]
    assert cli("reply", "7k2m", " ").status == 1
    assert cli("reply", "../x", "text").status == 1


def test_a_ready_machine_has_exit_status_0(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({Doctor: Diagnosis(examples.DIAGNOSIS.findings[:5])})
    assert cli("doctor").status == 0
    assert json.loads(cli("doctor", "--json").out)["ready"] is True


# The program


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_command_says(name: str) -> None:
    command = program.get_command(None, name)  # type: ignore[arg-type]  # it needs no context
    assert command is not None
    assert command.help is not None
    summary = COMMANDS[name][1].rstrip(".")
    assert summary.split()[0] == command.help.split()[0].strip(",.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(cli: RunCommand, shell: str) -> None:
    outcome = cli("completion", shell, with_home=False)
    assert outcome.status == 0
    assert "_MESHNEWS_COMPLETE" in outcome.out


def test_times_that_no_calendar_holds_are_shown_all_the_same(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    strange = dt.datetime.max.replace(tzinfo=dt.UTC, microsecond=0)
    assert time.tzname[0] == "+06"
    item = opened()
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    daemon({Open: Opened(**{**fields, "claimed_at": strange})})
    outcome = cli("open", "7k2m")
    assert outcome.status == 0
    assert "9999-12-31 23:59 +00:00" in outcome.out
