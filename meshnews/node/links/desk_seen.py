"""When this node last had a collector before it: for those who send bulk towards the desk.

Only a link to a collector counts that stands by the key which the desk published, over
whatever carrier: an uplink, the desk's own network, a cable.
"""

from typing import Final

from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.settings import BulkRouting
from meshnews.sync.routing import Flooding, Routing, SprayAndFocus
from meshnews.wire.codec import as_int, decode, encode

LATELY_S: Final = 24 * 3600.0
"""A way out that was open yesterday is expected again; windows come about once a day."""

WRITTEN_APART_S: Final = 60.0
"""How often it is written down while a collector is there."""

_SEEN: Final = b"d"
_RECORD_BYTES_MAX: Final = 16
_S_MAX: Final = 1 << 40


class DeskSeen:
    """What a relay knows of its last sight of the desk; nobody else keeps or says it.

    It is no secret where a relay stands.  A person who lately had a way out would be known
    again by it among the nameless callers of a relay, and on a seized disk.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        record = home.carry.get(shelf.WIRE, _SEEN)
        self._seen_s = None if record is None else _second(record)

    def note(self) -> None:
        """Take note that a collector is there at this moment."""
        now_s = self._home.moment.lived_s
        if self._home.identity.role is not Role.RELAY:
            return
        if self._seen_s is None or now_s >= self._seen_s + WRITTEN_APART_S:
            self._seen_s = int(now_s)
            self._home.carry.put(shelf.WIRE, _SEEN, encode(self._seen_s))

    def is_recent(self) -> bool:
        """Tell whether the desk was seen lately."""
        return self._seen_s is not None and self._home.moment.lived_s <= self._seen_s + LATELY_S


def routing_of(home: Home, seen: DeskSeen) -> Routing:
    """Return how a home passes bulk on, as its keeper wants it.

    Raises:
        Nothing.
    """
    match home.settings.bulk_routing:
        case BulkRouting.FLOODING:
            return Flooding()
        case BulkRouting.SPRAY_AND_FOCUS:
            return SprayAndFocus(home.entropy, seen.is_recent)


def _second(record: bytes) -> int:
    return as_int(decode(record, bytes_max=_RECORD_BYTES_MAX), 0, _S_MAX)
