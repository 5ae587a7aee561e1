"""A reporter, then a relay, is recalled: real daemons, the command line, the root's stick."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.newsroom import Newsroom, small_desk
from tests.e2e.world import CommandFailed, Machine, open_world, wait_until

pytestmark = pytest.mark.e2e

WITHIN_S = 90.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Newsroom, dict[str, Machine]]]:
    with open_world(tmp_path) as world:
        newsroom, machines = small_desk(world)
        other = machines["reporter-2"] = newsroom.add("reporter-2", "reporter")
        newsroom.enrol(machines["editor-1"], other)
        newsroom.introduce(other)
        for machine in machines.values():
            machine.start()
        yield newsroom, machines


def recall(newsroom: Newsroom, editor: Machine, who: str) -> dict[str, Any]:
    """Recall somebody: prepared here, signed with the root key, published here."""
    unsigned = newsroom.folder / f"{who}.unsigned"
    signed = newsroom.folder / f"{who}.signed"
    prepared = editor.ask("desk", "recall", who, "-o", str(unsigned))
    told = editor.ask("desk", "sign", str(unsigned), "--root-folder", str(newsroom.folder / "root"),
                      "--root-passphrase-file", str(editor.passphrase_file),
                      "-o", str(signed))  # fmt: skip
    assert told["words"] == prepared["holder"]["words"]
    done: dict[str, Any] = editor.ask("desk", "recall", "--signed", str(signed), "--yes")
    return done


def findings(machine: Machine) -> dict[str, dict[str, Any]]:
    said = machine.cli("doctor", "--json", check=False).stdout
    return {one["check"]: one for one in json.loads(said)["findings"]}


def has(machine: Machine, check: str) -> bool:
    return check in findings(machine)


def file(machine: Machine, text: str) -> str:
    return machine.cli("file", "-", "--slug", "word", "--now", stdin=text).stdout.strip()


def state(machine: Machine, identifier: str) -> str:
    return str(machine.ask("status", identifier)["dispatches"][0]["state"])


def received(machine: Machine, identifier: str) -> None:
    wait_until(
        lambda: state(machine, identifier) == "received",
        within_s=WITHIN_S,
        what=f"the receipt of {identifier} at {machine.name}",
    )


def test_a_recalled_card_is_believed_no_more_and_everybody_else_goes_on(
    desk: tuple[Newsroom, dict[str, Machine]],
) -> None:
    newsroom, machines = desk
    editor, collector, relay = (machines[n] for n in ("editor-1", "collector-1", "relay-1"))
    lost, other = machines["reporter-1"], machines["reporter-2"]
    world = newsroom.world
    world.meet(editor, collector, relay, lost, other)
    received(lost, file(lost, "before the recall"))

    world.part(lost)
    late = file(lost, "written before, opened after")
    done = recall(newsroom, editor, "reporter-1")
    assert done["holder"]["name"] == "reporter-1"
    assert done["relays"] == 2
    # The power goes before anybody was told.
    editor.reboot()
    for machine in (collector, relay):
        wait_until(
            functools.partial(has, machine, "former-key"),
            within_s=WITHIN_S,
            what=f"{machine.name} has another key",
        )
    wait_until(
        lambda: findings(editor)["new-keys"]["number"] <= 2,
        within_s=WITHIN_S,
        what="the other reporter has confirmed; relays never do",
    )

    # Everybody else goes on, with the relay alone between them and the desk.
    world.part(other, editor, collector, relay)
    identifier = file(other, "after the recall")
    world.meet(other, relay)
    wait_until(
        lambda: state(other, identifier) == "carried", within_s=WITHIN_S, what="the relay has it"
    )
    neighbours = other.ask("neighbours")["neighbours"]
    assert [one["watched"] for one in neighbours] == [False]
    world.part(other, relay)
    world.meet(editor, collector, relay, other, lost)
    received(other, identifier)

    # The recalled one hears of it, and what it had filed is not believed.
    wait_until(
        lambda: lost.ask("status")["recalled"], within_s=WITHIN_S, what="it is told so itself"
    )
    with pytest.raises(CommandFailed, match="recalled the card of this home"):
        file(lost, "once more")
    wait_until(
        lambda: late in {one["id"] for one in editor.ask("inbox")["items"]},
        within_s=WITHIN_S,
        what="what it had filed has come",
    )
    verdicts = {one["slug"] + one["id"]: one["verdict"] for one in editor.ask("inbox")["items"]}
    assert verdicts[f"word{late}"] == "unproven"
    assert sorted(verdicts.values()) == ["unproven", "verified", "verified"]

    # Then the relay: nobody who has heard calls it.
    recall(newsroom, editor, "relay-1")
    wait_until(
        lambda: not any(one["kind"] == "relay" for one in other.ask("neighbours")["neighbours"]),
        within_s=WITHIN_S,
        what="it is left alone",
    )
    wait_until(
        lambda: findings(relay).get("recalled", {}).get("level") == "bad",
        within_s=WITHIN_S,
        what="it is told so",
    )
    received(other, file(other, "past the relay"))
