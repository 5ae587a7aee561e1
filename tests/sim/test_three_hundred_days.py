"""A card that lay in a drawer for 300 days still files, is read, and is answered."""

import pytest

from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Verdict
from meshnews.sim.world import World
from meshnews.store.age import DAY_ZERO_S
from tests.node.inbox import everything
from tests.sim.newsroom import file, small_desk

MONTH_S = 30 * 86400
MONTHS = 10


@pytest.mark.parametrize("clockless", [False, True], ids=["clock right", "clock at 1970"])
def test_a_card_300_days_old_files_and_is_answered(clockless: bool) -> None:
    world = World(7)
    newsroom, machines = small_desk(world)
    editor, reporter = machines["editor-1"], machines["reporter-1"]
    desk = [machines[name] for name in ("editor-1", "collector-1", "relay-1")]

    def meet(*names: str, seconds: float = 40.0) -> None:
        world.meet(*names)
        world.run(seconds)
        world.part(*names)
        world.run(1.0)

    world.crash(reporter)
    first = world.ask(editor, lambda node: next(iter(node.home.book.bulletins.values())))
    for _ in range(MONTHS):
        for machine in desk:
            world.crash(machine)
        world.now_s += MONTH_S
        for machine in desk:
            world.boot(machine)
        meet("editor-1", "collector-1")
        meet("collector-1", "relay-1")
    relay = machines["relay-1"]
    latest = world.ask(relay, lambda node: next(iter(node.home.book.bulletins.values())))
    assert latest.version >= first.version + MONTHS
    assert latest.scan != first.scan

    if clockless:
        reporter.wall_is_trusted = False
        reporter.wall_offset_s = -world.now_s - DAY_ZERO_S
    world.boot(reporter)
    identifier = file(newsroom, reporter, picture=b"z" * 150_000).hex()
    meet("reporter-1", "relay-1")
    meet("relay-1", "collector-1")
    meet("collector-1", "editor-1", seconds=60.0)
    (item,) = world.ask(editor, everything)
    assert item.verdict is Verdict.VERIFIED
    assert item.trees[0][1] == item.trees[0][0].n
    world.ask(editor, lambda node: node.answers.reply(item, "Good to hear from you."))
    meet("collector-1", "editor-1")
    meet("relay-1", "collector-1")
    meet("reporter-1", "relay-1")
    found = world.ask(reporter, lambda node: node.dispatches.find(identifier))
    assert found.state is DispatchState.RECEIVED
    assert found.dispatch.attachments[0].received == found.dispatch.attachments[0].bundles
    (answer,) = world.ask(reporter, everything)
    assert answer.text == "Good to hear from you."
