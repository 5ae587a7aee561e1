"""SIGKILL at random moments: nothing accepted is lost, nothing is opened twice.

    python -m tests.e2e.kill_campaign --kills 100 --seed 1

Reporter, relay, collector and editor are on one network.  Dispatches are filed
while one daemon after another is killed and started again; at the end all
are left in peace, and everything that `file` accepted must be at the desk, once
and to the byte, with every receipt back at the reporter.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.newsroom import small_desk
from tests.e2e.test_there_and_back import jpeg
from tests.e2e.world import CommandFailed, Machine, open_world, wait_until

PICTURE_BYTES = 300_000
FILE_EVERY = 4
"""A dispatch is filed with every so many kills."""

PEACE_S = 240.0
NAMES = ("reporter-1", "relay-1", "collector-1", "editor-1")


def file_one(reporter: Machine, folder: Path, number: int) -> str | None:
    """File a dispatch; None when the daemon was killed under it and nothing was accepted."""
    text, picture = folder / f"{number}.txt", folder / f"{number}.jpg"
    text.write_text(f"dispatch {number}", encoding="utf-8")
    jpeg(picture, PICTURE_BYTES + number)
    words = ("file", str(text), "--slug", f"n{number}", "--now", "--attach", str(picture))
    try:
        return str(reporter.ask(*words)["id"])
    except CommandFailed:
        return None


def campaign(folder: Path, *, kills: int, seed: int) -> dict[str, int]:
    """Run it; return how much was done.

    Raises:
        AssertionError: something was lost, changed, doubled or never confirmed.
    """
    luck = random.Random(seed)
    with open_world(folder) as world:
        _, machines = small_desk(world)
        for machine in machines.values():
            machine.start()
        world.meet(*machines.values())
        reporter, editor = machines["reporter-1"], machines["editor-1"]
        order = [name for name in NAMES for _ in range(kills)]
        luck.shuffle(order)
        accepted: dict[str, int] = {}
        for number, name in enumerate(order):
            if number % FILE_EVERY == 0:
                identifier = file_one(reporter, folder, number)
                if identifier is not None:
                    accepted[identifier] = number
            time.sleep(luck.uniform(0.0, 1.5))
            machines[name].kill()
            machines[name].start()
        wait_until(lambda: at_desk(editor) >= set(accepted), within_s=PEACE_S, what="all arrives")
        wait_until(lambda: confirmed(reporter) >= set(accepted), within_s=PEACE_S,
                   what="all is confirmed")  # fmt: skip
        verify(editor, folder, accepted)
    return {"kills": len(order), "dispatches": len(accepted)}


def at_desk(editor: Machine) -> set[str]:
    items = editor.ask("inbox")["items"]
    return {i["id"] for i in items if i["attachments"] == i["attachments_complete"]}


def confirmed(reporter: Machine) -> set[str]:
    dispatches = reporter.ask("status")["dispatches"]
    return {
        d["id"]
        for d in dispatches
        if d["state"] in {"received", "read"} and d["attachments"] == d["attachments_received"]
    }


def verify(editor: Machine, folder: Path, accepted: dict[str, int]) -> None:
    """Compare everything at the desk with what was filed."""
    items = editor.ask("inbox")["items"]
    identifiers = [item["id"] for item in items]
    assert len(identifiers) == len(set(identifiers)), "an item is shown twice"
    slugs = [item["slug"] for item in items]
    assert len(slugs) == len(set(slugs)), "a dispatch was filed twice"
    assert all(not item["alarms"] for item in items if item["id"] in accepted), "a false alarm"
    for identifier, number in accepted.items():
        saved = folder / f"saved-{number}"
        saved.mkdir()
        opened = editor.ask("open", identifier, "--save", str(saved))
        assert opened["text"].strip() == f"dispatch {number}"
        (copy,) = saved.glob("*.jpg")
        sent = (folder / f"{number}.jpg").read_bytes()
        assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(sent).digest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="of each of the four daemons")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills") as folder:
        try:
            done = campaign(Path(folder), kills=given.kills, seed=given.seed)
        except AssertionError as fault:
            print(f"seed {given.seed}: {fault}", file=sys.stderr)
            return 1
    print(f"seed {given.seed}: {done} in {time.monotonic() - began:.0f} s: nothing lost or doubled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
