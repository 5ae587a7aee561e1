import io
import json
import logging
from collections.abc import Iterator

import pytest

from meshnews.crypto.keys import SymmetricKey
from meshnews.errors import Malformed
from meshnews.ids import TrafficClass
from meshnews.node.event import Address
from meshnewsd.platform.logs import Log, LogFormat, LogLevel, set_up

SECRET = bytes(range(200, 232))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    ours = logging.getLogger("meshnewsd")
    before = (list(root.handlers), root.level, ours.level)
    yield
    root.handlers[:], root.level, ours.level = before
    root.setLevel(before[1])
    ours.setLevel(before[2])


def lines(style: LogFormat = LogFormat.PLAIN, level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    set_up(style, level, stream)
    return stream


def test_a_line_says_level_part_event_and_fields() -> None:
    out = lines()
    Log("peers").info(
        "lost", link=4, after_s=12.53219, reason="no answer", carrier=TrafficClass.BULK
    )
    assert (
        out.getvalue() == 'INFO peers: lost link=4 after_s=12.532 reason="no answer" carrier=bulk\n'
    )


def test_a_json_line_holds_the_same() -> None:
    out = lines(LogFormat.JSON)
    Log("peers").warning("lost", link=4, ok=True, nothing=None)
    assert json.loads(out.getvalue()) == {
        "level": "warning",
        "part": "peers",
        "what": "lost",
        "link": 4,
        "ok": True,
        "nothing": None,
    }


@pytest.mark.parametrize("style", LogFormat)
@pytest.mark.parametrize("level", [LogLevel.DEBUG, LogLevel.INFO])
def test_no_bytes_and_no_secret_are_ever_shown(style: LogFormat, level: LogLevel) -> None:
    out = lines(style, level)
    fault = KeyError(SECRET)
    fault.__cause__ = ValueError(f"odd value {SECRET!r}")
    Log("app").error(
        "failed",
        cause=ExceptionGroup("several", [fault, RuntimeError("with", bytearray(SECRET))]),
        key=SymmetricKey(SECRET),
        raw=SECRET,
        view=memoryview(SECRET),
        text=f"inside {SECRET!r}",
        listed=[SECRET],
    )
    shown = out.getvalue()
    assert "<32 bytes>" in shown
    assert "<bytes>" in shown
    for form in (repr(SECRET)[2:-1], SECRET.hex(), "\\xc8", "\\\\xc8"):
        assert form not in shown


def test_addresses_are_shortened_unless_a_developer_looks() -> None:
    for address, short in {
        "192.0.2.77:4711": "tcp:192…77:4711",
        "[fe80::1234:5678%eth0]:9": "tcp:[fe80:…h0]:9",
    }.items():
        out = lines()
        Log("peers").info("accepted", address=Address("tcp", address))
        assert short in out.getvalue()
        assert address not in out.getvalue()
        out = lines(level=LogLevel.DEBUG)
        Log("peers").info("accepted", address=Address("tcp", address))
        assert address in out.getvalue()


def test_a_line_stays_one_line_whatever_a_stranger_says() -> None:
    out = lines()
    Log("mdns").info("odd", said='a\nERROR app: "forged"\r\x1b[31m', very="x" * 10_000)
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue()) < 1000


def fail() -> None:
    raise Malformed("not a frame")


def test_a_fault_is_told_with_its_place() -> None:
    out = lines()
    with pytest.raises(Malformed) as caught:
        fail()
    Log("app").error("part failed", cause=caught.value, name="x")
    assert "Malformed: not a frame" in out.getvalue()
    assert "test_logs.py:" in out.getvalue()


def test_what_foreign_libraries_say_is_shown_without_its_arguments() -> None:
    out = lines()
    logging.getLogger("zeroconf").warning("heard %s", "laptop-of-somebody.local")
    logging.getLogger("zeroconf").info("chatter")
    assert out.getvalue() == "WARNING zeroconf: heard %s\n"


def test_below_the_level_nothing_is_said() -> None:
    out = lines(level=LogLevel.WARNING)
    Log("peers").info("lost", link=1)
    assert out.getvalue() == ""
