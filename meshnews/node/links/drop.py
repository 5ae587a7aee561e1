"""A dead drop: a file service where gateways and the desk's collector leave things for each other.

    object   = nonce24 ‖ XChaCha20-Poly1305(K_carry, content)      a size of bundles + 40
    content  = the wire form of a bundle
             | 0 ‖ length u32 ‖ pack[name 16, [receipt …]] ‖ zeros    a sheet of receipts
    name     = b2('drop-name', id, key=K_carry, n=16) in hexadecimal; of a sheet, 16 random bytes

Nobody without the desk's notice key can tell a name, or an object, from noise; two gateways
that bring one bundle write one object.  A *visit* is: list all names, plan, carry out.

Everybody puts what nobody has acked and the drop has not, and collects what they do not
know.  The collector alone takes away: what the desk has acked, once a listing shows the
sheet with its receipts, and what has expired.  What does not open under the desk's key
is somebody else's, and is left alone.  See docs/protocol/uplinks.md, "Dead drops".
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.format import Bundle, parse
from meshnews.bundle.receipt import Receipt, decode_receipt
from meshnews.bundle.seal import unwrap_foreign, wrap_foreign
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import shuffled
from meshnews.errors import Malformed, PeerError
from meshnews.ids import BundleRef, TrafficClass
from meshnews.limits import WIRE_BYTES
from meshnews.node.home import Home
from meshnews.node.links.drop_memory import NAMES_MAX, DropMemory
from meshnews.store.age import DAY_S
from meshnews.store.port import State
from meshnews.store.terms import Acknowledged, Judgement
from meshnews.wire.codec import as_bytes, as_list, decode, encode

NAME_BYTES: Final = 16

GETS_MAX: Final = 2_000
PUTS_MAX: Final = 2_000
"""Objects moved in one visit: the next goes on."""

RECEIPTS_PER_SHEET: Final = 100

CLASSES: Final = (
    TrafficClass.NOTICE,
    TrafficClass.FLASH,
    TrafficClass.ROUTINE,
    TrafficClass.BULK,
)
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_RECEIPT_BYTES_MAX: Final = 512
_SHEET: Final = 0


@dataclass(frozen=True, slots=True)
class Visit:
    """What to do at the drop, in this order.

    Attributes:
        gets: names to be read and handed to `Drop.take`.
        puts: bundles whose object is to be written under its name.
        acked: objects whose receipts have yet to be laid there, on a sheet.
        gone: objects to be taken away.
    """

    gets: tuple[str, ...]
    puts: tuple[tuple[str, BundleRef], ...]
    acked: tuple[tuple[str, BundleRef], ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet to be written.

    Attributes:
        name: under which it is to lie.
        names: of the objects whose receipts are on it.
    """

    name: str
    names: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an object: a new bundle, and bundles that became acked; or nothing of ours."""

    bundle: Bundle | None = None
    acked: tuple[BundleRef, ...] = ()
    is_strange: bool = False


class Drop:
    """The dead drop as one node sees it; the shell reads and writes it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._memory = DropMemory(home)
        self._refused: set[str] = set()
        """Names of what was refused by what was known of the desk then."""

    @property
    def key(self) -> bytes | None:
        """The desk's notice key; None: this machine has no desk, and no business there."""
        key = self._home.identity.notice_key
        return None if key is None else key.raw

    def wish_for_refused(self) -> None:
        """Read once more what was refused: the desk is known better."""
        self._refused.clear()

    def name_of(self, ref: BundleRef) -> str:
        """Return under which name a bundle lies."""
        assert self.key is not None, "a drop without a desk"
        return b2(Label.DROP_NAME, ref.id, key=self.key, size=NAME_BYTES).hex()

    # A visit ----------------------------------------------------------------

    def plan(self, listed: Iterable[str], place: str) -> Visit:
        """Return what to do, given the names that lie there; nothing without a desk.

        Urgent and new things come first, both ways as far as that is known.

        Args:
            listed: the names, whatever they are.
            place: which drop: its address.
        """
        if self.key is None:
            return Visit((), ())
        there = {name for name in listed if _NAME.fullmatch(name)}
        self._memory.forget_gone(place, there)
        known = {self.name_of(ref): (ref, state) for ref, state in self._elements()}
        unknown = sorted(n for n in there - known.keys() if not self._is_done_with(place, n))
        # Drawn: nobody can lay before ours what is to be read first.
        gets = shuffled(self._home.entropy, unknown)
        gets += [
            name
            for name, (ref, state) in known.items()
            if name in there and state is State.LACKING and self._may_cross(ref)
        ]
        puts = [
            (name, ref)
            for name, (ref, state) in known.items()
            if state is State.HELD and name not in there and self._may_put(ref)
        ]
        acked, gone = self._leavings(place, there, known)
        return Visit(tuple(gets[:GETS_MAX]), tuple(puts[:PUTS_MAX]), acked, gone)

    def _elements(self) -> Iterator[tuple[BundleRef, State]]:
        custody = self._home.custody
        for traffic in CLASSES:
            for day in reversed(custody.days(traffic)):
                for identifier, state in custody.elements(traffic, day):
                    yield BundleRef(traffic, day, identifier), state

    def _may_cross(self, ref: BundleRef) -> bool:
        # Of what nobody knows yet the class is known only when it has been read.
        is_large = ref.traffic is TrafficClass.BULK
        return not (is_large and self._home.settings.is_metered)

    def _may_put(self, ref: BundleRef) -> bool:
        # A collector is where large files go to, never where they come from.
        is_large = ref.traffic is TrafficClass.BULK
        return self._may_cross(ref) and not (is_large and self._home.identity.is_collector)

    def _leavings(
        self, place: str, there: set[str], known: dict[str, tuple[BundleRef, State]]
    ) -> tuple[tuple[tuple[str, BundleRef], ...], tuple[str, ...]]:
        if not self._home.identity.is_collector:
            return (), ()
        memory = self._memory
        acked, gone = [], memory.expired(place, there)
        for name in sorted(there & known.keys()):
            ref, state = known[name]
            if state in {State.ACKED, State.ACKED_WITH_BODY}:
                # Only now: whoever finds the bundle gone finds its receipt.
                if memory.sheet_of(place, name) in there:
                    gone.append(name)
                # One without a receipt that can be passed on stays until it expires.
                elif isinstance(self._home.custody.receipt_for(ref), Receipt):
                    acked.append((name, ref))
            elif self._is_over(ref):
                gone.append(name)
        return tuple(acked), (*gone, *memory.old_sheets(place, there))

    def _is_over(self, ref: BundleRef) -> bool:
        entry = self._home.custody.entry(ref)
        if entry is None or entry.pinned:
            return False
        return self._home.moment.sweep_day > entry.expiry_day

    # Reading ----------------------------------------------------------------

    def take(self, name: str, data: bytes, place: str) -> Taken:
        """Take in what lay under a name; what is none of ours is left alone.

        Raises:
            StoreFull: nothing was done.
        """
        key = self.key
        assert key is not None, "a drop without a desk"
        try:
            content = unwrap_foreign(data, key)
            if content[0] == _SHEET:
                receipts = read_sheet(content, bytes.fromhex(name))
                self._memory.settle(place, name)
                return Taken(acked=tuple(self._acknowledge(receipts)))
            return self._accept(place, name, content)
        except PeerError:
            self._memory.wonder(place, name)
            return Taken(is_strange=True)

    def _accept(self, place: str, name: str, wire: bytes) -> Taken:
        """Judge a bundle.

        Raises:
            PeerError: it is none, or not the one that has this name.
        """
        home = self._home
        if self.name_of(parse(wire).ref) != name:
            raise Malformed("a bundle under another's name")
        accepted = home.custody.accept(wire, age_s=self._age_s(wire), moment=home.moment)
        if accepted.outcome is Judgement.WANTED:
            return Taken(bundle=accepted.bundle)
        if accepted.outcome is Judgement.REFUSED:
            if home.moment.sweep_day > accepted.bundle.expiry_day:
                self._memory.expire(place, name)
            elif len(self._refused) < NAMES_MAX:
                # Its issuer may become known: what a desk's member filed is not given up.
                self._refused.add(name)
            return Taken()
        self._memory.settle(place, name)
        return Taken()

    def _age_s(self, wire: bytes) -> int:
        """Return how old a bundle is, as far as this machine's clock is believed."""
        if not self._home.wall.trusted:
            return 0
        return max(0, self._home.moment.today - parse(wire).ref.day) * DAY_S

    def _acknowledge(self, receipts: Sequence[Receipt]) -> Iterator[BundleRef]:
        for receipt in receipts:
            if self._home.custody.acknowledge(receipt, self._home.moment) is Acknowledged.NEW:
                yield receipt.ref

    def _is_done_with(self, place: str, name: str) -> bool:
        return name in self._refused or self._memory.is_done_with(place, name)

    # Writing ----------------------------------------------------------------

    def object_of(self, ref: BundleRef) -> bytes | None:
        """Return the object of a bundle, afresh each time; None: it may not be given out."""
        assert self.key is not None, "a drop without a desk"
        entry = self._home.custody.entry(ref)
        if entry is None or entry.state is not State.HELD:
            # Acked since the visit was planned, by a sheet that lay there perhaps.
            return None
        given = self._home.custody.give(ref, self._home.moment)
        return None if given is None else wrap_foreign(given.wire, self.key, self._home.entropy)

    def sheets(self, acked: Sequence[tuple[str, BundleRef]]) -> list[Sheet]:
        """Return sheets with the receipts of these objects, each under a name of its own."""
        assert self.key is not None, "a drop without a desk"
        found = [(name, self._home.custody.receipt_for(ref)) for name, ref in acked]
        full = [(name, each.encode()) for name, each in found if isinstance(each, Receipt)]
        made = []
        for start in range(0, len(full), RECEIPTS_PER_SHEET):
            some = full[start : start + RECEIPTS_PER_SHEET]
            drawn = self._home.entropy.draw(NAME_BYTES)
            content = write_sheet(drawn, [receipt for _, receipt in some])
            data = wrap_foreign(content, self.key, self._home.entropy)
            made.append(Sheet(drawn.hex(), tuple(name for name, _ in some), data))
        return made

    def placed(self, sheet: Sheet, place: str) -> None:
        """Take note that a sheet was written; a listing that shows it is the proof."""
        self._memory.place(place, sheet.name, sheet.names)


def write_sheet(name: bytes, receipts: Sequence[bytes]) -> bytes:
    """Return a sheet of encoded receipts, padded to a size of bundles.

    Raises:
        Nothing: `RECEIPTS_PER_SHEET` of the longest fit the largest.
    """
    packed = encode([name, list(receipts)])
    head = bytes([_SHEET]) + len(packed).to_bytes(4, "big") + packed
    size = next(size for size in WIRE_BYTES if size >= len(head))
    return head + bytes(size - len(head))


def read_sheet(content: bytes, name: bytes) -> list[Receipt]:
    """Return the receipts of a sheet that lay under a name.

    Raises:
        Malformed, Exceeded: it is none, or another.
    """
    length = int.from_bytes(content[1:5], "big")
    if 5 + length > len(content) or any(content[5 + length :]):
        raise Malformed("a sheet of another length")
    own, listed = as_list(decode(content[5 : 5 + length], bytes_max=WIRE_BYTES[-1]), size=2)
    if as_bytes(own, NAME_BYTES) != name:
        raise Malformed("a sheet under another's name")
    packed = as_list(listed, at_most=RECEIPTS_PER_SHEET)
    return [decode_receipt(as_bytes(one, at_most=_RECEIPT_BYTES_MAX)) for one in packed]
