"""What tests/golden/desk.json holds, made afresh: `python -m tests.desk.golden` prints it.

The file lets a second implementation check itself; once written it is not edited.
"""

import json
import sys
from dataclasses import replace

from meshnews.crypto.digest import Label
from meshnews.crypto.entropy import SeededEntropy
from meshnews.desk.bulletin import Bulletin, Endpoint, EndpointKind, epoch_ref, sign_bulletin
from meshnews.desk.cardfile import seal_card
from meshnews.desk.certificate import sign_certificate
from meshnews.desk.manifest import sign_manifest, unsigned_manifest
from meshnews.desk.recall import Recall, recall_oneself, revocation_id, unsigned_recall
from meshnews.desk.request import sign_request, words_digest
from meshnews.desk.root import RootSigned, add_signature, decode_root_signed, new_roots
from meshnews.ids import Day, DeskId
from meshnews.wire.codec import Value, decode, encode
from tests.desk.sample import (
    BULLETIN,
    BYLINE,
    CARD_KEY,
    CERTIFICATE,
    DESK,
    DESK_ROOTS,
    EDITOR,
    EDITOR_CARD,
    EDITOR_REQUEST,
    EPOCHS,
    MANIFEST,
    MEMBER,
    PLAIN,
    PRESS_CARD,
    REFRESH,
    RELAY_CARD,
    RELAY_REQUEST,
    REPORTER_REQUEST,
    ROOTS,
    SECOND,
    SIGNED_BULLETIN,
    SIGNED_MANIFEST,
    SIGNED_SECOND_BULLETIN,
    STRANGER,
    signer,
)

RECALL = Recall(DESK, revocation_id(BYLINE.public), 1_790_000_000)
REPORTER_FILE = sign_request(REPORTER_REQUEST, BYLINE)
OTHER_DESK = DeskId(bytes(16))


PIN = bytes([90]) * 32
PINNED = replace(
    BULLETIN,
    endpoints=(
        Endpoint(
            BULLETIN.relays[0].static[:8], "192.0.2.1", (443,), EndpointKind.TLS, PIN, "a.net"
        ),
        Endpoint(BULLETIN.relays[0].static[:8], "192.0.2.1", (853,), EndpointKind.TLS, PIN),
    ),
)


def objects() -> dict[str, bytes]:
    """Return every object that is to be accepted."""
    return {
        "desk_id": DESK,
        "epoch_ref": epoch_ref(EPOCHS[0].public),
        "revocation_id": RECALL.revocation,
        "words_digest": words_digest(REPORTER_FILE),
        "manifest_body": MANIFEST.encode_body(),
        "manifest_unsigned": unsigned_manifest(MANIFEST),
        "manifest": SIGNED_MANIFEST,
        "bulletin": SIGNED_BULLETIN,
        "bulletin_without_role": SIGNED_SECOND_BULLETIN,
        "bulletin_with_pin": sign_bulletin(PINNED, EDITOR),
        "certificate": CERTIFICATE,
        "recall_by_roots": _by_two_roots(unsigned_recall(RECALL, DESK_ROOTS)),
        "recall_by_oneself": recall_oneself(DESK, BYLINE),
        "request_reporter": REPORTER_FILE,
        "request_relay": sign_request(RELAY_REQUEST, signer(46)),
        "request_editor": sign_request(EDITOR_REQUEST, SECOND),
        "press_card": PRESS_CARD.encode(),
        "relay_card": RELAY_CARD.encode(),
        "editor_card": EDITOR_CARD.encode(),
        "member": MEMBER.encode(),
        "refresh": REFRESH.encode(),
        "relay_card_file": seal_card(
            RELAY_CARD.encode(),
            CARD_KEY.public,
            SeededEntropy(b"golden"),
            request=words_digest(REPORTER_FILE),
        ),
    }


def refused() -> list[dict[str, str]]:
    """Return what is to be refused: by which reader, as what, and why."""
    return [
        *(_row("manifest", *row) for row in _manifests()),
        *(_row("bulletin", *row) for row in _bulletins()),
        *(_row("certificate", *row) for row in _certificates()),
        *(_row("recall", *row) for row in _recalls()),
        *(_row("request", *row) for row in _requests()),
    ]


def build() -> dict[str, object]:
    """Return the whole file."""
    return {
        "note": "every secret is one byte repeated 32 times; see tests/desk/sample.py",
        "secrets": {
            "roots": [1, 2, 3],
            "threshold": 2,
            "editor": 10,
            "second editor": 11,
            "recalled editor": 12,
            "stranger": 19,
            "byline": 20,
            "card key": 21,
            "ephemeral key of the card file": SeededEntropy(b"golden").draw(32).hex(),
        },
        "accepted": {name: data.hex() for name, data in objects().items()},
        "refused": refused(),
    }


def _row(reader: str, name: str, error: str, data: bytes) -> dict[str, str]:
    return {"name": name, "reader": reader, "error": error, "hex": data.hex()}


def _by_two_roots(unsigned: bytes) -> bytes:
    return add_signature(add_signature(unsigned, ROOTS[0]), ROOTS[1])


def _raw_manifest(fields: list[Value]) -> bytes:
    body = encode(fields)
    return _by_two_roots(RootSigned(body, DESK_ROOTS).encode())


def _fields(body: bytes) -> list[Value]:
    value = decode(body, bytes_max=len(body))
    assert isinstance(value, list)
    return value


def _manifests() -> list[tuple[str, str, bytes]]:
    unsigned = unsigned_manifest(MANIFEST)
    signed = decode_root_signed(SIGNED_MANIFEST)
    first = signed.signatures[0]
    body = MANIFEST.encode_body()
    fields = _fields(body)
    roots: list[Value] = list(DESK_ROOTS.keys)
    other = replace(MANIFEST, roots=new_roots([STRANGER.public], 1))
    tag, desk, version, floor, after, editors, issuers, recalled = fields
    assert isinstance(editors, list)
    return [
        ("no root signature", "Forged", unsigned),
        ("one of two root signatures", "Forged", add_signature(unsigned, ROOTS[0])),
        (
            "the signature of one root twice",
            "Malformed",
            encode([body, roots, 2, [list(first), list(first)]]),
        ),
        (
            "a third signature that does not hold",
            "Forged",
            RootSigned(body, DESK_ROOTS, (*signed.signatures, (_absent(), bytes(64)))).encode(),
        ),
        ("another desk", "Forged", sign_manifest(other, [STRANGER])),
        ("threshold lowered", "Forged", encode([body, roots, 1, [list(first)]])),
        ("threshold zero", "Malformed", encode([body, roots, 0, []])),
        ("threshold above the roots", "Malformed", encode([body, roots, 4, []])),
        ("roots out of order", "Malformed", encode([body, roots[::-1], 2, []])),
        ("index of no root", "Malformed", encode([body, roots, 2, [[3, bytes(64)]]])),
        ("desk in the body another", "Forged", _raw_manifest([tag, OTHER_DESK, *fields[2:]])),
        ("another tag", "Malformed", _raw_manifest(["man2", *fields[1:]])),
        ("version zero", "Malformed", _raw_manifest([tag, desk, 0, *fields[3:]])),
        (
            "editors out of order",
            "Malformed",
            _raw_manifest([tag, desk, version, floor, after, editors[::-1], issuers, recalled]),
        ),
        (
            "an editor twice",
            "Malformed",
            _raw_manifest([tag, desk, version, floor, after, editors[:1] * 2, issuers, recalled]),
        ),
        ("a field too many", "Malformed", _raw_manifest([*fields, 0])),
        ("a field too few", "Malformed", _raw_manifest(fields[:-1])),
        (
            "an integer longer than it need be",
            "Malformed",
            _by_two_roots(RootSigned(_with_a_long_version(body), DESK_ROOTS).encode()),
        ),
        ("a byte behind the end", "Malformed", SIGNED_MANIFEST + b"\0"),
    ]


def _with_a_long_version(body: bytes) -> bytes:
    at = 1 + len(encode("man1")) + len(encode(DESK))
    assert body[at] == MANIFEST.version
    return body[:at] + b"\xcc" + body[at:]


def _absent() -> int:
    present = {index for index, _ in decode_root_signed(SIGNED_MANIFEST).signatures}
    return ({0, 1, 2} - present).pop()


def _bulletins() -> list[tuple[str, str, bytes]]:
    body = BULLETIN.encode_body()
    fields = _fields(body)
    *head, endpoints = fields
    endpoint: list[Value] = [BULLETIN.relays[0].static[:8], "-option", [443], 1]
    epochs, relays = fields[5], fields[6]
    assert isinstance(epochs, list)
    assert isinstance(relays, list)

    def raw(values: list[Value]) -> bytes:
        packed = encode(values)
        return encode([packed, EDITOR.sign(Label.BULLETIN_1, packed)])

    def by(secret_bulletin: Bulletin) -> bytes:
        secret = {STRANGER.public: STRANGER, PLAIN.public: PLAIN}[secret_bulletin.signer]
        return sign_bulletin(secret_bulletin, secret)

    return [
        ("signed by a stranger", "Forged", by(replace(BULLETIN, signer=STRANGER.public))),
        ("signed by a recalled editor", "Forged", by(replace(BULLETIN, signer=PLAIN.public))),
        (
            "signed by another editor",
            "Forged",
            encode([body, SECOND.sign(Label.BULLETIN_1, body)]),
        ),
        ("signed for a card", "Forged", encode([body, EDITOR.sign(Label.CARD_1, body)])),
        ("another desk", "Forged", sign_bulletin(replace(BULLETIN, desk=OTHER_DESK), EDITOR)),
        ("version zero", "Malformed", raw([*fields[:3], 0, *fields[4:]])),
        ("epoch keys out of order", "Malformed", raw([*fields[:5], epochs[::-1], *fields[6:]])),
        ("relays out of order", "Malformed", raw([*fields[:6], relays[::-1], endpoints])),
        ("a host like an option", "Malformed", raw([*head, [endpoint]])),
        ("an endpoint without ports", "Malformed", raw([*head, [[bytes(8), "a", [], 1]]])),
        ("a certificate in TCP", "Malformed", raw([*head, [[bytes(8), "a", [1], 1, PIN, ""]]])),
        ("a short pin", "Malformed", raw([*head, [[bytes(8), "a", [1], 2, PIN[:31], ""]]])),
        ("a name like an option", "Malformed", raw([*head, [[bytes(8), "a", [1], 2, PIN, "-a"]]])),
        ("an endpoint of five fields", "Malformed", raw([*head, [[bytes(8), "a", [1], 2, PIN]]])),
        ("a signature too short", "Malformed", encode([body, bytes(63)])),
    ]


def _certificates() -> list[tuple[str, str, bytes]]:
    body = encode(["card1", DESK, BYLINE.public, "reporter-1", 2800, 1])
    long_body = encode(["card1", DESK, BYLINE.public, "x" * 65, 2800, 1])
    odd_body = encode(["card1", DESK, BYLINE.public, "x\ny", 2800, 1])

    def by(secret_number: int, *, desk: DeskId = DESK) -> bytes:
        return sign_certificate(
            signer(secret_number),
            desk=desk,
            byline=BYLINE.public,
            name="reporter-1",
            expiry_day=Day(2800),
        )

    return [
        ("signed by a stranger", "Forged", by(19)),
        ("signed by an editor who may not enrol", "Forged", by(11)),
        ("signed by a recalled editor", "Forged", by(12)),
        ("another desk", "Forged", by(10, desk=OTHER_DESK)),
        (
            "signed by a stranger in the name of an editor",
            "Forged",
            encode([body, EDITOR.public, STRANGER.sign(Label.CARD_1, body)]),
        ),
        (
            "a name too long",
            "Malformed",
            encode([long_body, EDITOR.public, EDITOR.sign(Label.CARD_1, long_body)]),
        ),
        (
            "a name of two lines",
            "Malformed",
            encode([odd_body, EDITOR.public, EDITOR.sign(Label.CARD_1, odd_body)]),
        ),
    ]


def _recalls() -> list[tuple[str, str, bytes]]:
    body = RECALL.encode_body()
    unsigned = unsigned_recall(RECALL, DESK_ROOTS)
    return [
        ("one of two root signatures", "Forged", add_signature(unsigned, ROOTS[0])),
        ("another desk", "Forged", recall_oneself(OTHER_DESK, BYLINE)),
        (
            "signed by another key than the recalled",
            "Forged",
            encode([body, STRANGER.public, STRANGER.sign(Label.RECALL_1, body)]),
        ),
        (
            "signed by an editor in the name of the recalled",
            "Forged",
            encode([body, BYLINE.public, EDITOR.sign(Label.RECALL_1, body)]),
        ),
        ("a manifest", "Malformed", SIGNED_MANIFEST),
    ]


def _requests() -> list[tuple[str, str, bytes]]:
    head: list[Value] = ["req1", 1, CARD_KEY.public, BYLINE.public, CARD_KEY.public]
    body = encode([*head, b""])
    part = encode([*head, bytes(71)])
    many = encode([*head, b"".join(bytes([number]) * 72 for number in range(65))])
    twice = encode([*head, 2 * (bytes(8) + CARD_KEY.public + bytes(32))])
    role = encode(["req1", 4, *head[2:], b""])

    def own(packed: bytes) -> bytes:
        return encode([packed, BYLINE.sign(Label.REQUEST_1, packed)])

    return [
        (
            "signed by another key",
            "Forged",
            encode([body, STRANGER.sign(Label.REQUEST_1, body)]),
        ),
        ("signed for another purpose", "Forged", encode([body, BYLINE.sign(Label.CARD_1, body)])),
        ("a part of a reply key", "Malformed", own(part)),
        ("65 reply keys", "Malformed", own(many)),
        ("a reply key twice", "Malformed", own(twice)),
        ("a role that is none", "Malformed", own(role)),
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(build(), indent=1, ensure_ascii=False) + "\n")
