"""A file of which three neighbours hold a third each, and a fourth nothing: real daemons."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from meshnews.bundle.format import Bundle
from meshnews.ids import Day
from meshnewsd.compose import open_home
from tests.bench.load import Press, issuer_of, put
from tests.e2e.newsroom import Newsroom
from tests.e2e.tallying import blocks_in, bytes_in
from tests.e2e.test_crowds import held
from tests.e2e.world import PASSPHRASE, Machine, World, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILE_BYTES = 50_000_000
NAMES = ("holder-1", "holder-2", "holder-3", "fourth")


def relays(world: World) -> tuple[list[Machine], Press]:
    """Return four relays of one desk that know each other, and who makes what they carry."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    machines = [newsroom.add(name, "relay") for name in NAMES]
    for number, machine in enumerate(machines):
        newsroom.enrol(editor, machine, near=NAMES[:number])
        machine.program = ("tests.e2e.tallying", str(tally_of(machine)))
    today = int(time.time() - 18262 * 86400) // 86400
    return machines, Press(issuer_of(editor.home, PASSPHRASE), Day(today))


def tally_of(machine: Machine) -> Path:
    return machine.world.folder / f"{machine.name}.tally"


def bodies_of(machine: Machine, bundles: Sequence[Bundle]) -> list[bytes | None]:
    """Return what a stopped relay holds of some bundles."""
    with contextlib.closing(open_home(machine.home, passphrase=None)) as opened:
        return [opened.store.carry.body(bundle.ref) for bundle in bundles]


def test_the_fourth_has_a_file_in_three_parts_and_received_no_piece_twice(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        machines, press = relays(world)
        pieces = list(press.attachment(FILE_BYTES))
        wires = [piece.wire for piece in pieces]
        for number, holder in enumerate(machines[:3]):
            put(holder.home, iter(pieces[number::3]))
        for machine in machines:
            machine.start()
        world.meet(*machines)
        for machine in (machines[3], *machines[:3]):
            wait_until(
                lambda one=machine: held(one) >= len(pieces),  # type: ignore[misc]  # mypy#15459
                within_s=300,
                what=f"{machine.name} has it all",
            )
        for machine in machines:
            machine.stop()
        for number, machine in enumerate(machines):
            assert bodies_of(machine, pieces) == wires
            own = sum(map(len, wires[number::3])) if machine.name != "fourth" else 0
            blocks = blocks_in(tally_of(machine))
            assert [block for block, times in blocks.items() if times > 1] == []
            assert bytes_in(tally_of(machine)) == sum(map(len, wires)) - own
