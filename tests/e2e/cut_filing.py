"""Filings that are cut off, and what must be true of each afterwards."""

import contextlib
import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from meshnews.node import shelf
from meshnewsd.compose import open_home
from tests.e2e.newsroom import Newsroom
from tests.e2e.test_there_and_back import jpeg
from tests.e2e.world import PASSPHRASE, Machine, World, wait_until

PICTURE_BYTES = 300_000
ARRIVAL_S = 120.0


@dataclass
class Attempt:
    """One run of `meshnews file`, and what is known of it.

    Attributes:
        slug: of this attempt alone.
        identifier: what it printed; None when it did not come to that.
        filed: the identifiers under which `status` shows it, after `look`.
    """

    slug: str
    identifier: str | None = None
    filed: list[str] = field(default_factory=list)

    def look(self, reporter: Machine) -> None:
        """Ask the running daemon what has become of it."""
        shown = reporter.ask("status")["dispatches"]
        self.filed = [one["id"] for one in shown if one["slug"] == self.slug]
        assert len(self.filed) <= 1, f"{self.slug} was filed twice"
        if self.identifier is not None:
            assert self.filed == [self.identifier], f"{self.slug} was told, and is not there"


def desk_with_a_collector(world: World) -> tuple[Newsroom, Machine, Machine]:
    """Return a desk on one network, and its editor and reporter; the reporter does not run yet."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    collector = newsroom.add("collector-1", "relay", endpoint=True)
    reporter = newsroom.add("reporter-1", "reporter")
    for joiner in (collector, reporter):
        newsroom.enrol(editor, joiner)
    newsroom.introduce(editor, collector, reporter)
    for machine in (editor, collector):
        machine.start()
    world.meet(editor, collector, reporter)
    return newsroom, editor, reporter


def words(folder: Path, slug: str, *, size: int = PICTURE_BYTES) -> tuple[str, ...]:
    """Write a text and a picture; return the command that files both."""
    text, picture = folder / f"{slug}.txt", folder / f"{slug}.jpg"
    text.write_text(f"text of {slug}", encoding="utf-8")
    if not picture.exists():
        jpeg(picture, size)
    return ("file", str(text), "--slug", slug, "--now", "--attach", str(picture))


def attempt(reporter: Machine, folder: Path, slug: str, *, size: int = PICTURE_BYTES) -> Attempt:
    """File a text and a picture, whatever comes of it."""
    done = reporter.cli(*words(folder, slug, size=size), "--json", check=False)
    return Attempt(slug, printed(done.stdout))


def printed(output: str) -> str | None:
    """Return the identifier that `file --json` printed, if it did."""
    lines = [line for line in output.splitlines() if line]
    return str(json.loads(lines[-1])["id"]) if lines else None


def kept_for_drafts(reporter: Machine) -> int:
    """Return how many chunks of unfinished drafts a stopped machine still holds."""
    with contextlib.closing(open_home(reporter.home, passphrase=PASSPHRASE)) as opened:
        return opened.store.carry.count(shelf.DRAFT)


def verify(editor: Machine, reporter: Machine, folder: Path, attempts: list[Attempt]) -> None:
    """Wait until all that was filed is at the desk, and look at each; reporter must be running.

    Raises:
        AssertionError: something was lost, changed, halved, doubled or is a false alarm.
    """
    filed = {one.filed[0]: one for one in attempts if one.filed}
    wait_until(lambda: set(filed) <= set(_whole(editor)), within_s=ARRIVAL_S, what="all arrives")
    items = editor.ask("inbox")["items"]
    slugs = {one.slug for one in attempts}
    assert {item["id"] for item in items if item["slug"] in slugs} == set(filed), "not filed, came"
    assert all(not item["alarms"] for item in items), "a false alarm"
    for identifier, one in filed.items():
        _compare(editor, folder, identifier, one.slug)
    wait_until(lambda: set(filed) <= _confirmed(reporter), within_s=ARRIVAL_S, what="receipts")


def _whole(editor: Machine) -> list[str]:
    items: list[dict[str, Any]] = editor.ask("inbox")["items"]
    return [item["id"] for item in items if item["attachments"] == item["attachments_complete"]]


def _confirmed(reporter: Machine) -> set[str]:
    return {
        one["id"]
        for one in reporter.ask("status")["dispatches"]
        if one["state"] in {"received", "read"}
        and one["attachments"] == one["attachments_received"]
    }


def _compare(editor: Machine, folder: Path, identifier: str, slug: str) -> None:
    saved = folder / f"saved-{slug}"
    saved.mkdir()
    opened = editor.ask("open", identifier, "--save", str(saved))
    assert opened["text"].strip() == f"text of {slug}"
    (copy,) = saved.glob("*.jpg")
    sent = (folder / f"{slug}.jpg").read_bytes()
    assert sha256(copy.read_bytes()).digest() == sha256(sent).digest()
