"""Builds the small first file system of the virtual machine: busybox and the kernel modules
that it needs to mount the host's own files as its root.

cpio in the "new ASCII" form (cpio(5)), packed with gzip.
"""

import gzip
import subprocess
from pathlib import Path
from typing import Final

MODULES: Final = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng")

INIT: Final = r"""#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
while read m; do $B insmod /m/$m || echo "insmod $m failed"; done < /m/order
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /lower
$B mount -t tmpfs tmpfs /rw; $B mkdir /rw/u /rw/w
$B mount -t overlay -o lowerdir=/lower,upperdir=/rw/u,workdir=/rw/w overlay /new
$B mkdir -p /new/out /new/proc /new/sys /new/dev
$B mount -t 9p -o trans=virtio,version=9p2000.L,rw,msize=512000 out /new/out
for d in proc sys dev; do $B mount --move /$d /new/$d; done
$B mount -t tmpfs tmpfs /new/run
exec $B switch_root /new /bin/sh /out/begin
"""


def build_initramfs(kernel_tree: Path, busybox: Path, to: Path) -> None:
    """Write the archive for the one kernel whose files lie under `kernel_tree`."""
    (modules,) = (kernel_tree / "lib/modules").iterdir()
    subprocess.run(["depmod", "-b", str(kernel_tree), modules.name], check=True)
    order = _in_order(modules)
    archive = _Archive()
    for folder in ("bin", "m", "proc", "sys", "dev", "lower", "rw", "new"):
        archive.add(folder, 0o040755)
    archive.add("dev/console", 0o020600, device=(5, 1))
    archive.add("bin/busybox", 0o100755, busybox.read_bytes())
    archive.add("init", 0o100755, INIT.encode())
    for path in order:
        archive.add(f"m/{Path(path).name}", 0o100644, (modules / path).read_bytes())
    names = "".join(f"{Path(path).name}\n" for path in order)
    archive.add("m/order", 0o100644, names.encode())
    to.write_bytes(gzip.compress(archive.whole(), 6, mtime=0))


def _in_order(modules: Path) -> list[str]:
    """Return the modules' files, each after those it needs."""
    needs: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text("ascii").splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in MODULES:
        path = by_name[name]
        order += [each for each in (*reversed(needs[path]), path) if each not in order]
    return order


class _Archive:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._count = 0

    def add(
        self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self._count += 1
        raw = name.encode() + b"\0"
        head = [self._count, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0]
        self._put(b"070701" + b"".join(b"%08x" % number for number in head) + raw)
        self._put(content)

    def _put(self, piece: bytes) -> None:
        self._parts.append(piece + bytes(-len(piece) % 4))

    def whole(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return b"".join(self._parts)
