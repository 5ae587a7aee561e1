"""A server with a fresh Debian 12, its own systemd running: a container in a machine's namespace.

The root is made once, by debootstrap, and kept under ``build/``; each server writes
into a layer of its own that goes with it.  It has the network of its namespace and no
other: what the page lets apt-get and pip fetch has been put into apt's cache, and beside
pip's configuration, when the root was made.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.e2e.world import run, wait_until

TREE: Final = Path(__file__).parents[2]
ROOT: Final = TREE / "build" / "debian-12"
WHEELS: Final = TREE / "build" / "wheels"
MIRROR: Final = "http://deb.debian.org/debian"
PROGRAMS: Final = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
}
PIP: Final = "[global]\nno-index = true\nfind-links = /srv/wheels\n"
CGROUPS: Final = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
BOOT_S_MAX: Final = 120.0
STOP_S_MAX: Final = 60.0


def missing() -> list[str]:
    """Return the Debian packages that are needed here and not installed."""
    return [package for program, package in PROGRAMS.items() if shutil.which(program) is None]


def make_root(*packages: str) -> None:
    """Make the root, if it is not there, with `packages` in apt's cache but not installed."""
    if ROOT.exists():
        return
    ROOT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as place:
        root = Path(place) / "root"
        run("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv",
            "bookworm", str(root), MIRROR, timeout=1200)  # fmt: skip
        quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
        fetch = ["apt-get", "install", "--yes", "--download-only", *packages]
        for words in (["apt-get", "update"], fetch):
            run("chroot", str(root), *words, env=quietly, timeout=600)
        root.rename(ROOT)


def make_wheels() -> None:
    """Make a wheel of this tree, and fetch those of what it needs where they are not there."""
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(WHEELS))
    for old in WHEELS.glob("meshnews-*.whl"):
        old.unlink()
    run(*pip, "--find-links", str(WHEELS), str(TREE), timeout=600)


class Server:
    """A running system; everything said to it goes by `shell`."""

    def __init__(self, leader: int) -> None:
        self._enter = ("nsenter", "--target", str(leader), "--all", "--")

    def shell(self, script: str, *, stdin: str = "") -> str:
        """Run a script as root would type it, each line only if the one before succeeded."""
        home = {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        words = ("sh", "-ec", f"cd /root\n{script}")
        return run(*self._enter, *words, input=stdin, env=home, timeout=600).stdout


@contextlib.contextmanager
def boot(folder: Path, namespace: str) -> Iterator[Server]:
    """Boot a server in a network namespace, with everything it writes under `folder`."""
    with contextlib.ExitStack() as undo:
        root = undo.enter_context(_layer(folder))
        shutil.copytree(WHEELS, root / "srv" / "wheels")
        (root / "etc" / "pip.conf").write_text(PIP)
        group = undo.enter_context(_cgroup(folder.name))
        words = ["systemd-nspawn", "--quiet", "--boot", "--directory", str(root), "--register=no",
                 f"--network-namespace-path=/run/netns/{namespace}", "--resolv-conf=off",
                 "--link-journal=no", "--console=read-only"]  # fmt: skip
        if not Path("/run/systemd/system").exists():
            words.append("--keep-unit")
        log = undo.enter_context((folder / "console.log").open("wb"))
        container = subprocess.Popen(
            ["sh", "-c", f'for g in {group}; do echo $$ >"$g/cgroup.procs"; done; exec "$@"',
             "sh", *words],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            leader = wait_until(
                lambda: _init_of(container), within_s=20, what="the container begins"
            )
            server = Server(leader)
            # A unit that does not suit a container leaves it "degraded", which is up too.
            wait_until(
                lambda: (
                    server.shell("systemctl is-system-running || :").strip()
                    in {"running", "degraded"}
                ),
                within_s=BOOT_S_MAX,
                what=f"it is up\n{(folder / 'console.log').read_text('utf-8', 'replace')}",
            )
            yield server
        finally:
            _stop(container)


def _stop(container: "subprocess.Popen[bytes]") -> None:
    """Shut a container down as a person would; after `STOP_S_MAX` as a power cut would."""
    if container.poll() is not None:
        return
    leader = _init_of(container)
    container.send_signal(signal.SIGTERM)
    try:
        container.wait(timeout=STOP_S_MAX)
    except subprocess.TimeoutExpired:
        if leader is not None:
            os.kill(leader, signal.SIGKILL)
        container.kill()
        container.wait(timeout=10)


def _init_of(container: "subprocess.Popen[bytes]") -> int | None:
    """Return the container's first process, once it is there."""
    assert container.poll() is None, "the container has ended"
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    for child in map(int, children):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return child
    return None


@contextlib.contextmanager
def _layer(folder: Path) -> Iterator[Path]:
    """Yield a root that is the clean one, with what is written to it kept apart."""
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir(parents=True)
    options = f"lowerdir={ROOT},upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(root))
    try:
        yield root
    finally:
        run("umount", "--recursive", str(root))


@contextlib.contextmanager
def _cgroup(name: str) -> Iterator[str]:
    """Yield groups of processes for a container alone, where the kernel's trees begin."""
    trees = [Path(tree) for tree in CGROUPS if (Path(tree) / "cgroup.procs").exists()]
    groups = [tree / f"{name}-{os.getpid()}" for tree in trees]
    for group in groups:
        group.mkdir()
    try:
        yield " ".join(map(str, groups))
    finally:
        for group in groups:
            for each in sorted(group.rglob("*/"), reverse=True):
                each.rmdir()
            group.rmdir()
