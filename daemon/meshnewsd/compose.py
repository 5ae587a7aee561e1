"""Puts the real things together: stores, node, control server.

The one place that knows every room.  `meshnewsd.app` runs what this returns and
is tested with fakes in its stead.
"""

import contextlib
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from meshnews.control.place import CONFIG_NAME, SOCKET_NAME
from meshnews.node.identity import load_identity
from meshnews.node.node import Node
from meshnews.node.settings import Visibility
from meshnewsd.config import Config, node_settings
from meshnewsd.control.handlers import home_handlers
from meshnewsd.control.machine_diagnosis import Premises
from meshnewsd.control.server import ControlServer
from meshnewsd.control.table import Asker
from meshnewsd.discovery.interface import Outlook
from meshnewsd.host import Host, NodeMachine, Stores
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.storage.fault import missing, refusing
from meshnewsd.storage.home import CARRY_FILE, VAULT_FILE, check_home, has_content, hold_home
from meshnewsd.storage.keys import open_keys, wants_passphrase
from meshnewsd.storage.store import Store, open_store
from meshnewsd.transports.registry import certificate_file
from meshnewsd.uplinks.drops import DropKeeper, ways_to

T = TypeVar("T")


class ClosableStores(Stores, Protocol):
    """Stores that somebody has to close."""

    def close(self) -> None:
        """Close the files."""
        ...


@dataclass(frozen=True, slots=True)
class Launch:
    """What a start was asked for.

    Attributes:
        home: the home directory; it may not exist.
        config: what its configuration says.
        once_fd: the descriptor of a ``--once`` run, which has no network; else None.
        ask_passphrase: returns the passphrase, or None where there is nobody to
            ask and no file; may block, and is to be called in the worker's thread.
        config_file: where its configuration is read from; None: from the home.
    """

    home: Path
    config: Config
    once_fd: int | None
    ask_passphrase: Callable[[], str | None]
    config_file: Path | None = None

    @property
    def premises(self) -> Premises:
        """What of the file system belongs to the home."""
        file = certificate_file(self.config, self.home) if self.config.tls_ports else None
        return Premises(self.home, self.config_file or self.home / CONFIG_NAME, file)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs beside the node, under supervision.

    Attributes:
        name: what the log calls it.
        run: gives a fresh run of it.
        ends_all: the daemon ends when it returns.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    ends_all: bool = False


@dataclass(frozen=True, slots=True)
class Composition:
    """What a daemon is made of.

    Attributes:
        open_stores: called once, in the worker's thread.  May raise `Refusal`.
        build: makes the node from the stores, inside a transaction; called again
            after every failure.
        visibility: of a home whose configuration names none; called in a
            transaction, before `build`.
        parts: what runs beside the node, the control server above all.
    """

    open_stores: Callable[[], ClosableStores]
    build: Callable[[ClosableStores], NodeMachine]
    visibility: Callable[[ClosableStores], Visibility]
    parts: Callable[["Host[Any]", "Outlook"], Sequence[Part]]


class OpenHome:
    """A home that is held and open: its stores, and the lock that keeps others out."""

    def __init__(self, store: Store, lock: contextlib.ExitStack) -> None:
        self.store = store
        self._lock = lock

    def transact(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returned, once that is on disk; on an exception undo it."""
        return self.store.transact(work)

    def close(self) -> None:
        """Close the files and let go of the home."""
        with self._lock:
            self.store.close()


def open_home(folder: Path, *, passphrase: str | None) -> OpenHome:
    """Hold a home and open its stores.

    Raises:
        Refusal: it is no home, another process has it, the passphrase is missing or
            wrong, or a file or the disk is damaged or full.
    """
    with refusing(folder), contextlib.ExitStack() as undo:
        undo.enter_context(hold_home(folder))
        keys = open_keys(folder, passphrase=passphrase)
        vault_key = None if keys.vault is None else keys.vault.raw
        # What is gone must not be taken for what is new: an empty one would hide the loss.
        for name in (CARRY_FILE,) if vault_key is None else (CARRY_FILE, VAULT_FILE):
            if not has_content(folder / name):
                raise missing(name)
        store = open_store(folder, keys.carry.raw, vault_key)
        return OpenHome(store, undo.pop_all())


def compose(launch: Launch) -> Composition:
    """Return the real daemon for one home.

    Raises:
        Refusal: `launch` asks for what cannot be.
    """
    settings = node_settings(launch.config)

    def open_stores() -> OpenHome:
        with refusing(launch.home):
            check_home(launch.home)
            wanted = wants_passphrase(launch.home)
        return open_home(launch.home, passphrase=launch.ask_passphrase() if wanted else None)

    def build(stores: ClosableStores) -> Node:
        assert isinstance(stores, OpenHome), "what open_stores returned"
        return Node(
            carry=stores.store.carry,
            vault=stores.store.vault,
            entropy=OsEntropy(),
            settings=settings,
        )

    def visibility(stores: ClosableStores) -> Visibility:
        assert isinstance(stores, OpenHome), "what open_stores returned"
        identity = load_identity(stores.store.carry)
        return Visibility.SILENT if identity.relay is None else Visibility.OPEN

    def parts(host: Host[Any], outlook: Outlook) -> Sequence[Part]:
        asker, config = Asker(host, once=False), launch.config
        keepers = [
            DropKeeper(place, ways_to(place, config), asker, OsEntropy()) for place in config.drop
        ]
        table = home_handlers(
            asker, launch.premises, outlook, drops=lambda: [each.standing for each in keepers]
        )
        serve = functools.partial(ControlServer(table).serve, launch.home / SOCKET_NAME)
        return [Part("control", serve), *(Part("drop", each.run) for each in keepers)]

    return Composition(open_stores, build, visibility, parts)
