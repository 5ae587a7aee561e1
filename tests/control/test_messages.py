"""Every message goes round unchanged, and garbage is refused with one exception."""

import datetime as dt
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.control import codec, desk_reply, desk_request, enrol_reply, enrol_request, refusal
from meshnews.control import recall_reply as recalls
from meshnews.control import reply as replies
from meshnews.control import request as requests
from meshnews.control.content import CARD_FILE_BYTES_MAX
from meshnews.control.fact import (
    Alarm,
    AttachmentOffer,
    AttachmentRole,
    AttachmentStatus,
    CarrierName,
    DispatchState,
    DispatchStatus,
    FilingWarning,
    InboxItem,
    InvitationState,
    InvitationStatus,
    ItemKind,
    JoinerStatus,
    JoinProgress,
    JoinReason,
    LinkStatus,
    Neighbour,
    NeighbourKind,
    PartStatus,
    Phase,
    Priority,
    Role,
    SafetyWord,
    Topic,
    Verdict,
    Visibility,
)
from meshnews.control.finding import Check, Finding, Level
from meshnews.control.holder import Holder
from meshnews.control.limits import (
    CONTROL_FRAME_BYTES_MAX,
    DISPATCH_TEXT_BYTES_MAX,
    PASSPHRASE_CHARS_MAX,
)
from meshnews.control.reply import Event, Reply
from meshnews.control.request import Request
from meshnews.control.request_base import RequestBase
from meshnews.control.wire_fact import (
    EndpointFact,
    RouteBound,
    RouteFact,
    RouteKind,
    RouteState,
    RouteTrouble,
    WireEntry,
)
from meshnews.desk.limits import EDITOR_CARD_BYTES_MAX
from meshnews.errors import LocalMisuse, Malformed, Refusal
from meshnews.limits import ATTACHMENTS_MAX

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
DAY = dt.date(2026, 12, 5)
WORDS = tuple(SafetyWord(number, f"word{number}") for number in range(8))
DESK = "0f" * 16

REQUESTS: list[Request] = [
    requests.Hello(codec.VERSION),
    requests.Unlock("a passphrase"),
    requests.Init(Role.REPORTER, False, "a passphrase"),
    requests.Init(Role.RELAY, endpoint=True, passphrase=None),
    desk_request.DeskCreate("Bureau", "a passphrase"),
    enrol_request.EnrolRequest(),
    enrol_request.EnrolCard(b"card"),
    enrol_request.EnrolCard(b"card", confirmed=True),
    desk_request.DeskCard(request=b"request", byline="aliya", near=("shelf",), confirmed=True),
    desk_request.DeskEndpointAdd(
        collector="far", host="192.0.2.1", ports=(443, 53), pin=bytes(32), server_name="a.net"
    ),
    desk_request.DeskEndpointRemove("far", "192.0.2.1", 443),
    desk_request.DeskEndpointList(),
    requests.Wire(),
    requests.WireLog(),
    desk_request.DeskInvite(byline="aliya", near=("shelf",), hours=24),
    desk_request.DeskInvite(relay="shelf", hours=720),
    desk_request.DeskPending(),
    desk_request.DeskPending(7),
    desk_request.DeskConfirm(4),
    desk_request.DeskRefuse(4),
    desk_request.DeskClose(3),
    enrol_request.EnrolCode("m1-abcd"),
    enrol_request.EnrolWait(7),
    enrol_request.EnrolAgree(bytes(8), is_same=True),
    enrol_request.EnrolStop(),
    desk_request.DeskEditor(b"request"),
    desk_request.DeskSign(b"manifest", b"key", "a passphrase"),
    desk_request.DeskEditorSigned(b"signed", b"request"),
    desk_request.DeskHolders(),
    desk_request.DeskRecall("aliya"),
    desk_request.DeskRecallSigned(signed=b"signed", confirmed=True),
    enrol_request.RecallOwn(),
    requests.File(
        text="Огонь на рынке.",
        slug="рынок",
        priority=Priority.FLASH,
        now=True,
        forget=True,
        today=DAY,
        attachments=(AttachmentOffer("photo.jpg", 5, AttachmentRole.PREVIEW),),
    ),
    requests.StatusRequest(),
    requests.StatusRequest("7k2m"),
    requests.Watch((Topic.DISPATCH, Topic.INBOX)),
    requests.Follow(),
    requests.Follow("7k2m"),
    requests.Inbox(),
    requests.Open("7k2m"),
    requests.SaveAttachment("7k2m", 3),
    requests.LetGo("7k2m"),
    requests.SendReply("7k2m", "Where was this?"),
    requests.Neighbours(),
    requests.Look(600),
    requests.TrustNetwork(trusted=False),
    requests.Doctor(),
]

DISPATCH = DispatchStatus(
    id="7k2m",
    slug="market",
    priority=Priority.ROUTINE,
    state=DispatchState.ON_THE_WIRE,
    filed_at=NOON,
    on_wire_at=NOON,
    carried_by=3,
    expires_on=DAY,
    attachments=1,
    parts=(PartStatus(name="photo.jpg", size=5, pieces=2, carried=1, received=0),),
)
LINK = LinkStatus(
    kind=NeighbourKind.COLLECTOR,
    carrier=CarrierName.LAN,
    since=NOON,
    bytes_received=1,
    bytes_sent=2,
    bytes_per_s=3,
    link=4,
    sent_per_s=5,
    received_per_s=None,
    to_send=6,
    to_receive=7,
    compared=True,
)
ITEM = InboxItem(
    id="7k2m",
    kind=ItemKind.DISPATCH,
    slug="market",
    byline="aliya",
    priority=Priority.FLASH,
    verdict=Verdict.VERIFIED,
    alarms=(Alarm.GAP,),
    arrived_at=NOON,
)
INVITATION = InvitationStatus(
    number=3,
    role=Role.RELAY,
    name="shelf",
    state=InvitationState.OPEN,
    ends_at=NOON,
    alarm=True,
    words_differed=True,
    trouble="That name is in use.",
)
HOLDER = Holder(role=Role.REPORTER, name="aliya", key="0f" * 32, words=WORDS, recalled=True)
JOINER = JoinerStatus(number=4, invitation=3, words=WORDS, joiner_agrees=True, desk_agrees=False)
ATTACHMENT = AttachmentStatus(
    name="photo.jpg",
    size=5,
    role=AttachmentRole.FILE,
    sha256=bytes(32),
    bytes_here=5,
    complete=True,
)

ENDPOINT = EndpointFact(
    collector="far", host="192.0.2.1", ports=(443,), tls=True, pin=bytes(32), server_name="a.net"
)
ROUTE = RouteFact(
    collector="far",
    kind=RouteKind.SOCKS_TLS,
    where="192.0.2.1:443",
    proxy="127.0.0.1:9050",
    state=RouteState.FAILED,
    trouble=RouteTrouble.SILENT,
    tried_at=NOON,
    bound=RouteBound.DUTY,
    rests_until=NOON,
)

ANSWERS: list[Reply | Event] = [
    replies.Welcome(version=codec.VERSION, program="0.1.0", role=Role.REPORTER, locked=True),
    replies.Welcome(version=codec.VERSION, program="0.1.0", role=None, once=True),
    replies.Done(),
    replies.HomeMade(Role.RELAY, endpoint=True),
    desk_reply.DeskMade(desk=DESK, name="Bureau", words=WORDS),
    enrol_reply.RequestMade(b"request", WORDS, Role.REPORTER),
    desk_reply.CardWords(WORDS, Role.REPORTER),
    desk_reply.CardMade(
        card=b"card", role=Role.REPORTER, name="aliya", desk_words=WORDS, valid_until=DAY
    ),
    enrol_reply.Enrolled(desk=DESK, words=WORDS, role=Role.RELAY, name="shelf"),
    desk_reply.Invited(invitation=INVITATION, code="m1-abcd"),
    desk_reply.PendingListing(version=7, invitations=(INVITATION,), joiners=(JOINER,)),
    enrol_reply.JoinStatus(version=7, progress=JoinProgress.IDLE),
    enrol_reply.JoinStatus(
        version=8,
        progress=JoinProgress.COMPARING,
        meeting=bytes(8),
        words=WORDS,
        silences=2,
        reason=JoinReason.DESK,
        enrolled=enrol_reply.Enrolled(desk=DESK, words=WORDS, role=Role.RELAY, name=""),
    ),
    desk_reply.EditorPrepared(manifest=b"manifest", words=WORDS, version=2, editors=2),
    desk_reply.ManifestSigned(signed=b"signed", desk=DESK, version=2, editors=2, valid_until=DAY),
    desk_reply.EditorCardMade(b"card", WORDS),
    recalls.RecallSigned(signed=b"signed", desk=DESK, words=WORDS, since=NOON),
    recalls.HolderListing(holders=(HOLDER,)),
    recalls.RecallPrepared(recall=b"recall", holder=HOLDER),
    recalls.RecallShown(HOLDER),
    recalls.Recalled(holder=HOLDER, relays=3, owed=7),
    recalls.OwnRecall(b"recall"),
    desk_reply.EndpointListing((ENDPOINT,)),
    replies.WireStatus(last_at=NOON, expected_at=NOON, routes=(ROUTE,), certificate="ab" * 32),
    replies.WireLogListing(
        bytes(32), (WireEntry(number=0, up=True, at=NOON, clock_sure=True, signed=b"entry"),)
    ),
    replies.Filed(id="7k2m", release_at=NOON, warnings=(FilingWarning.OLD_KEY,)),
    replies.Status(dispatches=(DISPATCH,), more=4, wire_last_at=NOON),
    replies.InboxListing(items=(ITEM,)),
    replies.Opened(
        id="7k2m",
        kind=ItemKind.DISPATCH,
        slug="market",
        byline="aliya",
        priority=Priority.BULK,
        verdict=Verdict.FORK,
        text="A fire.",
        claimed_at=NOON,
        attachments=(ATTACHMENT,),
    ),
    replies.AttachmentSaved(5, bytes(32)),
    replies.ReplyFiled(id="9abc", to="aliya"),
    replies.Visible(visibility=Visibility.VEILED, interfaces=("eth0", "wlan0"), until=NOON),
    replies.NeighbourListing(
        visibility=Visibility.VEILED,
        neighbours=(
            Neighbour(
                kind=NeighbourKind.RELAY,
                name="shelf",
                carrier=CarrierName.LAN,
                since=NOON,
                bytes_received=1,
                bytes_sent=2,
                bytes_per_s=3,
            ),
        ),
    ),
    replies.Diagnosis((Finding(check=Check.DISK, level=Level.GOOD, number=5),)),
    replies.Refused.of(refusal.no_home()),
    replies.Progress(Phase.SEALING, 0, 5, 10),
    replies.Changed(Topic.DISPATCH, "7k2m"),
    replies.DispatchNews(DISPATCH),
    replies.NeighbourNews(visibility=Visibility.OPEN, neighbours=(LINK,)),
]


def body_of(frame: bytes) -> bytes:
    assert codec.body_length(frame[: codec.HEADER_BYTES]) == len(frame) - codec.HEADER_BYTES
    return frame[codec.HEADER_BYTES :]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_a_request_goes_round(request_: Request) -> None:
    assert codec.decode_request(body_of(codec.encode(request_))) == request_


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda each: type(each).__name__)
def test_a_reply_or_event_goes_round(answer: Reply | Event) -> None:
    assert codec.decode_answer(body_of(codec.encode(answer))) == answer


def test_every_message_is_among_the_examples() -> None:
    assert {type(each) for each in REQUESTS} == set(typing.get_args(requests.Request))
    known = set(typing.get_args(replies.Reply)) | set(typing.get_args(replies.Event))
    assert {type(each) for each in ANSWERS} == known


@pytest.mark.parametrize("message", [*REQUESTS, *ANSWERS], ids=lambda each: type(each).__name__)
def test_contents_stay_out_of_repr(message: Request | Reply | Event) -> None:
    assert repr(message) == f"{type(message).__name__}(...)"


@given(st.binary(max_size=200))
def test_garbage_is_malformed(body: bytes) -> None:
    for decode in (codec.decode_request, codec.decode_answer):
        with pytest.raises(Malformed):
            decode(body)


@given(st.sampled_from(REQUESTS), st.data())
@settings(max_examples=300)
def test_a_spoilt_request_is_a_request_or_malformed(request_: Request, data: st.DataObject) -> None:
    body = bytearray(body_of(codec.encode(request_)))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    try:
        decoded = codec.decode_request(bytes(body))
    except Malformed:
        return
    assert isinstance(decoded, RequestBase)


@pytest.mark.parametrize("message", [*REQUESTS, *ANSWERS], ids=lambda each: type(each).__name__)
def test_every_shortened_or_lengthened_message_is_malformed(
    message: Request | Reply | Event,
) -> None:
    body = body_of(codec.encode(message))
    decode: Any = codec.decode_request if message in REQUESTS else codec.decode_answer
    for size in range(len(body)):
        with pytest.raises(Malformed):
            decode(body[:size])
    with pytest.raises(Malformed):
        decode(body + b"\x00")


def test_deep_nesting_is_malformed() -> None:
    with pytest.raises(Malformed):
        codec.decode_request(b"\x91" * 100_000)
    with pytest.raises(Malformed):
        codec.decode_request(b"\x82\xa2is\xa6status\xa2id" + b"\x91" * 100_000)


def test_an_unknown_field_is_malformed() -> None:
    with pytest.raises(Malformed):
        codec.decode_request(msgspec.msgpack.encode({"is": "inbox", "all": True}))


@pytest.mark.parametrize(
    "fields",
    [
        {"is": "file", "text": "x" * (DISPATCH_TEXT_BYTES_MAX + 1), "slug": "s"},
        {"is": "file", "text": "x", "slug": "s" * 65},
        {"is": "file", "text": "x", "slug": "s", "priority": "soon"},
        {
            "is": "file",
            "text": "x",
            "slug": "s",
            "attachments": [{"name": "n", "size": 1}] * (ATTACHMENTS_MAX + 1),
        },
        {"is": "file", "text": "x", "slug": "s", "attachments": [{"name": "n", "size": 0}]},
        {"is": "file", "text": "x", "slug": "s", "attachments": [{"name": "n", "size": 2**40}]},
        {"is": "status", "id": "../x"},
        {"is": "status", "id": "7k2m\n"},
        {"is": "status", "id": ""},
        {"is": "save-attachment", "id": "7k2m", "index": ATTACHMENTS_MAX},
        {"is": "save-attachment", "id": "7k2m", "index": -1},
        {"is": "enrol-card", "card": b""},
        {"is": "enrol-card", "card": bytes(EDITOR_CARD_BYTES_MAX + 1025)},
        {"is": "desk-create", "name": "", "root_passphrase": "x"},
        {"is": "unlock", "passphrase": "x" * (PASSPHRASE_CHARS_MAX + 1)},
        {"is": "watch", "topics": []},
        {"is": "destroy"},
        {},
    ],
)
def test_a_request_beyond_its_limits_is_malformed(fields: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        codec.decode_request(msgspec.msgpack.encode(fields))


@pytest.mark.parametrize("length", [0, CONTROL_FRAME_BYTES_MAX + 1, 2**32 - 1])
def test_a_length_out_of_bounds_is_malformed(length: int) -> None:
    with pytest.raises(Malformed):
        codec.body_length(length.to_bytes(4, "big"))


def test_an_editors_card_of_full_size_fits_one_frame() -> None:
    card = bytes(CARD_FILE_BYTES_MAX)
    assert body_of(codec.encode(desk_reply.EditorCardMade(card, WORDS)))
    assert body_of(codec.encode(enrol_request.EnrolCard(card)))


def test_a_message_too_long_for_a_frame_is_our_own_mistake() -> None:
    with pytest.raises(LocalMisuse):
        codec.encode(enrol_request.EnrolCard(bytes(CONTROL_FRAME_BYTES_MAX)))


def test_a_request_says_how_many_files_travel_beside_it() -> None:
    offers = (AttachmentOffer("a", 1), AttachmentOffer("b", 1))
    assert requests.File(text="", slug="s", attachments=offers).descriptors == 2
    assert requests.SaveAttachment("7k2m", 0).descriptors == 1
    assert requests.Inbox().descriptors == 0


ARGUMENTS: dict[str, Any] = {"size": 70_000, "room": 60_000, "number": 2, "theirs": 1, "ours": 2}


def every_refusal() -> list[Refusal]:
    made = []
    for name, make in vars(refusal).items():
        if name.startswith("_") or not isinstance(make, types.FunctionType):
            continue
        names = [each for each in typing.get_type_hints(make) if each != "return"]
        made.append(make(**{each: ARGUMENTS.get(each, "something") for each in names}))
    return made


def test_refusals_have_three_sentences_and_a_code_of_their_own() -> None:
    refusals = every_refusal()
    assert len(refusals) > 10
    assert len({each.code for each in refusals}) == len(refusals)
    for each in refusals:
        reply = replies.Refused.of(each)
        again = codec.decode_answer(body_of(codec.encode(reply)))
        assert isinstance(again, replies.Refused)
        assert vars(again.as_refusal()) == vars(each)
        for sentence in (each.what, each.meaning, each.remedy):
            assert sentence[0].isupper() or sentence[0] == "`"
            assert sentence[-1] in ".?"
