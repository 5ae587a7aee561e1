"""No text of somebody else reaches the terminal raw."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.control.desk_reply import CardWords
from meshnews.control.enrol_reply import Enrolled
from meshnews.control.enrol_request import EnrolCard
from meshnews.control.fact import (
    AttachmentRole,
    AttachmentStatus,
    CarrierName,
    DispatchState,
    DispatchStatus,
    InboxItem,
    ItemKind,
    Neighbour,
    NeighbourKind,
    Priority,
    Role,
    SafetyWord,
    Verdict,
    Visibility,
)
from meshnews.control.finding import Check, Finding, Level
from meshnews.control.limits import FILE_NAME_BYTES_MAX
from meshnews.control.reply import (
    Diagnosis,
    InboxListing,
    NeighbourListing,
    Opened,
    Refused,
    ReplyFiled,
    Status,
)
from meshnews.control.request import (
    Doctor,
    Inbox,
    Neighbours,
    Open,
    Request,
    SendReply,
    StatusRequest,
)
from meshnews_cli import terminal
from meshnews_cli.names import file_name, numbered
from tests.cli import examples
from tests.cli.conftest import Answer, RunCommand, StartDaemon

HOSTILE = "\x1b]0;x\x07\x1b[2J\u202egpj\u2066\x85\u2028\x9b31m\u200fa\u2069\U000e0041\ufeff\rz"

ANSWERS: dict[type[Request], Answer] = {
    StatusRequest: Status(
        dispatches=(
            DispatchStatus(
                id="7k2m", slug=HOSTILE, priority=Priority.FLASH, state=DispatchState.CARRIED
            ),
        )
    ),
    Inbox: InboxListing(
        items=(
            InboxItem(
                id="7k2m",
                kind=ItemKind.DISPATCH,
                slug=HOSTILE,
                byline=HOSTILE,
                priority=Priority.FLASH,
                verdict=Verdict.VERIFIED,
            ),
        )
    ),
    Open: Opened(
        id="7k2m",
        kind=ItemKind.DISPATCH,
        slug=HOSTILE,
        byline=HOSTILE,
        priority=Priority.FLASH,
        verdict=Verdict.VERIFIED,
        text=f"{HOSTILE}\n\nVerified  by everybody\n{HOSTILE}",
        attachments=(
            AttachmentStatus(
                name=HOSTILE,
                size=1,
                role=AttachmentRole.FILE,
                sha256=bytes(32),
                bytes_here=0,
                complete=False,
            ),
        ),
    ),
    Neighbours: NeighbourListing(
        visibility=Visibility.OPEN,
        neighbours=(
            Neighbour(
                kind=NeighbourKind.RELAY,
                name=HOSTILE,
                carrier=CarrierName.LAN,
                since=examples.LATER,
                bytes_received=0,
                bytes_sent=0,
                bytes_per_s=0,
            ),
        ),
    ),
    Doctor: Diagnosis((Finding(check=Check.DESK, level=Level.GOOD, name=HOSTILE),)),
    SendReply: ReplyFiled(id="0a1b", to=HOSTILE),
}
SHOWN = CardWords((SafetyWord(1, "\x1b[31m\u202e"),) * 8, Role.REPORTER)
TAKEN = Enrolled(
    desk=examples.DESK,
    desk_name=HOSTILE,
    name=HOSTILE,
    role=Role.REPORTER,
    words=SHOWN.words,
)


async def taking_handler(
    request: EnrolCard, descriptors: object, emit: object
) -> CardWords | Enrolled:
    return TAKEN if request.confirmed else SHOWN


COMMANDS = {
    StatusRequest: ["status"],
    Inbox: ["inbox"],
    Open: ["open", "7k2m"],
    Neighbours: ["neighbours"],
    Doctor: ["doctor"],
    SendReply: ["reply", "7k2m", "text"],
    EnrolCard: ["enrol", "--card", "card.bin", "--words-compared"],
}


def is_harmless(text: str) -> bool:
    return not any(
        unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and char not in "\n\u200c\u200d"
        for char in text
    )


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: str(kind.__name__))
def test_hostile_text_is_made_visible(
    daemon: StartDaemon,
    cli: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Request],
    form: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.bin").write_bytes(b"card")
    daemon({**ANSWERS, EnrolCard: taking_handler})
    outcome = cli(*COMMANDS[kind], *form)
    assert outcome.status == 0
    assert is_harmless(outcome.out + outcome.err)
    assert "z" in outcome.out + outcome.err


def test_a_hostile_refusal_is_made_visible(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({Inbox: Refused("busy", HOSTILE, HOSTILE, HOSTILE).as_refusal()})
    outcome = cli("inbox")
    assert outcome.status == 1
    assert is_harmless(outcome.err)


def test_hostile_file_names_are_made_visible(cli: RunCommand, tmp_path: Path) -> None:
    for name in (b"\x1b[2Jx", b"\xff\xfe", "\u202egpj".encode()):
        path = bytes(tmp_path) + b"/" + name
        outcome = cli("file", "--slug", "s", "--attach", path.decode("utf-8", "surrogateescape"))
        assert outcome.status == 1
        assert is_harmless(outcome.err)


def test_somebodys_text_cannot_pass_for_ours(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon(ANSWERS)
    lines = cli("open", "7k2m").out.splitlines()
    assert [line for line in lines if "by everybody" in line] == ["  | Verified  by everybody"]
    assert sum(line.startswith("Verified") for line in lines) == 1


@given(st.text())
def test_a_safe_line_is_harmless_and_stays_so(text: str) -> None:
    line = terminal.safe_line(text)
    assert is_harmless(line)
    assert "\n" not in line
    assert terminal.safe_line(line) == line


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"])))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert terminal.safe_line(text) == text


@pytest.mark.parametrize("text", ["می\u200cشود", "क्\u200dष", "\u0600\u0661", "👩\u200d🚒"])
def test_scripts_that_need_joiners_are_left_alone(text: str) -> None:
    assert terminal.safe_line(text) == text


@given(st.text(), st.text(max_size=10))
def test_wrapping_loses_nothing_and_fits(text: str, first: str) -> None:
    line, start = terminal.safe_line(text), terminal.safe_line(first)
    wrapped = terminal.wrap(line, first=start, rest="  ")
    assert "".join(re.sub(r"\s", "", each) for each in wrapped[1:]) in re.sub(r"\s", "", line)
    for each in wrapped:
        assert terminal.cells(each) <= 80
    assert re.sub(r"\s", "", "".join(wrapped)) == re.sub(r"\s", "", start + line)


NAMES = st.one_of(
    st.text(max_size=400),
    st.text(alphabet="./\\ ~-:con\x00\u202ea\u0301é", max_size=40),
    st.sampled_from(["con", "CON.jpg", "com1", "LPT9.tar.gz", "aux ", "nul.", "COM¹", ".."]),
)


@given(NAMES)
def test_a_file_name_from_anybody_names_one_plain_file(raw: str) -> None:
    name = file_name(raw, number=7)
    assert name not in {"", ".", ".."}
    assert not set('/\\\x00<>:"|?*') & set(name)
    assert is_harmless(name)
    assert "\u200d" not in name
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert len(numbered(name, 1000).encode()) <= 255
    assert len(name.encode()) <= FILE_NAME_BYTES_MAX
    assert name.split(".")[0].strip().lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert file_name(name, number=7) == name


def test_an_ordinary_name_is_kept() -> None:
    for name in ("photo.jpg", "фото 1.jpg", "写真.png", "a.tar.gz", "IMG_2022-01-05.HEIC"):
        assert file_name(name, number=1) == name


def test_a_long_name_keeps_its_ending() -> None:
    name = file_name("ф" * 300 + ".jpeg", number=1)
    assert name.endswith("ф.jpeg")
    assert len(name.encode()) <= FILE_NAME_BYTES_MAX


def test_copies_are_numbered_before_the_ending() -> None:
    assert [numbered("a.jpg", copy) for copy in (1, 2, 3)] == ["a.jpg", "a-2.jpg", "a-3.jpg"]
    assert numbered("a", 2) == "a-2"
    assert numbered("a." + "x" * 40, 2) == "a." + "x" * 40 + "-2"
