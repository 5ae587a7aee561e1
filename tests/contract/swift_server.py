"""OpenStack Swift with s3api, as a real S3 server on loopback, in a folder of its own.

One replica, no mount check, no memcached: enough for a bucket.  It runs by the
system's own Python (Debian: swift-proxy swift-account swift-container swift-object).
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.contract.drop_servers import free_port

ACCESS_KEY, SECRET, REGION, BUCKET = "desk:keeper", "bucketsecret", "us-east-1", "drop"
SERVERS = ("account", "container", "object")
START_S_MAX = 240.0
"""Four servers, each a second and a half of a processor that may be busy."""

RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, *words = sys.argv[1:]
for kind, port in zip(words[::2], words[1::2]):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev(
        dict(region=1, zone=1, ip="127.0.0.1", port=int(port), device="d1", weight=1.0)
    )
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
"""

COMMON = """
[DEFAULT]
bind_ip = {address}
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/disk
mount_check = false
log_level = WARNING
disable_fallocate = true
fallocate_reserve = 0
"""
STORE = """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
PROXY = """
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_desk_keeper = bucketsecret .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
check_bucket_owner = false
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


def has_swift() -> bool:
    """Tell whether Swift can be started here."""
    needed = ["swift-ring-builder", *(f"swift-{kind}-server" for kind in (*SERVERS, "proxy"))]
    return all(shutil.which(each) for each in needed)


@contextlib.contextmanager
def swift(
    folder: Path, *, address: str = "127.0.0.1", within: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run Swift with an empty account; yields the address of a bucket yet to be made.

    Args:
        folder: for everything it writes; objects are files below ``disk``.
        address: where the service listens.
        within: what a command begins with that is to run in a namespace.
    """
    ports = {kind: free_port() for kind in (*SERVERS, "proxy")}
    (folder / "disk" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n"
        "[storage-policy:0]\nname = only\ndefault = yes\n"
    )
    user = os.environ.get("USER") or "root"
    for kind in (*SERVERS, "proxy"):
        where = address if kind == "proxy" else "127.0.0.1"
        head = COMMON.format(address=where, port=ports[kind], folder=folder, user=user)
        tail = PROXY if kind == "proxy" else STORE.format(kind=kind)
        (folder / f"{kind}.conf").write_text(head + tail)
    _build_rings(folder, ports)
    with contextlib.ExitStack() as running:
        servers = {
            kind: running.enter_context(_server(kind, folder, within))
            for kind in (*SERVERS, "proxy")
        }
        for kind, server in servers.items():
            where = address if kind == "proxy" else "127.0.0.1"
            _wait_for(server, (where, ports[kind]), within, folder / f"{kind}.log")
        yield f"http://{address}:{ports['proxy']}/{BUCKET}"


def _build_rings(folder: Path, ports: Mapping[str, int]) -> None:
    """Let all servers know where the one copy of everything lies."""
    words = [word for kind in SERVERS for word in (kind, str(ports[kind]))]
    subprocess.run(
        ["/usr/bin/python3", "-c", RINGS, str(folder), *words], check=True, env=_environment()
    )


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


@contextlib.contextmanager
def _server(
    kind: str, folder: Path, within: tuple[str, ...]
) -> Iterator["subprocess.Popen[bytes]"]:
    program = ["/usr/bin/python3", f"/usr/bin/swift-{kind}-server"]
    with (folder / f"{kind}.log").open("wb") as log:
        server = subprocess.Popen(
            [*within, *program, str(folder / f"{kind}.conf")],
            stdout=log,
            stderr=log,
            env=_environment(),
        )
    try:
        yield server
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait_for(
    server: "subprocess.Popen[bytes]", where: tuple[str, int], within: tuple[str, ...], log: Path
) -> None:
    call = f"import socket; socket.create_connection({where!r}, 1)"
    end = time.monotonic() + START_S_MAX
    while True:
        asked = [*within, sys.executable, "-c", call]
        if subprocess.run(asked, check=False, capture_output=True).returncode == 0:
            return
        if server.poll() is not None or time.monotonic() > end:
            raise AssertionError(log.read_text("utf-8", errors="replace")[-2000:])
        time.sleep(0.2)
