"""The golden file: what this format is, to the byte, and who refuses what is not it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meshnews.bundle.format import Bundle, decode_offer, parse
from meshnews.bundle.open import find, open_found, open_notice
from meshnews.bundle.postage import CertificateMemo, check_bundle, issuer_id
from meshnews.bundle.receipt import decode_receipt, decode_short_receipt
from meshnews.bundle.seal import epoch_ref, unwrap_foreign
from meshnews.bundle.statement import read
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, PrekeySecret, X25519Secret
from meshnews.errors import PeerError
from meshnews.ids import Day, IssuerId, KeyRef
from tests.bundle import golden

FILE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "bundle.json").read_text(encoding="utf-8")
)
KEYS = {name: bytes.fromhex(value) for name, value in FILE["keys"].items()}
DISPATCH: dict[str, Any] = FILE["dispatch"]
EXPIRY_DAY = Day(int(FILE["keys"]["issuer_expiry_day"]))


def issuers(kid: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
    public = Ed25519Secret(KEYS["issuer_seed"]).public
    return [(public, EXPIRY_DAY)] if kid == issuer_id(public) else []


def test_the_file_is_what_the_code_writes() -> None:
    assert golden.make() == FILE


@pytest.mark.parametrize("name", ["dispatch", "notice", "stamped"])
def test_every_step_to_an_identifier_is_as_in_the_file(name: str) -> None:
    bundle = parse(bytes.fromhex(FILE[name]["wire"]))
    for part in ("pc", "h_ct", "meta", "h_rest", "id"):
        assert getattr(bundle, part).hex() == FILE[name][part]


@pytest.mark.parametrize("name", ["dispatch", "notice", "stamped"])
def test_every_bundle_in_the_file_is_admitted(name: str) -> None:
    bundle = parse(bytes.fromhex(FILE[name]["wire"]))
    franked = check_bundle(bundle, issuers=issuers, memo=CertificateMemo())
    assert franked.kind is bundle.kind


def first_reader() -> tuple[X25519Secret, PrekeySecret]:
    return X25519Secret(KEYS["scan_secret"]), PrekeySecret(
        KeyRef(KEYS["prekey_ref"]), X25519Secret(KEYS["prekey_secret"]), KEYS["prekey_psk"]
    )


def second_reader() -> tuple[X25519Secret, PrekeySecret]:
    epoch = X25519Secret(KEYS["epoch_secret"])
    return X25519Secret(KEYS["second_scan_secret"]), PrekeySecret(
        epoch_ref(epoch.public), epoch, b""
    )


@pytest.mark.parametrize("reader", [first_reader(), second_reader()], ids=["one-time", "epoch"])
def test_the_dispatch_in_the_file_opens(reader: tuple[X25519Secret, PrekeySecret]) -> None:
    scan, prekey = reader
    bundle = parse(bytes.fromhex(DISPATCH["wire"]))
    found = find(bundle, scan)
    assert found is not None
    opened = open_found(bundle, found, prekey)
    assert (opened.payload.hex(), opened.purge.hex()) == (DISPATCH["payload"], DISPATCH["r"])
    letter = read(opened.payload, bundle.pc)
    assert letter.inner.text == golden.TEXT
    assert letter.author == Ed25519Secret(KEYS["byline_seed"]).public
    assert letter.statement.desk == KEYS["desk_id"]


def test_the_notice_in_the_file_opens() -> None:
    opened = open_notice(parse(bytes.fromhex(FILE["notice"]["wire"])), KEYS["notice_key"])
    assert opened is not None
    assert opened.payload.hex() == FILE["notice"]["payload"]


def test_offer_receipts_and_foreign_form_name_the_dispatch() -> None:
    name = DISPATCH["id"]
    assert decode_offer(bytes.fromhex(DISPATCH["offer"])).id.hex() == name
    assert decode_receipt(bytes.fromhex(DISPATCH["receipt"])).ref.id.hex() == name
    assert decode_short_receipt(bytes.fromhex(DISPATCH["short_receipt"])).id.hex() == name
    wire = unwrap_foreign(bytes.fromhex(DISPATCH["foreign"]), KEYS["notice_key"])
    assert wire.hex() == DISPATCH["wire"]


def fate(bundle: Bundle) -> str:
    """Say at which stage after parsing a bundle is refused, and how."""
    stage = "check"
    try:
        check_bundle(bundle, issuers=issuers, memo=CertificateMemo())
        scan, prekey = first_reader()
        found = find(bundle, scan)
        if found is None:
            return "find nobody's"
        stage = "open"
        open_found(bundle, found, prekey)
    except PeerError as exc:
        return f"{stage} {type(exc).__name__}"
    return "taken"


@pytest.mark.parametrize("failure", FILE["failures"], ids=lambda failure: failure["name"])
def test_every_named_failure_is_refused_where_the_file_says(failure: dict[str, Any]) -> None:
    wire = bytearray.fromhex(FILE[failure["of"]]["wire"])
    for at, new in failure["edits"]:
        changed = bytes.fromhex(new)
        assert wire[at : at + len(changed)] != changed
        wire[at : at + len(changed)] = changed
    try:
        outcome = fate(parse(bytes(wire)))
    except PeerError as exc:
        outcome = f"parse {type(exc).__name__}"
    assert outcome == f"{failure['stage']} {failure['refusal']}"


@pytest.mark.parametrize("name", ["dispatch", "stamped"])
def test_what_nobody_changed_is_refused_nowhere(name: str) -> None:
    assert fate(parse(bytes.fromhex(FILE[name]["wire"]))) == "taken"
