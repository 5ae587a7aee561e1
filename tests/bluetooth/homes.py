"""Homes of a small desk, made by the command line on the host, to be moved into the guest."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PASSPHRASE: Final = "correct horse battery staple"

DESK: Final = "desk"
REPORTER: Final = "reporter"
"""One machine of editor and collector, and one of a reporter."""

EPOCH_S: Final = 30
"""The shortest time for which the kernel can be told to keep an address."""

SETTINGS: Final = {
    "beacon_epoch_s": f"{EPOCH_S}.0",
    "clock": '"trusted"',
    "hold_s": "0.0",
    "hold_flash_s": "0.0",
    "hold_receipt_s": "0.0",
    "batch_s": "2.0",
    "batch_flash_s": "2.0",
    "log_level": '"debug"',
}


def make_homes(folder: Path, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Make a desk in `folder`/desk and its reporter in `folder`/reporter."""
    folder.mkdir(parents=True)
    passphrase = folder / "passphrase"
    passphrase.write_text(PASSPHRASE, encoding="utf-8")
    passphrase.chmod(0o600)
    for name, role in ((DESK, ("editor", "--endpoint")), (REPORTER, ("reporter",))):
        _cli(folder, name, "init", "--role", *role)
        lines = [f"{key} = {value}\n" for key, value in {**SETTINGS, **settings[name]}.items()]
        (folder / name / "config.toml").write_text("".join(lines), encoding="utf-8")
    (folder / "root").mkdir()
    _cli(folder, DESK, "desk", "create", "Desk of tests", "--root-folder", str(folder / "root"),
         "--root-passphrase-file", str(passphrase))  # fmt: skip
    request, card = folder / "request", folder / "card"
    _cli(folder, REPORTER, "enrol", "--request", str(request))
    _cli(folder, DESK, "desk", "card", str(request), "--byline", "a reporter",
         "-o", str(card), "--words-compared")  # fmt: skip
    _cli(folder, REPORTER, "enrol", "--card", str(card), "--words-compared")


def _cli(folder: Path, name: str, *words: str) -> None:
    home = folder / name
    home.mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "meshnews_cli",
            *words,
            "--passphrase-file",
            str(folder / "passphrase"),
        ],
        env={**os.environ, "MESHNEWS_HOME": str(home)},
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
