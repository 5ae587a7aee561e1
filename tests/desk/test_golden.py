"""The golden file is what this code makes, and what it refuses it refuses as told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from meshnews.desk.bulletin import verify_bulletin
from meshnews.desk.cardfile import open_card
from meshnews.desk.certificate import verify_certificate
from meshnews.desk.manifest import verify_manifest
from meshnews.desk.recall import verify_recall
from meshnews.desk.request import verify_request
from meshnews.errors import Forged, Malformed
from tests.desk.golden import build
from tests.desk.sample import CARD_KEY, DESK, MANIFEST

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "desk.json").read_text())
ACCEPTED = {name: bytes.fromhex(text) for name, text in GOLDEN["accepted"].items()}
READERS: dict[str, Callable[[bytes], object]] = {
    "manifest": lambda data: verify_manifest(data, DESK),
    "bulletin": lambda data: verify_bulletin(data, MANIFEST),
    "certificate": lambda data: verify_certificate(data, MANIFEST),
    "recall": lambda data: verify_recall(data, desk=DESK),
    "request": verify_request,
}
ERRORS = {"Forged": Forged, "Malformed": Malformed}


def test_the_golden_file_is_what_is_made_today() -> None:
    assert build() == GOLDEN


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (reader, name)
        for name in ACCEPTED
        for reader in READERS
        if name.split("_")[0] == reader and name not in {"manifest_body", "manifest_unsigned"}
    ],
)
def test_every_good_object_is_accepted(reader: str, name: str) -> None:
    READERS[reader](ACCEPTED[name])


@pytest.mark.parametrize(
    ("reader", "error", "text"),
    [
        pytest.param(row["reader"], row["error"], row["hex"], id=f"{row['reader']}: {row['name']}")
        for row in GOLDEN["refused"]
    ],
)
def test_every_named_failure_is_refused_as_told(reader: str, error: str, text: str) -> None:
    with pytest.raises(ERRORS[error]):
        READERS[reader](bytes.fromhex(text))


def test_the_card_file_opens() -> None:
    card = open_card(ACCEPTED["relay_card_file"], CARD_KEY, request=ACCEPTED["words_digest"])
    assert card == ACCEPTED["relay_card"]
