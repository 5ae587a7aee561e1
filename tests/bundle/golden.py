"""Writes tests/golden/bundle.json: `python -m tests.bundle.golden > tests/golden/bundle.json`.

Everything is grown from one seed, so a second run gives the same file.  It is
written once for a version of the format; after that the code answers to it.
"""

import json
import sys
from hashlib import sha256
from typing import Any, Final

from meshnews.bundle.chunks import TreeWriter, open_index, purge_of, root_node
from meshnews.bundle.format import Bundle, parse
from meshnews.bundle.open import find
from meshnews.bundle.postage import ByPostage, frank, issue
from meshnews.bundle.receipt import receipt_of
from meshnews.bundle.seal import (
    Reader,
    draft,
    draft_notice,
    epoch_prekey,
    seal,
    seal_notice,
    wrap_foreign,
)
from meshnews.bundle.shape import AUTH_BYTES
from meshnews.bundle.stamp import ByStamp
from meshnews.bundle.statement import (
    FIRST_LINK,
    Inner,
    Kind,
    Priority,
    ReplyKey,
    ReplyTo,
    Role,
    write,
)
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Ed25519Secret, PrekeySecret, X25519Secret
from meshnews.ids import AuthKind, Day, DeskId, KeyRef, TrafficClass

SEED: Final = b"golden bundle 1"
DAY: Final = Day(2600)
STAMP_NONCE: Final = 0xD9B72
"""The first nonce that stamps the stamped bundle with 20 bits, found once."""

TEXT: Final = "Площадь: слышны выстрелы. Видео следует. 18:40"

entropy = SeededEntropy(SEED)
ISSUER = Ed25519Secret(entropy.draw(32))
BYLINE = Ed25519Secret(entropy.draw(32))
DESK = DeskId(entropy.draw(16))
NOTICE_KEY = entropy.draw(32)
SCAN = X25519Secret(entropy.draw(32))
PREKEY = PrekeySecret(KeyRef(entropy.draw(8)), X25519Secret(entropy.draw(32)), entropy.draw(32))
SECOND_SCAN = X25519Secret(entropy.draw(32))
EPOCH = X25519Secret(entropy.draw(32))
REPLY_SCAN = X25519Secret(entropy.draw(32))
REPLY = PrekeySecret(KeyRef(entropy.draw(8)), X25519Secret(entropy.draw(32)), entropy.draw(32))
EDITOR = Ed25519Secret(SeededEntropy(SEED + b" editor").draw(32))
FILE_KEY = entropy.draw(32)
FILE = entropy.draw(65536) + b"\n"
POSTAGE = issue(ISSUER, entropy, expiry_day=Day(2900), traffic=TrafficClass.NOTICE, n=1, count=1)[0]
FLASH_POSTAGE = issue(
    ISSUER, entropy, expiry_day=Day(2616), traffic=TrafficClass.FLASH, n=16, count=1
)[0]


def attachment() -> tuple[list[Bundle], dict[str, Any], Any]:
    writer = TreeWriter(
        FILE_KEY,
        size=len(FILE),
        role=Role.FILE,
        life=7,
        day=DAY,
        franker=lambda _: ByPostage(FLASH_POSTAGE),
        name="площадь.jpg",
    )
    bundles = writer.add(FILE[:65536]) + writer.add(FILE[65536:])
    _, tree = writer.finish()
    root = root_node(tree)
    nodes = [*open_index(bundles[-1], root, tree), root]
    described = {
        "file": f"65536 seeded bytes and a line feed; sha256 {sha256(FILE).hexdigest()}",
        "K": FILE_KEY.hex(),
        "nodes": [
            {
                "level": node.level,
                "position": node.position,
                "data_hash": node.data_hash.hex(),
                "id": node.id.hex(),
                "r": purge_of(node, tree).hex(),
                "size": bundle.size,
                "sha256_before_auth": sha256(bundle.wire[:-AUTH_BYTES]).hexdigest(),
            }
            for node, bundle in zip(nodes, bundles, strict=True)
        ],
        "root_wire": bundles[-1].wire.hex(),
    }
    return bundles, described, tree


def make() -> dict[str, Any]:
    """Return everything that the file holds."""
    _, chunks, tree = attachment()
    draws = SeededEntropy(SEED + b" dispatch")
    envelope = draft(draws)
    payload = write(
        Inner(Kind.DISPATCH, "площадь", Priority.FLASH, text=TEXT),
        signer=BYLINE,
        pc=envelope.pc,
        desk=DESK,
        seq=1,
        prev=FIRST_LINK,
        claimed_time=1641404400,
        attachments=[tree],
        reply=ReplyTo(REPLY_SCAN.public, (ReplyKey.of(EDITOR.public, REPLY.prekey),)),
    )
    readers = [
        Reader(SCAN.public, PREKEY.prekey),
        Reader(SECOND_SCAN.public, epoch_prekey(EPOCH.public)),
    ]
    made = seal(
        payload,
        readers,
        traffic=TrafficClass.FLASH,
        day=DAY,
        entropy=draws,
        franker=ByPostage(FLASH_POSTAGE),
        envelope=envelope,
    )
    receipt = receipt_of(made.bundle, made.purge)
    return {
        "note": "hexadecimal; docs/protocol/bundles.md says what each is",
        "keys": keys(),
        "dispatch": {
            "k": envelope.key.hex(),
            "skE": envelope.ephemeral.raw.hex(),
            "r": made.purge.hex(),
            "payload": payload.hex(),
            **described(made.bundle),
            "offer": made.bundle.offer.encode().hex(),
            "receipt": receipt.encode().hex(),
            "short_receipt": receipt.short.encode().hex(),
            "foreign": wrap_foreign(made.bundle.wire, NOTICE_KEY, draws).hex(),
        },
        "notice": notice(),
        "stamped": described(stamped()),
        "chunks": chunks,
        "failures": failures(made.bundle, stamped()),
    }


def keys() -> dict[str, str]:
    return {
        "issuer_seed": ISSUER.raw.hex(),
        "issuer_expiry_day": "2900",
        "byline_seed": BYLINE.raw.hex(),
        "desk_id": DESK.hex(),
        "notice_key": NOTICE_KEY.hex(),
        "scan_secret": SCAN.raw.hex(),
        "prekey_ref": PREKEY.ref.hex(),
        "prekey_secret": PREKEY.secret.raw.hex(),
        "prekey_psk": PREKEY.psk.hex(),
        "second_scan_secret": SECOND_SCAN.raw.hex(),
        "epoch_secret": EPOCH.raw.hex(),
        "editor_seed": EDITOR.raw.hex(),
    }


def described(bundle: Bundle) -> dict[str, str]:
    return {
        "pc": bundle.pc.hex(),
        "h_ct": bundle.h_ct.hex(),
        "meta": bundle.meta.hex(),
        "h_rest": bundle.h_rest.hex(),
        "id": bundle.id.hex(),
        "wire": bundle.wire.hex(),
    }


def notice() -> dict[str, str]:
    draws = SeededEntropy(SEED + b" notice")
    envelope = draft_notice(NOTICE_KEY, day=DAY, entropy=draws)
    made = seal_notice(
        b"to all",
        NOTICE_KEY,
        day=DAY,
        life=1,
        entropy=draws,
        franker=ByPostage(POSTAGE),
        envelope=envelope,
    )
    return {"k": envelope.key.hex(), "payload": b"to all".hex(), **described(made.bundle)}


def stamped() -> Bundle:
    return seal(
        b"a tip",
        [Reader(SCAN.public, PREKEY.prekey)],
        traffic=TrafficClass.ROUTINE,
        day=DAY,
        life=3,
        kind=AuthKind.STAMP,
        entropy=SeededEntropy(SEED + b" stamped"),
        franker=ByStamp(first=STAMP_NONCE),
    ).bundle


def failures(dispatch: Bundle, tip: Bundle) -> list[dict[str, Any]]:
    """Return named edits of the dispatch or the tip, who refuses each, and how."""
    shape = dispatch.shape
    auth = shape.size - AUTH_BYTES

    def row(
        name: str, at: int, new: str, stage: str, refusal: str, of: str = "dispatch"
    ) -> dict[str, Any]:
        return {"name": name, "of": of, "edits": [[at, new]], "stage": stage, "refusal": refusal}

    def refranked(name: str, at: int, stage: str, refusal: str) -> dict[str, Any]:
        changed = bytearray(dispatch.wire)
        changed[at] ^= 1
        again = frank(FLASH_POSTAGE, parse(bytes(changed)).id)
        edits = [[at, bytes((changed[at],)).hex()], [auth, again.hex()]]
        return {"name": name, "of": "dispatch", "edits": edits, "stage": stage, "refusal": refusal}

    found = find(dispatch, SCAN)
    assert found is not None, "the first reader finds the dispatch"
    ours = shape.stanzas_at + 72 * found.index
    return [
        row("outer array of three", 0, "93", "parse", "Malformed"),
        row("body shorter than it is", 3, "48", "parse", "Malformed"),
        row("body of ten fields", 4, "9a", "parse", "Malformed"),
        row("version 2", 5, "02", "parse", "Malformed"),
        row("kind 0", 6, "00", "parse", "Malformed"),
        row("kind 3", 6, "03", "parse", "Malformed"),
        row("kind stamp with postage", 6, "02", "check", "Malformed"),
        row("class 4", 7, "04", "parse", "Malformed"),
        row("class less urgent, postage not renewed", 7, "02", "check", "Forged"),
        row("class more urgent than the postage", 7, "00", "check", "Exceeded"),
        row("class 0 with a stamp", 7, "00", "parse", "Malformed", of="stamped"),
        row("life 2", 8, "02", "parse", "Malformed"),
        row("life 13", 8, "0d", "parse", "Malformed"),
        row("life 7, postage not renewed", 8, "07", "check", "Forged"),
        row("odd day", 11, "29", "parse", "Malformed"),
        row("later than the postage", 11, "2a", "check", "Exceeded"),
        row("day written too wide", 9, "cd0064", "parse", "Malformed"),
        row("day above the last", 9, "cdfff0", "parse", "Malformed"),
        row("day that is no integer", 9, "c40a28", "parse", "Malformed"),
        row("pc of 33 bytes", 13, "21", "parse", "Malformed"),
        row("E of 31 bytes", 47, "1f", "parse", "Malformed"),
        row("stanzas of another length", 82, "21", "parse", "Malformed"),
        row("ciphertext of another length", 373, "d4", "parse", "Malformed"),
        row("auth that is a text", 1867, "d9", "parse", "Malformed"),
        row("auth of another length", 1868, "b2", "parse", "Malformed"),
        row("pc bent", shape.pc_at, "00", "check", "Forged"),
        row("E bent", shape.ephemeral_at, "00", "check", "Forged"),
        row("ciphertext bent", shape.ciphertext_at, "00", "check", "Forged"),
        row("postage key bent", auth + 4, "00", "check", "Forged"),
        row("postage expiring before the bundle", auth + 38, "37", "check", "Exceeded"),
        row("postage expiring later than certified", auth + 38, "39", "check", "Forged"),
        row("postage of class 2", auth + 39, "02", "check", "Exceeded"),
        row("postage of class 4", auth + 39, "04", "check", "Malformed"),
        row("postage for 17", auth + 40, "11", "check", "Malformed"),
        row("postage for 15", auth + 40, "0f", "check", "Forged"),
        row("postage of an issuer not known", auth + 43, "00000000", "check", "Forged"),
        row("certificate bent", auth + 49, "00", "check", "Forged"),
        row("frank bent", auth + 115, "00", "check", "Forged"),
        row("stamp nonce bent", auth + 11, "00", "check", "Forged", of="stamped"),
        row("stamp of 19 bits", auth + 12, "13", "check", "Malformed", of="stamped"),
        row("stamp of 60 bits", auth + 12, "3c", "check", "Forged", of="stamped"),
        row("something behind a stamp", auth + 13, "01", "check", "Malformed", of="stamped"),
        row("postage on a bundle with a stamp", auth, "98", "check", "Malformed", of="stamped"),
        refranked("pc bent, franked again", shape.pc_at, "find", "nobody's"),
        refranked("E bent, franked again", shape.ephemeral_at, "find", "nobody's"),
        refranked("hint bent, franked again", ours, "find", "nobody's"),
        refranked("wrap bent, franked again", ours + 24, "open", "Forged"),
        refranked("ciphertext bent, franked again", shape.ciphertext_at, "open", "Forged"),
        refranked("tag bent, franked again", shape.ciphertext_end - 1, "open", "Forged"),
    ]


if __name__ == "__main__":
    json.dump(make(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
