"""Roads that are longer than one relay and one editor, and cards that are old: real daemons."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.newsroom import small_desk
from tests.e2e.test_there_and_back import complete, crossed, jpeg, neighbours, settled, state_of
from tests.e2e.world import Machine, Time, World, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def pass_on(world: World, *machines: Machine) -> None:
    """Let machines meet until nothing crosses any more, then part."""
    world.meet(*machines)
    wait_until(lambda: neighbours(machines[0]), within_s=60, what="a link")
    wait_until(lambda: crossed(machines[0]) > 0 and settled(*machines), within_s=90, what="quiet")
    world.part(*machines)


def filed(reporter: Machine, folder: Path, text: str, *, size: int = 200_000) -> str:
    picture = folder / f"{reporter.name}.jpg"
    jpeg(picture, size)
    source = folder / f"{reporter.name}.txt"
    source.write_text(text, encoding="utf-8")
    words = ("file", str(source), "--slug", "long", "--now", "--attach", str(picture))
    return str(reporter.ask(*words)["id"])


def until_received(reporter: Machine, identifier: str) -> Callable[[], bool]:
    return lambda: state_of(reporter, identifier) in {"received", "read"}


def test_two_relays_two_reporters_and_two_editors(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        newsroom, machines = small_desk(world)
        editor, collector, relay, first = (
            machines[name] for name in ("editor-1", "collector-1", "relay-1", "reporter-1")
        )
        far = newsroom.add("relay-2", "relay")
        newsroom.enrol(editor, far, near=("relay-1",))
        other = newsroom.add("reporter-2", "reporter")
        newsroom.enrol(editor, other)
        second = newsroom.add("editor-2", "editor")
        newsroom.add_editor(editor, second)
        newsroom.introduce(*world.machines.values())
        for machine in (editor, collector, relay, far, first, other):
            machine.start()
        # The second editor's first keys go out to the reporters.
        pass_on(world, editor, collector)
        pass_on(world, relay, collector)
        pass_on(world, far, relay)
        pass_on(world, first, relay)
        pass_on(world, other, far)
        one = filed(first, tmp_path, "the first text")
        two = filed(other, tmp_path, "the second text")
        pass_on(world, other, far)
        pass_on(world, first, relay)
        pass_on(world, far, relay)
        pass_on(world, relay, collector)
        world.meet(editor, collector)
        wait_until(lambda: len(all_complete(editor)) == 2, within_s=90, what="both are here")
        bylines = {item["byline"] for item in editor.ask("inbox")["items"]}
        assert bylines == {"reporter-1", "reporter-2"}
        wait_until(lambda: settled(editor, collector), within_s=60, what="receipts are across")
        world.part(editor, collector)
        pass_on(world, relay, collector)
        pass_on(world, far, relay)
        world.meet(other, far)
        wait_until(until_received(other, two), within_s=60, what="the second receipt")
        world.part(other, far)
        world.meet(first, relay)
        wait_until(until_received(first, one), within_s=60, what="the first receipt")
        world.part(first, relay)
        # Only now, with the receipts long released, the second editor connects.
        second.start()
        world.meet(second, collector)
        wait_until(lambda: len(all_complete(second)) == 2, within_s=90, what="both again")
        texts = {
            second.ask("open", str(item["id"]))["text"].strip() for item in all_complete(second)
        }
        assert texts == {"the first text", "the second text"}


def all_complete(editor: Machine) -> list[dict[str, object]]:
    items = editor.ask("inbox")["items"]
    return [item for item in items if item["attachments"] == item["attachments_complete"]]


@pytest.mark.parametrize("clockless", [False, True], ids=["clock right", "clock at 1970"])
def test_a_card_300_days_old_files_and_is_answered(tmp_path: Path, clockless: bool) -> None:
    with open_world(tmp_path) as world:
        _, machines = small_desk(world)
        editor, collector, relay, reporter = (
            machines[name] for name in ("editor-1", "collector-1", "relay-1", "reporter-1")
        )
        for machine in (editor, collector, relay):
            machine.start()
        for days in range(60, 301, 60):
            for machine in (editor, collector, relay):
                machine.reboot(at=Time(f"+{days}d"))
            pass_on(world, editor, collector)
            pass_on(world, relay, collector)
        reporter.time = Time("@1970-01-01 00:10:00", trusted=False) if clockless else Time("+300d")
        reporter.start()
        identifier = filed(reporter, tmp_path, "after 300 days")
        pass_on(world, reporter, relay)
        pass_on(world, relay, collector)
        world.meet(editor, collector)
        item = wait_until(lambda: complete(editor), within_s=90, what="it is at the desk")
        assert item["byline"] == "reporter-1"
        editor.cli("reply", str(item["id"]), "Good to hear from you.")
        wait_until(lambda: settled(editor, collector), within_s=60, what="all is across")
        world.part(editor, collector)
        pass_on(world, relay, collector)
        world.meet(reporter, relay)
        wait_until(until_received(reporter, identifier), within_s=60, what="the receipt")
        wait_until(lambda: reporter.ask("inbox")["items"], within_s=60, what="the answer")
