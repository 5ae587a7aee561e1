"""What may cross which carrier: bulk waits for something better than Bluetooth.

    met over Bluetooth --15 min, and nothing else joined the two--> bulk may cross
          ^                                                            |
          +---------------- another carrier joins them ----------------+

Two machines that meet are known to each other by their instances, which last as
long as both run; nothing of this is kept.  See docs/bluetooth.md.
"""

from collections import OrderedDict
from typing import Final

from meshnews.node.event import Carrier

PAIRS_REMEMBERED_MAX: Final = 256
"""Machines met lately; of more, whoever was met longest ago begins afresh."""


class Economy:
    """Since when Bluetooth has been all that joins us to each machine met.

    Args:
        bulk_after_s: how long that must have been so before bulk crosses it.
    """

    def __init__(self, bulk_after_s: float) -> None:
        self._bulk_after_s = bulk_after_s
        self._alone_since_s: OrderedDict[bytes, float] = OrderedDict()

    def joined(self, instance: bytes, carrier: Carrier, now_s: float) -> None:
        """Take note that we are, or were until now, in contact with a machine over a carrier.

        Raises:
            Nothing.
        """
        if carrier is Carrier.BLUETOOTH:
            self._alone_since_s.setdefault(instance, now_s)
        else:
            self._alone_since_s[instance] = now_s
        self._alone_since_s.move_to_end(instance)
        if len(self._alone_since_s) > PAIRS_REMEMBERED_MAX:
            self._alone_since_s.popitem(last=False)

    def bulk_from_s(self, instance: bytes, carrier: Carrier) -> float:
        """Return from when on bulk may cross a contact; the moment may have passed.

        Raises:
            Nothing.
        """
        if carrier is not Carrier.BLUETOOTH:
            return 0.0
        return self._alone_since_s.get(instance, 0.0) + self._bulk_after_s
