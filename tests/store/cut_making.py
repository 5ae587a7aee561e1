"""Makes the same home again and again, and is cut off one step later each time.

    python -m tests.store.cut_making FOLDER ROLE

A step is whatever touches a file: opening, making, syncing, renaming, removing one.
After each cut the folder has to be no home, in which one can be made, or a whole one.
Prints how many cuts there were.
"""

import contextlib
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from meshnews.control.fact import Role
from meshnews.control.request import Init
from meshnews.node.identity import load_identity
from meshnewsd.compose import open_home
from meshnewsd.once import make_home
from meshnewsd.storage.home import is_home
from meshnewsd.storage.keys import Cost

CHEAP: Final = Cost(passes=1, memory_bytes=8192)
PASSPHRASE: Final = "four words for me"
STEPS: Final = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.listdir"}


def cut_at(step: int) -> None:
    """Let this process end, with nothing tidied up, at the given step."""
    steps = itertools.count()

    def watch(event: str, _: tuple[Any, ...]) -> None:
        if event in STEPS and next(steps) == step:
            os._exit(9)

    sync = os.fsync

    def watched_sync(descriptor: int) -> None:
        watch("open", ())
        sync(descriptor)

    os.fsync = watched_sync  # type: ignore[assignment]  # this process is to die of it
    sys.addaudithook(watch)


def request_of(role: Role) -> Init:
    return Init(role, False, None if role is Role.RELAY else PASSPHRASE, None)


def make_until(step: int, folder: Path, wish: Init) -> bool:
    """Make a home in a process that ends at a step; tell whether it came to its end."""
    process = os.fork()
    if process == 0:
        cut_at(step)
        make_home(folder, wish, cost=CHEAP)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def check_whole(folder: Path, wish: Init) -> None:
    with contextlib.closing(open_home(folder, passphrase=wish.passphrase)) as opened:
        role = opened.transact(lambda: load_identity(opened.store.carry).role)
        assert role.value == wish.role.value


def main() -> None:
    folder, wish = Path(sys.argv[1]), request_of(Role(sys.argv[2]))
    for step in itertools.count():
        is_done = make_until(step, folder, wish)
        if not is_home(folder):
            assert not is_done
            make_home(folder, wish, cost=CHEAP)
        check_whole(folder, wish)
        shutil.rmtree(folder)
        if is_done:
            print(step)  # noqa: T201  its answer
            return


if __name__ == "__main__":
    main()
