"""Options that many commands share, and how a command reports a refusal."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from meshnews.errors import Refusal
from meshnews_cli import complaint, stopping_complaint

Parameters = ParamSpec("Parameters")

FilePath = click.Path(path_type=Path)


class Command(click.Command):
    """A command that shows a refusal itself, as JSON where JSON was asked for."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's own signature
        """Run the command; a refusal is printed and becomes its exit status, mostly 1."""
        try:
            return super().invoke(ctx)
        except Refusal as why:
            complaint.show(why, as_json=bool(ctx.params.get("as_json")))
            return stopping_complaint.exit_status(why)


def with_access(
    function: "Callable[Concatenate[Any, Parameters], int | None]",
) -> Callable[..., int | None]:
    """Give a command --home, --passphrase-file and --json, as one `Access` argument."""

    @click.option("--home", metavar="DIR", help="The home to use; default $MESHNEWS_HOME.")
    @click.option(
        "--passphrase-file",
        type=FilePath,
        metavar="FILE",
        help="Read the passphrase from FILE instead of asking.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, with times in UTC.")
    @functools.wraps(function)
    def with_options(
        *args: Any,  # noqa: ANN401  handed through as they are
        home: str | None,
        passphrase_file: Path | None,
        as_json: bool,
        **kwargs: Any,  # noqa: ANN401  handed through as they are
    ) -> int | None:
        from meshnews_cli.session import Access, locate_home

        access = Access(locate_home(home), passphrase_file, as_json)
        return function(access, *args, **kwargs)

    return with_options
