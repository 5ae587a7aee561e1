"""A notice carries one signed object; a recall speaks by the roots or by the recalled key."""

from dataclasses import replace

import pytest

from meshnews.crypto.digest import Label
from meshnews.desk.limits import (
    BULLETIN_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    NOTICE_BYTES_MAX,
    RECALL_BYTES_MAX,
)
from meshnews.desk.manifest import unsigned_manifest
from meshnews.desk.notice import Notice, NoticeKind, decode_notice, read_unsigned
from meshnews.desk.recall import (
    Recall,
    recall_oneself,
    revocation_id,
    unsigned_recall,
    verify_recall,
)
from meshnews.desk.root import RootSigned, add_signature, new_roots
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import DeskId
from meshnews.wire.codec import encode
from tests.desk.sample import (
    BYLINE,
    DESK,
    DESK_ROOTS,
    MANIFEST,
    ROOTS,
    SIGNED_BULLETIN,
    SIGNED_MANIFEST,
    STRANGER,
    signer,
)

RECALL = Recall(DESK, revocation_id(BYLINE.public), 1_790_000_000)
UNSIGNED = unsigned_recall(RECALL, DESK_ROOTS)
SIGNED = add_signature(add_signature(UNSIGNED, ROOTS[0]), ROOTS[2])
OWN = recall_oneself(DESK, BYLINE)


@pytest.mark.parametrize(
    "notice",
    [
        Notice(NoticeKind.MANIFEST, SIGNED_MANIFEST),
        Notice(NoticeKind.BULLETIN, SIGNED_BULLETIN),
        Notice(NoticeKind.RECALL, SIGNED),
    ],
)
def test_a_notice_is_read_back(notice: Notice) -> None:
    assert decode_notice(notice.encode()) == notice


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        encode(["mark", b""]),
        encode([1, b""]),
        encode([b"manifest", b""]),
        encode([["manifest"], b""]),
        encode(["manifest"]),
        encode(["manifest", b"", b""]),
        encode(["manifest", "text"]),
        encode(["manifest", bytes(MANIFEST_BYTES_MAX + 1)]),
        encode(["bulletin", bytes(BULLETIN_BYTES_MAX + 1)]),
        encode(["recall", bytes(RECALL_BYTES_MAX + 1)]),
        bytes(NOTICE_BYTES_MAX + 1),
    ],
)
def test_what_is_no_notice_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        decode_notice(payload)


def test_enough_roots_recall_anybody() -> None:
    assert verify_recall(SIGNED, desk=DESK) == RECALL


def test_too_few_roots_recall_nobody() -> None:
    for unsigned in (UNSIGNED, add_signature(UNSIGNED, ROOTS[0])):
        with pytest.raises(Forged, match="missing"):
            verify_recall(unsigned, desk=DESK)


def test_who_leaves_a_recall_behind_recalls_only_itself() -> None:
    assert verify_recall(OWN, desk=DESK) == replace(RECALL, time=0)
    body = RECALL.encode_body()
    forged = encode([body, STRANGER.public, STRANGER.sign(Label.RECALL_1, body)])
    with pytest.raises(Forged, match="another key"):
        verify_recall(forged, desk=DESK)


def test_nobody_recalls_in_the_name_of_another() -> None:
    body = RECALL.encode_body()
    for wrong in (STRANGER.sign(Label.RECALL_1, body), BYLINE.sign(Label.ROOT_1, body)):
        with pytest.raises(Forged, match="does not hold"):
            verify_recall(encode([body, BYLINE.public, wrong]), desk=DESK)


def test_a_recall_of_another_desk_is_refused() -> None:
    other = DeskId(bytes(16))
    for recall in (SIGNED, OWN):
        with pytest.raises(Forged, match="another desk"):
            verify_recall(recall, desk=other)


def test_a_recall_for_another_desk_is_not_prepared() -> None:
    with pytest.raises(LocalMisuse):
        unsigned_recall(replace(RECALL, desk=DeskId(bytes(16))), DESK_ROOTS)


def test_a_manifest_is_no_recall() -> None:
    with pytest.raises(Malformed):
        verify_recall(SIGNED_MANIFEST, desk=DESK)


def test_a_recall_signed_by_all_of_eight_roots_is_within_its_limit() -> None:
    roots = [signer(200 + number) for number in range(8)]
    eight = new_roots([root.public for root in roots], 8)
    recall = replace(RECALL, desk=eight.desk)
    signed = unsigned_recall(recall, eight)
    for root in roots:
        signed = add_signature(signed, root)
    assert verify_recall(signed, desk=eight.desk) == recall
    assert len(signed) <= RECALL_BYTES_MAX


def test_the_roots_are_shown_what_they_are_asked_to_sign() -> None:
    assert read_unsigned(unsigned_manifest(MANIFEST)) == MANIFEST
    assert read_unsigned(UNSIGNED) == RECALL


@pytest.mark.parametrize("body", [encode(["card1", DESK]), encode([]), encode([1]), b"", b"\xc1"])
def test_roots_are_not_asked_to_sign_anything_else(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_unsigned(RootSigned(body, DESK_ROOTS).encode())
