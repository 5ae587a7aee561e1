"""A demonstration that is ended before its end takes away what it began."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.world import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_it_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    rooms = os.pathsep.join(str(ROOT / room) for room in (".", "daemon", "cli"))
    show = subprocess.Popen(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": rooms},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: list(tmp_path.glob("demo*/editor-1/home/version")),
            within_s=60,
            what="the editor has a home",
        )
        show.send_signal(number)
        show.wait(timeout=60)
    finally:
        show.kill()
        show.wait()
    assert list(tmp_path.iterdir()) == []
