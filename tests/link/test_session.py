"""A link as its user sees it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.errors import LocalMisuse, OutOfTurn, PeerError
from meshnews.limits import FRAME_BYTES_MAX, RECORD_BYTES_BLUETOOTH
from meshnews.link.rendezvous import Mode
from meshnews.link.session import LinkSession
from tests.link.neighbours import MODES, Guard, deliver, linked, meeting

every_mode = pytest.mark.parametrize("mode", MODES)
messages_of = st.lists(
    st.binary(min_size=1, max_size=400) | st.integers(1, FRAME_BYTES_MAX).map(bytes),
    max_size=5,
)
cuts_of = st.lists(st.integers(1, 5000), max_size=5)


def say(session: LinkSession, messages: list[bytes], room: int = 40_000) -> bytes:
    for message in messages:
        session.queue(message)
    stream = b""
    while session.queued_bytes:
        stream += session.take(room)
    return stream


@every_mode
@settings(max_examples=40)
@given(there=messages_of, back=messages_of, cuts=cuts_of)
def test_however_both_directions_are_cut_the_same_messages_arrive(
    mode: Mode, there: list[bytes], back: list[bytes], cuts: list[int]
) -> None:
    met = meeting(mode)
    caller, responder = met.caller(per_key=3), met.responder(per_key=3)
    assert deliver(responder, caller.start(), cuts) == []
    answer = responder.take(0)
    # Where the responder is done first, its records follow its packet at once.
    early = responder.established
    answer += say(responder, back) if early else b""
    assert deliver(caller, answer, cuts) == (back if early else [])
    assert deliver(responder, say(caller, there), cuts) == there
    assert deliver(caller, say(responder, back), cuts) == back


@every_mode
@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_anywhere_delivers_nothing_more(mode: Mode, data: st.DataObject) -> None:
    met = meeting(mode)
    caller, responder = met.caller(), met.responder()
    sides = {"caller": caller, "responder": responder}
    turns = [("caller", caller.start)]
    turns.append(("responder", lambda: responder.take(0)))
    if mode is Mode.ENROLMENT:
        turns.append(("caller", lambda: caller.take(0)))
    turns.append(("caller", lambda: say(caller, [b"hello"] * 60)))
    turns.append(("responder", lambda: say(responder, [b"hello"] * 60)))
    victim = data.draw(st.integers(0, len(turns) - 1))
    delivered: dict[str, list[bytes]] = {"caller": [], "responder": []}
    for turn, (speaker, speak) in enumerate(turns):
        listener = "responder" if speaker == "caller" else "caller"
        try:
            stream = bytearray(speak())
        except (PeerError, LocalMisuse):
            break
        if turn == victim:
            bit = data.draw(st.integers(0, len(stream) * 8 - 1))
            stream[bit // 8] ^= 1 << bit % 8
        try:
            delivered[listener] += sides[listener].receive(bytes(stream))
        except PeerError:
            break
    spoken = turns[victim][0]
    listener = "responder" if spoken == "caller" else "caller"
    assert delivered[listener] == []
    if victim < len(turns) - 2:
        assert delivered[spoken] == []


@every_mode
def test_a_flipped_bit_in_junk_is_noticed_with_the_first_record(mode: Mode) -> None:
    met = meeting(mode, 3)
    caller, responder = met.caller(), met.responder()
    packet = bytearray(caller.start())
    assert len(packet) > 70
    packet[-1] ^= 1
    responder.receive(bytes(packet))
    caller.receive(responder.take(0))
    stream = say(caller, [b"hello"])
    with pytest.raises(PeerError):
        responder.receive(stream)


def test_what_came_before_a_broken_record_was_delivered() -> None:
    caller, responder = linked()
    assert responder.receive(say(caller, [b"one"])) == [b"one"]
    broken = bytearray(say(caller, [b"two"]))
    broken[100] ^= 4
    with pytest.raises(PeerError):
        responder.receive(bytes(broken))


def test_a_record_that_comes_twice_was_spoilt_on_the_way() -> None:
    caller, responder = linked()
    stream = say(caller, [b"one"])
    with pytest.raises(PeerError):
        responder.receive(stream * 2)
    assert responder.was_spoilt


def test_who_has_opened_no_record_yet_cannot_tell_who_spoilt_the_first() -> None:
    caller, responder = linked()
    spoilt = bytearray(say(caller, [b"one"]))
    spoilt[100] ^= 4
    with pytest.raises(PeerError):
        responder.receive(bytes(spoilt))
    assert not responder.was_spoilt


def test_what_the_peer_has_sealed_itself_was_not_spoilt_on_the_way() -> None:
    caller, responder = linked()
    responder.receive(say(caller, [b"one"]))
    caller._open_writer.queue(b"\xff\xff\xff")
    with pytest.raises(PeerError):
        responder.receive(caller.take(0))
    assert not responder.was_spoilt


def test_a_cut_stream_delivers_what_was_whole() -> None:
    caller, responder = linked()
    stream = say(caller, [b"one", bytes(60_000)])
    assert responder.receive(stream[:-1]) == [b"one"]
    assert responder.is_inside_message
    assert responder.receive(stream[-1:]) == [bytes(60_000)]
    assert not responder.is_inside_message


def test_a_frame_of_impossible_length_ends_the_link() -> None:
    caller, responder = linked()
    caller._open_writer.queue(b"\xff\xff\xff")
    with pytest.raises(PeerError):
        responder.receive(caller.take(0))


def test_the_queue_says_what_is_left_to_take() -> None:
    caller, _ = linked()
    assert caller.queued_bytes == 0
    caller.queue(bytes(1000))
    assert caller.queued_bytes == 1003
    caller.take(0)
    assert caller.queued_bytes == 1003 - 237
    caller.take(1 << 20)
    assert caller.queued_bytes == 0


def test_the_answer_to_a_call_comes_out_by_taking() -> None:
    met = meeting(Mode.RELAY)
    caller, responder = met.caller(), met.responder()
    responder.receive(caller.start())
    assert responder.queued_bytes > 0
    assert responder.take(0)
    assert responder.take(0) == b""


def test_records_are_counted_each_way() -> None:
    caller, responder = linked()
    responder.receive(say(caller, [bytes(237)]))
    assert (caller.records_sent, caller.records_received) == (2, 0)
    assert (responder.records_sent, responder.records_received) == (0, 2)


def test_on_bluetooth_records_fit_its_packets() -> None:
    met = meeting(Mode.MEMBER)
    sizes = RECORD_BYTES_BLUETOOTH
    caller = LinkSession.initiate(met.target, entropy=met.entropy, sizes=sizes)
    responder = LinkSession.respond(met.keys, replay=Guard(), entropy=met.entropy, sizes=sizes)
    responder.receive(caller.start())
    caller.receive(responder.take(0))
    caller.pace(20_000.0)
    stream = say(caller, [b"x" * 5000])
    assert len(stream) % 244 == 0
    assert responder.receive(stream) == [b"x" * 5000]


def fresh() -> LinkSession:
    return meeting(Mode.RELAY).caller()


def called() -> LinkSession:
    return meeting(Mode.RELAY).responder()


def shaking() -> LinkSession:
    session = fresh()
    session.start()
    return session


def opened() -> LinkSession:
    return linked()[0]


def failed() -> LinkSession:
    session = called()
    with pytest.raises(PeerError):
        session.receive(bytes(100))
    return session


CALLS: dict[str, Callable[[LinkSession], object]] = {
    "start": lambda session: session.start(),
    "receive": lambda session: session.receive(bytes(2000)),
    "queue": lambda session: session.queue(b"x"),
    "queue nothing": lambda session: session.queue(b""),
    "take": lambda session: session.take(100),
    "pace": lambda session: session.pace(1.0),
    "session_id": lambda session: session.session_id,
    "peer": lambda session: session.peer,
}
BEFORE_THE_HANDSHAKE: dict[str, type[Exception]] = {
    "receive": PeerError,
    "queue": LocalMisuse,
    "queue nothing": LocalMisuse,
    "pace": LocalMisuse,
    "session_id": LocalMisuse,
    "peer": LocalMisuse,
}
TABLE: list[tuple[Callable[[], LinkSession], dict[str, type[Exception]]]] = [
    (fresh, BEFORE_THE_HANDSHAKE),
    (called, BEFORE_THE_HANDSHAKE),
    (shaking, {"start": LocalMisuse, **BEFORE_THE_HANDSHAKE}),
    (opened, {"start": LocalMisuse, "receive": PeerError, "queue nothing": LocalMisuse}),
    (failed, dict.fromkeys(CALLS, OutOfTurn)),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("state", "refused"), TABLE, ids=[row[0].__name__ for row in TABLE])
def test_every_call_in_every_state(
    state: Callable[[], LinkSession], refused: dict[str, type[Exception]], call: str
) -> None:
    session = state()
    if call in refused:
        with pytest.raises(refused[call]):
            CALLS[call](session)
    else:
        CALLS[call](session)
