"""Where a desk's collectors can be called, as one of its editors publishes it.

    person, `endpoints` -> [[static[:8], host, [port …], kind, …] …]   in the order to be tried

An editor publishes its own list; readers unite those of all editors.  Until it has
changed anything, the list is what its newest bulletin says.
See docs/protocol/keys.md, "Bulletin".
"""

from dataclasses import dataclass
from typing import Final

from meshnews.desk.bulletin import (
    RELAY_PREFIX_BYTES,
    Endpoint,
    EndpointKind,
    RelayEntry,
    RelayFlags,
    read_endpoint,
)
from meshnews.desk.limits import ENDPOINTS_MAX
from meshnews.desk.manifest import Role
from meshnews.errors import LocalMisuse, PeerError, Refusal
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.office.rotation import Rotation
from meshnews.node.office.seat import take_seat
from meshnews.node.person import Person
from meshnews.node.records.roster import Roster
from meshnews.wire.codec import decode, encode

_ENDPOINT_BYTES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Published:
    """One address of a collector.

    Attributes:
        name: the collector's; empty when another editor alone knows it.
        is_ours: this editor publishes it, and can take it back.
    """

    endpoint: Endpoint
    name: str
    is_ours: bool


class Endpoints:
    """An editor's list, and what the whole desk publishes."""

    def __init__(self, home: Home, rotation: Rotation) -> None:
        self._home = home
        self._rotation = rotation

    def all(self) -> list[Published]:
        """Return every address that counts, in the order in which members try them.

        Raises:
            Refusal: this is no editor's home, or it has no desk.
        """
        take_seat(self._home)
        own = Person(self._home.open_vault).endpoints() or ()
        names = {bytes(entry.static): name for name, entry in self._collectors()}
        found = []
        for endpoint in self._home.book.directory.endpoints:
            name = next((n for key, n in names.items() if key.startswith(endpoint.relay)), "")
            found.append(Published(endpoint, name, is_ours=endpoint in own))
        return found

    def add(
        self, collector: str, host: str, ports: tuple[int, ...], *, pin: bytes = b"", name: str = ""
    ) -> Published:
        """Publish an address of a collector; with `pin`, inside TLS.

        Raises:
            Refusal: this editor may not publish, no collector has that name, the address
                is none, it is there already, or there are too many.
        """
        self._require_publisher()
        entry = self._collector(collector)
        kind = EndpointKind.TLS if pin else EndpointKind.TCP
        relay = entry.static[:RELAY_PREFIX_BYTES]
        endpoint = _checked(Endpoint(relay, host.lower(), ports, int(kind), pin, name.lower()))
        own = self._own()
        if endpoint in own:
            raise _refused("endpoint-known", "This address is published already.")
        if len(own) >= ENDPOINTS_MAX:
            raise _refused("endpoints-full", f"At most {ENDPOINTS_MAX} addresses can be published.")
        self._publish([*own, endpoint])
        return Published(endpoint, collector, is_ours=True)

    def remove(self, collector: str, host: str, port: int | None = None) -> int:
        """Take back what this editor publishes of a collector at a host; return how many.

        Raises:
            Refusal: this editor may not publish, or publishes nothing of the kind.
        """
        self._require_publisher()
        relay = self._collector(collector).static[:RELAY_PREFIX_BYTES]
        own = self._own()
        left = [
            one
            for one in own
            if (one.relay, one.host) != (relay, host.lower())
            or (port is not None and port not in one.ports)
        ]
        if len(left) == len(own):
            raise _refused("no-such-endpoint", "You publish no such address.")
        self._publish(left)
        return len(own) - len(left)

    def _own(self) -> list[Endpoint]:
        kept = Person(self._home.open_vault).endpoints()
        if kept is not None:
            return list(kept)
        signer = Person(self._home.open_vault).sign_key()
        known = None if signer is None else self._home.book.bulletins.get(signer.public)
        return [] if known is None else list(known.endpoints)

    def _publish(self, endpoints: list[Endpoint]) -> None:
        Person(self._home.open_vault).set_endpoints(endpoints)
        self._rotation.turn(now=True)
        self._home.tell(Topic.DESK)

    def _require_publisher(self) -> None:
        if Role.PUBLISH not in take_seat(self._home).roles:
            raise _refused("not-allowed", "Your desk's root did not let you publish addresses.")

    def _collectors(self) -> list[tuple[str, RelayEntry]]:
        home = self._home
        found = [
            (record.name, record.entry)
            for record in Roster(home.open_vault).relays()
            if RelayFlags.COLLECTOR in record.entry.flags
        ]
        own = home.identity.relay
        if own is not None:
            entry = RelayEntry(own.static.public, own.notice.public, own.sign.public)
            found.append(("this machine", entry))
        return found

    def _collector(self, name: str) -> RelayEntry:
        wished = name.casefold()
        for known, entry in self._collectors():
            if known.casefold() == wished:
                return entry
        raise Refusal(
            "no-such-collector",
            what=f"No collector of your desk is called {name}.",
            meaning="Nothing was changed.",
            remedy="Enrol it first: `meshnews init --role relay --endpoint` there, then "
            "`meshnews desk invite --relay NAME` here.",
        )


def _checked(endpoint: Endpoint) -> Endpoint:
    try:
        return read_endpoint(decode(encode(endpoint.fields), bytes_max=_ENDPOINT_BYTES_MAX))
    except (PeerError, LocalMisuse) as exc:
        raise Refusal(
            "no-address",
            what="This is no address that can be published.",
            meaning="Nothing was changed.",
            remedy="Give a DNS name or an IP address, 1 to 8 different ports, and for TLS the "
            "SHA-256 that `meshnews wire` shows on the collector.",
        ) from exc


def _refused(code: str, what: str) -> Refusal:
    return Refusal(
        code,
        what=what,
        meaning="Nothing was changed.",
        remedy="`meshnews desk endpoint list` shows what is published.",
    )
