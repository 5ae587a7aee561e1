"""Runs in the virtual machine: two real daemons, one adapter each, and what befalls them.

Each claim that held, or did not, is a line of /out/results.jsonl; `test_machine.py`
reads them.  A claim that fails does not keep the next from being looked at.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.bluetooth.homes import DESK, EPOCH_S, REPORTER
from tests.bluetooth.radios import compare_with_bare_loop, held_connection, shown, silent_channels
from tests.bluetooth.stage import (
    HOMES,
    OUT,
    Bluetoothd,
    Machine,
    Results,
    has_adapter,
    power,
    wait_until,
)
from tests.shell.fake_kernel import RADIO_VARIABLE
from tests.vm.machine import TREE

FLOOD_PER_S: Final = 10
FLOOD_S: Final = 8
EPOCHS_S: Final = 85
PICTURE_BYTES: Final = 300_000

CONTRACT_WORDS: Final = (
    *("-q", "-p", "no:cacheprovider", "-c", str(TREE / "pyproject.toml")),
    str(TREE / "tests/contract/test_transport_contract.py"),
    # A channel has no halves that can be closed one by one.
    *("-k", "real and not leaves_the_other_open"),
)


def linked(*machines: Machine) -> bool:
    return all(machine.links for machine in machines)


class Story:
    """What befalls the two machines, one thing after the other."""

    def __init__(self) -> None:
        self.results = Results(OUT / "results.jsonl")
        self.bluetoothd = Bluetoothd()
        self.desk, self.reporter = Machine(DESK), Machine(REPORTER)
        self.claim = self.results.claim
        self._dice = random.Random(7)

    def tell(self) -> None:
        self.begin()
        self.dispatches_cross()
        self.epochs_pass()
        self.strangers_attack()
        self.things_break()
        self.radios_alone()
        self.power_goes()

    def begin(self) -> None:
        for adapter in Path("/sys/kernel/debug/bluetooth").glob("hci*"):
            (adapter / "rpa_timeout").write_text(f"{EPOCH_S}\n", encoding="ascii")
        self.bluetoothd.start()
        wait_until(lambda: has_adapter("hci3"), within_s=30, what="BlueZ is up")
        for machine in self.machines:
            machine.start()
        for machine in self.machines:
            machine.await_running()
        with self.claim("linked") as facts:
            began = time.monotonic()
            self.await_links(within_s=20)
            facts["linked_s"] = round(time.monotonic() - began, 1)
            facts["carriers"] = [link["carrier"] for link in self.desk.links]

    def dispatches_cross(self) -> None:
        with self.claim("flash"):
            self.file("flash", "Shots at the square.", "--flash")
            self.arrives("Shots at the square.")
        with self.claim("text"):
            self.file("text", "All quiet since noon.")
            self.arrives("All quiet since noon.")
        with self.claim("receipts"):
            wait_until(self.all_received, within_s=30, what="receipts")
        with self.claim("picture") as facts:
            began = time.monotonic()
            self.arrives_with(self.file_picture())
            facts["kB_per_s"] = round(PICTURE_BYTES / 1000 / (time.monotonic() - began), 1)
        with self.claim("one-link-each") as facts:
            facts["links"] = [len(machine.links) for machine in self.machines]

    def things_break(self) -> None:
        with self.claim("bluetoothd-killed"):
            picture = self.file_picture()
            self.await_part_of(picture)
            self.bluetoothd.kill()
            time.sleep(2)
            self.bluetoothd.start()
            self.arrives_with(picture)
        with self.claim("far-side-vanished"):
            picture = self.file_picture()
            self.await_part_of(picture)
            self.reporter.kill()
            self.reporter.start()
            self.reporter.await_running()
            self.arrives_with(picture, within_s=90)
        with self.claim("all-received"):
            wait_until(self.all_received, within_s=40, what="receipts for all")

    def epochs_pass(self) -> None:
        """Nothing happens, beside a stranger, for three epochs after the first."""
        with self.claim("idle") as facts, shown("hci2", os.urandom(20)):
            before, began = [machine.cpu_s() for machine in self.machines], time.monotonic()
            time.sleep(EPOCHS_S)
            took = time.monotonic() - began
            shares = [m.cpu_s() - b for m, b in zip(self.machines, before, strict=True)]
            facts["emulated_cpu_percent"] = [round(100 * share / took, 1) for share in shares]
            facts["captured"] = len((OUT / "capture.jsonl").read_bytes().splitlines())
            self.await_links(within_s=20)

    def strangers_attack(self) -> None:
        with self.claim("silent-channels") as facts:
            facts["open"] = trio.run(silent_channels, "hci2", self.place_of_desk())
            self.file("quiet", "In spite of a caller who says nothing.")
            self.arrives("In spite of a caller who says nothing.")
        with self.claim("flood") as facts:
            # `tests.vm.controllers` reads it.
            (OUT / "flood").write_text(str(FLOOD_PER_S), encoding="ascii")
            before, began = self.desk.cpu_s(), time.monotonic()
            time.sleep(FLOOD_S)
            self.file("crowd", "In spite of a crowd.")
            self.arrives("In spite of a crowd.")
            share = (self.desk.cpu_s() - before) / (time.monotonic() - began)
            facts["emulated_cpu_percent"] = round(100 * share, 1)
            (OUT / "flood").unlink()

    def place_of_desk(self) -> str:
        """Return where the desk can be called, as who listens and tries ports finds out."""
        lines = (OUT / "capture.jsonl").read_text("ascii").splitlines()
        adverts = [json.loads(line) for line in lines if '"advert", "sender": "hci0"' in line]
        address = str(adverts[-1]["address"]).partition("/")[0].lower().replace(":", ".")
        said = (OUT / f"{DESK}.log").read_text("utf-8").splitlines()
        taken = [line for line in said if "port taken transport=bluetooth" in line]
        return f"random.{address}:{taken[-1].rpartition('port=')[2]}"

    def radios_alone(self) -> None:
        """On two other adapters: the transport itself."""
        with held_connection() as held:
            with self.claim("throughput") as facts:
                facts.update(trio.run(compare_with_bare_loop, held))
            with self.claim("contract") as facts:
                os.environ[RADIO_VARIABLE] = held.where
                facts["status"] = int(pytest.main(list(CONTRACT_WORDS)))
                assert facts["status"] == 0
        with self.claim("filesystems"):
            known = Path("/proc/filesystems").read_text("ascii").split()
            assert {"vfat", "exfat"} <= set(known)

    def power_goes(self) -> None:
        """Last of all: on some kernels nothing works after this."""
        self.await_links(within_s=60)
        with self.claim("power") as facts:
            power("hci1", on=False)
            wait_until(lambda: not self.desk.links, within_s=30, what="the link is lost")
            facts["doctor"] = self.bluetooth_finding(self.reporter)
            power("hci1", on=True)
            self.file("after", "Back on the air.")
            self.arrives("Back on the air.", within_s=60)
            facts["doctor_again"] = self.bluetooth_finding(self.reporter)

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.desk, self.reporter

    def await_links(self, within_s: float) -> None:
        wait_until(lambda: linked(*self.machines), within_s=within_s, what="a link")

    def bluetooth_finding(self, machine: Machine) -> str:
        _, printed = machine.cli("doctor", "--json")
        findings = json.loads(printed)["findings"]
        return next((str(each["name"]) for each in findings if each["check"] == "bluetooth"), "")

    def file(self, slug: str, text: str, *words: str) -> None:
        path = HOMES / f"{slug}.txt"
        path.write_text(text, encoding="utf-8")
        status, printed = self.reporter.cli("file", str(path), "--slug", slug, "--now", *words)
        assert status == 0, printed

    def file_picture(self) -> Path:
        path = HOMES / f"picture{self._dice.randrange(10**6)}.bin"
        path.write_bytes(self._dice.randbytes(PICTURE_BYTES))
        self.file(path.stem, "With a picture.", "--attach", str(path))
        return path

    def await_part_of(self, picture: Path) -> None:
        """Wait until some of a picture has crossed, and not all."""
        seen, before = 0, self.crossed()

        def is_under_way() -> bool:
            nonlocal seen, before
            now = self.crossed()
            # A link made afresh counts from nothing.
            seen, before = seen + (now - before if now >= before else now), now
            return seen > 60_000

        wait_until(is_under_way, within_s=30, what="a part of it")
        assert not self.has_whole(picture), "too late: all of it has crossed"

    def crossed(self) -> int:
        return sum(link["bytes_received"] for link in self.desk.links)

    def items(self) -> list[dict[str, Any]]:
        return list(self.desk.ask("inbox")["items"])

    def arrives(self, text: str, within_s: float = 30.0) -> None:
        opened: dict[str, str] = {}

        def is_there() -> bool:
            for item in self.items():
                if item["id"] not in opened:
                    opened[item["id"]] = self.desk.ask("open", item["id"])["text"]
            return text in opened.values()

        wait_until(is_there, within_s=within_s, what=f"{text!r} is at the desk")

    def has_whole(self, picture: Path) -> str | None:
        """Return the dispatch that brought a picture, once all of it is here."""
        for item in self.items():
            if item["slug"] == picture.stem and item["attachments_complete"] == 1:
                return str(item["id"])
        return None

    def arrives_with(self, picture: Path, within_s: float = 60.0) -> None:
        wait_until(lambda: self.has_whole(picture), within_s=within_s, what="the picture")
        folder = HOMES / f"saved-{picture.stem}"
        folder.mkdir()
        status, printed = self.desk.cli("open", str(self.has_whole(picture)), "--save", str(folder))
        assert status == 0, printed
        wanted = hashlib.sha256(picture.read_bytes()).digest()
        saved = [hashlib.sha256(file.read_bytes()).digest() for file in folder.iterdir()]
        assert wanted in saved, "not the same bytes"

    def all_received(self) -> bool:
        states = [each["state"] for each in self.reporter.ask("status")["dispatches"]]
        return all(state in {"received", "read"} for state in states)


def main() -> int:
    subprocess.run(["cp", "-a", str(OUT / "homes"), str(HOMES)], check=True)
    story = Story()
    try:
        story.tell()
    finally:
        for machine in (story.desk, story.reporter):
            if machine.process is not None:
                machine.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
