"""Reading contact plans: JSON with the names people gave things.

    {"about", "nodes": [{name, role, kind?, quota_mib?, clock?, hostile?, note?}],
     "contacts": [{a, b, start, end, kbit_s, carrier?, delay_ms?}],
     "uplinks": [{node, start, end, kbit_s}], "off": [{node, start, end, why?}],
     "items": [{slug, author, filed, kib, priority, to}]}

Instants are RFC 3339 in UTC.  An uplink is a contact with the desk.
"""

import datetime as dt
from typing import Annotated, Final, Literal

import msgspec

from meshnews.node.event import Carrier
from meshnews.sim.plan import (
    DESK,
    KIB,
    Contact,
    Mischief,
    Part,
    Pause,
    Plan,
    PlanItem,
    Post,
    Urgency,
    WallClock,
    refused,
)

PLAN_BYTES_MAX: Final = 64 * 1024 * 1024
"""A day of a thousand people has some 20,000 contacts, of 150 bytes each."""

QUOTA_MIB_MAX: Final = 1e9
"""Of a disk: a pebibyte, and more than anybody's."""

WIRE_DELAY_S: Final = 0.1
"""How late bytes come over an uplink that says nothing of it."""

_CARRIERS: Final = {
    "lan": Carrier.LAN,
    "stick": Carrier.LAN,
    "bluetooth": Carrier.BLUETOOTH,
    "uplink": Carrier.UPLINK,
}

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Quota = Annotated[float, msgspec.Meta(ge=1 / KIB / KIB, le=QUOTA_MIB_MAX)]
_Rate = Annotated[float, msgspec.Meta(gt=0, le=1e9)]


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: _Name
    role: Part
    kind: str = "laptop"
    note: str = ""
    quota_mib: _Quota | None = None
    clock: WallClock = WallClock.RIGHT
    hostile: Mischief | None = None


class _Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    a: _Name
    b: _Name
    start: dt.datetime
    end: dt.datetime
    kbit_s: _Rate
    carrier: Literal["lan", "stick", "bluetooth", "uplink"] = "lan"
    delay_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 5.0


class _Uplink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: _Name
    start: dt.datetime
    end: dt.datetime
    kbit_s: _Rate


class _Off(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: _Name
    start: dt.datetime
    end: dt.datetime
    why: str = ""


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    slug: _Name
    author: _Name
    filed: dt.datetime
    kib: Annotated[float, msgspec.Meta(gt=0, le=2 * 1024 * 1024)]
    priority: Urgency
    to: Literal["desk", "field"]


class _Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    nodes: list[_Node]
    contacts: list[_Contact]
    items: list[_Item]
    uplinks: list[_Uplink] = []
    off: list[_Off] = []
    about: str = ""


def read_plan(text: bytes) -> Plan:
    """Return the plan in a file.

    Raises:
        Refusal: it is none, or its parts do not fit together.
    """
    if len(text) > PLAN_BYTES_MAX:
        raise refused("it is too large.")
    try:
        read = msgspec.json.decode(text, type=_Plan)
    except msgspec.DecodeError as exc:
        raise refused(f"{exc}.") from exc
    plan = Plan(
        about=read.about,
        posts=tuple(map(_post, read.nodes)),
        contacts=(*map(_contact, read.contacts), *map(_uplink, read.uplinks)),
        pauses=tuple(map(_pause, read.off)),
        items=tuple(map(_item, read.items)),
    )
    plan.check()
    return plan


def write_plan(plan: Plan) -> bytes:
    """Return the file that `read_plan` reads as this plan, faults of contacts left out.

    Raises:
        Nothing.
    """
    written = _Plan(
        about=plan.about,
        nodes=[
            _Node(
                one.name,
                one.part,
                one.kind,
                quota_mib=None if one.quota_bytes is None else one.quota_bytes / KIB / KIB,
                clock=one.clock,
                hostile=one.mischief,
            )
            for one in plan.posts
        ],
        contacts=[
            _Contact(
                one.a,
                one.b,
                _at(one.start_s),
                _at(one.end_s),
                one.kbit_s,
                one.carrier.value,
                one.delay_s * 1000,
            )
            for one in plan.contacts
        ],
        off=[
            _Off(one.node, _at(one.start_s), _at(one.end_s), "seized" if one.is_seized else "")
            for one in plan.pauses
        ],
        items=[
            _Item(
                one.slug,
                one.author,
                _at(one.filed_s),
                one.size_bytes / KIB,
                one.urgency,
                "field" if one.to_field else "desk",
            )
            for one in plan.items
        ],
    )
    return msgspec.json.format(msgspec.json.encode(written), indent=1)


def instant(seconds: float) -> str:
    """Return an instant as plans write it, to the second.

    Raises:
        Nothing.
    """
    return f"{_at(int(seconds)):%Y-%m-%dT%H:%M:%SZ}"


def _at(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _seconds(at: dt.datetime) -> float:
    if at.tzinfo is None:
        raise refused(f"{at} does not say of which zone it is.")
    return at.timestamp()


def _post(read: _Node) -> Post:
    quota = None if read.quota_mib is None else int(read.quota_mib * KIB * KIB)
    return Post(read.name, read.role, read.kind, quota, read.clock, read.hostile)


def _contact(read: _Contact) -> Contact:
    return Contact(
        read.a,
        read.b,
        _seconds(read.start),
        _seconds(read.end),
        read.kbit_s,
        _CARRIERS[read.carrier],
        read.delay_ms / 1000,
    )


def _uplink(read: _Uplink) -> Contact:
    start_s, end_s = _seconds(read.start), _seconds(read.end)
    return Contact(read.node, DESK, start_s, end_s, read.kbit_s, Carrier.UPLINK, WIRE_DELAY_S)


def _pause(read: _Off) -> Pause:
    return Pause(read.node, _seconds(read.start), _seconds(read.end), "seized" in read.why)


def _item(read: _Item) -> PlanItem:
    return PlanItem(
        read.slug,
        read.author,
        _seconds(read.filed),
        int(read.kib * KIB),
        read.priority,
        read.to == "field",
    )
