"""In the virtual machine: bluetoothd, daemons with their homes, and the claims made of them."""

import contextlib
import io
import json
import os
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

from meshnews.control.place import SOCKET_NAME
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


def bluez(path: str, method: str, *words: str) -> str:
    """Ask BlueZ over the bus; see dbus-send(1)."""
    asked = ["dbus-send", "--system", "--print-reply", "--dest=org.bluez", path, method, *words]
    done = subprocess.run(asked, text=True, capture_output=True, check=False)
    return done.stdout + done.stderr


def has_adapter(adapter: str) -> bool:
    said = bluez("/", "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
    return f'"/org/bluez/{adapter}"' in said


def power(adapter: str, on: bool) -> None:
    """Power an adapter on or off: BlueZ refuses as long as it is at it already."""
    state = f"variant:boolean:{str(on).lower()}"
    words = ("string:org.bluez.Adapter1", "string:Powered", state)

    def is_done() -> bool:
        said = bluez(f"/org/bluez/{adapter}", "org.freedesktop.DBus.Properties.Set", *words)
        assert "Error" not in said or "org.bluez.Error.Busy" in said, said
        return "Error" not in said

    wait_until(is_done, within_s=10, what=f"{adapter} takes {state}")


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
        from meshnews_cli.main import run as run_cli

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
