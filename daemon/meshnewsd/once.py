"""``--once``: one caller, no network; a home may be made, opened, used, and is closed again.

    no home --Init--> open          locked --Unlock--> open --the caller hangs up--> closed

The node runs exactly as in a running daemon, only with nobody to talk to.
"""

import functools
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from meshnews.control import codec, desk_request, enrol_request, refusal
from meshnews.control import request as ask
from meshnews.control.fact import Role, usual_visibility
from meshnews.control.place import CONFIG_NAME
from meshnews.control.reply import Done, HomeMade, Reply, Welcome
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from meshnews.node.office.birth import create_home as give_birth
from meshnews.node.settings import Visibility as HomeVisibility
from meshnewsd.compose import Launch, OpenHome, open_home
from meshnewsd.config import node_settings
from meshnewsd.control import enrolling
from meshnewsd.control.handlers import home_handlers
from meshnewsd.control.server import Emit, Handlers, serve_fd
from meshnewsd.control.table import PROGRAM, Asker
from meshnewsd.host import Host
from meshnewsd.platform.clock import ClockTrust, MachineClock
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.worker import ThreadWorker, Worker
from meshnewsd.storage.fault import damaged, refusing
from meshnewsd.storage.home import is_home, new_home, write_new
from meshnewsd.storage.keys import Cost, create_keys, wants_passphrase
from meshnewsd.storage.store import open_store
from meshnewsd.uplinks.drops import Standing

NEED_OTHERS: Final = frozenset(
    {
        ask.Watch,
        ask.Neighbours,
        desk_request.DeskInvite,
        desk_request.DeskPending,
        desk_request.DeskConfirm,
        desk_request.DeskRefuse,
        desk_request.DeskClose,
        enrol_request.EnrolCode,
        enrol_request.EnrolWait,
        enrol_request.EnrolAgree,
    }
)
"""What makes no sense where nobody can be met."""

ENOUGH_S: Final = 5.0
"""How long closing may take."""


async def serve_once(launch: Launch) -> int:
    """Serve the one caller; return the exit status."""
    assert launch.once_fd is not None, "a caller's descriptor"
    with ThreadWorker() as worker:
        async with trio.open_nursery() as nursery:
            run = _OnceRun(launch, worker, nursery)
            try:
                await serve_fd(launch.once_fd, run.handlers())
            finally:
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True) as scope:
                    scope.deadline = trio.current_time() + ENOUGH_S
                    await run.close()
    return 0


class _OnceRun:
    def __init__(self, launch: Launch, worker: Worker, nursery: trio.Nursery) -> None:
        self._launch = launch
        self._worker = worker
        self._nursery = nursery
        self._opened: OpenHome | None = None
        self._table: Handlers | None = None

    @property
    def _folder(self) -> Path:
        return self._launch.home

    def handlers(self) -> Handlers:
        """Return a table whose entries look up what may be done at the time of asking."""
        always: dict[type[ask.Request], object] = {
            ask.Hello: self._hello,
            ask.Init: self._init,
            ask.Unlock: self._unlock,
            desk_request.DeskSign: enrolling.sign,
        }
        table: dict[type[ask.Request], object] = {
            kind: functools.partial(self._when_open, kind)
            for kind in typing.get_args(ask.Request)
            if kind not in always
        }
        return {**table, **always}  # type: ignore[dict-item]  # one handler for each kind

    async def _when_open(
        self, kind: type[ask.Request], request: ask.Request, fds: Sequence[int], emit: Emit
    ) -> Reply:
        if self._table is None and not self._is_home():
            raise refusal.no_home()
        if self._table is None and await self._is_locked():
            raise refusal.locked()
        await self._ensure_open(None)
        assert self._table is not None, "it was just opened"
        if kind not in self._table or kind in NEED_OTHERS:
            raise refusal.needs_daemon()
        return await self._table[kind](request, fds, emit)

    def _is_home(self) -> bool:
        return is_home(self._folder)

    async def _is_locked(self) -> bool:
        if self._table is not None:
            return False
        with refusing(self._folder):
            return await self._worker.run(functools.partial(wants_passphrase, self._folder))

    async def _hello(self, request: ask.Hello, fds: Sequence[int], emit: Emit) -> Reply:
        if not self._is_home():
            return Welcome(version=codec.VERSION, program=PROGRAM, role=None, once=True)
        if await self._is_locked():
            # Who the home is lies behind the passphrase too.
            return Welcome(
                version=codec.VERSION, program=PROGRAM, role=Role.REPORTER, locked=True, once=True
            )
        await self._ensure_open(None)
        assert self._table is not None, "it was just opened"
        return await self._table[ask.Hello](request, fds, emit)

    async def _unlock(self, request: ask.Unlock, _: Sequence[int], __: Emit) -> Reply:
        if not self._is_home():
            raise refusal.no_home()
        await self._ensure_open(request.passphrase)
        return Done()

    async def _init(self, request: ask.Init, _: Sequence[int], __: Emit) -> Reply:
        if self._is_home():
            raise refusal.home_exists()
        # The configuration that counts for this home is the one it will be started with.
        said = self._launch.config.visibility
        await self._worker.run(functools.partial(make_home, self._folder, request, said=said))
        return HomeMade(request.role, request.endpoint)

    async def _ensure_open(self, passphrase: str | None) -> None:
        if self._table is not None:
            return
        opened = await self._worker.run(
            functools.partial(open_home, self._folder, passphrase=passphrase)
        )
        self._opened = opened
        settings = node_settings(self._launch.config)
        host = Host(
            worker=self._worker,
            stores=opened,
            build=lambda: Node(
                carry=opened.store.carry,
                vault=opened.store.vault,
                entropy=OsEntropy(),
                settings=settings,
            ),
            read_clock=MachineClock(ClockTrust(self._launch.config.clock)),
        )
        self._nursery.start_soon(host.run)
        await host.started.wait()
        if host.damage is not None:
            raise damaged(self._folder, host.damage)
        self._table = home_handlers(
            Asker(host, once=True),
            self._launch.premises,
            drops=lambda: list(map(Standing, self._launch.config.drop)),
        )

    async def close(self) -> None:
        """Close the stores and let go of the home."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await self._worker.run(opened.close)


def make_home(
    folder: Path,
    request: ask.Init,
    *,
    said: HomeVisibility | None = None,
    cost: Cost | None = None,
) -> None:
    """Make a home and write into it who it is, and into its configuration who may notice it.

    What is usual for its role is not written down, so that it can be more where its keeper
    says so later.

    Args:
        folder: where; it may be there, and hold a configuration.
        request: what to make.
        said: the visibility that its configuration names.
        cost: of one try of its passphrase; None: the usual one.

    Raises:
        Refusal: it is a home already, cannot be made, or its configuration says otherwise.
    """
    wish, usual = request.visibility, usual_visibility(request.role, endpoint=request.endpoint)
    has_config = (folder / CONFIG_NAME).exists()
    if wish is not None and has_config and wish.value != (said or usual).value:
        raise refusal.config_differs(wish.value)
    entropy = OsEntropy()
    with new_home(folder), refusing(folder):
        keys = create_keys(folder, entropy, passphrase=request.passphrase, cost=cost)
        vault_key = None if keys.vault is None else keys.vault.raw
        with open_store(folder, keys.carry.raw, vault_key) as store:
            store.transact(
                lambda: give_birth(
                    store.carry,
                    store.vault,
                    role=HomeRole(request.role.value),
                    endpoint=request.endpoint,
                    entropy=entropy,
                )
            )
        if wish is not None and wish is not usual and not has_config:
            write_new(folder / CONFIG_NAME, f'visibility = "{wish.value}"\n'.encode())
