"""The ``meshnews`` command: finds the subcommand, imports only that, and runs it."""

import errno
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click

from meshnews_cli import complaint, stopping_complaint

USAGE: Final = 2
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "init": ("meshnews_cli.commands.init:init", "Make a home."),
    "enrol": ("meshnews_cli.commands.enrol:enrol", "Join a desk, by invitation or by files."),
    "file": ("meshnews_cli.commands.file:file", "Seal a dispatch for the desk and queue it."),
    "status": ("meshnews_cli.commands.status:status", "Show how far dispatches have got."),
    "inbox": ("meshnews_cli.commands.inbox:inbox", "List what has come in."),
    "open": ("meshnews_cli.commands.open:open_item", "Read an item; save what is attached."),
    "reply": ("meshnews_cli.commands.reply:reply", "Answer the author of an item."),
    "neighbours": ("meshnews_cli.commands.neighbours:neighbours", "Show who is near."),
    "wire": ("meshnews_cli.commands.wire:wire", "Show the ways to the desk's collectors."),
    "look": ("meshnews_cli.commands.look:look", "Be findable by colleagues for a while."),
    "doctor": ("meshnews_cli.commands.doctor:doctor", "Check that this machine is ready."),
    "desk": ("meshnews_cli.commands.desk:desk", "Make a desk; enrol people and relays."),
    "simulate": (
        "meshnews_cli.commands.simulate:simulate",
        "Replay a contact plan with whole nodes.",
    ),
    "completion": ("meshnews_cli.commands.completion:completion", "Print a completion script."),
}
"""Where each command is, and what the list of commands says of it."""


class Program(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  click's own signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  click's own signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meshnews", message="%(version)s")
def program() -> None:
    """Carry dispatches to a desk when there is no internet.

    Every command works on one home, a directory that holds everything of one
    identity: --home DIR, else $MESHNEWS_HOME, else a default.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        outcome = program.main(list(arguments), "meshnews", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as help_text:
        click.echo(help_text.format_message(), err=True)
        return USAGE
    except click.UsageError as exc:
        command = exc.ctx.command_path if exc.ctx is not None else "meshnews"
        complaint.show(complaint.usage(exc.format_message(), command))
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo(err=True)
        return stopping_complaint.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; there is nobody left to tell.
        sys.stdout = None
        return 1
    except OSError as exc:
        if exc.errno not in _NO_ROOM:
            raise
        # What is written to files is refused where it is written: this was the output.
        sys.stdout = None
        complaint.show(complaint.output_lost(exc))
        return 1
    return outcome if isinstance(outcome, int) else 0


def _open_closed_streams() -> None:
    """Put /dev/null in the place of each standard stream that we were started without.

    Else the next file that anybody opens would be taken for it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            assert nowhere == number, "the lowest that is free"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  a descriptor, for as long as we run


def main() -> None:
    """Run the command line of this process."""
    _open_closed_streams()
    sys.exit(run(sys.argv[1:]))
