"""A conversation with the daemon of a home: found or started, greeted, unlocked."""

import contextlib
import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from meshnews.control import codec, refusal
from meshnews.control.place import HOME_FOLDER, HOME_VARIABLE
from meshnews.control.reply import Done, Welcome
from meshnews.control.request import Hello, Unlock
from meshnews_cli import daemon_complaint, secret
from meshnews_cli.client import Connection, connect
from meshnews_cli.daemon_complaint import Without
from meshnews_cli.terminal import note


class Needs(enum.Enum):
    """What must be there before a command can ask."""

    NOTHING = enum.auto()
    HOME = enum.auto()
    VAULT = enum.auto()
    """A home, and its vault open where it has one."""
    DAEMON = enum.auto()
    """A running daemon, and the vault open."""


@dataclass(frozen=True, slots=True)
class Access:
    """Which home, and how its vault opens: what every command is told."""

    home: Path
    passphrase_file: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class Session:
    """An open conversation."""

    connection: Connection
    welcome: Welcome


def locate_home(given: str | None) -> Path:
    """Return the home: the one given, else the environment's, else the default."""
    chosen = given or os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path(HOME_FOLDER, appauthor=False)


@contextlib.contextmanager
def session(access: Access, needs: Needs, *, without: Without = Without.LINKS) -> Iterator[Session]:
    """Yield a conversation with the daemon of the home, which is started if it must be.

    Args:
        access: which home, and how its vault opens.
        needs: what must be there.
        without: what it means where a running daemon is needed and there is none.

    Raises:
        Refusal: what the command needs is not there.
    """
    with contextlib.ExitStack() as closing:
        connection = connect(access.home)
        if connection is not None:
            closing.callback(connection.close)
        elif needs is Needs.DAEMON:
            raise daemon_complaint.no_daemon(access.home, without)
        else:
            connection = _started(access.home, closing)
        welcome = connection.ask(Hello(codec.VERSION), Welcome)
        if needs is not Needs.NOTHING and welcome.role is None:
            raise refusal.no_home()
        if needs in (Needs.VAULT, Needs.DAEMON) and welcome.locked:
            _unlock(connection, welcome, access)
            # Who the home is, and whether its clock is believed, lay behind the vault.
            welcome = connection.ask(Hello(codec.VERSION), Welcome)
        yield Session(connection, welcome)


def _started(home: Path, closing: contextlib.ExitStack) -> Connection:
    from meshnews_cli.launch import OnceDaemon

    daemon = OnceDaemon(home)
    closing.callback(daemon.close)
    return daemon.connection


def _unlock(connection: Connection, welcome: Welcome, access: Access) -> None:
    passphrase = secret.existing("Passphrase of this home: ", access.passphrase_file)
    connection.ask(Unlock(passphrase), Done)
    if not welcome.once:
        note("The running daemon's vault is open now, and stays open until the daemon ends.")
