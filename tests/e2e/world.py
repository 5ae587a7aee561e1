"""Machines for end-to-end tests: network namespaces, real daemons, the real command line.

Every machine is a namespace with one cable into a hub namespace.  Nobody hears
anybody until `meet` joins two or more cables to one bridge; `part` takes them
off again.  Addresses stay: machine n is 10.77.0.n and fd77::n.  All names and
processes are this run's own, and `World` takes them away on the way out.
"""

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FAKETIME_LIBRARIES: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
PORT: Final = 7117
PASSPHRASE: Final = "correct horse battery staple"


class CommandFailed(AssertionError):
    """A command of ours ended with an exit status that was not expected."""


def run(*words: str, check: bool = True, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """Run one command and return what it printed."""
    done = subprocess.run(words, text=True, capture_output=True, check=False, **kwargs)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(words)}\n{done.stdout}\n{done.stderr}")
    return done


def wait_until(claim: Callable[[], Any], *, within_s: float, what: str) -> Any:
    """Return the first truthy answer of `claim`; fail after `within_s`."""
    end = time.monotonic() + within_s
    while True:
        answer = claim()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.1)


@dataclass
class Time:
    """What a machine's clocks say: the wall clock's offset or start, and whether it is believed."""

    fake: str = ""
    """A libfaketime word such as ``+6h`` or ``@1970-01-01 00:10:00``; empty: the real time."""
    trusted: bool = True


@dataclass
class Machine:
    """One home, and the daemon that runs it."""

    name: str
    number: int
    world: "World"
    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    neighbours: list[tuple["Machine", str]] = field(default_factory=list)
    time: Time = field(default_factory=Time)
    program: tuple[str, ...] = ("meshnewsd",)
    """The module that is its daemon, and what stands before the daemon's own arguments."""
    boot: int = 0
    has_vault: bool = False
    host_name: str = ""
    """What the system calls the machine; empty: what it calls this one."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def namespace(self) -> str:
        return f"{self.world.prefix}{self.number}"

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number}"

    @property
    def log(self) -> Path:
        return self.world.folder / f"{self.name}.log"

    @property
    def passphrase_file(self) -> Path:
        return self.world.folder / "passphrase"

    # Where its processes run ------------------------------------------

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, "MESHNEWS_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        if self.time.fake:
            library = next(path for path in FAKETIME_LIBRARIES if Path(path).exists())
            environment |= {
                "LD_PRELOAD": library,
                "FAKETIME": self.time.fake,
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        return environment

    def _inside(self, *words: str) -> list[str]:
        # Each boot has an identifier of its own, as the kernel would give it.
        identifier = self.world.folder / f"{self.name}.boot{self.boot}"
        if not identifier.exists():
            raw = secrets.token_hex(16)
            identifier.write_text(
                f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}\n", encoding="ascii"
            )
        script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
        enter = ["ip", "netns", "exec", self.namespace, "sh", "-c", script, str(identifier)]
        if self.host_name:
            rename = ["sh", "-c", 'hostname "$0" && exec "$@"', self.host_name]
            enter += ["unshare", "--uts", *rename]
        return [*enter, *words]

    # Its configuration ----------------------------------------------------

    def configure(self) -> None:
        """Write the configuration file from `settings` and `neighbours`."""
        lines = [f'clock = "{"trusted" if self.time.trusted else "untrusted"}"']
        lines += [f"{key} = {value}" for key, value in self.settings.items()]
        for other, key in self.neighbours:
            lines += ["", "[[neighbour]]", f'at = "{other.address}:{PORT}"', f'relay = "{key}"']
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.home / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    # The daemon -----------------------------------------------------------

    def start(self, *, ready_within_s: float = 20.0) -> None:
        """Start the daemon and wait until its control socket answers."""
        assert self.process is None, f"{self.name} runs already"
        self.configure()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._inside(
                    sys.executable,
                    "-m",
                    *self.program,
                    "--passphrase-file",
                    str(self.passphrase_file),
                ),
                env=self._environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        wait_until(
            lambda: self._alive() and self.cli("neighbours", "--json", check=False).returncode == 0,
            within_s=ready_within_s,
            what=f"{self.name} answers; its log:\n{self.tail()}",
        )

    def _alive(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended ({self.process.returncode}):\n{self.tail()}")
        return True

    def tail(self) -> str:
        """Return the end of the daemon's log."""
        text = self.log.read_text("utf-8", errors="replace") if self.log.exists() else ""
        return text[-3000:]

    def kill(self) -> None:
        """End the daemon as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> float:
        """End the daemon kindly; return how many seconds it took."""
        began = time.monotonic()
        self._end(signal.SIGTERM)
        return time.monotonic() - began

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(timeout=10)
        self.process = None

    def bury(self, *, within_s: float = 10.0) -> None:
        """Wait for a daemon to end that kills itself."""
        assert self.process is not None, f"{self.name} does not run"
        self.process.wait(timeout=within_s)
        self.process = None

    def reboot(self, *, at: Time | None = None, kindly: bool = False) -> None:
        """Power off and on again, perhaps believing another time."""
        if kindly:
            self.stop()
        else:
            self.kill()
        self.boot += 1
        if at is not None:
            self.time = at
        self.start()

    # The command line -------------------------------------------------------

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Start `meshnews … --json` on this machine and do not wait for it."""
        if self.has_vault:
            words = (*words, "--passphrase-file", str(self.passphrase_file))
        return subprocess.Popen(
            self._inside(sys.executable, "-m", "meshnews_cli", *words, "--json"),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def cli(
        self, *words: str, check: bool = True, stdin: str | None = None, secret: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `meshnews` on this machine."""
        if secret and self.has_vault:
            words = (*words, "--passphrase-file", str(self.passphrase_file))
        return run(
            *self._inside(sys.executable, "-m", "meshnews_cli", *words),
            check=check,
            input=stdin,
            env=self._environment(),
            timeout=120,
        )

    def ask(self, *words: str) -> Any:
        """Run `meshnews … --json` and return what it printed, decoded."""
        return json.loads(self.cli(*words, "--json").stdout)


class World:
    """A hub, its machines, and a folder for everything they write."""

    machine_type: type[Machine] = Machine

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"mn{secrets.token_hex(2)}-"
        self.machines: dict[str, Machine] = {}
        self._numbers = itertools.count(1)
        self._bridges: dict[str, list[str]] = {}
        self._hub = f"{self.prefix}hub"
        self._raise_hub()
        (folder / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
        (folder / "passphrase").chmod(0o600)

    def _raise_hub(self) -> None:
        run("ip", "netns", "add", self._hub)
        run("ip", "-n", self._hub, "link", "set", "lo", "up")

    def machine(self, name: str, **settings: str) -> Machine:
        """Add a machine, joined to nobody."""
        machine = self.machine_type(name, next(self._numbers), self, self.folder / name / "home")
        machine.settings = {"port": str(PORT), **settings}
        self.machines[name] = machine
        self._plug_in(machine)
        return machine

    def _plug_in(self, machine: Machine) -> None:
        """Give a machine its namespace, with a cable into the hub."""
        namespace, cable = machine.namespace, f"c{machine.number}"
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "link", "add", cable, "netns", self._hub, "type", "veth",
            "peer", "name", "eth0", "netns", namespace)  # fmt: skip
        run("ip", "-n", namespace, "address", "add", f"{machine.address}/24", "dev", "eth0")
        run("ip", "-n", namespace, "address", "add", f"fd77::{machine.number}/64",
            "dev", "eth0", "nodad")  # fmt: skip
        run("ip", "-n", namespace, "link", "set", "eth0", "up")
        # A default route for multicast, which finders need.
        run("ip", "-n", namespace, "route", "add", "224.0.0.0/4", "dev", "eth0")

    @property
    def hub(self) -> str:
        """The namespace that all cables lead into."""
        return self._hub

    def meet(self, *machines: Machine) -> str:
        """Put machines on one network; return the name of its bridge in the hub."""
        bridge = f"b{len(self._bridges)}-{secrets.token_hex(2)}"
        run("ip", "-n", self._hub, "link", "add", bridge, "type", "bridge")
        run("ip", "-n", self._hub, "link", "set", bridge, "up")
        for machine in machines:
            cable = f"c{machine.number}"
            run("ip", "-n", self._hub, "link", "set", cable, "master", bridge)
            run("ip", "-n", self._hub, "link", "set", cable, "up")
        self._bridges[bridge] = [machine.name for machine in machines]
        return bridge

    def part(self, *machines: Machine) -> None:
        """Take machines off whatever network they are on."""
        for machine in machines:
            cable = f"c{machine.number}"
            run("ip", "-n", self._hub, "link", "set", cable, "down")
            run("ip", "-n", self._hub, "link", "set", cable, "nomaster")

    def capture(self, machine: Machine, to: Path) -> contextlib.AbstractContextManager[None]:
        """Record every packet at a machine's cable."""
        return self._record(machine.namespace, "eth0", to)

    def capture_all(self, bridge: str, to: Path) -> contextlib.AbstractContextManager[None]:
        """Record every packet on a network, by the name that `meet` returned."""
        return self._record(self._hub, bridge, to)

    @contextlib.contextmanager
    def _record(self, namespace: str, interface: str, to: Path) -> Iterator[None]:
        recorder = subprocess.Popen(
            [
                "ip",
                "netns",
                "exec",
                namespace,
                "tcpdump",
                "-i",
                interface,
                "-s",
                "0",
                "-U",
                "--immediate-mode",
                "-w",
                str(to),
            ],  # fmt: skip
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert recorder.stderr is not None
        recorder.stderr.readline()
        try:
            yield
        finally:
            recorder.terminate()
            recorder.wait(timeout=10)
            recorder.stderr.close()

    def close(self) -> None:
        """End every daemon and remove every namespace."""
        for machine in self.machines.values():
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                machine.kill()
        self._remove_namespaces()

    def _remove_namespaces(self) -> None:
        for machine in self.machines.values():
            run("ip", "netns", "delete", machine.namespace, check=False)
        run("ip", "netns", "delete", self._hub, check=False)


@contextlib.contextmanager
def open_world(folder: Path | None = None) -> Iterator[World]:
    """Make a world in `folder` (or one of its own) and take it away afterwards."""
    own = folder is None
    place = Path(tempfile.mkdtemp(prefix="mn")) if folder is None else folder
    world = World(place)
    try:
        yield world
    finally:
        world.close()
        if own:
            shutil.rmtree(place, ignore_errors=True)


def find_marker(markers: Mapping[str, bytes], haystack: bytes) -> list[str]:
    """Return the names of the markers that stand in `haystack`."""
    return [name for name, marker in markers.items() if marker in haystack]


def memory_of(process_id: int) -> Iterator[bytes]:
    """Yield the readable memory of a process, region by region."""
    with Path(f"/proc/{process_id}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process_id}/maps").read_text("ascii").splitlines():
            span, rights, *_ = line.split()
            if "r" not in rights or "[v" in line:
                continue
            start, end = (int(word, 16) for word in span.split("-"))
            with contextlib.suppress(OSError, ValueError):
                memory.seek(start)
                yield memory.read(end - start)


def files_under(folder: Path) -> Sequence[Path]:
    """Return every regular file below `folder`."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
