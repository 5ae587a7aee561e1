"""Facts that several tests show."""

import datetime as dt
import hashlib

from meshnews.control.fact import (
    Alarm,
    AttachmentRole,
    AttachmentStatus,
    CarrierName,
    DispatchState,
    DispatchStatus,
    InboxItem,
    ItemKind,
    Neighbour,
    NeighbourKind,
    Priority,
    Role,
    SafetyWord,
    Verdict,
    Visibility,
)
from meshnews.control.finding import Check, Finding, Level
from meshnews.control.holder import Holder
from meshnews.control.recall_reply import HolderListing
from meshnews.control.reply import (
    Diagnosis,
    InboxListing,
    NeighbourListing,
    Opened,
    Status,
    Visible,
)

FILED_AT = dt.datetime(2026, 11, 21, 8, 2, tzinfo=dt.UTC)
LATER = dt.datetime(2026, 11, 21, 8, 31, tzinfo=dt.UTC)
TOLD_AT = dt.datetime(2026, 11, 21, 8, 28, tzinfo=dt.UTC)
EXPIRY = dt.date(2026, 12, 6)
DESK = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
WORDS = tuple(
    SafetyWord(number, word)
    for number, word in [
        (87, "anchor"),
        (1204, "nephew"),
        (3, "about"),
        (2047, "zoo"),
        (512, "discover"),
        (1999, "wheat"),
        (640, "enough"),
        (1777, "tag"),
    ]
)
PHOTO = b"not really a photograph"
TEXT = "Пожар на рынке.\n\nTwo people were taken to hospital; nobody says by whom."

STATUS = Status(
    dispatches=(
        DispatchStatus(
            id="7k2mq9xa",
            slug="market-fire",
            priority=Priority.FLASH,
            state=DispatchState.ON_THE_WIRE,
            filed_at=FILED_AT,
            on_wire_at=LATER,
            carried_by=2,
            expires_on=EXPIRY,
        ),
        DispatchStatus(
            id="b3hd0c5e",
            slug="сход",
            priority=Priority.ROUTINE,
            state=DispatchState.CARRIED,
            filed_at=FILED_AT,
            carried_by=1,
            expires_on=EXPIRY,
            attachments=3,
            attachments_received=1,
        ),
        DispatchStatus(
            id="c9t41wpz",
            slug="hospital",
            priority=Priority.URGENT,
            state=DispatchState.FILED,
            filed_at=FILED_AT,
            release_at=LATER,
            expires_on=EXPIRY,
        ),
        DispatchStatus(
            id="d0n3hh22",
            slug="square",
            priority=Priority.ROUTINE,
            state=DispatchState.RECEIVED,
            filed_at=FILED_AT,
            received_at=LATER,
            expires_on=EXPIRY,
        ),
        DispatchStatus(
            id="e5e5e5e5",
            slug="bread",
            priority=Priority.BULK,
            state=DispatchState.READ,
            filed_at=FILED_AT,
            read_at=LATER,
            expires_on=EXPIRY,
            attachments=1,
            attachments_received=0,
        ),
        DispatchStatus(
            id="f00d", slug="draft", priority=Priority.ROUTINE, state=DispatchState.DRAFT
        ),
    ),
    more=3,
    wire_last_at=FILED_AT,
    told_at=TOLD_AT,
    wire_expected_at=LATER,
)

INBOX = InboxListing(
    items=(
        InboxItem(
            id="7k2mq9xa",
            kind=ItemKind.DISPATCH,
            slug="market-fire",
            byline="aliya",
            priority=Priority.FLASH,
            verdict=Verdict.VERIFIED,
            alarms=(Alarm.TWO_PLACES,),
            arrived_at=LATER,
            claimed_at=FILED_AT,
            attachments=3,
            attachments_complete=1,
        ),
        InboxItem(
            id="b3hd0c5e",
            kind=ItemKind.DISPATCH,
            slug="сход",
            byline="north-2",
            priority=Priority.ROUTINE,
            verdict=Verdict.UNPROVEN,
            arrived_at=FILED_AT,
            opened=True,
        ),
        InboxItem(
            id="c9t41wpz",
            kind=ItemKind.REPLY,
            slug="market-fire",
            byline="",
            priority=Priority.ROUTINE,
            verdict=Verdict.DESK,
            opened=True,
        ),
    )
)

OPENED = Opened(
    id="7k2mq9xa",
    kind=ItemKind.DISPATCH,
    slug="market-fire",
    byline="aliya",
    priority=Priority.FLASH,
    verdict=Verdict.VERIFIED,
    alarms=(Alarm.GAP,),
    text=TEXT,
    claimed_at=FILED_AT,
    arrived_at=LATER,
    attachments=(
        AttachmentStatus(
            name="photo.jpg",
            size=len(PHOTO),
            role=AttachmentRole.PREVIEW,
            sha256=hashlib.sha256(PHOTO).digest(),
            bytes_here=len(PHOTO),
            complete=True,
        ),
        AttachmentStatus(
            name="video.mp4",
            size=120_000_000,
            role=AttachmentRole.ORIGINAL,
            sha256=bytes(32),
            bytes_here=41_000_000,
            complete=False,
        ),
    ),
)

HOLDER = Holder(role=Role.REPORTER, name="aliya", key="0f1e2d3c" * 8, words=WORDS)
HOLDERS = HolderListing(
    holders=(
        HOLDER,
        Holder(role=Role.REPORTER, name="north-2", key="aabbccdd" * 8, words=WORDS, recalled=True),
        Holder(role=Role.RELAY, name="bakery", key="10203040" * 8, words=WORDS, owed=True),
        Holder(role=Role.EDITOR, key="99887766" * 8, words=WORDS, own=True),
    )
)

VISIBLE = Visible(visibility=Visibility.VEILED, until=LATER)
TRUSTED = Visible(visibility=Visibility.VEILED, interfaces=("wlan0",))

NEIGHBOURS = NeighbourListing(
    visibility=Visibility.VEILED,
    neighbours=(
        Neighbour(
            kind=NeighbourKind.RELAY,
            name="bakery",
            carrier=CarrierName.LAN,
            since=FILED_AT,
            bytes_received=12_100_000,
            bytes_sent=840,
            bytes_per_s=1_200_000,
            watched=True,
        ),
        Neighbour(
            kind=NeighbourKind.MEMBER,
            carrier=CarrierName.BLUETOOTH,
            since=LATER,
            bytes_received=3_000,
            bytes_sent=20_500,
            bytes_per_s=17_000,
        ),
    ),
)

DIAGNOSIS = Diagnosis(
    (
        Finding(check=Check.HOME, level=Level.GOOD),
        Finding(check=Check.DISK, level=Level.GOOD, number=41_300_000_000),
        Finding(check=Check.CLOCK, level=Level.WARNING, day=EXPIRY),
        Finding(check=Check.CARD, level=Level.GOOD, day=EXPIRY, name="aliya"),
        Finding(check=Check.POSTAGE, level=Level.WARNING, number=12, of=240),
        Finding(check=Check.FILES, level=Level.BAD, number=1, name="seed"),
    )
)
