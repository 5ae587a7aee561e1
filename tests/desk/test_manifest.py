"""A manifest speaks for its desk exactly when enough roots signed these bytes."""

from dataclasses import replace

import pytest

from meshnews.crypto.digest import Label
from meshnews.desk.bulletin import verify_bulletin
from meshnews.desk.limits import EDITORS_MAX, ISSUERS_MAX, MANIFEST_BYTES_MAX, RECALLED_MAX
from meshnews.desk.manifest import (
    Editor,
    Issuer,
    Manifest,
    Role,
    read_unsigned_manifest,
    sign_manifest,
    supersedes,
    unsigned_manifest,
    verify_manifest,
)
from meshnews.desk.recall import revocation_id
from meshnews.desk.root import (
    Roots,
    RootSigned,
    add_signature,
    decode_root_signed,
    desk_id,
    new_roots,
)
from meshnews.errors import Forged, LocalMisuse, Malformed, Refusal
from meshnews.ids import Day, DeskId
from meshnews.wire.codec import Value, decode, encode
from tests.desk.sample import (
    ALL_ROLES,
    DESK,
    DESK_ROOTS,
    EDITOR,
    MANIFEST,
    PLAIN,
    ROOTS,
    SECOND,
    SIGNED_BULLETIN,
    SIGNED_MANIFEST,
    STRANGER,
    signer,
)


def outer() -> list[Value]:
    value = decode(SIGNED_MANIFEST, bytes_max=MANIFEST_BYTES_MAX)
    assert isinstance(value, list)
    return value


def test_what_two_of_three_roots_signed_is_read_back() -> None:
    assert verify_manifest(SIGNED_MANIFEST, DESK) == MANIFEST


def test_a_machine_without_a_desk_learns_which_desk_speaks() -> None:
    assert verify_manifest(SIGNED_MANIFEST).desk == DESK


def test_the_desk_is_its_roots_and_their_threshold() -> None:
    assert len({desk_id(DESK_ROOTS.keys, t) for t in (1, 2, 3)}) == 3
    assert desk_id(DESK_ROOTS.keys, 2) == DESK
    assert len(DESK) == 16


def test_signatures_may_be_collected_one_by_one_and_in_any_order() -> None:
    unsigned = unsigned_manifest(MANIFEST)
    assert decode_root_signed(unsigned).missing == 2
    one = add_signature(unsigned, ROOTS[1])
    assert decode_root_signed(one).missing == 1
    assert add_signature(one, ROOTS[0]) == SIGNED_MANIFEST
    assert add_signature(add_signature(unsigned, ROOTS[0]), ROOTS[1]) == SIGNED_MANIFEST


def test_all_three_roots_may_sign() -> None:
    assert verify_manifest(sign_manifest(MANIFEST, ROOTS), DESK) == MANIFEST


def test_an_unsigned_manifest_can_be_shown_and_is_not_believed() -> None:
    unsigned = unsigned_manifest(MANIFEST)
    assert read_unsigned_manifest(unsigned) == MANIFEST
    with pytest.raises(Forged, match="2 root signatures missing"):
        verify_manifest(unsigned, DESK)


def test_one_root_that_signs_twice_counts_once() -> None:
    once = add_signature(unsigned_manifest(MANIFEST), ROOTS[0])
    twice = add_signature(once, ROOTS[0])
    assert twice == once
    with pytest.raises(Forged, match="1 root signatures missing"):
        verify_manifest(twice, DESK)


def test_the_same_signature_written_twice_is_refused() -> None:
    body, roots, threshold, signatures = outer()
    assert isinstance(signatures, list)
    with pytest.raises(Malformed, match="root signatures out of order"):
        verify_manifest(encode([body, roots, threshold, [signatures[0]] * 2]), DESK)


def test_a_signature_under_the_index_of_another_root_is_refused() -> None:
    body, roots, threshold, signatures = outer()
    assert isinstance(signatures, list)
    (first, one), (second, other) = (list(entry) for entry in signatures)
    with pytest.raises(Forged, match="does not hold"):
        verify_manifest(encode([body, roots, threshold, [[first, other], [second, one]]]), DESK)


def test_a_wrong_signature_beside_enough_good_ones_is_refused() -> None:
    signed = decode_root_signed(SIGNED_MANIFEST)
    absent = ({0, 1, 2} - {index for index, _ in signed.signatures}).pop()
    wrong = (*signed.signatures, (absent, bytes(64)))
    with pytest.raises(Forged):
        verify_manifest(RootSigned(signed.body, signed.roots, wrong).encode(), DESK)


def test_a_root_of_another_desk_cannot_sign() -> None:
    with pytest.raises(Refusal) as refused:
        add_signature(unsigned_manifest(MANIFEST), STRANGER)
    assert refused.value.code == "wrong-root"


def test_a_manifest_of_another_desk_is_refused() -> None:
    other = replace(MANIFEST, roots=new_roots([STRANGER.public], 1))
    signed = sign_manifest(other, [STRANGER])
    assert verify_manifest(signed) == other
    with pytest.raises(Forged, match="another desk"):
        verify_manifest(signed, DESK)


def test_a_lower_threshold_makes_another_desk() -> None:
    body, roots, _, signatures = outer()
    with pytest.raises(Forged, match="another desk"):
        verify_manifest(encode([body, roots, 1, signatures]), DESK)
    with pytest.raises(Forged, match="under the roots of another desk"):
        verify_manifest(encode([body, roots, 1, signatures]))


def test_roots_that_sign_for_a_desk_that_is_not_theirs_are_refused() -> None:
    foreign = Roots((STRANGER.public,), 1)
    body = MANIFEST.encode_body()
    signature = STRANGER.sign(Label.ROOT_1, body)
    with pytest.raises(Forged, match="under the roots of another desk"):
        verify_manifest(RootSigned(body, foreign, ((0, signature),)).encode())


def test_a_signature_for_another_purpose_is_refused() -> None:
    body = MANIFEST.encode_body()
    signatures = tuple(
        (DESK_ROOTS.keys.index(root.public), root.sign(Label.CARD_1, body)) for root in ROOTS
    )
    with pytest.raises(Forged):
        verify_manifest(RootSigned(body, DESK_ROOTS, signatures).encode(), DESK)


@pytest.mark.parametrize(
    ("roots", "threshold"),
    [([], 1), ([signer(1).public] * 2, 1), ([signer(1).public], 0), ([signer(1).public], 2)],
)
def test_no_desk_is_made_of_impossible_roots(roots: list[bytes], threshold: int) -> None:
    with pytest.raises(LocalMisuse):
        new_roots(roots, threshold)  # type: ignore[arg-type]  # plain bytes will do to be refused


def test_roots_out_of_order_are_refused() -> None:
    body, roots, threshold, _ = outer()
    assert isinstance(roots, list)
    with pytest.raises(Malformed, match="root keys out of order"):
        verify_manifest(encode([body, roots[::-1], threshold, []]))


def test_roles_are_those_given_and_none_when_recalled() -> None:
    assert MANIFEST.roles_of(EDITOR.public) == ALL_ROLES
    assert MANIFEST.roles_of(SECOND.public) == Role.OPEN
    assert MANIFEST.roles_of(PLAIN.public) == Role(0)
    assert MANIFEST.roles_of(STRANGER.public) == Role(0)
    assert MANIFEST.holders_of(Role.PUBLISH) == (EDITOR.public,)
    assert set(MANIFEST.holders_of(Role.OPEN)) == {EDITOR.public, SECOND.public}
    assert MANIFEST.is_recalled(PLAIN.public)
    assert not MANIFEST.is_editor(PLAIN.public)
    assert MANIFEST.is_editor(SECOND.public)
    assert not MANIFEST.is_editor(STRANGER.public)


def test_a_recall_heard_beside_the_manifest_counts_at_once() -> None:
    now = MANIFEST.also_recalling([revocation_id(EDITOR.public)])
    assert now.roles_of(EDITOR.public) == Role(0)
    assert not now.is_editor(EDITOR.public)
    assert now.is_recalled(PLAIN.public)
    assert now.also_recalling([]) == now
    with pytest.raises(Forged):
        verify_bulletin(SIGNED_BULLETIN, now)


def test_a_role_of_a_later_version_is_kept_and_means_nothing() -> None:
    later = replace(MANIFEST, editors=(Editor(EDITOR.public, Role(128 | 1)),))
    read = verify_manifest(sign_manifest(later, ROOTS), DESK)
    assert read == later
    assert read.holders_of(Role.PUBLISH) == ()
    assert read.holders_of(Role.OPEN) == (EDITOR.public,)


def test_lists_are_written_in_order_whatever_their_order() -> None:
    turned = replace(MANIFEST, editors=MANIFEST.editors[::-1], recalled=MANIFEST.recalled[::-1])
    assert sign_manifest(turned, ROOTS[:2]) == SIGNED_MANIFEST


def test_only_a_higher_version_of_the_same_desk_supersedes() -> None:
    newer = replace(MANIFEST, version=4)
    other = replace(newer, roots=new_roots([STRANGER.public], 1))
    assert supersedes(MANIFEST, None)
    assert supersedes(newer, MANIFEST)
    assert not supersedes(MANIFEST, newer)
    assert not supersedes(MANIFEST, MANIFEST)
    assert not supersedes(other, MANIFEST)


def test_of_two_with_one_version_all_machines_keep_the_same() -> None:
    twin = replace(MANIFEST, not_after=Day(3001))
    assert supersedes(twin, MANIFEST) != supersedes(MANIFEST, twin)


def many_editors(count: int) -> Manifest:
    keys = sorted(signer(100 + number).public for number in range(count))
    return replace(MANIFEST, editors=tuple(Editor(key, Role.OPEN) for key in keys))


def many_issuers(count: int) -> Manifest:
    keys = sorted(signer(100 + number).public for number in range(count))
    return replace(MANIFEST, issuers=tuple(Issuer(key, Day(1)) for key in keys))


def test_a_manifest_at_every_limit_fits_a_notice() -> None:
    full = replace(
        MANIFEST,
        editors=many_editors(EDITORS_MAX).editors,
        issuers=many_issuers(ISSUERS_MAX).issuers,
        recalled=tuple(number.to_bytes(16, "big") for number in range(RECALLED_MAX)),
    )
    signed = sign_manifest(full, ROOTS)
    assert verify_manifest(signed, DESK) == full
    assert len(signed) < 24 * 1024


@pytest.mark.parametrize(
    "over",
    [
        many_editors(EDITORS_MAX + 1),
        many_issuers(ISSUERS_MAX + 1),
        replace(MANIFEST, recalled=tuple(n.to_bytes(16, "big") for n in range(RECALLED_MAX + 1))),
        replace(MANIFEST, version=0),
        replace(MANIFEST, version=2**32),
        replace(MANIFEST, floor_time=-1),
        replace(MANIFEST, floor_time=2**34),
        replace(MANIFEST, not_after=Day(65536)),
        replace(MANIFEST, editors=MANIFEST.editors[:1] * 2),
        replace(MANIFEST, recalled=(b"short",)),
    ],
)
def test_nothing_over_a_limit_is_ever_signed(over: Manifest) -> None:
    with pytest.raises(LocalMisuse):
        sign_manifest(over, ROOTS)


def test_a_manifest_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        verify_manifest(bytes(MANIFEST_BYTES_MAX + 1), DeskId(bytes(16)))
