"""Real servers for dead drops, on loopback, in a folder of their own; None where not installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log warn;
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/files; client_max_body_size 1m;
    location / {{ dav_methods PUT DELETE; dav_ext_methods PROPFIND OPTIONS;
                  auth_basic "files"; auth_basic_user_file {folder}/users; }}
  }}
}}
"""
MODULE = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
USER, PASSWORD = "keeper", "of files"


def has_webdav() -> bool:
    """Tell whether a real WebDAV server can be started here."""
    return shutil.which("nginx") is not None and MODULE.exists()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def nginx(
    folder: Path, *, address: str = "127.0.0.1", within: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run nginx with a WebDAV folder; yields its address.

    Args:
        folder: for everything it writes.
        address: where it listens.
        within: what a command begins with that is to run in a namespace.
    """
    port = free_port()
    (folder / "files" / "drop").mkdir(parents=True)
    (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    text = NGINX.format(folder=folder, port=port).replace("127.0.0.1", address)
    if os.geteuid() == 0:
        text = f"user root;\n{text}"
    (folder / "conf").write_text(text)
    server = subprocess.Popen([*within, "nginx", "-p", str(folder), "-c", str(folder / "conf")])
    try:
        _wait(lambda: (folder / "pid").exists() and bool((folder / "pid").read_text()))
        yield f"http://{address}:{port}/drop"
    finally:
        server.terminate()
        server.wait(timeout=10)


def _wait(claim: object) -> None:
    assert callable(claim)
    end = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.05)
