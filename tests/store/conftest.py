"""A folder whose syncs cost nothing: power is cut on paper here, and processes die, no machine."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108  each test makes a folder of its own in it


@pytest.fixture
def folder_in_memory(tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder that waits for no disk, where there is such."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else tmp_path) as one:
        yield Path(one)
