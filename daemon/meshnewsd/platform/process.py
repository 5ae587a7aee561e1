"""What the process shows of itself, and what it leaves behind when it dies."""

import contextlib
import ctypes
import gc
import os
import resource
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NAME: Final = 15
_ARGUMENTS_START: Final = 48 - 3
"""Where arg_start stands among the fields of /proc/self/stat after the name; arg_end follows
(proc(5) counts from 1, and the name is the second)."""

UMASK: Final = 0o077

COLLECTED_EACH: Final = 20_000
"""So many new objects that refer to others are made before those are looked through."""


def harden() -> None:
    """Keep our files and our memory to ourselves: umask 077, no core dumps, no tracing by peers.

    What the system does not allow is left as it is.
    """
    os.umask(UMASK)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def keep_what_is_loaded() -> None:
    """Look for dead cycles no more among what is there now, and less often among what comes.

    Modules stay until the end.  Going through them again and again costs a busy daemon one part
    in fifteen of its time, in pauses of up to 40 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_EACH)


def rename(title: str) -> None:
    """Let process lists show `title` in place of our name and arguments, as far as they can."""
    word = title.encode("utf-8")
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, ctypes.c_char_p(word[:15]), 0, 0, 0)
    with contextlib.suppress(OSError, ValueError, IndexError):
        _overwrite_arguments(word)


def _overwrite_arguments(word: bytes) -> None:
    stat = Path("/proc/self/stat").read_text("utf-8", errors="replace")
    # The name may hold spaces and parentheses; it ends with the last parenthesis.
    fields = stat.rpartition(")")[2].split()
    start, end = int(fields[_ARGUMENTS_START]), int(fields[_ARGUMENTS_START + 1])
    shown = Path("/proc/self/cmdline").read_bytes()
    # Write only where the kernel and our own memory agree on what stands there.
    if not shown or end - start != len(shown) or ctypes.string_at(start, len(shown)) != shown:
        return
    ctypes.memmove(start, word[: len(shown) - 1].ljust(len(shown), b"\0"), len(shown))
