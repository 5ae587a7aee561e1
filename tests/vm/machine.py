"""A virtual machine with a real kernel's Bluetooth and a real bluetoothd, and no radio.

    host                                      guest
    tests.vm.controllers (bumble)             /dev/vhci -- kernel -- bluetoothd
        \\-- UNIX sockets -- QEMU serial ports -- pump --/

The guest's root is the host's own file system, read-only, under a layer in memory,
so the same Python runs the same checkout.  It has no network.  `python -m tests.vm
SCRIPT.py` runs any script in it as root; `tests.vm.stick` has sticks for it.
Plain emulation: no right to hardware is needed, and none is used.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.vm.initramfs import build_initramfs

TREE: Final = Path(__file__).resolve().parents[2]
CACHE: Final = TREE / "build" / "vm"
KERNEL: Final = CACHE / "linux"
MAKERS: Final = CACHE / "makers"
"""What makes file systems: unpacked for the guest, and not installed."""

BUMBLE: Final = "bumble==0.0.236"
BLUETOOTHD: Final = Path("/usr/libexec/bluetooth/bluetoothd")

PROGRAMS: Final = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "dbus-daemon": "dbus-daemon",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
}
MAKERS_PACKAGES: Final = ("dosfstools", "exfatprogs")

KERNEL_SOUND: Final = "linux-image-6.1.0-50-amd64"
"""6.1.176.  Those from 6.1.192 on (seen: to -2) end whoever closes a channel whose connection
failed before: see docs/bluetooth.md."""

KERNEL_NEWEST: Final = "linux-image-amd64"
"""Needs the newest there is; taken where the other is gone."""

MAIN_CONF: Final = """\
[General]
ControllerMode = dual
FastConnectable = true
Privacy = {privacy}
[GATT]
Cache = no
Channels = 1
[Policy]
AutoEnable = true
"""


class Unavailable(Exception):
    """The machine cannot be had here, for the reason in words."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    status: int
    console: str
    folder: Path

    @property
    def capture(self) -> Path:
        """What crossed the air."""
        return self.folder / "capture.jsonl"


@dataclass(frozen=True)
class Boot:
    """How to boot.

    Attributes:
        script: what to run in the guest.
        words: its arguments.
        controllers: how many adapters there are.
        privacy: what bluetoothd's configuration says of random addresses.
        seconds: how long the script may take.
    """

    script: Path
    words: tuple[str, ...] = ()
    controllers: int = 2
    privacy: str = "device"
    seconds: float = 240.0


def prepare() -> None:
    """Gather what a boot needs, once.

    Raises:
        Unavailable: something cannot be had here.
    """
    missing = [package for name, package in PROGRAMS.items() if shutil.which(name) is None]
    if not BLUETOOTHD.exists():
        missing.append("bluez")
    if missing:
        raise Unavailable(f"these Debian packages are missing: {' '.join(missing)}")
    if os.uname().machine != "x86_64":
        raise Unavailable("the virtual machine is for x86-64 hosts")
    if os.geteuid() != 0:
        raise Unavailable("the guest reads the host's files as root")
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (KERNEL / "initramfs").exists():
        _unpack_kernel()
        busybox = Path(shutil.which("busybox") or "busybox")
        build_initramfs(KERNEL, busybox, KERNEL / "initramfs")
    if not (MAKERS / "ready").exists():
        _unpack_makers()
    if not (CACHE / "python" / "ready").exists():
        _make_environment()
    _compile()


def _compile() -> None:
    """Write byte code down: each Python of the guest would make its own, for half a minute."""
    folders = [str(TREE / name) for name in ("meshnews", "daemon", "cli", "tests")]
    _output(sys.executable, "-m", "compileall", "-q", *folders)


def _unpack_kernel() -> None:
    """Fetch a kernel of the distribution's: the one for clouds has no Bluetooth."""
    try:
        package = _download(KERNEL_SOUND)
    except subprocess.CalledProcessError:
        package = _download_newest()
    shutil.rmtree(KERNEL, ignore_errors=True)
    _output("dpkg-deb", "-x", str(package), str(KERNEL))
    package.unlink()


def _download_newest() -> Path:
    try:
        depends = _output("apt-cache", "depends", KERNEL_NEWEST)
        name = next(line.split()[1] for line in depends.splitlines() if "Depends:" in line)
        return _download(name)
    except (subprocess.CalledProcessError, StopIteration) as exc:
        raise Unavailable(f"the package {KERNEL_NEWEST} cannot be fetched") from exc


def _unpack_makers() -> None:
    try:
        for name in MAKERS_PACKAGES:
            package = _download(name)
            _output("dpkg-deb", "-x", str(package), str(MAKERS))
            package.unlink()
    except subprocess.CalledProcessError as exc:
        raise Unavailable(f"the packages {' '.join(MAKERS_PACKAGES)} cannot be fetched") from exc
    (MAKERS / "ready").touch()


def _download(name: str) -> Path:
    _output("apt-get", "download", name, cwd=CACHE)
    (package,) = CACHE.glob(f"{name}_*.deb")
    return package


def _make_environment() -> None:
    where = CACHE / "python"
    try:
        _output(sys.executable, "-m", "venv", "--clear", str(where))
        _output(str(where / "bin/pip"), "install", "-q", BUMBLE)
    except subprocess.CalledProcessError as exc:
        raise Unavailable(f"{BUMBLE} cannot be installed") from exc
    (where / "ready").touch()


def _output(*words: str, cwd: Path | None = None) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd=cwd).stdout


def boot(how: Boot, folder: Path) -> Outcome:
    """Boot, run the script, power off; `folder` is /out in the guest.

    Raises:
        Unavailable: see `prepare`.
    """
    prepare()
    folder.mkdir(parents=True, exist_ok=True)
    _write_settings(how, folder)
    with tempfile.TemporaryDirectory(prefix="mnvm") as place:
        sockets = [Path(place) / f"hci{number}" for number in range(how.controllers)]
        with _controllers(sockets, folder):
            console = _run_qemu(how, folder, sockets)
    _check_pump(folder / "pump.log")
    status = folder / "status"
    return Outcome(int(status.read_text("ascii")) if status.exists() else -1, console, folder)


def _write_settings(how: Boot, folder: Path) -> None:
    (modules,) = (KERNEL / "lib").glob("modules")
    settings = {
        "python": sys.executable,
        "tree": TREE,
        "modules": modules,
        "script": how.script.resolve(),
        "words": " ".join(how.words),
        "controllers": how.controllers,
        "seconds": how.seconds,
    }
    lines = [f"{name}='{value}'\n" for name, value in settings.items()]
    (folder / "settings").write_text("".join(lines), encoding="utf-8")
    (folder / "main.conf").write_text(MAIN_CONF.format(privacy=how.privacy), encoding="ascii")
    shutil.copyfile(Path(__file__).parent / "guest" / "begin", folder / "begin")


def _check_pump(log: Path) -> None:
    """Make sure that what joins kernel and controllers ran to the end: it says nothing else."""
    said = log.read_text("utf-8") if log.exists() else ""
    assert not said, f"controllers and kernel came apart:\n{said}"


@contextlib.contextmanager
def _controllers(sockets: list[Path], folder: Path) -> Iterator[None]:
    script = Path(__file__).with_name("controllers.py")
    words = [str(CACHE / "python/bin/python"), str(script), str(folder / "capture.jsonl")]
    with (folder / "controllers.log").open("wb") as log:
        serving = subprocess.Popen(
            [*words, *map(str, sockets)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            end = time.monotonic() + 60
            while b"ready" not in (folder / "controllers.log").read_bytes():
                assert serving.poll() is None, (folder / "controllers.log").read_text()
                assert time.monotonic() < end, "the controllers do not start"
                time.sleep(0.1)
            yield
        finally:
            serving.kill()
            serving.wait()


def _run_qemu(how: Boot, folder: Path, sockets: list[Path]) -> str:
    (kernel,) = (KERNEL / "boot").glob("vmlinuz-*")
    words = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-M", "q35"),
        *("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"),
        *("-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(KERNEL / "initramfs")),
        *("-append", "console=ttyS0 quiet loglevel=3 panic=-1"),
        *("-fsdev", "local,id=h,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=h,mount_tag=host"),
        *("-fsdev", f"local,id=o,path={folder},security_model=none"),
        *("-device", "virtio-9p-pci,fsdev=o,mount_tag=out"),
        *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
    ]
    for number, where in enumerate(sockets):
        words += ["-chardev", f"socket,id=b{number},path={where}"]
        words += ["-device", f"virtserialport,chardev=b{number},name=hci{number}"]
    with (folder / "console.log").open("wb") as console:
        running = subprocess.Popen(words, stdout=console, stderr=console, stdin=subprocess.DEVNULL)
        try:
            running.wait(timeout=how.seconds + 120)
        except subprocess.TimeoutExpired:
            pass
        finally:
            running.kill()
            running.wait()
    return (folder / "console.log").read_text("utf-8", errors="replace")
