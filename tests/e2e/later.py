"""A daemon on a machine that has been up for longer than it has: ``later DAYS MODULE …``.

In a time namespace (time_namespaces(7)) of its own, whose uptime is so many days
more.  A node counts days by that, and not by the clock on the wall.
"""

import os
import sys

DAY_S = 86_400


def main() -> None:
    """Become the daemon, so many days later."""
    days, *words = sys.argv[1:]
    offset = str(int(days) * DAY_S)
    enter = ["unshare", "--time", "--boottime", offset, "--monotonic", offset]
    enter += ["--fork", "--kill-child", sys.executable, "-m"]
    os.execvp(enter[0], [*enter, *words])  # noqa: S606  words of a test, and no shell


if __name__ == "__main__":
    main()
