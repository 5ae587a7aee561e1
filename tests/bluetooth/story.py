"""Told in the virtual machine: what befalls two real daemons, one adapter each.

Each claim that held, or did not, is a line of /out/results.jsonl; `test_machine.py`
reads them.  A claim that fails does not keep the next from being looked at.
"""

import hashlib
import json
import os
import random
import time
from pathlib import Path
from typing import Any, Final

import trio

from tests.bluetooth.homes import DESK, EPOCH_S
from tests.bluetooth.radios import compare_with_bare_loop, held_connection, shown, silent_channels
from tests.bluetooth.stage import HOMES, OUT, Bluetoothd, Machine, Results, power, wait_until
from tests.shell.fake_kernel import RADIO_VARIABLE
from tests.vm.machine import TREE
from tests.vm.stick import FileSystem, Stick

FLOOD_PER_S: Final = 10
FLOOD_S: Final = 8
EPOCHS_S: Final = 3 * (EPOCH_S + 5) + 5
"""Three epochs of adverts, with the gaps between them, and the beginning of a fourth."""

ALONE_S: Final = 30.0
"""How much of that nothing happens at least."""

PICTURE_BYTES: Final = 300_000
LARGE_PICTURE_BYTES: Final = 1_000_000
"""Not much more, since what is above 1 MiB waits (decision 0153)."""

AWAY_S: Final = 2.0
"""How long bluetoothd is dead; the machines' own sockets outlive it."""

CONTRACT_WORDS: Final = (
    *("-q", "-p", "no:cacheprovider", "-c", str(TREE / "pyproject.toml"), "--color=no"),
    str(TREE / "tests/contract/test_transport_contract.py"),
    # In here each plugin takes a second to load: those that are needed, and no others.
    *("-p", "pytest_trio.plugin", "--noconftest"),
    # A channel has no halves that can be closed one by one.
    *("-k", "real and not leaves_the_other_open"),
)


def linked(*machines: Machine) -> bool:
    return all(machine.links for machine in machines)


class Story:
    """What befalls the two machines, one thing after the other."""

    def __init__(self, bluetoothd: Bluetoothd, desk: Machine, reporter: Machine) -> None:
        self.results = Results(OUT / "results.jsonl")
        self.bluetoothd = bluetoothd
        self.desk, self.reporter = desk, reporter
        self.claim = self.results.claim
        self._dice = random.Random(7)
        self._began_s = 0.0
        self.pictures: list[Path] = []

    def tell(self) -> None:
        """Tell all of it."""
        self.machines_meet()
        self.dispatches_cross()
        self.strangers_attack()
        self.epochs_pass()
        self.bluez_is_killed()
        self.far_side_vanishes()
        self.all_is_received()
        self.sticks_are_written()
        self.radios_alone()
        self.power_goes()

    def tell_in_short(self) -> None:
        """Tell what takes no more than a minute."""
        self.machines_meet()
        self.dispatches_cross()
        self.bluez_is_killed()
        self.all_is_received()
        self.sticks_are_written()
        self.power_goes()

    def machines_meet(self) -> None:
        for machine in self.machines:
            machine.await_running()
        self._began_s = time.monotonic()
        with self.claim("linked") as facts:
            self.await_links(within_s=90)
            facts["linked_s"] = round(time.monotonic() - self._began_s, 1)
            # A second call puts an end to the first: for a moment there may be none.
            facts["carriers"] = wait_until(
                lambda: [link["carrier"] for link in self.desk.links], within_s=20, what="a link"
            )

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
        with self.claim("one-link-each"):
            # A second one is closed after the first message (decision 0152).
            wait_until(lambda: self.link_counts() == [1, 1], within_s=5, what="one link each")

    def epochs_pass(self) -> None:
        """Nothing happens, beside a stranger, until three epochs have passed."""
        with self.claim("idle") as facts, shown("hci2", os.urandom(20)):
            before, began = [machine.cpu_s() for machine in self.machines], time.monotonic()
            time.sleep(max(ALONE_S, self._began_s + EPOCHS_S - began))
            took = time.monotonic() - began
            shares = [m.cpu_s() - b for m, b in zip(self.machines, before, strict=True)]
            facts["emulated_cpu_percent"] = [round(100 * share / took, 1) for share in shares]
            facts["captured"] = len((OUT / "capture.jsonl").read_bytes().splitlines())
            self.await_links(within_s=20)

    def bluez_is_killed(self) -> None:
        """In mid-transfer; on a fast machine what was crossing is whole before it is back."""
        with self.claim("bluetoothd-killed") as facts:
            crossing = [self.file_picture(LARGE_PICTURE_BYTES)]
            self.await_part_of(crossing[0])
            self.bluetoothd.kill()
            assert not self.has_whole(crossing[0]), "too late: all of it has crossed"
            back_at = time.monotonic() + AWAY_S
            while time.monotonic() < back_at:
                if self.has_whole(crossing[-1]):
                    crossing.append(self.file_picture(LARGE_PICTURE_BYTES))
                time.sleep(0.05)
            self.bluetoothd.start()
            facts["filed_meanwhile"] = len(crossing) - 1
            crossing.append(self.file_picture())
            for picture in crossing:
                self.arrives_with(picture, within_s=180)

    def far_side_vanishes(self) -> None:
        with self.claim("far-side-vanished"):
            picture = self.file_picture(LARGE_PICTURE_BYTES)
            self.await_part_of(picture)
            self.reporter.kill()
            self.reporter.start()
            self.reporter.await_running()
            self.arrives_with(picture, within_s=90)

    def all_is_received(self) -> None:
        with self.claim("all-received"):
            wait_until(self.all_received, within_s=40, what="receipts for all")

    def sticks_are_written(self) -> None:
        """A picture is saved on sticks as they are sold, and is there when they come back."""
        for kind in FileSystem:
            with self.claim(f"stick-{kind}"):
                stick = Stick.format(kind, HOMES / f"{kind}.image")
                at = HOMES / f"stick-{kind}"
                with stick.plugged_in(at):
                    self.save(self.pictures[0], at)
                with stick.plugged_in(at):
                    assert self.is_saved(self.pictures[0], at), "not the same bytes"

    def strangers_attack(self) -> None:
        with self.claim("silent-channels") as facts:
            # One who calls as an epoch ends meets nobody: the desk's next address has just begun.
            former = self.address_of_desk()
            wait_until(
                lambda: self.address_of_desk() != former, within_s=60, what="another address"
            )
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

    def address_of_desk(self) -> str:
        """Return the address under which the desk was last seen to advertise."""
        lines = (OUT / "capture.jsonl").read_text("ascii").splitlines()
        adverts = [json.loads(line) for line in lines if '"advert", "sender": "hci0"' in line]
        return str(adverts[-1]["address"]).partition("/")[0]

    def place_of_desk(self) -> str:
        """Return where the desk can be called, as who listens and tries ports finds out."""
        address = self.address_of_desk().lower().replace(":", ".")
        said = (OUT / f"{DESK}.log").read_text("utf-8").splitlines()
        taken = [line for line in said if "port taken transport=bluetooth" in line]
        return f"random.{address}:{taken[-1].rpartition('port=')[2]}"

    def radios_alone(self) -> None:
        """On two other adapters: the transport itself."""
        import pytest  # here, since it takes long, and nobody else waits for it

        with held_connection() as held:
            with self.claim("throughput") as facts:
                facts.update(trio.run(compare_with_bare_loop, held))
            with self.claim("contract") as facts:
                os.environ[RADIO_VARIABLE] = held.where
                os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
                facts["status"] = int(pytest.main(list(CONTRACT_WORDS)))
                assert facts["status"] == 0

    def power_goes(self) -> None:
        """Last of all: on some kernels nothing works after this."""
        self.await_links(within_s=60)
        with self.claim("power") as facts:
            facts["links"] = self.link_counts()
            began = time.monotonic()
            power("hci1", on=False)
            wait_until(lambda: not self.desk.links, within_s=30, what="the link is lost")
            facts["lost_s"] = round(time.monotonic() - began, 1)
            wait_until(self.is_said_to_be_off, within_s=10, what="the doctor says it")
            power("hci1", on=True)
            self.file("after", "Back on the air.")
            self.arrives("Back on the air.", within_s=60)
            facts["doctor"] = self.bluetooth_finding(self.reporter)

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.desk, self.reporter

    def link_counts(self) -> list[int]:
        return [len(machine.links) for machine in self.machines]

    def await_links(self, within_s: float) -> None:
        wait_until(lambda: linked(*self.machines), within_s=within_s, what="a link")

    def is_said_to_be_off(self) -> bool:
        return self.bluetooth_finding(self.reporter) == "off"

    def bluetooth_finding(self, machine: Machine) -> str:
        _, printed = machine.cli("doctor", "--json")
        findings = json.loads(printed)["findings"]
        return next((str(each["name"]) for each in findings if each["check"] == "bluetooth"), "")

    def file(self, slug: str, text: str, *words: str) -> None:
        path = HOMES / f"{slug}.txt"
        path.write_text(text, encoding="utf-8")
        status, printed = self.reporter.cli("file", str(path), "--slug", slug, "--now", *words)
        assert status == 0, printed

    def file_picture(self, size: int = PICTURE_BYTES) -> Path:
        path = HOMES / f"picture{self._dice.randrange(10**6)}.bin"
        path.write_bytes(self._dice.randbytes(size))
        self.file(path.stem, "With a picture.", "--attach", str(path))
        self.pictures.append(path)
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
        self.save(picture, folder)
        assert self.is_saved(picture, folder), "not the same bytes"

    def save(self, picture: Path, folder: Path) -> None:
        words = ("open", str(self.has_whole(picture)), "--save", str(folder))
        status, printed = self.desk.cli(*words)
        assert status == 0, printed

    @staticmethod
    def is_saved(picture: Path, folder: Path) -> bool:
        wanted = hashlib.sha256(picture.read_bytes()).digest()
        return wanted in [hashlib.sha256(file.read_bytes()).digest() for file in folder.iterdir()]

    def all_received(self) -> bool:
        states = [each["state"] for each in self.reporter.ask("status")["dispatches"]]
        return all(state in {"received", "read"} for state in states)
