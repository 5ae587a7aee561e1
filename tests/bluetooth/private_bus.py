"""A D-Bus of our own, which everything in this process takes for the system's."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    {rule}
  </policy>
</busconfig>
"""


class PrivateBus:
    """A bus of our own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        self._configuration = folder / "bus.conf"

    def write(self, rule: str = "") -> None:
        """Write down one rule more, in place of the one before; good once the bus reads it."""
        text = CONFIGURATION.format(socket=self.socket, rule=rule)
        self._configuration.write_text(text, encoding="utf-8")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it."""
        self.write()
        running = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self._configuration}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )
        try:
            assert running.stdout is not None
            running.stdout.readline()
            yield
        finally:
            running.terminate()
            running.wait(10)
            if running.stdout is not None:
                running.stdout.close()


@contextlib.contextmanager
def private_bus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    """Run a bus of our own, which everything in this process takes for the system's."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("the Debian package dbus-daemon is missing")
    bus = PrivateBus(folder)
    with bus.running():
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={bus.socket}")
        yield bus
