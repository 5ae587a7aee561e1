"""Facts about the wire: ways to a collector, how each fares, when there was one."""

import enum
from typing import Annotated

from msgspec import Meta

from meshnews.control.fact import Count, Fact, MaybeName, Moment
from meshnews.desk.limits import HOST_CHARS_MAX, SERVER_NAME_CHARS_MAX


class RouteKind(enum.StrEnum):
    """How a collector is called."""

    DIRECT = "direct"
    TLS = "tls"
    SOCKS = "socks"
    SOCKS_TLS = "socks-tls"


class RouteState(enum.StrEnum):
    """How a way to a collector fares."""

    UNTRIED = "untried"
    CALLING = "calling"
    UP = "up"
    SUSPECT = "suspect"
    """It takes bundles, and no receipt has come back for too long."""
    FAILED = "failed"
    """The last call led to nobody; `trouble` says how."""
    ENDED = "ended"
    """It was up, and is not now."""
    RESTING = "resting"
    """Its limit is used up: it is used for flashes alone; `bound` and `rests_until` say more."""


class RouteTrouble(enum.StrEnum):
    """Why a call led to nobody; see `meshnews.node.event.Trouble`."""

    NO_NETWORK = "no-network"
    NO_NAME = "no-name"
    NO_ANSWER = "no-answer"
    REFUSED = "refused"
    CUT = "cut"
    SILENT = "silent"
    STRANGER = "stranger"
    OTHER_CERTIFICATE = "other-certificate"
    PROXY_GONE = "proxy-gone"
    PROXY_REFUSED = "proxy-refused"
    NO_AUTHORITY = "no-authority"
    DENIED = "denied"
    NO_FOLDER = "no-folder"
    FULL = "full"
    FAULTY = "faulty"


class RouteBound(enum.StrEnum):
    """What of a limit is used up."""

    VOLUME = "volume"
    """What may cross it in a day."""
    DUTY = "duty"
    """The time for which it may be used in an hour."""


class RouteFact(Fact, frozen=True, kw_only=True):
    """One way to one collector."""

    collector: MaybeName
    kind: RouteKind
    where: Annotated[str, Meta(max_length=320)]
    """``host:port``."""
    proxy: Annotated[str, Meta(max_length=64)] = ""
    state: RouteState
    trouble: RouteTrouble | None = None
    tried_at: Moment | None = None
    up_since: Moment | None = None
    proven_at: Moment | None = None
    """When a receipt last came back this way."""
    bytes_per_s: Count = 0
    """What it carries; 0: it has not been filled yet."""
    bound: RouteBound | None = None
    rests_until: Moment | None = None
    """Until when it rests, where a limit is used up."""


class DropKind(enum.StrEnum):
    """What keeps the files of a dead drop."""

    WEBDAV = "webdav"
    S3 = "s3"


class DropState(enum.StrEnum):
    """How a dead drop fares."""

    UNTRIED = "untried"
    VISITING = "visiting"
    VISITED = "visited"
    FAILED = "failed"
    """The last visit was not done, by no way that there is; `trouble` says how."""


class DropFact(Fact, frozen=True, kw_only=True):
    """One dead drop, as far as the running daemon knows."""

    kind: DropKind
    where: Annotated[str, Meta(max_length=512)]
    """Its address, without name and password."""
    proxy: Annotated[str, Meta(max_length=64)] = ""
    """By which it was last called; empty: by none."""
    state: DropState
    trouble: RouteTrouble | None = None
    visited_at: Moment | None = None
    """When a visit was last done whole."""
    proven_at: Moment | None = None
    """When a receipt was last found there; at a collector: a dispatch."""
    objects: Count = 0
    """Files that lay there at the beginning of that visit."""
    read: Count = 0
    written: Count = 0


class EndpointFact(Fact, frozen=True, kw_only=True):
    """One address that a desk publishes."""

    collector: MaybeName
    host: Annotated[str, Meta(max_length=HOST_CHARS_MAX)]
    ports: tuple[int, ...]
    tls: bool = False
    pin: Annotated[bytes, Meta(max_length=32)] = b""
    server_name: Annotated[str, Meta(max_length=SERVER_NAME_CHARS_MAX)] = ""
    ours: bool = True
    """This editor publishes it, and can take it back."""


class WireEntry(Fact, frozen=True):
    """One signed entry of the log."""

    number: Count
    up: bool
    at: Moment | None
    clock_sure: bool
    signed: Annotated[bytes, Meta(max_length=512)]
