"""Who makes room when strangers crowd a door: whoever takes the most of it.

One machine that opens stream after stream and says nothing pushes out its own; somebody
else is let in beside it.
"""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Final

NETWORK_BITS: Final = 64
"""Of an IPv6 address: what one customer is given, and can draw addresses from (RFC 4291,
section 2.5.4)."""


def source_of(where: str) -> str:
    """Return whom an address stands for: its host, or the network of an IPv6 host.

    Args:
        where: as in `Address.where`: with a port behind, an IPv6 host in brackets.

    Raises:
        Nothing: what is no number stands for itself.
    """
    host = where.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    return str(int(address) >> (128 - NETWORK_BITS))


def makes_room(wheres: Sequence[str]) -> int:
    """Return which of several streams makes room: the first of the source that has most of them.

    Args:
        wheres: from where each comes, the oldest first; at least one.
    """
    sources = [source_of(where) for where in wheres]
    counts = Counter(sources)
    return sources.index(max(sources, key=lambda source: counts[source]))
