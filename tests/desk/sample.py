"""A small desk whose every secret is a byte repeated, so that anybody can rebuild it."""

from meshnews.crypto.keys import (
    Ed25519Secret,
    PostageKey,
    Prekey,
    SymmetricKey,
    X25519Secret,
)
from meshnews.desk.bulletin import (
    Bulletin,
    Endpoint,
    EndpointKind,
    EpochKey,
    RelayEntry,
    RelayFlags,
    sign_bulletin,
)
from meshnews.desk.card import EditorCard, PressCard, RelayCard, RelayRecord
from meshnews.desk.certificate import Member, Share, sign_certificate
from meshnews.desk.manifest import Editor, Issuer, Manifest, Role, sign_manifest
from meshnews.desk.pack import PrekeyPack, RelayKeys
from meshnews.desk.recall import revocation_id
from meshnews.desk.refresh import Refresh
from meshnews.desk.request import EditorRequest, RelayRequest, ReporterRequest
from meshnews.desk.root import new_roots
from meshnews.ids import Day, IssuerId, KeyRef, TrafficClass


def seed(number: int) -> bytes:
    return bytes([number]) * 32


def signer(number: int) -> Ed25519Secret:
    return Ed25519Secret(seed(number))


def agreer(number: int) -> X25519Secret:
    return X25519Secret(seed(number))


def prekey(number: int) -> Prekey:
    return Prekey(KeyRef(bytes([number]) * 8), agreer(number).public, seed(number + 100))


ROOTS = (signer(1), signer(2), signer(3))
EDITOR, SECOND, PLAIN = signer(10), signer(11), signer(12)
"""Every role; every role but to publish and enrol; recalled."""
STRANGER = signer(19)
BYLINE = signer(20)
CARD_KEY = agreer(21)
RECALLED_RELAY = agreer(45)

ALL_ROLES = Role.OPEN | Role.PUBLISH | Role.ENROL
DESK_ROOTS = new_roots([root.public for root in ROOTS], 2)
DESK = DESK_ROOTS.desk


MANIFEST = Manifest(
    roots=DESK_ROOTS,
    version=3,
    floor_time=1_790_000_000,
    not_after=Day(3000),
    editors=tuple(
        sorted(
            (
                Editor(EDITOR.public, ALL_ROLES),
                Editor(SECOND.public, Role.OPEN),
                Editor(PLAIN.public, ALL_ROLES),
            ),
            key=lambda one: one.sign,
        )
    ),
    issuers=(Issuer(signer(30).public, Day(2900)),),
    recalled=tuple(sorted((revocation_id(PLAIN.public), revocation_id(RECALLED_RELAY.public)))),
)
SIGNED_MANIFEST = sign_manifest(MANIFEST, ROOTS[:2])

RELAY = RelayEntry(agreer(40).public, agreer(41).public, signer(42).public)
COLLECTOR = RelayEntry(
    agreer(43).public, agreer(44).public, signer(46).public, RelayFlags.COLLECTOR
)
GONE_RELAY = RelayEntry(RECALLED_RELAY.public, agreer(47).public, signer(48).public)


def by_static(*entries: RelayEntry) -> tuple[RelayEntry, ...]:
    return tuple(sorted(entries, key=lambda one: one.static))


EPOCHS = (
    EpochKey(Day(2457), 7, agreer(52).public),
    EpochKey(Day(2460), 1, agreer(50).public),
    EpochKey(Day(2461), 1, agreer(51).public),
    EpochKey(Day(2464), 7, agreer(53).public),
)
BULLETIN = Bulletin(
    desk=DESK,
    signer=EDITOR.public,
    version=5,
    scan=agreer(60).public,
    epochs=EPOCHS,
    relays=by_static(RELAY, COLLECTOR),
    endpoints=(
        Endpoint(COLLECTOR.static[:8], "collector.example.org", (443, 80), EndpointKind.TLS),
        Endpoint(COLLECTOR.static[:8], "2001:db8::1", (4433,), EndpointKind.TCP),
    ),
)
SIGNED_BULLETIN = sign_bulletin(BULLETIN, EDITOR)
SECOND_BULLETIN = Bulletin(
    DESK, SECOND.public, 1, agreer(61).public, EPOCHS, by_static(GONE_RELAY), ()
)
SIGNED_SECOND_BULLETIN = sign_bulletin(SECOND_BULLETIN, SECOND)

CERTIFICATE = sign_certificate(
    EDITOR, desk=DESK, byline=BYLINE.public, name="reporter-1", expiry_day=Day(2800)
)

REPORTER_REQUEST = ReporterRequest(
    CARD_KEY.public, BYLINE.public, agreer(22).public, (prekey(23), prekey(24))
)
RELAY_REQUEST = RelayRequest(CARD_KEY.public, COLLECTOR)
EDITOR_REQUEST = EditorRequest(
    CARD_KEY.public, SECOND.public, agreer(61).public, signer(31).public, EPOCHS
)


def postage(number: int, *, traffic: TrafficClass, n: int) -> PostageKey:
    return PostageKey(
        seed(number), Day(2850), traffic, n, IssuerId(b"kid1"), bytes([number + 128]) * 64
    )


POSTAGE = (
    postage(70, traffic=TrafficClass.FLASH, n=1),
    postage(71, traffic=TrafficClass.ROUTINE, n=1),
    postage(72, traffic=TrafficClass.ROUTINE, n=1),
    postage(73, traffic=TrafficClass.BULK, n=16),
)
RELAY_KEYS = RelayKeys(RELAY.static, SymmetricKey(seed(80)))
COLLECTOR_KEYS = RelayKeys(COLLECTOR.static, SymmetricKey(seed(81)), RelayFlags.COLLECTOR)
PACK = PrekeyPack(EDITOR.public, agreer(60).public, (prekey(90), prekey(91)))

PRESS_CARD = PressCard(
    manifest=SIGNED_MANIFEST,
    bulletins=(SIGNED_BULLETIN, SIGNED_SECOND_BULLETIN),
    desk_notice_key=SymmetricKey(seed(82)),
    relays=tuple(sorted((RELAY_KEYS, COLLECTOR_KEYS), key=lambda one: one.static)),
    desk_name="Desk Example",
    certificate=CERTIFICATE,
    packs=(PACK,),
    postage=POSTAGE,
    mesh_key=SymmetricKey(seed(83)),
    mesh_day=Day(2460),
    member_notice_key=SymmetricKey(seed(84)),
)
RELAY_CARD = RelayCard(
    SIGNED_MANIFEST,
    (SIGNED_BULLETIN,),
    SymmetricKey(seed(82)),
    (COLLECTOR_KEYS,),
    SymmetricKey(seed(80)),
)
SHARES = tuple(
    sorted(
        (
            Share(EDITOR.public, (prekey(23), prekey(24))),
            Share(SECOND.public, (prekey(25),)),
        ),
        key=lambda one: one.editor,
    )
)
MEMBER = Member(CERTIFICATE, agreer(22).public, SHARES)
EDITOR_CARD = EditorCard(
    manifest=SIGNED_MANIFEST,
    bulletins=(SIGNED_BULLETIN,),
    desk_notice_key=SymmetricKey(seed(82)),
    desk_name="Desk Example",
    mesh_key=SymmetricKey(seed(83)),
    mesh_day=Day(2460),
    member_notice_key=SymmetricKey(seed(84)),
    relays=tuple(
        sorted(
            (
                RelayRecord(RELAY, SymmetricKey(seed(80)), "shelf"),
                RelayRecord(COLLECTOR, SymmetricKey(seed(81)), "outside"),
            ),
            key=lambda one: one.entry.static,
        )
    ),
    members=(MEMBER,),
)
REFRESH = Refresh(
    time=1_790_100_000,
    packs=(PACK,),
    postage=POSTAGE,
    relays=(RELAY_KEYS,),
    mesh_key=SymmetricKey(seed(85)),
    mesh_day=Day(2461),
)
