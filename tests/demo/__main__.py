"""`make demo`: a dispatch with a photograph reaches the desk through a relay, and is answered.

Everything said in quotes is what the commands themselves print.
"""

import hashlib
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.demo.stage import Stage, open_stage
from tests.e2e.world import Machine, wait_until

PHOTOGRAPH = Path(__file__).with_name("photograph.jpg")
TEXT = "Алматы, 5 қаңтар. Интернет өшірілді. Алаңда атыс естіледі. Сурет қоса беріліп отыр."
CONTACT_S = 40.0


class Teller:
    """Says what happens, with the time since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"\n[{time.monotonic() - self._began:5.1f} s] {text}", flush=True)

    def show(self, machine: Machine, *words: str) -> None:
        """Run a command and show what it prints, as its person would see it."""
        print(f"    {machine.name}$ meshnews {' '.join(words)}", flush=True)
        done = machine.cli(*words)
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            print(f"    | {line}", flush=True)


def until(claim: Callable[[], object], what: str) -> None:
    wait_until(claim, within_s=CONTACT_S, what=what)


def dispatch_of(reporter: Machine) -> dict[str, object]:
    (found,) = reporter.ask("status")["dispatches"]
    return dict(found)


def crossed(*machines: Machine) -> bool:
    """Tell whether they are linked and nothing moves between them any more."""

    def bytes_of(machine: Machine) -> list[int]:
        links = machine.ask("neighbours")["neighbours"]
        return [link["bytes_sent"] + link["bytes_received"] for link in links]

    before = [bytes_of(machine) for machine in machines]
    time.sleep(1.5)
    return all(before) and before == [bytes_of(machine) for machine in machines]


def play(stage: Stage, teller: Teller) -> None:
    newsroom = stage.newsroom
    where = "on loopback" if stage.on_loopback else "in network namespaces of their own"
    teller.say(f"Four machines {where}: an editor's, a collector, a relay and a reporter's.")
    teller.say("The editor makes a desk and gives the others their cards (by files, no network).")
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    collector = newsroom.add("collector-1", "relay", endpoint=True)
    relay = newsroom.add("relay-1", "relay")
    reporter = newsroom.add("reporter-1", "reporter")
    for joiner in (collector, relay, reporter):
        newsroom.enrol(editor, joiner)
    newsroom.introduce(editor, collector, relay, reporter)
    stage.switch_on(editor, collector, relay, reporter)

    teller.say(
        "The reporter files a text and a photograph. Two things are quicker here than in the "
        "field:\n          --now skips the random hold that hides who filed first, and the "
        "collector is set to\n          release receipts every 5 s instead of every 30 minutes."
    )
    text = newsroom.folder / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    picture = newsroom.folder / "square.jpg"
    shutil.copyfile(PHOTOGRAPH, picture)
    teller.show(reporter, "file", str(text), "--slug", "алаң", "--now", "--attach", str(picture))
    teller.show(reporter, "status")

    teller.say("The reporter passes the relay. Nobody else is in reach.")
    with stage.contact(reporter, relay):
        until(lambda: dispatch_of(reporter)["state"] == "carried", "the relay has it")
        until(lambda: crossed(relay, reporter), "all of it is at the relay")
        teller.show(reporter, "status")
    teller.say("They part. The relay meets the collector; the reporter is gone.")
    with stage.contact(relay, collector):
        until(lambda: crossed(relay, collector), "the collector has it")
        teller.show(relay, "neighbours")
    teller.say("The editor's machine calls the collector. It opens and verifies by itself.")
    with stage.contact(collector, editor):
        until(lambda: complete(editor), "everything is at the desk")
        teller.show(editor, "inbox")
        read_and_answer(newsroom.folder, editor, teller)
        until(lambda: crossed(collector, editor), "receipt and answer are at the collector")
        time.sleep(6.0)
    teller.say("The way back: receipt, answer and the word that it was read go to the relay …")
    with stage.contact(relay, collector):
        until(lambda: crossed(relay, collector), "the relay has the receipt")
    teller.say("… and from the relay to the reporter.")
    with stage.contact(reporter, relay):
        until(lambda: dispatch_of(reporter)["state"] in {"received", "read"}, "the receipt is here")
        until(lambda: reporter.ask("inbox")["items"], "the answer is here")
        until(lambda: dispatch_of(reporter)["attachments_received"] == 1, "and for the photograph")
        teller.show(reporter, "status")
        teller.show(reporter, "inbox")
        teller.show(reporter, "open", str(reporter.ask("inbox")["items"][0]["id"])[:8])
    teller.say("Reporter and desk were never connected at the same time. Everything is taken away.")


def complete(editor: Machine) -> bool:
    items = editor.ask("inbox")["items"]
    return bool(items) and items[0]["attachments"] == items[0]["attachments_complete"]


def read_and_answer(folder: Path, editor: Machine, teller: Teller) -> None:
    identifier = str(editor.ask("inbox")["items"][0]["id"])
    saved = folder / "saved"
    saved.mkdir()
    teller.show(editor, "open", identifier[:8], "--save", str(saved))
    (copy,) = saved.glob("*.jpg")
    sent, got = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (PHOTOGRAPH, copy))
    if sent != got:
        raise AssertionError("the photograph was changed on its way")
    teller.say(f"The photograph is the same to the byte: SHA-256 {got[:32]}… on both sides.")
    teller.show(editor, "reply", identifier[:8], "Received and verified. Stay safe.")


def end_in_good_order(number: int, _: object) -> None:
    """Let what a signal ends take away what it began: a terminal that is closed, too."""
    sys.exit(128 + number)


def main() -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_in_good_order)
    teller = Teller()
    try:
        with open_stage() as stage:
            play(stage, teller)
    except AssertionError as fault:
        print(f"\nThe demonstration did not come to its end: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
