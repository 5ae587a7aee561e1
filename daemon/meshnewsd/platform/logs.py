"""Logs: one line for each thing that happened, to stderr, and nothing in it that tells on anybody.

    plain   INFO peers: lost link=4 after_s=12.5
    json    {"level": "info", "part": "peers", "what": "lost", "link": 4, "after_s": 12.5}

Lines carry no time: the service manager adds its own.  A value is shown only
when its type is known to be harmless; bytes are shown as how many there are,
anything unknown as the name of its type.  Addresses are shortened unless the
level is debug.  What foreign libraries log is shown without its arguments.
"""

import enum
import json
import logging
import re
import sys
import traceback
from typing import Final, TextIO

from meshnews.errors import MeshnewsError
from meshnews.node.event import Address

ROOT: Final = "meshnewsd"
TEXT_CHARS_MAX: Final = 400
"""Longer values are cut: a line is read by a person."""

_FIELDS: Final = "meshnewsd_fields"
_BYTES_LITERAL: Final = re.compile(r"""b'(?:\\.|[^'\\])*'|b"(?:\\.|[^"\\])*\"""", re.DOTALL)
_PLAIN_WORD: Final = re.compile(r"[^\s\"=\\]+")

Shown = str | int | float | bool | None


class LogFormat(enum.StrEnum):
    """How a line is written."""

    PLAIN = "plain"
    JSON = "json"


class LogLevel(enum.StrEnum):
    """What is written at all."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log:
    """Says what happened in one part of the daemon."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{part}")

    def debug(self, what: str, **fields: object) -> None:
        """Say what only a developer wants to know."""
        self._say(logging.DEBUG, what, fields)

    def info(self, what: str, **fields: object) -> None:
        """Say what happens in the course of things."""
        self._say(logging.INFO, what, fields)

    def warning(self, what: str, **fields: object) -> None:
        """Say what a keeper should look at one day."""
        self._say(logging.WARNING, what, fields)

    def error(self, what: str, *, cause: BaseException | None = None, **fields: object) -> None:
        """Say what is broken; `cause` with its traceback, cleaned."""
        if cause is not None:
            fields["cause"] = describe_error(cause)
            fields["trace"] = describe_trace(cause)
        self._say(logging.ERROR, what, fields)

    def _say(self, level: int, what: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, what, extra={_FIELDS: fields})


def describe_error(error: BaseException) -> str:
    """Return an exception as a few words without any bytes it may carry."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(describe_error(part) for part in error.exceptions[:4])
    name = type(error).__name__
    if isinstance(error, MeshnewsError | OSError):
        return f"{name}: {clean(str(error))}"
    words = [str(show(argument, shorten=True)) for argument in error.args[:3]]
    return f"{name}: {', '.join(words)}" if words else name


def describe_trace(error: BaseException) -> str:
    """Return where `error` came from, innermost last: ``file:line function; …``."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-12:]
    ]
    if error.__cause__ is not None:
        return f"{describe_trace(error.__cause__)}; then {'; '.join(places)}"
    return "; ".join(places)


def clean(text: str) -> str:
    """Return `text` without line breaks, control characters and written-out bytes."""
    text = _BYTES_LITERAL.sub("<bytes>", text)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= TEXT_CHARS_MAX else text[:TEXT_CHARS_MAX] + "…"


def show(value: object, *, shorten: bool) -> Shown:
    """Return what may be shown of one value."""
    shown: Shown
    match value:
        case enum.Enum():
            shown = value.name.lower()
        case None | bool() | int():
            shown = value
        case float():
            shown = round(value, 3)
        case str():
            shown = clean(value)
        case bytes() | bytearray() | memoryview():
            shown = f"<{len(value)} bytes>"
        case Address(transport, where):
            shown = f"{transport}:{shorten_where(where) if shorten else clean(where)}"
        case BaseException():
            shown = describe_error(value)
        case _:
            shown = f"<{type(value).__name__}>"
    return shown


def shorten_where(where: str) -> str:
    """Return just enough of an address to tell two neighbours apart in one log."""
    host, _, port = where.rpartition(":")
    if host.startswith("["):
        return f"[{host[1:].partition(':')[0]}:…{host.rstrip(']')[-2:]}]:{clean(port)}"
    return f"{clean(host.partition('.')[0])}…{clean(host.rpartition('.')[2])}:{clean(port)}"


class LineFormatter(logging.Formatter):
    """Writes one record as one line."""

    def __init__(self, style: LogFormat, *, debug: bool) -> None:
        super().__init__()
        self._how = style
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        part, what, fields = self._parts(record)
        shown = {name: show(value, shorten=not self._debug) for name, value in fields.items()}
        if self._how is LogFormat.JSON:
            level = record.levelname.lower()
            return json.dumps(
                {"level": level, "part": part, "what": what, **shown}, ensure_ascii=False
            )
        words = "".join(f" {name}={_quoted(value)}" for name, value in shown.items())
        return f"{record.levelname} {part}: {what}{words}"

    def _parts(self, record: logging.LogRecord) -> tuple[str, str, dict[str, object]]:
        fields = getattr(record, _FIELDS, None)
        if isinstance(fields, dict):
            return record.name.rpartition(".")[2], clean(str(record.msg)), fields
        # A foreign library: its arguments may be anything, so they are shown to developers only.
        what = clean(record.getMessage() if self._debug else str(record.msg))
        cause = record.exc_info[1] if record.exc_info else None
        extra = {} if cause is None else {"cause": cause, "trace": describe_trace(cause)}
        return record.name.partition(".")[0], what, extra


def _quoted(value: Shown) -> str:
    text = str(value)
    if _PLAIN_WORD.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def set_up(style: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr), in place of any earlier wish."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(style, debug=level is LogLevel.DEBUG))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING if level is not LogLevel.ERROR else logging.ERROR)
    logging.getLogger(ROOT).setLevel(level.name)
    # No formatter of ours uses these, and collecting them costs time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
