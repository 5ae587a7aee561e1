"""A card holds what its holder needs, opens to who asked for it, and fits a megabyte."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshnews.crypto.digest import Label
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Ed25519Public, PostageKey, Prekey, SymmetricKey, X25519Public
from meshnews.desk.card import (
    EditorCard,
    PressCard,
    RelayCard,
    decode_editor_card,
    decode_press_card,
    decode_relay_card,
)
from meshnews.desk.cardfile import OVERHEAD_BYTES, open_card, seal_card
from meshnews.desk.certificate import (
    CardCertificate,
    Member,
    Scope,
    Share,
    decode_member,
    read_certificate,
    sign_certificate,
    verify_certificate,
)
from meshnews.desk.limits import (
    CARD_BYTES_MAX,
    CERTIFICATE_BYTES_MAX,
    EDITOR_CARD_BYTES_MAX,
    EDITORS_MAX,
    MEMBER_BYTES_MAX,
    MEMBERS_MAX,
    NAME_CHARS_MAX,
    PACKS_PER_CARD,
    POSTAGE_ON_CARD_MAX,
    PREKEYS_PER_PACK,
    RELAYS_ON_CARD_MAX,
    REPLY_KEYS_IN_REQUEST,
)
from meshnews.desk.manifest import sign_manifest
from meshnews.desk.pack import PrekeyPack, RelayKeys
from meshnews.desk.recall import revocation_id
from meshnews.desk.request import sign_request, words_digest
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import Day, DeskId, IssuerId, KeyRef, TrafficClass
from meshnews.wire.codec import encode
from tests.desk.sample import (
    BYLINE,
    CARD_KEY,
    CERTIFICATE,
    DESK,
    EDITOR,
    EDITOR_CARD,
    MANIFEST,
    MEMBER,
    PACK,
    PLAIN,
    POSTAGE,
    PRESS_CARD,
    RELAY_CARD,
    RELAY_KEYS,
    REPORTER_REQUEST,
    ROOTS,
    SECOND,
    STRANGER,
    agreer,
    postage,
    prekey,
    signer,
)

ENTROPY = SeededEntropy(b"cards")
REQUEST = words_digest(sign_request(REPORTER_REQUEST, BYLINE))


def random_prekeys(count: int) -> tuple[Prekey, ...]:
    return tuple(
        Prekey(KeyRef(ENTROPY.draw(8)), X25519Public(ENTROPY.draw(32)), ENTROPY.draw(32))
        for _ in range(count)
    )


def random_postage(traffic: TrafficClass, *, n: int, count: int) -> tuple[PostageKey, ...]:
    return tuple(
        PostageKey(ENTROPY.draw(32), Day(2850), traffic, n, IssuerId(b"kid1"), ENTROPY.draw(64))
        for _ in range(count)
    )


def full_press_card() -> PressCard:
    editors = sorted(one.public for one in (EDITOR, SECOND, BYLINE))[:PACKS_PER_CARD]
    return replace(
        PRESS_CARD,
        packs=tuple(
            PrekeyPack(editor, agreer(60).public, random_prekeys(PREKEYS_PER_PACK))
            for editor in editors
        ),
        postage=(
            *random_postage(TrafficClass.FLASH, n=1, count=16),
            *random_postage(TrafficClass.ROUTINE, n=1, count=240),
            *random_postage(TrafficClass.ROUTINE, n=16, count=64),
            *random_postage(TrafficClass.BULK, n=16, count=2100),
        ),
    )


def test_every_card_is_read_back() -> None:
    assert decode_press_card(PRESS_CARD.encode()) == PRESS_CARD
    assert decode_relay_card(RELAY_CARD.encode()) == RELAY_CARD
    assert decode_editor_card(EDITOR_CARD.encode()) == EDITOR_CARD
    assert decode_member(MEMBER.encode()) == MEMBER


def test_no_card_is_taken_for_another() -> None:
    readers: tuple[Callable[[bytes], object], ...] = (
        decode_press_card,
        decode_relay_card,
        decode_editor_card,
    )
    encoded = (PRESS_CARD.encode(), RELAY_CARD.encode(), EDITOR_CARD.encode())
    for index, card in enumerate(encoded):
        for other, read in enumerate(readers):
            if other != index:
                with pytest.raises(Malformed):
                    read(card)


def test_a_press_card_with_everything_is_well_under_a_megabyte() -> None:
    card = full_press_card()
    encoded = card.encode()
    assert len(card.postage) == 2420
    assert sum(len(one.prekeys) for one in card.packs) == 768
    assert decode_press_card(encoded) == card
    assert 280_000 < len(encoded) < 300_000


def test_what_is_signed_in_a_card_is_verified() -> None:
    verified = PRESS_CARD.verify(BYLINE.public, desk=DESK)
    assert verified.manifest == MANIFEST
    assert [one.signer for one in verified.bulletins] == [EDITOR.public, SECOND.public]
    assert RELAY_CARD.verify(desk=DESK).manifest == MANIFEST
    assert EDITOR_CARD.verify(SECOND.public, desk=DESK).manifest == MANIFEST


def test_a_card_of_another_desk_is_refused() -> None:
    other = DeskId(bytes(16))
    with pytest.raises(Forged):
        PRESS_CARD.verify(BYLINE.public, desk=other)
    with pytest.raises(Forged):
        RELAY_CARD.verify(desk=other)
    with pytest.raises(Forged):
        EDITOR_CARD.verify(SECOND.public, desk=other)


def test_a_card_made_out_to_another_byline_is_refused() -> None:
    with pytest.raises(Forged, match="another byline"):
        PRESS_CARD.verify(STRANGER.public, desk=DESK)


def test_a_pack_of_a_stranger_on_a_card_is_refused() -> None:
    card = replace(PRESS_CARD, packs=(replace(PACK, editor=STRANGER.public),))
    with pytest.raises(Forged, match="no editor"):
        card.verify(BYLINE.public, desk=DESK)


@pytest.mark.parametrize("sign", [STRANGER.public, PLAIN.public])
def test_an_editors_card_for_who_is_no_editor_is_refused(sign: bytes) -> None:
    with pytest.raises(Forged, match="does not know"):
        EDITOR_CARD.verify(sign, desk=DESK)  # type: ignore[arg-type]  # the table loses the type


def test_a_relays_card_has_no_name_and_no_key_of_people() -> None:
    encoded = RELAY_CARD.encode()
    assert b"reporter-1" not in encoded
    assert b"Desk Example" not in encoded
    assert PRESS_CARD.mesh_key.raw not in encoded
    assert PRESS_CARD.member_notice_key.raw not in encoded
    assert bytes(BYLINE.public) not in encoded


def test_cards_hide_their_secrets_when_shown() -> None:
    for shown in (repr(PRESS_CARD), repr(RELAY_CARD), repr(EDITOR_CARD), str(PRESS_CARD)):
        for secret in (
            PRESS_CARD.mesh_key.raw,
            RELAY_KEYS.beacon_key.raw,
            POSTAGE[0].seed,
            PACK.prekeys[0].psk,
        ):
            assert repr(secret)[2:-1] not in shown


def certificate_by(secret_name: str) -> bytes:
    secret = {"second": SECOND, "stranger": STRANGER, "recalled": PLAIN}[secret_name]
    return sign_certificate(
        secret, desk=DESK, byline=BYLINE.public, name="reporter-1", expiry_day=Day(2800)
    )


def test_a_certificate_is_read_back() -> None:
    assert verify_certificate(CERTIFICATE, MANIFEST) == CardCertificate(
        DESK, BYLINE.public, "reporter-1", Day(2800), Scope.FILE, EDITOR.public
    )


@pytest.mark.parametrize("secret_name", ["second", "stranger", "recalled"])
def test_a_certificate_by_who_may_not_enrol_is_refused(secret_name: str) -> None:
    with pytest.raises(Forged, match="may not enrol"):
        verify_certificate(certificate_by(secret_name), MANIFEST)


def test_a_certificate_signed_in_the_name_of_an_editor_is_refused() -> None:
    body = encode(["card1", DESK, BYLINE.public, "reporter-1", 2800, 1])
    for forged in (STRANGER.sign(Label.CARD_1, body), EDITOR.sign(Label.REQUEST_1, body)):
        with pytest.raises(Forged, match="does not hold"):
            verify_certificate(encode([body, EDITOR.public, forged]), MANIFEST)


def test_a_certificate_of_another_desk_is_refused() -> None:
    other = sign_certificate(
        EDITOR, desk=DeskId(bytes(16)), byline=BYLINE.public, name="x", expiry_day=Day(1)
    )
    with pytest.raises(Forged, match="another desk"):
        verify_certificate(other, MANIFEST)


def test_a_recalled_byline_has_no_certificate() -> None:
    recalled = tuple(sorted((*MANIFEST.recalled, revocation_id(BYLINE.public))))
    with pytest.raises(Forged, match="recalled"):
        verify_certificate(CERTIFICATE, replace(MANIFEST, recalled=recalled))


@pytest.mark.parametrize(
    "name", ["Айгүл", "נועה", "reporter 1", "Zoë", "記者", "क" * NAME_CHARS_MAX]
)
def test_a_name_may_be_in_any_script(name: str) -> None:
    signed = sign_certificate(
        EDITOR, desk=DESK, byline=BYLINE.public, name=name, expiry_day=Day(65535)
    )
    assert read_certificate(signed).name == name
    assert len(signed) <= CERTIFICATE_BYTES_MAX


def test_the_longest_name_fits_a_certificate() -> None:
    signed = sign_certificate(
        EDITOR, desk=DESK, byline=BYLINE.public, name="𐍈" * NAME_CHARS_MAX, expiry_day=Day(65535)
    )
    assert len(signed) <= CERTIFICATE_BYTES_MAX


@pytest.mark.parametrize(
    "name", ["", " x", "x ", "x\n", "a\x00b", "x" * (NAME_CHARS_MAX + 1), "e\u0301", "\u202ex"]
)
def test_an_impossible_name_is_never_signed(name: str) -> None:
    with pytest.raises(LocalMisuse):
        sign_certificate(EDITOR, desk=DESK, byline=BYLINE.public, name=name, expiry_day=Day(1))


def relays(count: int) -> tuple[RelayKeys, ...]:
    keys = sorted(agreer(number).public for number in range(count))
    return tuple(RelayKeys(key, SymmetricKey(bytes(32))) for key in keys)


def many_postage(count: int) -> tuple[PostageKey, ...]:
    return (postage(1, traffic=TrafficClass.BULK, n=16),) * count


@pytest.mark.parametrize(
    "over",
    [
        replace(PRESS_CARD, relays=relays(RELAYS_ON_CARD_MAX + 1)),
        replace(PRESS_CARD, relays=relays(1) * 2),
        replace(PRESS_CARD, packs=(PACK, PACK)),
        replace(PRESS_CARD, packs=(replace(PACK, prekeys=(prekey(1), prekey(1))),)),
        replace(PRESS_CARD, packs=(replace(PACK, prekeys=random_prekeys(PREKEYS_PER_PACK + 1)),)),
        replace(PRESS_CARD, postage=many_postage(POSTAGE_ON_CARD_MAX + 1)),
        replace(PRESS_CARD, postage=(postage(1, traffic=TrafficClass.NOTICE, n=1),)),
        replace(PRESS_CARD, postage=(postage(1, traffic=TrafficClass.BULK, n=17),)),
        replace(PRESS_CARD, postage=(postage(1, traffic=TrafficClass.BULK, n=0),)),
        replace(PRESS_CARD, bulletins=(b"",) * 9),
        replace(PRESS_CARD, certificate=bytes(CERTIFICATE_BYTES_MAX + 1)),
        replace(PRESS_CARD, desk_name=""),
        replace(PRESS_CARD, mesh_day=Day(-1)),
        replace(RELAY_CARD, relays=relays(RELAYS_ON_CARD_MAX + 1)),
        replace(EDITOR_CARD, members=(MEMBER,) * (MEMBERS_MAX + 1)),
        replace(EDITOR_CARD, relays=EDITOR_CARD.relays[:1] * 2),
        replace(EDITOR_CARD, relays=(replace(EDITOR_CARD.relays[0], name="\n"),)),
    ],
)
def test_nothing_over_a_limit_is_ever_on_a_card(over: PressCard | RelayCard | EditorCard) -> None:
    with pytest.raises(LocalMisuse):
        over.encode()


def test_a_short_seed_is_never_on_a_card() -> None:
    short = replace(POSTAGE[0], seed=b"\1" * 31, certificate=bytes(65))
    with pytest.raises(LocalMisuse):
        replace(PRESS_CARD, postage=(short,)).encode()


def test_an_editors_card_holds_every_member() -> None:
    keys = random_prekeys(REPLY_KEYS_IN_REQUEST)
    editors = sorted(signer(number).public for number in range(101, 101 + EDITORS_MAX))
    shares = [Share(editor, keys[at::EDITORS_MAX]) for at, editor in enumerate(editors)]
    member = Member(CERTIFICATE, agreer(22).public, tuple(shares))
    assert len(member.encode()) <= MEMBER_BYTES_MAX
    encoded = replace(EDITOR_CARD, members=(member,) * MEMBERS_MAX).encode()
    assert len(encoded) + 10 * 60 * 1024 < EDITOR_CARD_BYTES_MAX


@pytest.mark.parametrize(
    "shares",
    [
        (Share(EDITOR.public, ()),),
        MEMBER.shares[::-1],
        (MEMBER.shares[0],) * 2,
        tuple(replace(share, reply_keys=(prekey(23),)) for share in MEMBER.shares),
        tuple(
            Share(editor, random_prekeys(1))
            for editor in sorted(signer(101 + n).public for n in range(EDITORS_MAX + 1))
        ),
        (Share(EDITOR.public, random_prekeys(REPLY_KEYS_IN_REQUEST + 1)),),
        (
            replace(MEMBER.shares[0], reply_keys=random_prekeys(REPLY_KEYS_IN_REQUEST)),
            MEMBER.shares[1],
        ),
        (replace(MEMBER.shares[0], editor=Ed25519Public(bytes(8))),),
    ],
    ids=[
        "no key",
        "out of order",
        "an editor twice",
        "a key of two editors",
        "nine editors",
        "65 keys",
        "65 keys of two editors",
        "a short editor",
    ],
)
def test_shares_in_which_a_key_is_not_one_editors_are_never_told(
    shares: tuple[Share, ...],
) -> None:
    wrong = replace(MEMBER, shares=shares)
    with pytest.raises(LocalMisuse):
        wrong.encode()
    with pytest.raises(Malformed):
        decode_member(encode(wrong.fields()))


def test_a_member_whose_keys_are_all_given_away_has_no_shares() -> None:
    member = replace(MEMBER, shares=())
    assert decode_member(member.encode()) == member


def test_a_card_opens_to_who_made_the_request() -> None:
    card = PRESS_CARD.encode()
    file = seal_card(card, CARD_KEY.public, SeededEntropy(b"file"), request=REQUEST)
    assert len(file) == len(card) + OVERHEAD_BYTES
    assert open_card(file, CARD_KEY, request=REQUEST, bytes_max=CARD_BYTES_MAX) == card


def test_a_card_opens_to_nobody_else_and_for_no_other_request() -> None:
    file = seal_card(b"card", CARD_KEY.public, SeededEntropy(b"file"), request=REQUEST)
    with pytest.raises(Forged):
        open_card(file, agreer(99), request=REQUEST)
    with pytest.raises(Forged):
        open_card(file, CARD_KEY, request=bytes(32))


def test_every_flipped_bit_of_a_card_file_is_refused() -> None:
    file = seal_card(b"card", CARD_KEY.public, SeededEntropy(b"file"), request=REQUEST)
    for bit in range(len(file) * 8):
        changed = bytearray(file)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Forged, Malformed)):
            open_card(bytes(changed), CARD_KEY, request=REQUEST)


@pytest.mark.parametrize("file", [b"", b"\1" * 48, b"\2" * 100, b"\1" * (OVERHEAD_BYTES + 101)])
def test_what_is_no_card_file_is_refused_before_any_key_is_used(file: bytes) -> None:
    with pytest.raises(Malformed):
        open_card(file, CARD_KEY, request=REQUEST, bytes_max=100)


def test_a_card_is_not_sealed_to_a_key_of_low_order() -> None:
    with pytest.raises(Forged):
        seal_card(b"card", X25519Public(bytes(32)), SeededEntropy(b"file"), request=REQUEST)


def test_a_certificate_survives_a_new_manifest_that_keeps_its_editor() -> None:
    newer = replace(MANIFEST, version=9)
    card = replace(PRESS_CARD, manifest=sign_manifest(newer, ROOTS))
    assert card.verify(BYLINE.public, desk=DESK).manifest == newer
