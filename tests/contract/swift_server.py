"""OpenStack Swift with s3api, as a real S3 server on loopback, in a folder of its own.

One replica, no mount check, no memcached: enough for a bucket.  It runs by the
system's own Python (Debian: swift-proxy swift-account swift-container swift-object).
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.contract.drop_servers import free_port

ACCESS_KEY, SECRET, REGION, BUCKET = "desk:keeper", "bucketsecret", "us-east-1", "drop"
SERVERS = ("account", "container", "object")

COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
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
def swift(folder: Path) -> Iterator[str]:
    """Run Swift with an empty account; yields the address of a bucket yet to be made."""
    ports = {kind: free_port() for kind in (*SERVERS, "proxy")}
    (folder / "disk" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n"
        "[storage-policy:0]\nname = only\ndefault = yes\n"
    )
    user = os.environ.get("USER") or "root"
    for kind in (*SERVERS, "proxy"):
        head = COMMON.format(port=ports[kind], folder=folder, user=user)
        tail = PROXY if kind == "proxy" else STORE.format(kind=kind)
        (folder / f"{kind}.conf").write_text(head + tail)
    for kind in SERVERS:
        _build_ring(folder / f"{kind}.builder", f"r1z1-127.0.0.1:{ports[kind]}/d1")
    with contextlib.ExitStack() as running:
        for kind in (*SERVERS, "proxy"):
            running.enter_context(_server(kind, folder, ports[kind]))
        yield f"http://127.0.0.1:{ports['proxy']}/{BUCKET}"


def _build_ring(file: Path, device: str) -> None:
    for words in (["create", "4", "1", "1"], ["add", device, "1"], ["rebalance"]):
        done = subprocess.run(
            ["/usr/bin/python3", "/usr/bin/swift-ring-builder", str(file), *words],
            check=False,
            capture_output=True,
            text=True,
            env=_environment(),
        )
        # 1 is a warning, such as that one copy is few.
        assert done.returncode in {0, 1}, done.stdout + done.stderr


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


@contextlib.contextmanager
def _server(kind: str, folder: Path, port: int) -> Iterator[None]:
    with (folder / f"{kind}.log").open("wb") as log:
        server = subprocess.Popen(
            ["/usr/bin/python3", f"/usr/bin/swift-{kind}-server", str(folder / f"{kind}.conf")],
            stdout=log,
            stderr=log,
            env=_environment(),
        )
    try:
        _wait_for(server, port, folder / f"{kind}.log")
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if server.poll() is not None or time.monotonic() > end:
            raise AssertionError(log.read_text("utf-8", errors="replace")[-2000:])
        time.sleep(0.2)
