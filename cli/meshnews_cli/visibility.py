"""Says who can notice this machine, and where."""

from meshnews.control.reply import Visible
from meshnews_cli.sentences import VISIBILITIES
from meshnews_cli.terminal import moment, say


def explain(visible: Visible) -> None:
    """Print who can notice this machine now, where, and until when."""
    say(VISIBILITIES[visible.visibility])
    if visible.interfaces:
        say(f"Only on {', '.join(visible.interfaces)}; elsewhere it is silent.")
    if visible.until is not None:
        say(f"It is silent again from {moment(visible.until)} on.")
