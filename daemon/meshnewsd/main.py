"""``meshnewsd``: reads its arguments, hides what it can, and runs the daemon.

Exit status: 0 ended as asked; 1 a home or its configuration was refused, said on
stderr; 2 wrong arguments; 70 the node failed again and again.

Imports are made where they are needed, so that ``--help`` and refusals are quick.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from meshnews.control.place import CONFIG_NAME
from meshnews.errors import Refusal
from meshnews.limits import PASSPHRASE_BYTES_MAX
from meshnewsd.platform.paths import find_home

EXIT_REFUSED: Final = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon; return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except Refusal as refusal:
        if given.once and given.control_fd is not None:
            _tell_caller(given.control_fd, refusal)
        for sentence in (refusal.what, refusal.meaning, refusal.remedy):
            print(sentence, file=sys.stderr)  # noqa: T201  this is for a person, not for the log
        return EXIT_REFUSED


def _tell_caller(descriptor: int, why: Refusal) -> None:
    """Answer the caller of a ``--once`` run, whatever was asked, if that is still to be had."""
    from meshnews.control import codec  # noqa: PLC0415  few starts come here
    from meshnews.control.reply import Refused  # noqa: PLC0415  as above

    with contextlib.suppress(OSError):
        os.write(descriptor, codec.encode(Refused.of(why)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="meshnewsd", description="Run the daemon of one home in the foreground."
    )
    parser.add_argument("--home", metavar="DIR", help="home directory (else $MESHNEWS_HOME)")
    parser.add_argument("--config", metavar="FILE", help="configuration (else config.toml in it)")
    parser.add_argument("--passphrase-file", metavar="FILE", help="file with the passphrase")
    parser.add_argument("--once", action="store_true", help="serve one caller, without a network")
    parser.add_argument("--control-fd", metavar="N", type=int, help="the caller, for --once")
    return parser


def _run(given: argparse.Namespace) -> int:
    from meshnewsd.config import load_config  # noqa: PLC0415  --help needs none of these
    from meshnewsd.platform import logs, process  # noqa: PLC0415  see the top

    if given.once != (given.control_fd is not None):
        raise Refusal(
            "usage",
            what="--once and --control-fd are given together or not at all.",
            meaning="Nothing was started.",
            remedy="Start the daemon without either; the command line uses them by itself.",
        )
    process.harden()
    home = find_home(given.home, os.environ)
    named = Path(given.config).absolute() if given.config else home / CONFIG_NAME
    config = load_config(named, required=bool(given.config))
    logs.set_up(logs.LogFormat(config.log_format), logs.LogLevel(config.log_level))
    process.rename(config.process_title)

    import trio  # noqa: PLC0415  see the top

    from meshnewsd.app import serve  # noqa: PLC0415  see the top
    from meshnewsd.compose import Launch, compose  # noqa: PLC0415  see the top

    launch = Launch(
        home=home,
        config=config,
        once_fd=given.control_fd,
        ask_passphrase=passphrase_source(given.passphrase_file, may_ask=not given.once),
        config_file=named,
    )
    if launch.once_fd is not None:
        from meshnewsd.once import serve_once  # noqa: PLC0415  see the top

        return trio.run(serve_once, launch, strict_exception_groups=True)
    composition = compose(launch)
    process.keep_what_is_loaded()
    return trio.run(serve, launch, composition, strict_exception_groups=True)


def passphrase_source(file: str | None, *, may_ask: bool) -> Callable[[], str | None]:
    """Return what gets the passphrase: from a file, else from a person at a terminal, else None."""

    def ask() -> str | None:
        if file is not None:
            return read_passphrase(Path(file))
        if not may_ask or not sys.stdin.isatty():
            return None
        import getpass  # noqa: PLC0415  few starts come here

        return getpass.getpass("Passphrase: ")

    return ask


def read_passphrase(path: Path) -> str:
    """Return the first line of a file.

    Raises:
        Refusal: it cannot be read, or is no text.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(PASSPHRASE_BYTES_MAX + 1)
        text = first.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise _no_passphrase("cannot be read") from exc
    if not text or len(first) > PASSPHRASE_BYTES_MAX:
        raise _no_passphrase("holds no passphrase on its first line")
    return text


def _no_passphrase(problem: str) -> Refusal:
    return Refusal(
        "passphrase-file",
        what=f"The passphrase file {problem}.",
        meaning="The home stays locked and nothing was started.",
        remedy="Give the path of a readable file whose first line is the passphrase.",
    )
