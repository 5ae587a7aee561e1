"""Machines that have no Bluetooth, in the kernel or on the bus: said once, and no more."""

import logging

import pytest
import trio

from meshnews.node.settings import Visibility
from meshnewsd.config import Config
from meshnewsd.discovery import bluetooth
from meshnewsd.discovery import registry as finders
from meshnewsd.transports import registry as transports
from tests.bluetooth.ear import Ear, running


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    """What a home on a kernel without Bluetooth is told."""
    for registry in (finders, transports):
        monkeypatch.setattr(registry, "is_known_to_kernel", lambda: False)
    return Config()


def test_without_it_in_the_kernel_that_is_said_once_and_the_rest_is_there(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="meshnewsd"):
        made = transports.make_transports(config)
        found = finders.make_finders(config, Visibility.OPEN, lambda _: None)
    assert set(made) == {"tcp"}
    assert found
    assert "bluetooth" not in {finder.name for finder in found}
    assert [record.message for record in caplog.records] == ["there is none here"]


async def test_without_a_bus_that_is_said_once_however_often_it_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    monkeypatch.setattr(bluetooth, "AGAIN_S", (0.01, 0.02))
    ear = Ear()
    with caplog.at_level(logging.DEBUG, logger="meshnewsd"):
        async with running(ear):
            with trio.fail_after(8):
                while len(caplog.records) < 6:  # noqa: ASYNC110  another thread looks
                    await trio.sleep(0.02)
    said = [record.message for record in caplog.records if record.levelno >= logging.INFO]
    assert said == ["bluetooth"]
