"""Runs in the virtual machine: two real daemons, one adapter each, and what befalls them.

Each claim that held, or did not, is a line of /out/results.jsonl; `test_machine.py`
reads them.  A claim that fails does not keep the next from being looked at.
"""

import contextlib
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshnews_cli.main import run as run_cli
from tests.bluetooth.homes import DESK, REPORTER
from tests.vm.machine import BLUETOOTHD

OUT: Final = Path("/out")
HOMES: Final = Path("/run/homes")
"""In memory: what the host shares cannot hold databases."""


def say(*words: object) -> None:
    print(f"[{time.monotonic():7.1f}]", *words, flush=True)


def wait_until(claim: Callable[[], Any], *, within_s: float, what: str) -> Any:
    end = time.monotonic() + within_s
    while True:
        answer = claim()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.2)


class Results:
    """The claims so far."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self.facts: dict[str, object] = {}

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[dict[str, object]]:
        facts: dict[str, object] = {}
        began = time.monotonic()
        say("--", name)
        try:
            yield facts
        except Exception:
            facts["fault"] = traceback.format_exc(limit=4)
        facts["took_s"] = round(time.monotonic() - began, 1)
        say("  ", "FAILED" if "fault" in facts else "held", facts)
        self._file.write(json.dumps({"name": name, **facts}) + "\n")
        self._file.flush()


class Bluetoothd:
    """The real one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        with (OUT / "bluetoothd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(BLUETOOTHD), "-n", "-f", "/etc/bluetooth/main.conf", *words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def bluez(*words: str) -> str:
    """Ask BlueZ over the bus, as `busctl` does."""
    done = subprocess.run(["busctl", "--system", *words], text=True, capture_output=True)
    return done.stdout + done.stderr


def power(adapter: str, on: bool) -> None:
    state = "true" if on else "false"
    bluez("set-property", "org.bluez", f"/org/bluez/{adapter}", "org.bluez.Adapter1",
          "Powered", "b", state)  # fmt: skip


@dataclass
class Machine:
    """One home and its daemon."""

    name: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return HOMES / self.name

    def start(self) -> None:
        with (OUT / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "meshnewsd", "--passphrase-file", str(HOMES / "passphrase")],
                env={**os.environ, "MESHNEWS_HOME": str(self.home)},
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def await_running(self) -> None:
        wait_until(lambda: self.cli("neighbours")[0] == 0, within_s=60, what=f"{self.name} answers")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def cli(self, *words: str) -> tuple[int, str]:
        """Run the command line, in this process: Python takes long to start in here."""
        os.environ["MESHNEWS_HOME"] = str(self.home)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            status = run_cli([*words, "--passphrase-file", str(HOMES / "passphrase")])
        return status, printed.getvalue()

    def ask(self, *words: str) -> Any:
        status, printed = self.cli(*words, "--json")
        assert status == 0, (words, printed)
        return json.loads(printed)

    @property
    def links(self) -> list[dict[str, Any]]:
        return list(self.ask("neighbours")["neighbours"])

    def cpu_s(self) -> float:
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def linked(*machines: Machine) -> bool:
    return all(machine.links for machine in machines)


class Story:
    """What befalls the two machines, one thing after the other."""

    def __init__(self) -> None:
        self.results = Results(OUT / "results.jsonl")
        self.bluetoothd = Bluetoothd()
        self.desk, self.reporter = Machine(DESK), Machine(REPORTER)
        self._dice = random.Random(7)

    def tell(self) -> None:
        claim = self.results.claim
        self.bluetoothd.start()
        wait_until(lambda: "hci1" in bluez("tree", "org.bluez"), within_s=30, what="BlueZ is up")
        for machine in (self.desk, self.reporter):
            machine.start()
        for machine in (self.desk, self.reporter):
            machine.await_running()
        with claim("linked") as facts:
            began = time.monotonic()
            wait_until(lambda: linked(self.desk, self.reporter), within_s=20, what="a link")
            facts["linked_s"] = round(time.monotonic() - began, 1)
            facts["carriers"] = [link["carrier"] for link in self.desk.links]
        with claim("flash"):
            self.file("flash.txt", "Shots at the square.", "--flash")
            self.arrives("Shots at the square.")
        with claim("text"):
            self.file("text.txt", "All quiet since noon.")
            self.arrives("All quiet since noon.")
        with claim("receipts"):
            wait_until(self.all_received, within_s=30, what="receipts")
        with claim("picture") as facts:
            began = time.monotonic()
            picture = self.picture(300_000)
            self.file(f"{picture.stem}.txt", "With a picture.", "--attach", str(picture))
            self.arrives_with(picture)
            facts["kB_per_s"] = round(300 / (time.monotonic() - began), 1)

    def file(self, name: str, text: str, *words: str) -> None:
        path = HOMES / name
        path.write_text(text, encoding="utf-8")
        status, printed = self.reporter.cli("file", str(path), "--slug", path.stem, "--now", *words)
        assert status == 0, printed

    def picture(self, size: int) -> Path:
        path = HOMES / f"picture{self._dice.randrange(10**6)}.bin"
        path.write_bytes(self._dice.randbytes(size))
        return path

    def items(self) -> list[dict[str, Any]]:
        return list(self.desk.ask("inbox")["items"])

    def arrives(self, text: str, within_s: float = 30.0) -> None:
        opened: dict[str, str] = {}

        def is_there() -> bool:
            for item in self.items():
                if item["id"] not in opened:
                    opened[item["id"]] = self.desk.ask("open", item["id"])["text"]
            return text in opened.values()

        wait_until(is_there, within_s=within_s, what=f"{text!r} is at the desk")

    def arrives_with(self, picture: Path, within_s: float = 60.0) -> None:
        wanted = hashlib.sha256(picture.read_bytes()).hexdigest()

        def is_there() -> bool:
            slug = next(
                (item for item in self.items() if item["slug"] == self._slug_of(picture)), None
            )
            return slug is not None and slug["attachments"] == slug["attachments_complete"] == 1

        wait_until(is_there, within_s=within_s, what="the picture is at the desk")
        (item,) = [each for each in self.items() if each["slug"] == self._slug_of(picture)]
        folder = HOMES / f"saved-{picture.stem}"
        folder.mkdir()
        status, printed = self.desk.cli("open", item["id"], "--save", str(folder))
        assert status == 0, printed
        digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
        assert wanted in digests, "not the same bytes"

    def _slug_of(self, picture: Path) -> str:
        return picture.stem

    def all_received(self) -> bool:
        states = [each["state"] for each in self.reporter.ask("status")["dispatches"]]
        return all(state in {"received", "read"} for state in states)


def main() -> int:
    subprocess.run(["cp", "-a", str(OUT / "homes"), str(HOMES)], check=True)
    story = Story()
    try:
        story.tell()
    finally:
        for machine in (story.desk, story.reporter):
            if machine.process is not None:
                machine.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
