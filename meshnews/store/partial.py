"""Bundles that came in part: their bytes wait for the rest, from whoever has it.

    partial   class u8 ‖ day u32 ‖ id -> saved at, u64 s of life ‖ the first bytes of the wire form

Bytes that were not verified can be anything.  A bundle joined of several peers'
parts that turns out wrong blames nobody, is thrown away whole, and is not joined
again by this run of the node: it comes next from one peer alone, whom it then can
blame.  See docs/protocol/custody.md, "In part".
"""

from typing import Final

from meshnews.ids import BundleId, BundleRef
from meshnews.store.age import DAY_S, Moment
from meshnews.store.port import WITH_BODY, Carry
from meshnews.store.reference import key_of, ref_of
from meshnews.store.room import Room

PARTIAL: Final = "partial"
"""Shelf: what is said above."""

PARTIALS_MAX: Final = 64
"""So many are kept, of all peers together: some 4 MB."""

PARTIAL_KEPT_S: Final = 3 * DAY_S

_UNJOINED_MAX: Final = 1024
_SAVED_BYTES: Final = 8


class Partials:
    """The bundles of one store that came in part.

    Attributes:
        unjoined: those that were joined of parts before, and were wrong.
    """

    def __init__(self, carry: Carry, room: Room) -> None:
        self._carry = carry
        self._room = room
        self.unjoined: dict[BundleId, None] = {}
        self._known: set[bytes] | None = None

    @property
    def _keys(self) -> set[bytes]:
        """The keys on the shelf: nearly every bundle that is asked for has none."""
        if self._known is None:
            self._known = {key for key, _ in self._carry.scan(PARTIAL)}
        return self._known

    def begun(self, ref: BundleRef) -> bytes:
        """Return the first bytes of a bundle that an earlier contact left; often none."""
        key = key_of(ref)
        if key not in self._keys or ref.id in self.unjoined:
            return b""
        return (self._carry.get(PARTIAL, key) or b"")[_SAVED_BYTES:]

    def save(self, ref: BundleRef, data: bytes, now_s: float) -> None:
        """Keep the first bytes of a bundle, unless space is short or it was thrown away before.

        Raises:
            StoreFull: the disk has no room after all.
        """
        key = key_of(ref)
        if ref.id in self.unjoined or self._room.free_bytes < len(data):
            return
        if key not in self._keys and len(self._keys) >= PARTIALS_MAX:
            self._delete(self._oldest())
        self._keys.add(key)
        self._carry.put(PARTIAL, key, int(now_s).to_bytes(_SAVED_BYTES, "big") + data)

    def drop(self, ref: BundleRef) -> None:
        """Forget the first bytes of a bundle: it came, or is wanted no longer."""
        self._delete(key_of(ref))

    def never_join(self, ref: BundleRef) -> None:
        """Take note that a bundle joined of several parts was wrong."""
        self.drop(ref)
        if len(self.unjoined) >= _UNJOINED_MAX:
            del self.unjoined[next(iter(self.unjoined))]
        self.unjoined[ref.id] = None

    def sweep(self, moment: Moment) -> None:
        """Drop what came meanwhile in another way, and what has waited for days."""
        if not self._keys:
            return
        for key, value in list(self._carry.scan(PARTIAL)):
            is_old = moment.lived_s - _saved_s(value) >= PARTIAL_KEPT_S
            if is_old or self._carry.state(ref_of(key)) in WITH_BODY:
                self._delete(key)

    def _delete(self, key: bytes) -> None:
        if key in self._keys:
            self._keys.discard(key)
            self._carry.delete(PARTIAL, key)

    def _oldest(self) -> bytes:
        return min(self._carry.scan(PARTIAL), key=lambda pair: _saved_s(pair[1]))[0]


def _saved_s(value: bytes) -> int:
    return int.from_bytes(value[:_SAVED_BYTES], "big")
