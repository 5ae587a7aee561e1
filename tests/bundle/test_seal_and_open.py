"""Only those a bundle was sealed to can open it, and nobody else learns who they are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.bundle.envelope import capacity, disclose
from meshnews.bundle.format import Bundle, Head, assemble, associated_data, commitment, parse
from meshnews.bundle.open import Found, find, found_by, open_found, open_notice
from meshnews.bundle.seal import (
    FOREIGN_BYTES,
    Reader,
    draft,
    draft_notice,
    epoch_prekey,
    epoch_ref,
    seal,
    seal_notice,
    unwrap_foreign,
    wrap_foreign,
)
from meshnews.crypto.aead import NONCE_ZERO
from meshnews.crypto.aead import seal as encrypt
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Prekey, X25519Public, X25519Secret
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import AuthKind, Day, KeyRef, TrafficClass
from meshnews.limits import STANZA_BYTES, WIRE_BYTES
from tests.bundle.kit import DAY, Member, franking, sealed

EDITORS = [Member(bytes((65 + index,)), one_time=bool(index % 2)) for index in range(9)]
NOTICE_KEY = b"n" * 32


def bent(
    bundle: Bundle, *, stanzas: bytes | None = None, ciphertext: bytes | None = None
) -> Bundle:
    """Return the bundle with a part exchanged, sound in everything that needs no key."""
    head = Head(bundle.shape, bundle.pc, bundle.ephemeral, stanzas or bundle.stanzas)
    return assemble(head, ciphertext or bundle.ciphertext, franking())


@pytest.mark.parametrize("count", [1, 2, 4, 5, 8])
def test_every_reader_opens_what_was_sealed_to_several(count: int) -> None:
    made = sealed(b"words", readers=[editor.reader for editor in EDITORS[:count]])
    assert made.bundle.size == (2048 if count <= 4 else 8192)
    for editor in EDITORS[:count]:
        found = find(made.bundle, editor.scan)
        assert found is not None
        assert found.ref == editor.prekey.ref
        opened = open_found(made.bundle, found, editor.prekey)
        assert opened.payload == b"words"
        assert opened.purge == made.purge
        assert commitment(opened.purge) == made.bundle.pc
    assert find(made.bundle, EDITORS[8].scan) is None


def test_a_scan_key_can_be_its_own_prekey() -> None:
    relay = X25519Secret(b"r" * 32)
    made = sealed(readers=[Reader(relay.public, epoch_prekey(relay.public))])
    found = find(made.bundle, relay)
    assert found is not None
    assert found.ref == epoch_ref(relay.public) == b2(Label.EPOCH_REF, relay.public)[:8]
    secret = replace(EDITORS[0].prekey, ref=found.ref, secret=relay, psk=b"")
    assert open_found(made.bundle, found, secret).payload == b"words"


def test_who_is_sealed_to_under_anothers_scan_key_keeps_it_from_nobody() -> None:
    # A bulletin can name whatever scan key it likes.
    honest, thief = EDITORS[0], EDITORS[1]
    made = sealed(readers=[Reader(honest.reader.scan, thief.reader.prekey), honest.reader])
    refs = {found.ref for found in found_by(made.bundle, honest.scan)}
    assert refs == {honest.reader.prekey.ref, thief.reader.prekey.ref}


def test_readers_stand_in_random_order_among_random_stanzas() -> None:
    seen = set()
    for seed in range(40):
        made = sealed(seed=bytes((seed + 1,)))
        found = find(made.bundle, Member(b"editor").scan)
        assert found is not None
        seen.add(found.index)
        stanzas = made.bundle.stanzas
        parts = {stanzas[at : at + STANZA_BYTES] for at in range(0, len(stanzas), STANZA_BYTES)}
        assert len(parts) == 4
    assert seen == {0, 1, 2, 3}


@given(st.binary(max_size=3000), st.sampled_from([0, 128, 2600]))
def test_every_payload_comes_back(payload: bytes, day: int) -> None:
    editor = Member(b"editor")
    made = sealed(payload, day=day)
    assert parse(made.bundle.wire) == made.bundle
    found = find(made.bundle, editor.scan)
    assert found is not None
    assert open_found(made.bundle, found, editor.prekey).payload == payload


@pytest.mark.parametrize("size", WIRE_BYTES)
@pytest.mark.parametrize("day", [100, 200, 2600])
def test_a_payload_may_fill_a_bundle_to_the_last_byte(size: int, day: int) -> None:
    editor = Member(b"editor")
    payload = b"\x80" * capacity(size, day=Day(day))
    made = sealed(payload, day=day)
    assert made.bundle.size == size
    found = find(made.bundle, editor.scan)
    assert found is not None
    assert open_found(made.bundle, found, editor.prekey).payload == payload


@pytest.mark.parametrize("payload", [b"", b"\0", b"\x80", b"\x80\0", b"\0\0\0", b"a\x80\0\0"])
def test_a_payload_that_looks_like_padding_comes_back(payload: bytes) -> None:
    editor = Member(b"editor")
    made = sealed(payload)
    found = find(made.bundle, editor.scan)
    assert found is not None
    assert open_found(made.bundle, found, editor.prekey).payload == payload


def test_an_envelope_is_known_before_it_is_filled() -> None:
    envelope = draft(SeededEntropy(b"e"))
    made = seal(
        b"about " + envelope.pc,
        [Member(b"editor").reader],
        traffic=TrafficClass.FLASH,
        day=DAY,
        life=1,
        entropy=SeededEntropy(b"f"),
        franker=franking(),
        envelope=envelope,
    )
    assert made.bundle.pc == envelope.pc
    assert made.purge == envelope.purge
    assert (made.bundle.traffic, made.bundle.life) == (TrafficClass.FLASH, 1)


@pytest.mark.parametrize(
    "readers",
    [[], [editor.reader for editor in EDITORS]],
    ids=["none", "nine"],
)
def test_a_set_of_readers_that_no_bundle_has_is_our_own_fault(readers: list[Reader]) -> None:
    with pytest.raises(LocalMisuse):
        sealed(readers=readers)


def test_a_payload_that_no_bundle_holds_is_our_own_fault() -> None:
    with pytest.raises(LocalMisuse):
        sealed(bytes(65697))
    with pytest.raises(LocalMisuse):
        sealed(bytes(7333), traffic=TrafficClass.FLASH)


def test_a_reader_of_low_order_is_refused() -> None:
    bad = X25519Public(bytes(32))
    with pytest.raises(Forged):
        sealed(readers=[Reader(bad, epoch_prekey(bad))])


def test_a_reference_of_another_length_is_our_own_fault() -> None:
    good = Member(b"editor").reader
    short = Prekey(KeyRef(b"short"), good.prekey.public, b"")
    with pytest.raises(LocalMisuse):
        sealed(readers=[Reader(good.scan, short)])


def test_an_ephemeral_of_low_order_is_nobodys() -> None:
    bundle = sealed().bundle
    head = Head(bundle.shape, bundle.pc, bytes(32), bundle.stanzas)
    assert find(assemble(head, bundle.ciphertext, franking()), Member(b"editor").scan) is None


def test_a_hint_is_bound_to_its_envelope() -> None:
    bundle, other = sealed().bundle, sealed(seed=b"other").bundle
    head = Head(bundle.shape, other.pc, bundle.ephemeral, bundle.stanzas)
    assert find(assemble(head, bundle.ciphertext, franking()), Member(b"editor").scan) is None


@pytest.mark.parametrize("at", range(24, 72, 5))
def test_a_bent_wrap_is_forged(at: int) -> None:
    bundle, editor = sealed().bundle, Member(b"editor")
    found = find(bundle, editor.scan)
    assert found is not None
    stanzas = bytearray(bundle.stanzas)
    stanzas[found.index * STANZA_BYTES + at] ^= 1
    changed = bent(bundle, stanzas=bytes(stanzas))
    assert find(changed, editor.scan) == found
    with pytest.raises(Forged):
        open_found(changed, found, editor.prekey)


def test_a_bent_hint_is_found_by_nobody() -> None:
    bundle, editor = sealed().bundle, Member(b"editor")
    found = find(bundle, editor.scan)
    assert found is not None
    stanzas = bytearray(bundle.stanzas)
    stanzas[found.index * STANZA_BYTES] ^= 1
    assert find(bent(bundle, stanzas=bytes(stanzas)), editor.scan) is None


@pytest.mark.parametrize("at", [0, 700, 1492])
def test_a_bent_ciphertext_is_forged(at: int) -> None:
    bundle, editor = sealed().bundle, Member(b"editor")
    ciphertext = bytearray(bundle.ciphertext)
    ciphertext[at] ^= 1
    changed = bent(bundle, ciphertext=bytes(ciphertext))
    found = find(changed, editor.scan)
    assert found is not None
    with pytest.raises(Forged):
        open_found(changed, found, editor.prekey)


def test_the_stanza_of_another_reader_is_covered_by_the_payloads_tag() -> None:
    made = sealed(readers=[EDITORS[0].reader, EDITORS[1].reader])
    found, other = find(made.bundle, EDITORS[0].scan), find(made.bundle, EDITORS[1].scan)
    assert found is not None
    assert other is not None
    stanzas = bytearray(made.bundle.stanzas)
    stanzas[other.index * STANZA_BYTES + 30] ^= 1
    with pytest.raises(Forged):
        open_found(bent(made.bundle, stanzas=bytes(stanzas)), found, EDITORS[0].prekey)


def test_another_prekey_than_the_hint_names_is_our_own_fault() -> None:
    bundle = sealed().bundle
    found = find(bundle, Member(b"editor").scan)
    assert found is not None
    with pytest.raises(LocalMisuse):
        open_found(bundle, found, EDITORS[0].prekey)


def test_the_right_reference_with_another_secret_is_forged() -> None:
    bundle, editor = sealed().bundle, Member(b"editor")
    found = find(bundle, editor.scan)
    assert found is not None
    with pytest.raises(Forged):
        open_found(bundle, found, replace(editor.prekey, psk=b"q" * 32))
    with pytest.raises(Forged):
        open_found(bundle, found, replace(editor.prekey, psk=b""))
    with pytest.raises(Forged):
        open_found(bundle, found, replace(editor.prekey, secret=X25519Secret(b"z" * 32)))
    with pytest.raises(Forged):
        open_found(bundle, Found(found.ref, (found.index + 1) % 4), editor.prekey)


def test_a_key_to_which_the_bundle_does_not_commit_is_forged() -> None:
    with pytest.raises(Forged):
        disclose(sealed().bundle, b"k" * 32)


def test_a_payload_without_padding_is_malformed() -> None:
    envelope = draft(SeededEntropy(b"e"))
    shape = sealed().bundle.shape
    head = Head(shape, envelope.pc, envelope.ephemeral.public, bytes(288))
    for padded in (bytes(shape.padded_bytes), b"\x81" * shape.padded_bytes):
        ciphertext = encrypt(
            b2(Label.PAYLOAD, b"", key=envelope.key),
            padded,
            nonce12=NONCE_ZERO,
            ad=associated_data(head),
        )
        with pytest.raises(Malformed):
            disclose(assemble(head, ciphertext, franking()), envelope.key)


def test_sealing_again_from_the_same_entropy_gives_the_same_bytes() -> None:
    assert sealed() == sealed()
    assert sealed() != sealed(seed=b"other")


def notice(payload: bytes = b"manifest", *, day: int = DAY) -> Bundle:
    return seal_notice(
        payload,
        NOTICE_KEY,
        day=Day(day),
        entropy=SeededEntropy(b"notice"),
        franker=franking(),
    ).bundle


def test_a_notice_opens_to_every_holder_of_its_key_and_to_nobody_else() -> None:
    bundle = notice()
    assert bundle.traffic is TrafficClass.NOTICE
    assert bundle.kind is AuthKind.POSTAGE
    opened = open_notice(bundle, NOTICE_KEY)
    assert opened is not None
    assert opened.payload == b"manifest"
    assert commitment(opened.purge) == bundle.pc
    assert open_notice(bundle, b"m" * 32) is None


def test_what_is_not_of_class_0_is_no_notice() -> None:
    assert open_notice(sealed().bundle, NOTICE_KEY) is None


def test_a_bundle_of_class_0_to_readers_is_no_notice() -> None:
    assert open_notice(sealed(traffic=TrafficClass.NOTICE).bundle, NOTICE_KEY) is None


def test_a_bent_notice_is_forged() -> None:
    bundle = notice()
    with pytest.raises(Forged):
        open_notice(bent(bundle, stanzas=bytes(288)), NOTICE_KEY)


def test_a_notice_is_drafted_before_it_is_filled() -> None:
    envelope = draft_notice(NOTICE_KEY, day=DAY, entropy=SeededEntropy(b"d"))
    made = seal_notice(
        b"mark",
        NOTICE_KEY,
        day=DAY,
        entropy=SeededEntropy(b"x"),
        franker=franking(),
        envelope=envelope,
    )
    assert made.bundle.pc == envelope.pc
    with pytest.raises(LocalMisuse):
        seal_notice(
            b"mark",
            NOTICE_KEY,
            day=Day(DAY + 2),
            entropy=SeededEntropy(b"x"),
            franker=franking(),
            envelope=envelope,
        )


@pytest.mark.parametrize("length", [5, 2000, 9000, 40000])
def test_a_foreign_form_comes_back_and_gives_nothing_away(length: int) -> None:
    wire = sealed(bytes(length)).bundle.wire
    foreign = wrap_foreign(wire, NOTICE_KEY, SeededEntropy(b"w"))
    assert len(foreign) == len(wire) + 40
    assert len(foreign) in FOREIGN_BYTES
    assert unwrap_foreign(foreign, NOTICE_KEY) == wire
    assert foreign != wrap_foreign(wire, NOTICE_KEY, SeededEntropy(b"v"))
    with pytest.raises(Forged):
        unwrap_foreign(foreign, b"m" * 32)
    with pytest.raises(Forged):
        unwrap_foreign(foreign[:-1] + bytes((foreign[-1] ^ 1,)), NOTICE_KEY)


@given(st.binary(max_size=100), st.sampled_from([None, *FOREIGN_BYTES]))
def test_a_garbage_foreign_form_is_refused(garbage: bytes, size: int | None) -> None:
    foreign = garbage if size is None else garbage.ljust(size, b"g")
    with pytest.raises((Malformed, Forged)):
        unwrap_foreign(foreign, NOTICE_KEY)


def test_what_is_no_bundle_gets_no_foreign_form() -> None:
    with pytest.raises(LocalMisuse):
        wrap_foreign(b"no bundle", NOTICE_KEY, SeededEntropy(b"w"))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_well_formed_bundle_of_noise_is_nobodys(pc: bytes, ephemeral: bytes) -> None:
    shape = parse(notice().wire).shape
    head = Head(shape, pc, ephemeral, (pc + ephemeral) * 4 + pc)
    bundle = assemble(head, b"c" * (shape.padded_bytes + 16), franking())
    assert find(bundle, Member(b"editor").scan) is None
    assert open_notice(bundle, NOTICE_KEY) is None


def test_nothing_secret_shows_itself() -> None:
    envelope = draft(SeededEntropy(b"e"))
    made = sealed(b"a name")
    shown = f"{envelope!r} {made!r} {open_notice(notice(), NOTICE_KEY)!r}"
    for secret in (envelope.key, envelope.purge, made.purge, b"manifest", b"a name"):
        assert repr(secret)[2:-1] not in shown
