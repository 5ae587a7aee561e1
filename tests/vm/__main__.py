"""`python -m tests.vm SCRIPT.py [WORD...]`: run a script in the virtual machine, as root."""

import sys
import tempfile
from pathlib import Path

from tests.vm.machine import Boot, Unavailable, boot


def main() -> int:
    script, *words = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="mnvm-out"))
    try:
        outcome = boot(Boot(Path(script), tuple(words)), folder)
    except Unavailable as reason:
        print(f"No virtual machine here: {reason}.", file=sys.stderr)
        return 77
    print(outcome.console)
    print(f"What it wrote lies in {folder}.")
    return outcome.status


if __name__ == "__main__":
    raise SystemExit(main())
