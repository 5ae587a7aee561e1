"""One message of each type, with every field in use."""

from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.store.port import State
from meshnews.sync.messages import (
    Acked,
    Bye,
    Cancel,
    ClassTerms,
    Data,
    Done,
    Flag,
    Group,
    Have,
    Hello,
    How,
    Message,
    Name,
    NotHeld,
    OfferMessage,
    Reason,
    Stored,
    Want,
    WantGroup,
)
from meshnews.sync.question import (
    Answer,
    Cells,
    Days,
    Grid,
    List,
    Mode,
    More,
    Parts,
    Reply,
    Spans,
    Split,
    Tell,
    Told,
)

DAY = Day(2100)
FLASH, ROUTINE = TrafficClass.FLASH, TrafficClass.ROUTINE
SHORTS = (b"\x11" * 8, b"\x12" * 8)
REF = BundleRef(ROUTINE, DAY, BundleId(b"\x21" * 32))
GROUP = Group(ROUTINE, DAY, SHORTS)
ALL = Flag.SERVES | Flag.WANTS

HELLO = Hello(
    nonce=b"n" * 16,
    instance=b"x" * 16,
    classes=(
        ClassTerms(ALL, Day(0), Day(0), 0),
        ClassTerms(ALL | Flag.NONEMPTY, DAY, Day(2084), 65536),
        ClassTerms(ALL | Flag.NONEMPTY, DAY, Day(2084), 65536),
        ClassTerms(Flag.SERVES, Day(0), Day(2084), 65536),
    ),
    frame_bytes_max=65536,
    methods=1,
)

MESSAGES: dict[str, Message] = {
    "hello": HELLO,
    "spans": Spans(ROUTINE, DAY, Day(2084), bytes(range(40))),
    "days": Days(ROUTINE, 0b101, (DAY, Day(2094)), b"abcdefgh", (1, 70000)),
    "grid": Grid(ROUTINE, DAY, 1, 70000, b"abcdefgh"),
    "split": Split(ROUTINE, DAY, 3, 1, (2, 7), bytes(range(16))),
    "list": List(ROUTINE, DAY, 3, 0, SHORTS, (State.HELD, State.ACKED)),
    "reply": Reply(
        *(ROUTINE, DAY, 3, 0),
        (Answer.NOTHING, Answer.NAME, Answer.SHORT_RECEIPT, Answer.FULL_RECEIPT, Answer.NAME),
    ),
    "want": Want(
        (
            WantGroup(FLASH, DAY, SHORTS, How.DATA),
            WantGroup(ROUTINE, DAY, (REF.id,), How.OFFER, (32768,)),
        )
    ),
    "offer": OfferMessage(900, b"o" * 268),
    "data": Data(ROUTINE, DAY, SHORTS[0], 1800, 32768, b"d" * 600),
    "stored": Stored((GROUP,), (Group(FLASH, DAY, SHORTS[:1]),)),
    "acked": Acked(
        confirm=True, full=(b"r" * 268,), short=((FLASH, DAY, b"s" * 64), (FLASH, DAY, b"t" * 64))
    ),
    "notheld": NotHeld((GROUP,)),
    "cancel": Cancel((GROUP,)),
    "have": Have((Name(REF, 66560, acked=True), Name(REF, 2048, acked=False))),
    "bye": Bye(Reason.MYSELF),
    "done": Done(),
    "cells": Cells(ROUTINE, DAY, b"\x03", 500, 1, 0, 2, bytes(range(44))),
    "more": More(ROUTINE, DAY, 2, 4, (0, 300)),
    "parts": Parts(
        *(ROUTINE, DAY),
        (Mode.EQUAL, Mode.LISTED, Mode.DIFFERS, Mode.LISTED, Mode.EQUAL),
        bytes((2, 0)),
        SHORTS,
    ),
    "tell": Tell(ROUTINE, DAY, SHORTS, SHORTS[:1], ()),
    "told": Told(ROUTINE, DAY, (State.HELD, State.LACKING, State.ACKED)),
}
