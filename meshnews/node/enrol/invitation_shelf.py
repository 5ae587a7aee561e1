"""The invitations of this desk's machine, as they lie in the vault.

    invitation       number u32 -> [secret, role, name, near, ends, state, callers, digest, key]
    invitation-card  number u32 -> the card file made for its joiner

An invitation that has ended keeps its name for a week and loses its secret.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.keys import Ed25519Public
from meshnews.desk.limits import CALLERS_REMEMBERED_MAX, NAME_CHARS_MAX, RELAYS_NAMED_ON_CARD
from meshnews.desk.request import Joiner
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, as_text, decode, encode

_COUNT: Final = b"invitation-count"
_RECORD_BYTES_MAX: Final = 4096
_NUMBER_BYTES: Final = 4
_SECONDS_MAX: Final = 1 << 40
CALLER_BYTES: Final = 8


class InvitationState(enum.IntEnum):
    """What has become of an invitation."""

    OPEN = 1
    """Nobody has been given a card."""
    GIVEN = 2
    """A card is made for one joiner, who has not said yet that it is on disk."""
    USED = 3
    EXPIRED = 4
    CLOSED = 5


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """One invitation.

    Attributes:
        secret: 16 bytes; empty once it has ended.
        ends_s: when it expires, in seconds of the node's life; of one that has
            ended, when it did.
        callers: what tells apart the keys that asked with it, first come first.
        digest: of the request that was answered; empty before.
        key: the key that signed it.
    """

    number: int
    secret: bytes = field(repr=False)
    role: Joiner
    name: str
    near: tuple[str, ...]
    ends_s: int
    state: InvitationState = InvitationState.OPEN
    callers: tuple[bytes, ...] = ()
    digest: bytes = b""
    key: Ed25519Public | None = None

    @property
    def is_live(self) -> bool:
        """It is answered to."""
        return self.state in {InvitationState.OPEN, InvitationState.GIVEN}

    def is_open(self, lived_s: float) -> bool:
        """It is answered to and its time is not over, though nobody may have seen that yet."""
        return self.is_live and lived_s < self.ends_s

    @property
    def has_alarm(self) -> bool:
        """More than one machine has called with it: somebody else has it too."""
        return len(self.callers) > 1


class InvitationShelf:
    """Typed access to the invitations in a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def all(self) -> Iterator[InvitationRecord]:
        """Yield every invitation, the oldest first."""
        for key, value in self._vault.scan(shelf.INVITATION):
            yield _read(int.from_bytes(key, "big"), value)

    def get(self, number: int) -> InvitationRecord | None:
        """Return one invitation."""
        value = self._vault.get(shelf.INVITATION, _key(number))
        return None if value is None else _read(number, value)

    def put(self, record: InvitationRecord) -> None:
        """Write an invitation, in place of what was known of it."""
        fields: list[Value] = [
            record.secret,
            int(record.role),
            record.name,
            list(record.near),
            record.ends_s,
            int(record.state),
            list(record.callers),
            record.digest,
            record.key or b"",
        ]
        self._vault.put(shelf.INVITATION, _key(record.number), encode(fields))

    def forget(self, number: int) -> None:
        """Remove an invitation, and the card made for it."""
        self._vault.delete(shelf.INVITATION, _key(number))
        self.forget_card(number)

    def card(self, number: int) -> bytes:
        """Return the card file made for the joiner; empty when there is none."""
        return self._vault.get(shelf.INVITATION_CARD, _key(number)) or b""

    def put_card(self, number: int, file: bytes) -> None:
        """Keep the card file until its joiner has it."""
        self._vault.put(shelf.INVITATION_CARD, _key(number), file)

    def forget_card(self, number: int) -> None:
        """Remove the card file."""
        self._vault.delete(shelf.INVITATION_CARD, _key(number))

    def next_number(self) -> int:
        """Return a number that no invitation and no joiner ever had here."""
        stored = self._vault.get(shelf.PERSON, _COUNT) or b""
        number = int.from_bytes(stored, "big") + 1
        self._vault.put(shelf.PERSON, _COUNT, _key(number))
        return number


def _key(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big")


def _read(number: int, value: bytes) -> InvitationRecord:
    fields = as_list(decode(value, bytes_max=_RECORD_BYTES_MAX), size=9)
    secret, role, name, near, ends_s, state, callers, digest, key = fields
    return InvitationRecord(
        number=number,
        secret=as_bytes(secret, at_most=16),
        role=Joiner(as_int(role, Joiner.REPORTER, Joiner.RELAY)),
        name=as_text(name, chars_max=NAME_CHARS_MAX),
        near=tuple(
            as_text(one, chars_max=NAME_CHARS_MAX)
            for one in as_list(near, at_most=RELAYS_NAMED_ON_CARD)
        ),
        ends_s=as_int(ends_s, 0, _SECONDS_MAX),
        state=InvitationState(as_int(state, InvitationState.OPEN, InvitationState.CLOSED)),
        callers=tuple(
            as_bytes(one, CALLER_BYTES) for one in as_list(callers, at_most=CALLERS_REMEMBERED_MAX)
        ),
        digest=as_bytes(digest, at_most=32),
        key=Ed25519Public(as_bytes(key, 32)) if key else None,
    )
