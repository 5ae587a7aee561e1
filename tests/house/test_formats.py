"""A change of what lies in a home comes with a new version of the home.

The golden files hold one of everything that a home keeps: while the objects in them stay
as they are, so does the version.  When they have to change, the version goes up, and a
line is added below; named failures may come and go.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

import pytest

from meshnewsd.storage.home import HOME_VERSION

GOLDEN: Final = Path(__file__).parents[1] / "golden"

FORMATS: Final = {
    2: {
        "bundle": "19d05360e004b95db9c970114e51c68c",
        "desk": "5243620381c0d72182df60c53f3ff4cb",
    }
}
"""The digest of the objects in each golden file, by the version of the homes that keep such."""


def digest(name: str) -> str:
    """Return the digest of what is good in a golden file, its failures left out."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    good = {part: golden[part] for part in golden.keys() - {"note", "failures", "refused"}}
    return hashlib.sha256(json.dumps(good, sort_keys=True).encode()).hexdigest()[:32]


@pytest.mark.parametrize("name", ["bundle", "desk"])
def test_what_a_home_keeps_changes_with_its_version_alone(name: str) -> None:
    assert digest(name) == FORMATS[HOME_VERSION][name]
