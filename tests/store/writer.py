"""Writes bundles until it is killed, and says after each commit how many there are.

python writer.py HOME FIRST
"""

import sys
from pathlib import Path

from meshnewsd.storage.store import open_store
from tests.store.kit import body_of, entry_of

BATCH = 20


def main() -> None:
    """Write batches of BATCH bundles, each with a record in the vault."""
    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    store = open_store(folder, b"c" * 32, b"v" * 32)
    vault = store.vault
    assert vault is not None
    while True:

        def batch(first: int = first) -> None:
            for number in range(first, first + BATCH):
                entry = entry_of(number)
                vault.put("outbox", b"%d" % number, b"")
                store.carry.add(entry, body_of(entry))

        store.transact(batch)
        first += BATCH
        print(first, flush=True)  # noqa: T201  the test reads it


if __name__ == "__main__":
    main()
