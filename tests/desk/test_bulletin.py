"""A bulletin counts as far as its signer's roles reach, and no farther."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.digest import Label
from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.bulletin import (
    Bulletin,
    Endpoint,
    EndpointKind,
    EpochKey,
    RelayEntry,
    epoch_for,
    epoch_ref,
    read_bulletin,
    sign_bulletin,
    supersedes,
    unite,
    verify_bulletin,
)
from meshnews.desk.limits import (
    BULLETIN_BYTES_MAX,
    ENDPOINTS_MAX,
    EPOCHS_MAX,
    RELAYS_MAX,
    SERVER_NAME_CHARS_MAX,
)
from meshnews.desk.manifest import Editor, Role
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import Day, DeskId
from meshnews.wire.codec import encode
from tests.desk.sample import (
    ALL_ROLES,
    BULLETIN,
    COLLECTOR,
    EDITOR,
    EPOCHS,
    GONE_RELAY,
    MANIFEST,
    PLAIN,
    RELAY,
    SECOND,
    SECOND_BULLETIN,
    SIGNED_BULLETIN,
    SIGNED_SECOND_BULLETIN,
    STRANGER,
    agreer,
    by_static,
    signer,
)

WEEK, DAY_60, DAY_61, NEXT_WEEK = EPOCHS
BOTH_PUBLISH = replace(
    MANIFEST,
    editors=tuple(Editor(one.sign, ALL_ROLES) for one in MANIFEST.editors),
)


def test_what_an_editor_signed_is_read_back() -> None:
    assert verify_bulletin(SIGNED_BULLETIN, MANIFEST) == BULLETIN


def test_relays_of_an_editor_who_may_not_publish_do_not_count() -> None:
    assert read_bulletin(SIGNED_SECOND_BULLETIN) == SECOND_BULLETIN
    verified = verify_bulletin(SIGNED_SECOND_BULLETIN, MANIFEST)
    assert verified == replace(SECOND_BULLETIN, relays=(), endpoints=())


@pytest.mark.parametrize("secret", [STRANGER, PLAIN])
def test_a_stranger_and_a_recalled_editor_are_refused(secret: Ed25519Secret) -> None:
    signed = sign_bulletin(replace(BULLETIN, signer=secret.public), secret)
    with pytest.raises(Forged, match="no editor"):
        verify_bulletin(signed, MANIFEST)


def test_one_editor_cannot_sign_for_another() -> None:
    body = BULLETIN.encode_body()
    with pytest.raises(Forged, match="does not hold"):
        verify_bulletin(encode([body, SECOND.sign(Label.BULLETIN_1, body)]), MANIFEST)
    with pytest.raises(LocalMisuse):
        sign_bulletin(BULLETIN, SECOND)


def test_a_signature_for_another_purpose_is_refused() -> None:
    body = BULLETIN.encode_body()
    with pytest.raises(Forged):
        verify_bulletin(encode([body, EDITOR.sign(Label.CARD_1, body)]), MANIFEST)


def test_a_bulletin_of_another_desk_is_refused() -> None:
    signed = sign_bulletin(replace(BULLETIN, desk=DeskId(bytes(16))), EDITOR)
    with pytest.raises(Forged, match="another desk"):
        verify_bulletin(signed, MANIFEST)


def test_only_a_higher_version_of_the_same_signer_supersedes() -> None:
    newer = replace(BULLETIN, version=6)
    assert supersedes(BULLETIN, None)
    assert supersedes(newer, BULLETIN)
    assert not supersedes(BULLETIN, newer)
    assert not supersedes(BULLETIN, BULLETIN)
    assert not supersedes(newer, SECOND_BULLETIN)
    twin = replace(BULLETIN, endpoints=())
    assert supersedes(twin, BULLETIN) != supersedes(BULLETIN, twin)


@pytest.mark.parametrize(
    ("day", "chosen", "stale"),
    [
        (2460, DAY_60, False),
        (2461, DAY_61, False),
        (2457, WEEK, False),
        (2463, WEEK, False),
        (2464, NEXT_WEEK, False),
        (2470, NEXT_WEEK, False),
        (2471, NEXT_WEEK, True),
        (2456, NEXT_WEEK, True),
        (0, NEXT_WEEK, True),
        (None, NEXT_WEEK, True),
    ],
)
def test_the_key_of_the_day_then_of_the_week_then_the_newest(
    day: int | None, chosen: EpochKey, stale: bool
) -> None:
    choice = BULLETIN.epoch_for(None if day is None else Day(day))
    assert choice is not None
    assert choice == (chosen, stale)


def test_an_editor_without_epoch_keys_offers_none() -> None:
    assert epoch_for((), Day(1)) is None


@given(st.lists(st.sampled_from(EPOCHS), min_size=1), st.integers(2450, 2480))
def test_a_key_that_is_not_stale_covers_the_day(epochs: list[EpochKey], day: int) -> None:
    choice = epoch_for(epochs, Day(day))
    assert choice is not None
    covered = any(one.first_day <= day < one.end_day for one in epochs)
    assert choice.stale is not covered
    assert choice.stale or choice.epoch.first_day <= day < choice.epoch.end_day


def test_an_epoch_key_is_sealed_to_in_base_mode_under_the_hash_of_it() -> None:
    prekey = DAY_60.prekey
    assert (prekey.ref, prekey.public, prekey.psk) == (epoch_ref(DAY_60.public), DAY_60.public, b"")
    assert len(prekey.ref) == 8


def test_relays_of_all_who_publish_are_united() -> None:
    other = RelayEntry(agreer(110).public, agreer(111).public, signer(112).public)
    second = replace(SECOND_BULLETIN, relays=by_static(other, COLLECTOR))
    directory = unite([BULLETIN, second], BOTH_PUBLISH)
    assert directory.relays == by_static(RELAY, COLLECTOR, other)
    assert directory.endpoints == BULLETIN.endpoints


def test_uniting_does_not_depend_on_the_order_in_which_bulletins_came() -> None:
    quarrel = replace(COLLECTOR, notice=agreer(120).public)
    second = replace(SECOND_BULLETIN, relays=(quarrel,))
    one_way = unite([BULLETIN, second], BOTH_PUBLISH)
    assert one_way == unite([second, BULLETIN], BOTH_PUBLISH)
    lower = COLLECTOR if EDITOR.public < SECOND.public else quarrel
    assert lower in one_way.relays


def test_only_the_newest_bulletin_of_a_signer_is_heard() -> None:
    newer = replace(BULLETIN, version=6, relays=by_static(RELAY))
    directory = unite([newer, BULLETIN], MANIFEST)
    assert directory.relays == (RELAY,)
    assert directory.endpoints == ()


def test_a_recalled_relay_is_left_out_with_its_endpoints() -> None:
    lost = Endpoint(GONE_RELAY.static[:8], "gone.example.org", (443,))
    bulletin = replace(BULLETIN, relays=by_static(RELAY, GONE_RELAY), endpoints=(lost,))
    directory = unite([bulletin], MANIFEST)
    assert directory.relays == (RELAY,)
    assert directory.endpoints == ()


def test_who_may_not_publish_adds_nothing() -> None:
    assert unite([SECOND_BULLETIN], MANIFEST).relays == ()


def test_a_bulletin_at_every_limit_fits_a_notice() -> None:
    relays = by_static(
        *(
            RelayEntry(agreer(number).public, agreer(number).public, signer(number).public)
            for number in range(RELAYS_MAX)
        )
    )
    epochs = tuple(EpochKey(Day(n), 7, agreer(n).public) for n in range(EPOCHS_MAX))
    endpoint = Endpoint(
        bytes(8),
        "a" * 253,
        tuple(range(60000, 60008)),
        EndpointKind.TLS,
        bytes(32),
        "a" * SERVER_NAME_CHARS_MAX,
    )
    full = replace(BULLETIN, relays=relays, epochs=epochs, endpoints=(endpoint,) * ENDPOINTS_MAX)
    signed = sign_bulletin(full, EDITOR)
    assert verify_bulletin(signed, MANIFEST) == full
    assert len(signed) < BULLETIN_BYTES_MAX


def with_endpoint(host: str, ports: tuple[int, ...] = (443,), kind: int = 1) -> Bulletin:
    return replace(BULLETIN, endpoints=(Endpoint(bytes(8), host, ports, kind),))


@pytest.mark.parametrize("host", ["relay.example.org", "192.0.2.1", "2001:db8::", "::1", "a"])
def test_a_name_or_a_number_is_a_host(host: str) -> None:
    assert read_bulletin(sign_bulletin(with_endpoint(host), EDITOR)).endpoints[0].host == host


@pytest.mark.parametrize(
    "over",
    [
        *map(
            with_endpoint,
            ["", "-x", "a b", "A", "ü.example", "a/b", "a\n", "[::1]", "a" * 254, "user@a", "a%b"],
        ),
        with_endpoint("a", ()),
        with_endpoint("a", (0,)),
        with_endpoint("a", (65536,)),
        with_endpoint("a", (1, 1)),
        with_endpoint("a", tuple(range(1, 10))),
        with_endpoint("a", kind=0),
        replace(BULLETIN, endpoints=(Endpoint(bytes(8), "a", (1,), 1, bytes(32)),)),
        replace(BULLETIN, endpoints=(Endpoint(bytes(8), "a", (1,), 2, bytes(31)),)),
        replace(BULLETIN, endpoints=(Endpoint(bytes(8), "a", (1,), 2, bytes(32), "a" * 65),)),
        replace(BULLETIN, version=0),
        replace(BULLETIN, relays=(RELAY, RELAY)),
        replace(BULLETIN, epochs=(EpochKey(Day(1), 2, agreer(1).public),)),
        replace(BULLETIN, epochs=(DAY_60, DAY_60)),
        replace(BULLETIN, epochs=(DAY_60, replace(DAY_61, public=DAY_60.public))),
        replace(
            BULLETIN,
            epochs=tuple(EpochKey(Day(n), 1, agreer(n).public) for n in range(EPOCHS_MAX + 1)),
        ),
        replace(BULLETIN, endpoints=BULLETIN.endpoints[:1] * (ENDPOINTS_MAX + 1)),
    ],
)
def test_nothing_over_a_limit_is_ever_signed(over: Bulletin) -> None:
    with pytest.raises(LocalMisuse):
        sign_bulletin(over, EDITOR)


def test_a_certificate_and_the_name_to_ask_for_travel_with_an_endpoint() -> None:
    endpoint = Endpoint(bytes(8), "a.net", (443,), EndpointKind.TLS, bytes([1]) * 32, "b.net")
    signed = sign_bulletin(replace(BULLETIN, endpoints=(endpoint,)), EDITOR)
    assert read_bulletin(signed).endpoints == (endpoint,)


def test_an_endpoint_of_a_kind_not_known_is_kept() -> None:
    signed = sign_bulletin(with_endpoint("a", kind=200), EDITOR)
    assert verify_bulletin(signed, MANIFEST).endpoints[0].kind == 200


def test_a_bulletin_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        read_bulletin(bytes(BULLETIN_BYTES_MAX + 1))


def test_an_editor_without_any_role_may_still_tell_its_keys() -> None:
    bare = replace(MANIFEST, editors=(Editor(EDITOR.public, Role(0)),))
    assert verify_bulletin(SIGNED_BULLETIN, bare).epochs == EPOCHS
