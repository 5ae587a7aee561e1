"""Short contacts and slow links: what matters most crosses first, and nothing crosses twice."""

import hashlib
import random
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import crossed, neighbours
from tests.e2e.world import Machine, World, open_world, run, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WINDOW_S = 420
TEXTS_S, PICTURE_S, FLASH_S = 20, 90, 2
PICTURE_BYTES = 300_000
FILM_BYTES = 180 * 1024 * 1024
LONG_FILM_BYTES = 500_000_000


def desk_and_reporter(world: World) -> tuple[Machine, Machine]:
    """Return a desk of one machine and a reporter, both running, that have not met."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor", endpoint=True)
    newsroom.found(editor)
    reporter = newsroom.add("reporter-1", "reporter")
    newsroom.enrol(editor, reporter)
    # A silent machine waits until it hears a beacon; these contacts are shorter than that.
    reporter.settings["visibility"] = '"veiled"'
    for machine in (editor, reporter):
        machine.start()
    return editor, reporter


def shape(machine: Machine, kbit: int) -> None:
    """Let a machine's cable carry so many kilobits a second, as a bad uplink does."""
    run("ip", "netns", "exec", machine.namespace, "tc", "qdisc", "replace", "dev", "eth0", "root",
        "tbf", "rate", f"{kbit}kbit", "burst", "1600", "latency", "400ms")  # fmt: skip


def unshape(machine: Machine) -> None:
    run("ip", "netns", "exec", machine.namespace, "tc", "qdisc", "del", "dev", "eth0", "root")


def noise(path: Path, size: int, seed: int) -> bytes:
    """Write a file that nothing makes smaller; return its SHA-256."""
    draw, digest = random.Random(seed), hashlib.sha256()
    with path.open("wb") as file:
        for at in range(0, size, 1 << 20):
            block = draw.randbytes(min(1 << 20, size - at))
            digest.update(block)
            file.write(block)
    return digest.digest()


def file(reporter: Machine, slug: str, *words: str, text: str = "Short.") -> str:
    path = reporter.home.parent / f"{slug}.txt"
    path.write_text(text, encoding="utf-8")
    return str(reporter.ask("file", str(path), "--slug", slug, "--now", *words)["id"])


def arrived(editor: Machine) -> dict[str, tuple[int, int]]:
    """Return slug -> attachments complete and in all, of what the desk can read."""
    return {
        item["slug"]: (item["attachments_complete"], item["attachments"])
        for item in editor.ask("inbox")["items"]
    }


def saved(editor: Machine, slug: str, to: Path) -> bytes:
    """Save an item's one attachment; return its SHA-256."""
    (item,) = [item for item in editor.ask("inbox")["items"] if item["slug"] == slug]
    to.mkdir()
    editor.ask("open", item["id"], "--save", str(to))
    (path,) = [path for path in to.iterdir() if path.suffix != ".txt"]
    with path.open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").digest()


def test_seven_minutes_at_64_kbit_bring_texts_then_the_picture_then_part_of_the_film(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world:
        editor, reporter = desk_and_reporter(world)
        picture = noise(tmp_path / "picture.jpg", PICTURE_BYTES, 1)
        film = noise(tmp_path / "film.mp4", FILM_BYTES, 2)
        file(reporter, "film", "--attach", str(tmp_path / "film.mp4"))
        file(reporter, "picture", "--attach", str(tmp_path / "picture.jpg"))
        for number in (1, 2):
            file(reporter, f"text-{number}", text="Dispatch. " * 200)
        file(reporter, "flash", "--flash")
        for machine in (editor, reporter):
            shape(machine, 64)

        world.meet(editor, reporter)
        wait_until(lambda: neighbours(reporter), within_s=20, what="a link")
        linked_s = time.monotonic()
        texts = {"flash", "text-1", "text-2"}
        wait_until(lambda: texts <= arrived(editor).keys(), within_s=TEXTS_S, what="the texts")
        wait_until(
            lambda: arrived(editor).get("picture") == (1, 1),
            within_s=PICTURE_S - (time.monotonic() - linked_s),
            what="the picture",
        )
        assert saved(editor, "picture", tmp_path / "saved-picture") == picture
        time.sleep(max(0.0, WINDOW_S - (time.monotonic() - linked_s)))
        first = crossed(reporter)
        world.part(editor, reporter)
        assert arrived(editor)["film"] == (0, 1)

        for machine in (editor, reporter):
            unshape(machine)
        world.meet(editor, reporter)
        wait_until(lambda: arrived(editor)["film"] == (1, 1), within_s=300, what="the film")
        assert saved(editor, "film", tmp_path / "saved-film") == film
        assert first + crossed(reporter) <= 1.06 * (FILM_BYTES + PICTURE_BYTES)


def test_ten_seconds_at_40_kbit_are_enough_for_a_flash(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        editor, reporter = desk_and_reporter(world)
        noise(tmp_path / "film.mp4", 20_000_000, 3)
        file(reporter, "film", "--attach", str(tmp_path / "film.mp4"))
        file(reporter, "flash", "--flash")
        for machine in (editor, reporter):
            shape(machine, 40)
        world.meet(editor, reporter)
        time.sleep(10)
        world.part(editor, reporter)
        assert "flash" in arrived(editor)


def test_a_flash_and_a_text_arrive_within_two_seconds_while_a_film_flows(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        editor, reporter = desk_and_reporter(world)
        noise(tmp_path / "film.mp4", LONG_FILM_BYTES, 4)
        file(reporter, "film", "--attach", str(tmp_path / "film.mp4"))
        for machine in (editor, reporter):
            shape(machine, 1000)
        world.meet(editor, reporter)
        wait_until(lambda: crossed(editor) > 1_000_000, within_s=60, what="the film flows")
        for number in range(3):
            for slug, words in ((f"flash-{number}", ("--flash",)), (f"text-{number}", ())):
                file(reporter, slug, *words)
                wait_until(partial(has_arrived, editor, slug), within_s=FLASH_S, what=slug)
            time.sleep(5)


def has_arrived(editor: Machine, slug: str) -> bool:
    return slug in arrived(editor)
