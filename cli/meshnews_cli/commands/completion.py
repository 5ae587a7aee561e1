"""``meshnews completion``: a script that makes a shell complete commands and options."""

import click

from meshnews_cli.options import Command


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    r"""Print a completion script for SHELL.

    \b
    bash:  meshnews completion bash > ~/.local/share/bash-completion/completions/meshnews
    zsh:   meshnews completion zsh > DIR/_meshnews, with DIR in $fpath
    fish:  meshnews completion fish > ~/.config/fish/completions/meshnews.fish
    """
    from click.shell_completion import get_completion_class

    from meshnews_cli.main import program

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(program, {}, "meshnews", "_MESHNEWS_COMPLETE")
    click.echo(script.source_template % script.source_vars())
