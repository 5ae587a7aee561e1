"""QR codes: written, drawn, and read from pictures that may mean harm."""

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import segno
from PIL import Image

from meshnews.control.desk_request import DeskInvite
from meshnews.control.enrol_request import EnrolCode
from meshnews.control.fact import JoinProgress
from meshnews.desk.invitation import Invitation, read_code
from meshnews.ids import DeskId
from meshnews_cli import qr
from meshnews_cli.qr_reader import texts_on
from tests.cli.conftest import RunCommand, StartDaemon
from tests.cli.test_invitations import CODE, ENROLLED, invited, step


@pytest.mark.parametrize("name", ["code.png", "code.svg"])
def test_the_code_can_be_written_as_a_picture(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path, name: str
) -> None:
    invited(daemon, {})
    file = tmp_path / name
    assert cli("desk", "invite", "--byline", "aliya", "--no-wait", "--qr", file).status == 0
    body = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    if name.endswith("png"):
        assert qr.read_invitation(file).lower() == CODE
    else:
        assert body.startswith(b"<?xml")


def test_a_picture_is_never_written_over_anything_nor_under_a_strange_name(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    fake = invited(daemon, {})
    there = tmp_path / "there.png"
    there.write_bytes(b"mine")
    for file in (there, tmp_path / "code.gif"):
        assert cli("desk", "invite", "--byline", "a", "--no-wait", "--qr", file).status == 1
    assert there.read_bytes() == b"mine"
    assert fake.asked_for(DeskInvite) == []


def test_a_terminal_shows_a_code_that_can_be_scanned() -> None:
    lines = qr.draw(CODE)
    halves = {" ": (0, 0), "▄": (0, 1), "▀": (1, 0), "█": (1, 1)}
    rows: list[list[int]] = []
    for line in lines:
        cells = [halves[each] for each in line.removeprefix(qr._INK).removesuffix(qr._PLAIN)]
        assert len(cells) < 40
        rows += [[upper for upper, _ in cells], [lower for _, lower in cells]]
    scale = 6
    image = Image.new("L", (len(rows[0]) * scale, len(rows) * scale), 255)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                image.paste(0, (x * scale, y * scale, (x + 1) * scale, (y + 1) * scale))
    out = io.BytesIO()
    image.save(out, "PNG")
    assert texts_on(out.getvalue()) == [CODE.upper()]


# Pictures -------------------------------------------------------------------


def png(text: str, path: Path, **options: Any) -> Path:
    segno.make(text, error="m", micro=False).save(str(path), scale=6, **options)
    return path


def test_an_invitation_is_read_from_a_photograph(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    fake = daemon({EnrolCode: step(JoinProgress.JOINED, enrolled=ENROLLED)})
    with Image.open(png(CODE.upper(), tmp_path / "c.png")) as code:
        photo = Image.new("RGB", (1600, 1200), (120, 90, 60))
        photo.paste(code.convert("RGB").rotate(17, expand=True, fillcolor="white"), (400, 300))
    photo.save(tmp_path / "photo.jpg", quality=60)
    assert cli("enrol", "--qr", tmp_path / "photo.jpg").status == 0
    assert read_code(fake.asked_for(EnrolCode)[0].code).code == CODE


def bomb() -> bytes:
    """Return a small PNG that unfolds to 40,000 by 40,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(40_001) * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"not a picture",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"GIF89a" + bytes(20),
        b"\xff\xd8\xff\xe0" + bytes(100),
        b"BM" + bytes(100),
        b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(10),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        bomb(),
    ],
)
def test_what_is_no_picture_or_means_harm_is_refused_in_plain_words(
    cli: RunCommand, tmp_path: Path, body: bytes
) -> None:
    (tmp_path / "p").write_bytes(body)
    outcome = cli("enrol", "--qr", tmp_path / "p", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.err)["refused"]["code"] == "picture-unreadable"


def test_a_picture_with_none_or_several_invitations_is_refused(
    cli: RunCommand, tmp_path: Path
) -> None:
    other = Invitation(bytes(16), DeskId(bytes(16))).code
    both = Image.new("L", (800, 400), 255)
    for at, text in enumerate((CODE, other)):
        with Image.open(png(text, tmp_path / f"{at}.png")) as one:
            both.paste(one.convert("L"), (at * 400, 0))
    both.save(tmp_path / "both.png")
    Image.new("L", (300, 300), 255).save(tmp_path / "empty.png")
    png("https://example.org", tmp_path / "other.png")
    for name in ("both.png", "empty.png", "other.png"):
        outcome = cli("enrol", "--qr", tmp_path / name, "--json")
        assert json.loads(outcome.err)["refused"]["code"] == "picture-without-invitation", name


def test_a_picture_too_large_as_a_file_is_not_opened(cli: RunCommand, tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(qr.PICTURE_BYTES_MAX + 1)
    outcome = cli("enrol", "--qr", tmp_path / "large.png", "--json")
    assert json.loads(outcome.err)["refused"]["code"] == "file-too-large"


def test_commands_that_show_nothing_of_it_do_not_load_pictures(home: Path) -> None:
    script = (
        "import sys; from meshnews_cli.main import run; run(sys.argv[1:]);"
        "print({'PIL', 'zxingcpp', 'segno', 'subprocess'} & set(sys.modules))"
    )
    for line in (["enrol", "--help"], ["desk", "invite", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *line], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "set()"
