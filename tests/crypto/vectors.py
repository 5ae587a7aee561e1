"""Reads the vector files beside the tests."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1] / "vectors"


def load(name: str) -> Any:  # a vector file holds what it holds
    """Return what the vector file of that name holds."""
    return json.loads((HERE / name).read_text())


def wycheproof(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every (group, test) of a Wycheproof file, and insist that none is missing."""
    file = load(f"wycheproof/{name}_test.json")
    pairs = [(group, test) for group in file["testGroups"] for test in group["tests"]]
    assert len(pairs) == file["numberOfTests"]
    return pairs


def fields(test: dict[str, Any], *names: str) -> list[bytes]:
    """Return the named hexadecimal fields as bytes."""
    return [bytes.fromhex(test[name]) for name in names]
