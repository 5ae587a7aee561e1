"""What this person filed, and how far each piece has come.

    filed --another machine says STORED--> carried --a collector we called--> on the wire
      any of these --the desk's receipt--> received --the editor's `read`--> read

A record says what its owner may be told, never what would open the dispatch:
the text, its key and the file keys are gone once it is sealed.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from meshnews.bundle.format import commitment
from meshnews.bundle.statement import REFERENCE_BYTES, Priority
from meshnews.errors import Refusal
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import ATTACHMENTS_MAX, DAY_MAX
from meshnews.node import shelf
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.store.port import State, Vault
from meshnews.store.reference import key_of, ref_of
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, as_text, decode, encode

STEP: Final = 1024
"""Receipts looked at in one go after the vault was opened."""

RECORD_BYTES_MAX: Final = 16 * 1024
_COUNT_MAX: Final = 1 << 32
_TIME_S_MAX: Final = 1 << 40
_NAME_CHARS_MAX: Final = 256
_TEXT: Final = 0


class DispatchState(enum.StrEnum):
    """How far a dispatch has come; exactly these, and never a "sent"."""

    DRAFT = "draft"
    FILED = "filed"
    CARRIED = "carried"
    ON_THE_WIRE = "on the wire"
    RECEIVED = "received"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment as its author's machine remembers it.

    Attributes:
        bundles: how many bundles it is made of.
        carried: how many of them another machine has stored.
        received: for how many of them the desk's receipt has come.
    """

    name: str
    size: int
    bundles: int
    carried: int = 0
    received: int = 0


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The record of one filed dispatch.  Times are seconds since 1970 UTC; 0: not yet.

    Attributes:
        ref: the bundle that holds its text.
        draft: names the draft it was made from.
        clock_trusted: the machine's clock was believed when it was filed.
    """

    ref: BundleRef
    draft: bytes
    filed_at: int
    clock_trusted: bool
    slug: str
    priority: Priority
    attachments: tuple[Attached, ...] = ()
    on_wire_at: int = 0
    received_at: int = 0
    read_at: int = 0

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        attached: list[Value] = [
            [one.name, one.size, one.bundles, one.carried, one.received] for one in self.attachments
        ]
        return encode(
            [
                self.draft,
                int(self.ref.traffic),
                self.ref.day,
                self.filed_at,
                int(self.clock_trusted),
                self.slug,
                int(self.priority),
                attached,
                self.on_wire_at,
                self.received_at,
                self.read_at,
            ]
        )


def decode_dispatch(bundle_id: bytes, value: bytes) -> Dispatch:
    """Return the record that `Dispatch.encode` wrote.

    Raises:
        Malformed: the vault holds something else.
    """
    fields = as_list(decode(value, bytes_max=RECORD_BYTES_MAX), size=11)
    draft, traffic, day, filed_at, trusted, slug, priority, attached, wire, received, read = fields
    return Dispatch(
        ref=BundleRef(
            TrafficClass(as_int(traffic, 0, 3)), Day(as_int(day, 0, DAY_MAX)), BundleId(bundle_id)
        ),
        draft=as_bytes(draft, 16),
        filed_at=as_int(filed_at, 0, _TIME_S_MAX),
        clock_trusted=bool(as_int(trusted, 0, 1)),
        slug=as_text(slug, chars_max=_NAME_CHARS_MAX),
        priority=Priority(as_int(priority, 1, 4)),
        attachments=tuple(map(_attached, as_list(attached, at_most=ATTACHMENTS_MAX))),
        on_wire_at=as_int(wire, 0, _TIME_S_MAX),
        received_at=as_int(received, 0, _TIME_S_MAX),
        read_at=as_int(read, 0, _TIME_S_MAX),
    )


def _attached(value: Value) -> Attached:
    name, size, *counts = as_list(value, size=5)
    return Attached(
        as_text(name, chars_max=_NAME_CHARS_MAX),
        as_int(size, 0, _TIME_S_MAX),
        *(as_int(count, 0, _COUNT_MAX) for count in counts),
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """What a person is told about one dispatch."""

    dispatch: Dispatch
    state: DispatchState
    copies: int
    """How many other machines have stored the text."""
    held_for_s: int
    """Seconds until it enters the set; 0: it has."""


class Dispatches:
    """The records of what this person filed."""

    def __init__(self, home: Home) -> None:
        self._home = home

    # Queries --------------------------------------------------------------

    def all(self) -> list[Progress]:
        """Return every dispatch, the newest first."""
        found = [self.progress(one) for one in self._records()]
        return sorted(found, key=lambda p: (p.dispatch.filed_at, p.dispatch.ref), reverse=True)

    def find(self, prefix: str) -> Progress:
        """Return the dispatch whose identifier begins with these hexadecimal digits.

        Raises:
            Refusal: there is none, or more than one.
        """
        found = [one for one in self._records() if one.ref.id.hex().startswith(prefix.lower())]
        if len(found) != 1:
            raise Refusal(
                "no-such-dispatch" if not found else "ambiguous-id",
                what=f"{'No' if not found else 'More than one'} dispatch begins with {prefix}.",
                meaning="Nothing was changed.",
                remedy="`meshnews status` lists what this machine has filed.",
            )
        return self.progress(found[0])

    def get(self, identifier: bytes) -> Progress | None:
        """Return the dispatch with this identifier; None where there is no record of one."""
        vault = self._home.vault
        value = None if vault is None else vault.get(shelf.OWN, identifier)
        return None if value is None else self.progress(decode_dispatch(identifier, value))

    def progress(self, dispatch: Dispatch) -> Progress:
        """Return how far a dispatch has come."""
        entry = self._home.custody.entry(dispatch.ref)
        copies = 0 if entry is None else entry.copies
        held_for_s = 0.0
        if entry is not None and entry.state is State.WITHHELD:
            held_for_s = max(0.0, entry.release_at_s - self._home.moment.lived_s)
        return Progress(dispatch, _state(dispatch, copies), copies, int(held_for_s))

    def _records(self) -> Iterator[Dispatch]:
        vault = self._home.vault
        if vault is not None:
            for key, value in vault.scan(shelf.OWN):
                yield decode_dispatch(key, value)

    # What happens to them -------------------------------------------------

    def record(self, dispatch: Dispatch, parts: list[list[BundleRef]], *, pc: bytes) -> None:
        """Keep the record of a dispatch just filed; `parts[i]` are attachment i's bundles.

        Editors name it by the purge commitment of its text.
        """
        vault = self._home.open_vault
        vault.put(shelf.SEALED, pc[:REFERENCE_BYTES], dispatch.ref.id)
        vault.put(shelf.OWN, dispatch.ref.id, dispatch.encode())
        for number, refs in enumerate([[dispatch.ref], *parts]):
            for ref in refs:
                vault.put(shelf.PART, ref.id, encode([dispatch.ref.id, number, 0]))
        self._home.tell(Topic.DISPATCH, [dispatch.ref])

    def on_carried(self, ref: BundleRef, *, at_collector: bool) -> None:
        """Take note that another machine has stored one of our bundles."""
        found = self._part(ref)
        if found is None:
            return
        vault, dispatch, number, carried = found
        if number == _TEXT:
            if at_collector and not dispatch.on_wire_at:
                dispatch = replace(dispatch, on_wire_at=self._now())
        elif not carried:
            dispatch = _counted(dispatch, number, carried=1)
            vault.put(shelf.PART, ref.id, encode([dispatch.ref.id, number, 1]))
        self._keep(vault, dispatch)

    def on_wire(self, ref: BundleRef) -> None:
        """Take note that one of our bundles has left through an uplink that no machine answers on.

        Nobody has said that it is on their disk, so it is not carried.
        """
        found = self._part(ref)
        if found is None:
            return
        vault, dispatch, number, _ = found
        if number == _TEXT and not dispatch.on_wire_at:
            self._keep(vault, replace(dispatch, on_wire_at=self._now()))

    def on_receipt(self, ref: BundleRef) -> None:
        """Take note that the desk's receipt for one of our bundles has come.

        So has it when it is for one that a carrier made of our text with postage of its
        own: who has opened that has opened ours.  With the vault closed it is not known
        which are ours; `catch_up` looks later.
        """
        home = self._home
        if home.vault is None and home.identity.role is Role.REPORTER:
            home.carry.put(shelf.UNHEARD, key_of(ref), b"")
        found = self._part(ref)
        if found is None:
            self._on_receipt_of_another(ref)
            return
        vault, dispatch, number, _ = found
        vault.delete(shelf.PART, ref.id)
        if number == _TEXT:
            dispatch = replace(dispatch, received_at=dispatch.received_at or self._now())
        else:
            dispatch = _counted(dispatch, number, received=1)
        self._keep(vault, dispatch)

    def _on_receipt_of_another(self, ref: BundleRef) -> None:
        vault, receipt = self._home.vault, self._home.custody.receipt_for(ref)
        if vault is None or receipt is None:
            return
        identifier = self.named(commitment(receipt.purge)[:REFERENCE_BYTES])
        value = vault.get(shelf.OWN, identifier)
        if value is None:
            return
        dispatch = decode_dispatch(identifier, value)
        if not dispatch.received_at:
            self._keep(vault, replace(dispatch, received_at=self._now()))

    def catch_up(self) -> None:
        """Take note of some of the receipts that came while the vault was closed."""
        home = self._home
        if home.vault is None:
            return
        for key, _ in home.carry.scan(shelf.UNHEARD, at_most=STEP):
            home.carry.delete(shelf.UNHEARD, key)
            self.on_receipt(ref_of(key))

    def on_read(self, reference: bytes, at: int) -> None:
        """Take note that an editor says it has read a dispatch."""
        vault, identifier = self._home.vault, self.named(reference)
        value = None if vault is None else vault.get(shelf.OWN, identifier)
        if vault is None or value is None:
            return
        dispatch = decode_dispatch(identifier, value)
        if not dispatch.read_at:
            self._keep(vault, replace(dispatch, read_at=at))

    def named(self, reference: bytes) -> bytes:
        """Return the identifier of the dispatch that an editor names so; empty: none of these."""
        vault = self._home.vault
        found = None if vault is None else vault.get(shelf.SEALED, reference)
        return b"" if found is None else found

    def forget(self, prefix: str) -> None:
        """Drop the record of a dispatch; its bundles go on travelling.

        Raises:
            Refusal: there is none, or more than one.
        """
        dispatch = self.find(prefix).dispatch
        vault = self._home.open_vault
        vault.delete(shelf.OWN, dispatch.ref.id)
        for key, value in list(vault.scan(shelf.SEALED)):
            if value == dispatch.ref.id:
                vault.delete(shelf.SEALED, key)
        for key, value in vault.scan(shelf.PART):
            if as_list(decode(value, bytes_max=RECORD_BYTES_MAX), size=3)[0] == dispatch.ref.id:
                vault.delete(shelf.PART, key)

    def _part(self, ref: BundleRef) -> tuple[Vault, Dispatch, int, bool] | None:
        vault = self._home.vault
        value = None if vault is None else vault.get(shelf.PART, ref.id)
        if vault is None or value is None:
            return None
        key, number, carried = as_list(decode(value, bytes_max=RECORD_BYTES_MAX), size=3)
        own = as_bytes(key, 32)
        record = vault.get(shelf.OWN, own)
        if record is None:
            return None
        dispatch = decode_dispatch(own, record)
        return vault, dispatch, as_int(number, 0, ATTACHMENTS_MAX), bool(as_int(carried, 0, 1))

    def _keep(self, vault: Vault, dispatch: Dispatch) -> None:
        vault.put(shelf.OWN, dispatch.ref.id, dispatch.encode())
        self._home.tell(Topic.DISPATCH, [dispatch.ref])

    def _now(self) -> int:
        # Never 0, which says "not yet": a machine may believe it is 1970.
        return max(1, self._home.wall.s)


def _counted(dispatch: Dispatch, number: int, *, carried: int = 0, received: int = 0) -> Dispatch:
    attached = list(dispatch.attachments)
    one = attached[number - 1]
    attached[number - 1] = replace(
        one, carried=one.carried + carried, received=one.received + received
    )
    return replace(dispatch, attachments=tuple(attached))


def _state(dispatch: Dispatch, copies: int) -> DispatchState:
    if dispatch.read_at:
        return DispatchState.READ
    if dispatch.received_at:
        return DispatchState.RECEIVED
    if dispatch.on_wire_at:
        return DispatchState.ON_THE_WIRE
    return DispatchState.CARRIED if copies else DispatchState.FILED
