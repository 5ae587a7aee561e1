"""One bundle on its way to us: wished for, asked for, and what of it has come."""

from dataclasses import dataclass, field

from meshnews.bundle.format import Offer
from meshnews.errors import Malformed, OutOfTurn
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import BLOCK_BYTES_MIN, GROUPS_PER_MESSAGE_MAX, NAMES_PER_MESSAGE_MAX
from meshnews.sync.messages import Data, How, Name, Want, WantGroup


@dataclass(frozen=True, slots=True)
class Wish:
    """A bundle that this peer may have; `unlisted` when it never said so."""

    name: Name
    unlisted: bool = False


def unlisted(ref: BundleRef, size: int) -> Wish:
    """Return the wish for a bundle that the peer was never heard to have."""
    return Wish(Name(ref, size, acked=False), unlisted=True)


@dataclass(slots=True)
class Request:
    """A wish that was claimed, on its way to the peer or answered in part.

    Attributes:
        asked_at_s: when the peer was asked for it.
        asked_at_bytes: how much the peer had sent until then, of all bundles.
        judged: the offer, if that was asked for and was good.
        begun: first bytes that an earlier contact left; the peer is asked for the rest.
        age_s: as said beside the first block.
        is_saved: what has come is on disk too, as of `saved_s`.
        saved_s: when that was, or the first of it came.
    """

    wish: Wish
    how: How
    asked_at_s: float = 0.0
    asked_at_bytes: int = 0
    judged: Offer | None = None
    begun: bytes = b""
    age_s: int = 0
    is_saved: bool = False
    saved_s: float = 0.0
    _blocks: list[bytes] = field(default_factory=list)
    _came: int = 0

    @property
    def ref(self) -> BundleRef:
        """Which bundle."""
        return self.wish.name.ref

    @property
    def came(self) -> int:
        """Bytes that this peer has sent of it."""
        return self._came

    @property
    def due(self) -> int:
        """Bytes that are still to come."""
        return self.wish.name.size - len(self.begun) - self._came

    @property
    def so_far(self) -> bytes:
        """The first bytes of the bundle, as far as they are here."""
        if len(self._blocks) == 1 and not self.begun:
            return self._blocks[0]
        return b"".join((self.begun, *self._blocks))

    def add(self, data: Data, now_s: float) -> bool:
        """Take in the next block; tell whether it was the last.

        Raises:
            OutOfTurn: it belongs elsewhere.
            Malformed: it is too small to be worth its message.
        """
        ref = self.ref
        end = data.offset + len(data.block)
        if (
            self.how is not How.DATA
            or data.offset != len(self.begun) + self._came
            or end > self.wish.name.size
            or (data.traffic, data.day) != (ref.traffic, ref.day)
        ):
            raise OutOfTurn("Data of another place than the next")
        if not self._blocks:
            self.age_s, self.saved_s = data.age_s, now_s
        is_last = end == self.wish.name.size
        if not is_last and len(data.block) < BLOCK_BYTES_MIN:
            raise Malformed("a block too small to be worth its message")
        self._blocks.append(data.block)
        self._came += len(data.block)
        return is_last


class WantDraft:
    """A WANT in the making: requests by bucket, as far as one message holds them."""

    def __init__(self) -> None:
        self._asked = 0
        self._groups: dict[tuple[TrafficClass, Day, How, bool], list[tuple[bytes, int]]] = {}

    @property
    def has_room(self) -> bool:
        """One more request fits, whatever its bucket."""
        return self._asked < NAMES_PER_MESSAGE_MAX and len(self._groups) < GROUPS_PER_MESSAGE_MAX

    def add(self, request: Request, short: bytes) -> None:
        """Ask for a bundle, from where what is here of it ends."""
        ref, unlisted_ = request.ref, request.wish.unlisted
        bucket = ref.traffic, ref.day, request.how, unlisted_
        one = ref.id if unlisted_ else short, len(request.begun)
        self._groups.setdefault(bucket, []).append(one)
        self._asked += 1

    def message(self) -> Want | None:
        """Return the message, or None when nothing is asked for."""
        groups: list[WantGroup] = []
        for (traffic, day, how, _), wants in self._groups.items():
            ids, offsets = tuple([one for one, _ in wants]), tuple([at for _, at in wants])
            groups.append(WantGroup(traffic, day, ids, how, offsets if any(offsets) else ()))
        return Want(tuple(groups)) if groups else None
