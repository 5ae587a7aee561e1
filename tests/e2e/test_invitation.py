"""A reporter and a relay join by invitation, over a network on which nobody has an address."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.world import Machine, open_world, run, wait_until

pytestmark = pytest.mark.e2e

WITHIN_S = 60.0


@dataclass
class Command:
    """A command that waits, on a machine, and what it has printed so far."""

    process: subprocess.Popen[str]
    out: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of JSON that it has printed."""
        text = self.out.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def words(self) -> list[str]:
        """Return the words that the person is shown last, once there are any."""
        shown = [line["words"] for line in self.lines() if line.get("words")]
        return [word["word"] for word in shown[-1]] if shown else []

    def says(self, answer: str) -> None:
        """Type what a person answers to whether the words are the same: y or n."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{answer}\n")
        self.process.stdin.flush()

    def ends(self) -> dict[str, Any]:
        """Wait until it has ended well; return its last line."""
        assert self.process.wait(timeout=WITHIN_S) == 0, self.out.read_text("utf-8")
        return self.lines()[-1]


@contextlib.contextmanager
def command(machine: Machine, *words: str) -> Iterator[Command]:
    """Run a command that waits."""
    out = machine.world.folder / f"{machine.name}.out"
    with out.open("w") as file:
        process = subprocess.Popen(
            machine._inside(sys.executable, "-m", "meshnews_cli", *words, "--json"),
            env=machine._environment(),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield Command(process, out)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    with open_world(tmp_path) as world:
        room = Newsroom(world)
        editor = room.add("editor-1", "editor")
        room.found(editor)
        editor.start()
        yield room


def joiner(newsroom: Newsroom, name: str, role: str) -> Machine:
    """Return the machine of somebody who belongs to no desk, on the editor's network."""
    machine = newsroom.add(name, role)
    machine.start()
    newsroom.world.meet(newsroom.world.machines["editor-1"], machine)
    return machine


def invite(newsroom: Newsroom, *words: str) -> str:
    """Return the code of a new invitation."""
    editor = newsroom.world.machines["editor-1"]
    made = editor.ask("desk", "invite", *words, "--no-wait")
    return str(made["code"])


def state(editor: Machine) -> str:
    return str(editor.ask("desk", "pending")["invitations"][-1]["state"])


def confirm(editor: Machine, joining: Command) -> None:
    """Let the editor and the joiner compare the words, and both say yes."""
    wait_until(
        lambda: confirm_if_same(editor, joining), within_s=WITHIN_S, what="both see the same words"
    )


def confirm_if_same(editor: Machine, joining: Command) -> bool:
    """Let both say yes if both see the same words; tell whether they did."""
    for one in editor.ask("desk", "pending")["joiners"]:
        seen = [word["word"] for word in one["words"]]
        if seen == joining.words() and not one["desk_agrees"]:
            number = str(one["number"])
            editor.cli("desk", "pending", "--confirm", number, "--words-compared", check=False)
            joining.says("y")
            return True
    return False


def compare_until_joined(editor: Machine, joining: Command) -> dict[str, Any]:
    """Let both compare words, as often as there are new ones, until the joiner has its card."""

    def ended() -> bool:
        if joining.process.poll() is None:
            confirm_if_same(editor, joining)
        return joining.process.poll() is not None

    wait_until(ended, within_s=2 * WITHIN_S, what="the joiner has its card")
    return joining.ends()


def test_a_reporter_joins_by_a_typed_code(newsroom: Newsroom) -> None:
    editor = newsroom.world.machines["editor-1"]
    reporter = joiner(newsroom, "reporter-1", "reporter")
    code = invite(newsroom, "--byline", "reporter-1")
    typed = code.upper().replace("-", " ").replace("O", "0")
    with command(reporter, "enrol", *typed.split()) as joining:
        confirm(editor, joining)
        assert joining.ends()["name"] == "reporter-1"
    wait_until(lambda: state(editor) == "used", within_s=20, what="the invitation is used up")
    findings = {one["check"]: one for one in ask_doctor(reporter)}
    assert findings["card"]["level"] == "good"
    with command(reporter, "enrol", code) as again:
        assert again.ends()["name"] == "reporter-1"


def test_a_machine_told_to_be_silent_waits_for_the_desks_call_and_joins(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    editor = newsroom.world.machines["editor-1"]
    reporter = newsroom.add("reporter-1", "reporter")
    reporter.settings["visibility"] = '"silent"'
    reporter.start()
    code = invite(newsroom, "--byline", "reporter-1")
    wire = tmp_path / "wire.pcap"
    newsroom.world.meet(editor, reporter)
    with newsroom.world.capture(reporter, wire), command(reporter, "enrol", code) as joining:
        confirm(editor, joining)
        assert joining.ends()["name"] == "reporter-1"
    assert sent_by(reporter, wire, "tcp")
    assert sent_by(reporter, wire, "udp") == [], "it called out"


def sent_by(machine: Machine, wire: Path, protocol: str) -> list[str]:
    """Return what a machine sent, over IPv4 or IPv6, a line for each packet."""
    told = run("ip", "-n", machine.namespace, "-j", "link", "show", "dev", "eth0").stdout
    mac = json.loads(told)[0]["address"]
    return run("tcpdump", "-nr", str(wire), f"{protocol} and ether src {mac}").stdout.splitlines()


def ask_doctor(machine: Machine) -> list[dict[str, Any]]:
    done = machine.cli("doctor", "--json", check=False)
    return list(json.loads(done.stdout)["findings"])


def test_a_relay_joins_by_the_picture_of_a_code_and_is_called_at_once(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    editor = newsroom.world.machines["editor-1"]
    relay = joiner(newsroom, "relay-1", "relay")
    picture = tmp_path / "code.png"
    invite(newsroom, "--relay", "relay-1", "--qr", str(picture))
    with command(relay, "enrol", "--qr", str(picture)) as joining:
        assert joining.ends()["role"] == "relay"
    wait_until(lambda: state(editor) == "used", within_s=20, what="the invitation is used up")
    wait_until(
        lambda: [one["kind"] for one in editor.ask("neighbours")["neighbours"]] == ["relay"],
        within_s=WITHIN_S,
        what="the editor's machine is linked with the relay",
    )


@pytest.mark.parametrize("victim", ["editor-1", "reporter-1"])
def test_a_daemon_that_is_killed_while_words_are_compared_goes_on(
    newsroom: Newsroom, victim: str
) -> None:
    editor = newsroom.world.machines["editor-1"]
    reporter = joiner(newsroom, "reporter-1", "reporter")
    code = invite(newsroom, "--byline", "reporter-1")
    with command(reporter, "enrol", code) as joining:
        wait_until(joining.words, within_s=WITHIN_S, what="words are shown")
    newsroom.world.machines[victim].kill()
    newsroom.world.machines[victim].start()
    with command(reporter, "enrol", code) as joining:
        confirm(editor, joining)
        editor.kill()
        editor.start()
        assert compare_until_joined(editor, joining)["name"] == "reporter-1"
    wait_until(lambda: state(editor) == "used", within_s=WITHIN_S, what="it is used up")


def test_a_used_code_is_met_with_silence_and_a_second_caller_is_an_alarm(
    newsroom: Newsroom,
) -> None:
    editor = newsroom.world.machines["editor-1"]
    reporter = joiner(newsroom, "reporter-1", "reporter")
    code = invite(newsroom, "--byline", "reporter-1")
    thief = newsroom.add("thief-1", "reporter")
    thief.start()
    newsroom.world.meet(editor, reporter, thief)
    with command(thief, "enrol", code) as stolen, command(reporter, "enrol", code) as joining:
        wait_until(stolen.words, within_s=WITHIN_S, what="the thief is shown words")
        wait_until(
            lambda: editor.ask("desk", "pending")["invitations"][-1]["alarm"],
            within_s=WITHIN_S,
            what="the alarm",
        )
        confirm(editor, joining)
        assert joining.ends()["name"] == "reporter-1"
        assert stolen.process.poll() is None
        assert stolen.lines()[-1]["progress"] != "joined"
    with command(thief, "enrol", code) as stolen:
        with pytest.raises(subprocess.TimeoutExpired):
            stolen.process.wait(timeout=10)
        assert stolen.lines()[-1]["progress"] == "seeking"


def test_a_machine_in_the_middle_makes_the_words_differ_and_no_card_leaves(
    newsroom: Newsroom,
) -> None:
    """It has the code, and all that the editor's machine has: it plays the desk to the reporter."""
    world, editor = newsroom.world, newsroom.world.machines["editor-1"]
    code = invite(newsroom, "--byline", "reporter-1")
    reporter, thief, double = (
        newsroom.add(name, role)
        for name, role in (
            ("reporter-1", "reporter"),
            ("thief-1", "reporter"),
            ("double-1", "relay"),
        )
    )
    editor.stop()
    shutil.rmtree(double.home)
    shutil.copytree(editor.home, double.home)
    for machine in (editor, double, reporter, thief):
        machine.start()
    world.meet(editor, thief)
    world.meet(double, reporter)
    with command(thief, "enrol", code) as stolen, command(reporter, "enrol", code) as joining:
        wait_until(stolen.words, within_s=WITHIN_S, what="the one in the middle is shown words")
        wait_until(joining.words, within_s=WITHIN_S, what="the reporter is shown words")
        (visitor,) = editor.ask("desk", "pending")["joiners"]
        at_the_desk = [word["word"] for word in visitor["words"]]
        assert at_the_desk == stolen.words()
        assert at_the_desk != joining.words()
        editor.cli("desk", "pending", "--refuse", str(visitor["number"]), check=False)
        joining.says("n")
        assert joining.process.wait(timeout=WITHIN_S) != 0
        wait_until(
            lambda: not editor.ask("desk", "pending")["joiners"],
            within_s=WITHIN_S,
            what="the one in the middle is gone",
        )
        assert "joined" not in {line.get("progress") for line in stolen.lines() + joining.lines()}
    for machine in (reporter, thief):
        findings = {one["check"]: one for one in ask_doctor(machine)}
        assert "card" not in findings
    assert state(editor) != "used"
