"""Where this node is, and who may notice it there.

    open      everybody on the network sees that something is here
    veiled    who knows the format sees that a node is here; colleagues find it
    silent    nothing is sent and no stream accepted; the node listens and may call

Its keeper may fix one of the three.  Else a relay is open everywhere; a person
is veiled on the networks they trust, everywhere while they look for colleagues
or have an invitation open, and silent otherwise.  See docs/protocol/discovery.md.
"""

from collections.abc import Sequence
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.errors import Refusal
from meshnews.node import shelf
from meshnews.node.event import Network
from meshnews.node.home import Home
from meshnews.node.settings import Visibility
from meshnews.store.port import Vault

NETWORKS_TRUSTED_MAX: Final = 256
_SALT: Final = b"network-salt"
_SALT_BYTES: Final = 32
_MARK_KEPT_BYTES: Final = 16


class Surroundings:
    """The networks of this moment, and on which of them this node shows itself."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._here: dict[str, bytes] = {}
        self._look_until_s = 0.0

    def moved(self, networks: Sequence[Network]) -> bool:
        """Take note of the networks that are here now; tell whether one of them is new."""
        here = {each.interface: each.mark for each in networks}
        before, self._here = self._here, here
        return any(before.get(interface) != mark for interface, mark in here.items())

    @property
    def has_network(self) -> bool:
        """Whether any network is here."""
        return bool(self._here)

    def trusted(self) -> tuple[str, ...]:
        """Return the interfaces that are on a network of which its keeper said: ours.

        None while the vault is closed: which networks a person trusts is theirs to tell.
        """
        vault = self._home.vault
        if vault is None:
            return ()
        known = [name for name, mark in sorted(self._here.items()) if mark]
        return tuple(
            name
            for name in known
            if vault.get(shelf.NETWORK, _kept(vault, self._here[name])) is not None
        )

    def trust(self) -> tuple[str, ...]:
        """Mark every network that is here now as ours; return the interfaces they are on.

        Raises:
            Refusal: this is a relay, its keeper fixed that it is silent, none of them
                has anything by which it would be known again, or too many are trusted
                already.
        """
        if self._home.vault is None:
            raise Refusal(
                "wrong-role",
                what="A relay trusts no networks.",
                meaning="It is open to everybody on each, or as config.toml says. Nothing was "
                "changed.",
                remedy="Use this in a person's home, or set visibility in config.toml.",
            )
        self._refuse_if_silent()
        vault, home = self._home.open_vault, self._home
        known = {name: mark for name, mark in self._here.items() if mark}
        if not known:
            raise Refusal(
                "network-unknown",
                what="No network that can be known again is in reach.",
                meaning="A network is known by its router, and none is seen here.",
                remedy='Run `meshnews look` for a while, or set visibility = "veiled" in '
                "config.toml.",
            )
        if vault.count(shelf.NETWORK) + len(known) > NETWORKS_TRUSTED_MAX:
            raise Refusal(
                "networks-full",
                what=f"At most {NETWORKS_TRUSTED_MAX} networks can be trusted.",
                meaning="Nothing was changed.",
                remedy="Take back trust on networks you no longer use.",
            )
        if vault.get(shelf.PERSON, _SALT) is None:
            vault.put(shelf.PERSON, _SALT, home.entropy.draw(_SALT_BYTES))
        for mark in known.values():
            vault.put(shelf.NETWORK, _kept(vault, mark), b"")
        return tuple(sorted(known))

    def distrust(self) -> tuple[str, ...]:
        """Take back the trust in every network that is here; return the interfaces concerned."""
        trusted = self.trusted()
        for name in trusted:
            vault = self._home.open_vault
            vault.delete(shelf.NETWORK, _kept(vault, self._here[name]))
        return trusted

    def look(self, for_s: float) -> None:
        """Be veiled everywhere for so many seconds; 0: no longer.

        Raises:
            Refusal: its keeper fixed that it is silent, and it shall be found.
        """
        if for_s > 0:
            self._refuse_if_silent()
        self._look_until_s = self._home.moment.lived_s + for_s

    def _refuse_if_silent(self) -> None:
        if self._home.settings.visibility is Visibility.SILENT:
            raise Refusal(
                "visibility-fixed",
                what='The configuration of this home says visibility = "silent".',
                meaning="Nothing is shown on any network, whatever is asked for.",
                remedy="Change or remove that line of config.toml and start again.",
            )

    @property
    def look_left_s(self) -> float:
        """How long this node is yet findable because its keeper asked; 0: not at all."""
        return max(0.0, self._look_until_s - self._home.moment.lived_s)

    @property
    def visibility(self) -> Visibility:
        """Who can notice this node now, on the network where it shows most of itself."""
        fixed = self._home.settings.visibility
        if fixed is not None:
            return fixed
        if self._home.identity.relay is not None:
            return Visibility.OPEN
        return Visibility.SILENT if self.places() == () else Visibility.VEILED

    def places(self) -> tuple[str, ...] | None:
        """Return the interfaces where this node may be noticed; None: all of them."""
        home = self._home
        fixed = home.settings.visibility
        if fixed is not None:
            return () if fixed is Visibility.SILENT else None
        if home.identity.relay is not None or home.invitations or self.look_left_s > 0:
            return None
        return self.trusted()

    @property
    def may_seek(self) -> bool:
        """Whether beacons may be sent under others' keys: never by who was told to be silent."""
        return self._home.settings.visibility is not Visibility.SILENT


def _kept(vault: Vault, mark: bytes) -> bytes:
    """Return what is kept of a network: it names no router to who finds it."""
    salt = vault.get(shelf.PERSON, _SALT) or bytes(_SALT_BYTES)
    return b2(Label.NETWORK, mark, key=salt, size=_MARK_KEPT_BYTES)
