"""The control protocol's bytes.

    frame = length (4 bytes, big endian, 1..CONTROL_FRAME_BYTES_MAX) ‖ body
    body  = one request, reply or event: a MessagePack map whose entry 'is' names it

A request's open files travel as SCM_RIGHTS with the first byte of its frame.
The asker sends `Hello` first and then one request at a time; each is answered
by events and then one reply.  Both programs come from one release, so a
version either is the same or is refused: there is nothing to negotiate.
"""

import functools
from typing import Final

import msgspec

from meshnews.control.limits import CONTROL_FRAME_BYTES_MAX
from meshnews.control.reply import Event, Reply
from meshnews.control.request import Request
from meshnews.errors import LocalMisuse, Malformed

VERSION: Final = 2
"""Goes up with every change to a message."""

HEADER_BYTES: Final = 4


@functools.cache
def _encoder() -> msgspec.msgpack.Encoder:
    return msgspec.msgpack.Encoder()


@functools.cache
def _request_decoder() -> msgspec.msgpack.Decoder[Request]:
    return msgspec.msgpack.Decoder(Request)


@functools.cache
def _answer_decoder() -> msgspec.msgpack.Decoder[Reply | Event]:
    return msgspec.msgpack.Decoder(Reply | Event)


def encode(message: Request | Reply | Event) -> bytes:
    """Return `message` as one frame.

    Raises:
        LocalMisuse: it is longer than CONTROL_FRAME_BYTES_MAX.
    """
    body = _encoder().encode(message)
    if len(body) > CONTROL_FRAME_BYTES_MAX:
        raise LocalMisuse(f"a control message of {len(body)} bytes")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def body_length(header: bytes) -> int:
    """Return the length of the body that follows a frame's four header bytes.

    Raises:
        Malformed: it is zero or above CONTROL_FRAME_BYTES_MAX.
    """
    length = int.from_bytes(header, "big")
    if not 1 <= length <= CONTROL_FRAME_BYTES_MAX:
        raise Malformed(f"control frame length {length}")
    return length


def decode_request(body: bytes) -> Request:
    """Return the request in the body of a frame.

    Raises:
        Malformed: it is not one, or breaks a limit.
    """
    try:
        return _request_decoder().decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise Malformed("not a control request") from exc


def decode_answer(body: bytes) -> Reply | Event:
    """Return the reply or event in the body of a frame.

    Raises:
        Malformed: it is neither, or breaks a limit.
    """
    try:
        return _answer_decoder().decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise Malformed("not a control reply") from exc
