"""What a node remembers so as not to look it up at every event is what it would find."""

from collections.abc import Mapping

import pytest

from meshnews.ids import LinkId
from meshnews.node.event import Address
from meshnews.node.links.candidates import Outlook
from meshnews.node.links.dialler import Dialler
from meshnews.store.age import Moment
from meshnews.sync.machine import SyncMachine
from tests.sim.campaign import Campaign

SEEDS = range(1, 3)


def play() -> None:
    for seed in SEEDS:
        campaign = Campaign(seed)
        campaign.world.is_traced = False
        campaign.run()


def test_who_has_nothing_to_say_would_say_nothing_if_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pull, asked = SyncMachine.pull, [0]

    def ask(machine: SyncMachine, room_bytes: int, moment: Moment) -> list[bytes]:
        if not machine._is_quiet:
            return pull(machine, room_bytes, moment)
        asked[0] += 1
        machine._is_quiet = False
        assert pull(machine, room_bytes, moment) == []
        return []

    monkeypatch.setattr(SyncMachine, "pull", ask)
    play()
    assert asked[0] > 1000


def test_whom_to_call_next_is_as_if_it_were_looked_up_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_ahead, remembered = Dialler._look_ahead, [0]

    def look(dialler: Dialler, callers: Mapping[LinkId, Address]) -> Outlook:
        known, dialler._outlook = dialler._outlook, None
        found = look_ahead(dialler, callers)
        if known is not None and known.callers == callers:
            remembered[0] += 1
            assert known == found
        return found

    monkeypatch.setattr(Dialler, "_look_ahead", look)
    play()
    assert remembered[0] > 1000
