"""References as keys of shelves: class, day, identifier, so that they sort as bundles travel.

key = class u8 ‖ day u32 big endian ‖ id 32
"""

from meshnews.ids import BundleId, BundleRef, Day, TrafficClass


def key_of(ref: BundleRef) -> bytes:
    """Return the 37 bytes under which a shelf keeps something about a bundle.

    Raises:
        Nothing.
    """
    return bytes([ref.traffic]) + ref.day.to_bytes(4, "big") + ref.id


def ref_of(key: bytes) -> BundleRef:
    """Return the reference that `key_of` made a key of.

    Raises:
        ValueError: our own shelf holds another key; never for one of `key_of`.
    """
    day = Day(int.from_bytes(key[1:5], "big"))
    return BundleRef(TrafficClass(key[0]), day, BundleId(key[5:]))
