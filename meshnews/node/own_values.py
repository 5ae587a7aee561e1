"""Single values of a home that has perhaps no vault: in a person's vault, at a relay on carry."""

from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.node.identity import Role


class OwnValues:
    """What a home keeps about joining a desk."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def is_open(self) -> bool:
        """They can be reached: no vault is in the way."""
        return self._is_relay or self._home.vault is not None

    def get(self, key: bytes) -> bytes | None:
        """Return a value."""
        home = self._home
        if self._is_relay:
            return home.carry.get(shelf.SELF, key)
        return home.open_vault.get(shelf.PERSON, key)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        if self._is_relay:
            self._home.carry.put(shelf.SELF, key, value)
        else:
            self._home.open_vault.put(shelf.PERSON, key, value)

    def delete(self, key: bytes) -> None:
        """Remove a value, if there is one."""
        if self._is_relay:
            self._home.carry.delete(shelf.SELF, key)
        else:
            self._home.open_vault.delete(shelf.PERSON, key)

    @property
    def _is_relay(self) -> bool:
        return self._home.identity.role is Role.RELAY
