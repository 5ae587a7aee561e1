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
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from meshnews.control.place import SOCKET_NAME
from meshnews_cli.main import run as run_cli
from tests.bluetooth.homes import DESK, EPOCH_S, REPORTER
from tests.bluetooth.radios import compare_with_bare_loop, held_connection, shown
from tests.shell.fake_kernel import RADIO_VARIABLE
from tests.vm.machine import BLUETOOTHD, TREE

OUT: Final = Path("/out")
HOMES: Final = Path("/run/homes")
"""In memory: what the host shares cannot hold databases."""


EPOCHS_S: Final = 85
PICTURE_BYTES: Final = 300_000

CONTRACT_WORDS: Final = (
    *("-q", "-p", "no:cacheprovider", "-c", str(TREE / "pyproject.toml")),
    str(TREE / "tests/contract/test_transport_contract.py"),
    # A channel has no halves that can be closed one by one.
    *("-k", "real and not leaves_the_other_open"),
)


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
        except Exception:  # noqa: BLE001  the story goes on, whatever went wrong
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
    done = subprocess.run(
        ["busctl", "--system", *words], text=True, capture_output=True, check=False
    )
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
        self.process = subprocess.Popen(
            [sys.executable, "-m", "meshnewsd", "--passphrase-file", str(HOMES / "passphrase")],
            env={**os.environ, "MESHNEWS_HOME": str(self.home)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        threading.Thread(target=self._stamp, args=[self.process], daemon=True).start()

    def _stamp(self, process: "subprocess.Popen[bytes]") -> None:
        """Keep what the daemon says, with the time, which it leaves to others."""
        assert process.stdout is not None
        with (OUT / f"{self.name}.log").open("a", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(f"[{time.monotonic():7.1f}] {line.decode(errors='replace')}")
                log.flush()

    def await_running(self) -> None:
        socket = self.home / SOCKET_NAME
        wait_until(socket.exists, within_s=180, what=f"{self.name} has a control socket")
        wait_until(lambda: self.cli("neighbours")[0] == 0, within_s=60, what=f"{self.name} answers")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        (self.home / SOCKET_NAME).unlink(missing_ok=True)

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
        self.claim = self.results.claim
        self._dice = random.Random(7)

    def tell(self) -> None:
        self.begin()
        self.dispatches_cross()
        self.epochs_pass()
        self.things_break()
        self.radios_alone()
        self.power_goes()

    def begin(self) -> None:
        for adapter in Path("/sys/kernel/debug/bluetooth").glob("hci*"):
            (adapter / "rpa_timeout").write_text(f"{EPOCH_S}\n", encoding="ascii")
        self.bluetoothd.start()
        wait_until(lambda: "hci2" in bluez("tree", "org.bluez"), within_s=30, what="BlueZ is up")
        for machine in self.machines:
            machine.start()
        for machine in self.machines:
            machine.await_running()
        with self.claim("linked") as facts:
            began = time.monotonic()
            self.await_links(within_s=20)
            facts["linked_s"] = round(time.monotonic() - began, 1)
            facts["carriers"] = [link["carrier"] for link in self.desk.links]

    def dispatches_cross(self) -> None:
        with self.claim("flash"):
            self.file("flash", "Shots at the square.", "--flash")
            self.arrives("Shots at the square.")
        with self.claim("text"):
            self.file("text", "All quiet since noon.")
            self.arrives("All quiet since noon.")
        with self.claim("receipts"):
            wait_until(self.all_received, within_s=30, what="receipts")
        with self.claim("picture") as facts:
            began = time.monotonic()
            self.arrives_with(self.file_picture())
            facts["kB_per_s"] = round(PICTURE_BYTES / 1000 / (time.monotonic() - began), 1)
        with self.claim("one-link-each") as facts:
            facts["links"] = [len(machine.links) for machine in self.machines]

    def things_break(self) -> None:
        with self.claim("bluetoothd-killed"):
            picture = self.file_picture()
            self.await_part_of(picture)
            self.bluetoothd.kill()
            time.sleep(2)
            self.bluetoothd.start()
            self.arrives_with(picture)
        with self.claim("far-side-vanished"):
            picture = self.file_picture()
            self.await_part_of(picture)
            self.reporter.kill()
            self.reporter.start()
            self.reporter.await_running()
            self.arrives_with(picture, within_s=90)
        with self.claim("all-received"):
            wait_until(self.all_received, within_s=40, what="receipts for all")

    def epochs_pass(self) -> None:
        """Nothing happens, beside a stranger, for three epochs after the first."""
        with self.claim("idle") as facts, shown("hci2", os.urandom(20)):
            before, began = [machine.cpu_s() for machine in self.machines], time.monotonic()
            time.sleep(EPOCHS_S)
            took = time.monotonic() - began
            shares = [m.cpu_s() - b for m, b in zip(self.machines, before, strict=True)]
            facts["emulated_cpu_percent"] = [round(100 * share / took, 1) for share in shares]
            facts["captured"] = len((OUT / "capture.jsonl").read_bytes().splitlines())
            self.await_links(within_s=20)

    def radios_alone(self) -> None:
        """Without daemons: the transport itself."""
        for machine in self.machines:
            machine.kill()
        with held_connection() as held:
            with self.claim("throughput") as facts:
                facts.update(trio.run(compare_with_bare_loop, held))
            with self.claim("contract") as facts:
                os.environ[RADIO_VARIABLE] = held.where
                facts["status"] = int(pytest.main(list(CONTRACT_WORDS)))
                assert facts["status"] == 0
        with self.claim("filesystems"):
            known = Path("/proc/filesystems").read_text("ascii").split()
            assert {"vfat", "exfat"} <= set(known)

    def power_goes(self) -> None:
        """Last of all: on some kernels nothing works after this."""
        for machine in self.machines:
            machine.start()
        for machine in self.machines:
            machine.await_running()
        self.await_links(within_s=60)
        with self.claim("power") as facts:
            power("hci1", on=False)
            wait_until(lambda: not self.desk.links, within_s=30, what="the link is lost")
            facts["doctor"] = self.bluetooth_finding(self.reporter)
            power("hci1", on=True)
            self.file("after", "Back on the air.")
            self.arrives("Back on the air.", within_s=60)
            facts["doctor_again"] = self.bluetooth_finding(self.reporter)

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.desk, self.reporter

    def await_links(self, within_s: float) -> None:
        wait_until(lambda: linked(*self.machines), within_s=within_s, what="a link")

    def bluetooth_finding(self, machine: Machine) -> str:
        _, printed = machine.cli("doctor", "--json")
        findings = json.loads(printed)["findings"]
        return next((str(each["name"]) for each in findings if each["check"] == "bluetooth"), "")

    def file(self, slug: str, text: str, *words: str) -> None:
        path = HOMES / f"{slug}.txt"
        path.write_text(text, encoding="utf-8")
        status, printed = self.reporter.cli("file", str(path), "--slug", slug, "--now", *words)
        assert status == 0, printed

    def file_picture(self) -> Path:
        path = HOMES / f"picture{self._dice.randrange(10**6)}.bin"
        path.write_bytes(self._dice.randbytes(PICTURE_BYTES))
        self.file(path.stem, "With a picture.", "--attach", str(path))
        return path

    def await_part_of(self, picture: Path) -> None:
        """Wait until some of a picture has crossed, and not all."""
        seen, before = 0, self.crossed()

        def is_under_way() -> bool:
            nonlocal seen, before
            now = self.crossed()
            # A link made afresh counts from nothing.
            seen, before = seen + (now - before if now >= before else now), now
            return seen > 60_000

        wait_until(is_under_way, within_s=30, what="a part of it")
        assert not self.has_whole(picture), "too late: all of it has crossed"

    def crossed(self) -> int:
        return sum(link["bytes_received"] for link in self.desk.links)

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

    def has_whole(self, picture: Path) -> str | None:
        """Return the dispatch that brought a picture, once all of it is here."""
        for item in self.items():
            if item["slug"] == picture.stem and item["attachments_complete"] == 1:
                return str(item["id"])
        return None

    def arrives_with(self, picture: Path, within_s: float = 60.0) -> None:
        wait_until(lambda: self.has_whole(picture), within_s=within_s, what="the picture")
        folder = HOMES / f"saved-{picture.stem}"
        folder.mkdir()
        status, printed = self.desk.cli("open", str(self.has_whole(picture)), "--save", str(folder))
        assert status == 0, printed
        wanted = hashlib.sha256(picture.read_bytes()).digest()
        saved = [hashlib.sha256(file.read_bytes()).digest() for file in folder.iterdir()]
        assert wanted in saved, "not the same bytes"

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
