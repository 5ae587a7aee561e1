"""Break the code on purpose, piece by piece: each time a test has to notice.

    python -m tests.mutation
    python -m tests.mutation --only "a quota is not applied"

Each mutation is applied to a clean copy of what is committed, and the tests
named for it are run there.  One that survives, or that no longer fits the code,
makes the run fail.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.mutation import Mutation
from tests.mutation.mutations import MUTATIONS

ROOT = Path(__file__).parents[2]
CAUGHT_STATUS = 1
"""What pytest returns when tests failed; anything else is another trouble."""

LIMIT_S = 900.0
"""No test is to wait for ever for what never comes, whatever is broken."""

PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not e2e")


def main(arguments: Sequence[str]) -> int:
    """Run all mutations, or some; return how many were not caught."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="those whose name has this in it")
    wanted = parser.parse_args(arguments).only
    chosen = [one for one in MUTATIONS if wanted in one.name]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean"
        subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", clean], check=True)
        for mutation in chosen:
            copy = Path(folder) / "mutated"
            shutil.copytree(clean, copy)
            began_s = time.monotonic()
            told = judge(mutation, copy)
            survived += not told.startswith("caught")
            print(f"{time.monotonic() - began_s:6.0f} s  {mutation.name}: {told}", flush=True)
            shutil.rmtree(copy)
    print(f"{len(chosen) - survived} of {len(chosen)} caught")
    return survived


def judge(mutation: Mutation, folder: Path) -> str:
    """Apply a mutation in a copy of the code; tell what became of it."""
    path = folder / mutation.path
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        return f"DOES NOT FIT: {mutation.path} has its text {text.count(mutation.old)} times"
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        ran = subprocess.run(
            [sys.executable, *PYTEST, *mutation.tests],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources(folder)))},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return f"COULD NOT BE TRIED: its tests have not ended after {LIMIT_S:.0f} s"
    if ran.returncode == CAUGHT_STATUS:
        failed = [line for line in ran.stdout.splitlines() if line.startswith("FAILED")]
        return f"caught by {failed[0].split(' - ')[0].removeprefix('FAILED ')}"
    if ran.returncode:
        return f"COULD NOT BE TRIED: {ran.stdout[-300:]}{ran.stderr[-300:]}"
    return "SURVIVED"


def sources(folder: Path) -> list[Path]:
    """Return where the packages of a copy are: an installed one must not be tried instead."""
    return [folder, folder / "daemon", folder / "cli"]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
