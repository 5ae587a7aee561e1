"""The single values of a person's vault: who they are to their desk, and where their chain stands.

Shelf `person`, by word.  A value that was never set reads as None.
"""

from collections.abc import Sequence
from typing import Final

from meshnews.bundle.statement import FIRST_LINK
from meshnews.crypto.keys import Ed25519Secret, SymmetricKey, X25519Secret
from meshnews.desk.bulletin import Endpoint, read_endpoint
from meshnews.desk.limits import BULLETIN_BYTES_MAX, ENDPOINTS_MAX
from meshnews.ids import Day
from meshnews.limits import SEQ_MAX
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

_VALUE_BYTES_MAX: Final = 4096
_DAY_MAX: Final = 0xFFFF


class Person:
    """Typed access to the single values."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def sign_key(self) -> Ed25519Secret | None:
        """Return the key that signs this person's statements."""
        raw = self._vault.get(shelf.PERSON, b"sign")
        return None if raw is None else Ed25519Secret(raw)

    def set_sign_key(self, secret: Ed25519Secret) -> None:
        """Set the key that signs this person's statements."""
        self._vault.put(shelf.PERSON, b"sign", secret.raw)

    def card_key(self) -> X25519Secret | None:
        """Return the key to which a card is to be sealed, while one is asked for."""
        raw = self._vault.get(shelf.PERSON, b"card-key")
        return None if raw is None else X25519Secret(raw)

    def set_card_key(self, secret: X25519Secret | None) -> None:
        """Set the key of a request, or delete it once the card has come."""
        if secret is None:
            self._vault.delete(shelf.PERSON, b"card-key")
        else:
            self._vault.put(shelf.PERSON, b"card-key", secret.raw)

    def certificate(self) -> bytes | None:
        """Return the signed certificate of the byline."""
        return self._vault.get(shelf.PERSON, b"certificate")

    def set_certificate(self, certificate: bytes) -> None:
        """Set the signed certificate of the byline."""
        self._vault.put(shelf.PERSON, b"certificate", certificate)

    def desk_name(self) -> str | None:
        """Return what the desk calls itself."""
        raw = self._vault.get(shelf.PERSON, b"desk-name")
        return None if raw is None else raw.decode("utf-8")

    def set_desk_name(self, name: str) -> None:
        """Set what the desk calls itself."""
        self._vault.put(shelf.PERSON, b"desk-name", name.encode("utf-8"))

    def mesh_key(self) -> tuple[SymmetricKey, Day] | None:
        """Return the mesh key and its day; those of later days are derived from it."""
        stored = self._list(b"mesh", 2)
        if stored is None:
            return None
        key, day = stored
        return SymmetricKey(as_bytes(key, 32)), Day(as_int(day, 0, _DAY_MAX))

    def set_mesh_key(self, key: SymmetricKey, day: Day) -> None:
        """Set the mesh key of `day`, in place of an older one."""
        self._vault.put(shelf.PERSON, b"mesh", encode([key.raw, day]))

    def member_notice_key(self) -> SymmetricKey | None:
        """Return the key under which marks are sealed."""
        raw = self._vault.get(shelf.PERSON, b"member-notice")
        return None if raw is None else SymmetricKey(raw)

    def set_member_notice_key(self, key: SymmetricKey) -> None:
        """Set the key under which marks are sealed."""
        self._vault.put(shelf.PERSON, b"member-notice", key.raw)

    def endpoints(self) -> tuple[Endpoint, ...] | None:
        """Return the addresses of collectors that this editor publishes; None: never changed."""
        raw = self._vault.get(shelf.PERSON, b"endpoints")
        if raw is None:
            return None
        values = as_list(decode(raw, bytes_max=BULLETIN_BYTES_MAX), at_most=ENDPOINTS_MAX)
        return tuple(read_endpoint(one) for one in values)

    def set_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        """Set the addresses of collectors that this editor publishes."""
        value = encode([one.fields for one in endpoints])
        self._vault.put(shelf.PERSON, b"endpoints", value)

    def chain(self) -> tuple[int, bytes]:
        """Return place and `prev` of the next own statement."""
        stored = self._list(b"chain", 2)
        if stored is None:
            return 0, FIRST_LINK
        seq, prev = stored
        return as_int(seq, 0, SEQ_MAX), as_bytes(prev, len(FIRST_LINK))

    def set_chain(self, seq: int, prev: bytes) -> None:
        """Set place and `prev` of the next own statement."""
        self._vault.put(shelf.PERSON, b"chain", encode([seq, prev]))

    def _list(self, word: bytes, size: int) -> list[Value] | None:
        raw = self._vault.get(shelf.PERSON, word)
        return None if raw is None else as_list(decode(raw, bytes_max=_VALUE_BYTES_MAX), size=size)
