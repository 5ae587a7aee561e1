"""A desk of one machine: the editor's home is a collector too."""

from typing import Final

from meshnews.desk.bulletin import RelayEntry, RelayFlags
from meshnews.desk.card import RelayRecord
from meshnews.node.home import Home

OWN_NAME: Final = "desk"
"""What editors call the machine of a desk of one machine."""


def own_record(home: Home) -> RelayRecord | None:
    """Return this machine as a collector, where it is a whole desk.

    Raises:
        Nothing.
    """
    own = home.identity.relay
    if own is None or own.beacon_key is None:
        return None
    entry = RelayEntry(own.static.public, own.notice.public, own.sign.public, RelayFlags.COLLECTOR)
    return RelayRecord(entry, own.beacon_key, OWN_NAME)
