"""Handlers of the wire: where collectors are, which ways lead there, when there was one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from meshnews.control.reply import EndpointListing, WireLogListing, WireStatus
from meshnews.control.request import (
    DeskEndpointAdd,
    DeskEndpointList,
    DeskEndpointRemove,
    Wire,
    WireLog,
)
from meshnews.control.wire_fact import (
    EndpointFact,
    RouteBound,
    RouteFact,
    RouteKind,
    RouteState,
    RouteTrouble,
    WireEntry,
)
from meshnews.desk.bulletin import EndpointKind
from meshnews.limits import CONTROL_ITEMS_MAX
from meshnews.node.endpoints import Published
from meshnews.node.node import Node
from meshnews.node.roster import Roster
from meshnews.node.route import Route
from meshnewsd.control.table import Asker
from meshnewsd.control.times import moment
from meshnewsd.platform.certificate import fingerprint

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit


class WireDesk:
    """The handlers, with the way to the node and the file of the certificate that is shown."""

    def __init__(self, asker: Asker, certificate: Path | None) -> None:
        self._asker = asker
        self._certificate = certificate

    async def add(self, request: DeskEndpointAdd, _: Sequence[int], __: "Emit") -> EndpointListing:
        """Publish an address."""

        def act(node: Node) -> EndpointListing:
            node.endpoints.add(
                request.collector,
                request.host,
                request.ports,
                pin=request.pin,
                name=request.server_name,
            )
            return _listing(node)

        return await self._asker.ask(act)

    async def remove(
        self, request: DeskEndpointRemove, _: Sequence[int], __: "Emit"
    ) -> EndpointListing:
        """Take back an address."""

        def act(node: Node) -> EndpointListing:
            node.endpoints.remove(request.collector, request.host, request.port)
            return _listing(node)

        return await self._asker.ask(act)

    async def list(self, _: DeskEndpointList, __: Sequence[int], ___: "Emit") -> EndpointListing:
        """List the addresses."""
        return await self._asker.ask(_listing)

    async def wire(self, _: Wire, __: Sequence[int], ___: "Emit") -> WireStatus:
        """Tell which ways out there are."""
        status = await self._asker.ask(_wire)
        shown = None if self._certificate is None else fingerprint(self._certificate)
        return status if shown is None else msgspec.structs.replace(status, certificate=shown)

    async def log(self, _: WireLog, __: Sequence[int], ___: "Emit") -> WireLogListing:
        """Hand out the log."""

        def act(node: Node) -> WireLogListing:
            log = node.wire_log
            entries = tuple(
                WireEntry(one.number, one.is_up, moment(one.at), one.clock_sure, one.signed)
                for one in log.entries()
            )
            return WireLogListing(log.key, entries, log.histogram())

        return await self._asker.ask(act)


def _listing(node: Node) -> EndpointListing:
    return EndpointListing(tuple(map(_endpoint, node.endpoints.all()[:CONTROL_ITEMS_MAX])))


def _endpoint(one: Published) -> EndpointFact:
    endpoint = one.endpoint
    return EndpointFact(
        collector=one.name or endpoint.relay[:4].hex(),
        host=endpoint.host,
        ports=endpoint.ports,
        tls=endpoint.kind == EndpointKind.TLS,
        pin=endpoint.pin,
        server_name=endpoint.name,
        ours=one.is_ours,
    )


def _wire(node: Node) -> WireStatus:
    log = node.wire_log
    names = _names(node)
    return WireStatus(
        up_since=moment(log.up_since or 0),
        last_at=moment(log.last_at or 0),
        expected_at=moment(log.expected_at() or 0),
        told_at=moment(node.home.wall.s),
        has_network=node.surroundings.has_network,
        routes=tuple(
            _route(node, route, names) for route in node.uplinks.routes[:CONTROL_ITEMS_MAX]
        ),
    )


def _names(node: Node) -> dict[bytes, str]:
    vault = node.home.vault
    if vault is None or not node.home.identity.is_desk:
        return {}
    return {bytes(one.entry.static): one.name for one in Roster(vault).relays()}


def _route(node: Node, route: Route, names: dict[bytes, str]) -> RouteFact:
    words = route.address.where.split(" ")
    kind = RouteKind(route.address.transport)
    through = kind in {RouteKind.SOCKS, RouteKind.SOCKS_TLS}
    now_s, wall = node.home.moment.lived_s, node.home.wall.s
    rest = node.uplinks.allowances.rest_of(route.address)

    def when(at_s: float | None) -> float:
        return 0 if at_s is None else max(1.0, wall - (now_s - at_s))

    return RouteFact(
        collector=names.get(bytes(route.relay.static), route.relay.static[:4].hex()),
        kind=kind,
        where=words[1] if through else words[0],
        proxy=words[0] if through else "",
        state=_state(node, route),
        trouble=None if route.trouble is None else RouteTrouble(route.trouble.value),
        tried_at=moment(when(route.tried_s)),
        up_since=moment(when(route.linked_s)),
        proven_at=moment(when(route.proven_s)),
        bound=None if rest is None else RouteBound(rest.bound.value),
        rests_until=None if rest is None else moment(wall + rest.until_s - now_s),
        bytes_per_s=0 if route.link is None else node.switchboard.rate_of(route.link),
    )


def _state(node: Node, route: Route) -> RouteState:
    if node.uplinks.allowances.rest_of(route.address) is not None:
        return RouteState.RESTING
    if route.linked_s is not None:
        suspect = route.is_suspect(node.home.moment.lived_s, node.home.settings.patience_s)
        return RouteState.SUSPECT if suspect else RouteState.UP
    if not route.is_idle:
        return RouteState.CALLING
    if route.trouble is not None:
        return RouteState.FAILED
    return RouteState.UNTRIED if route.tried_s is None else RouteState.ENDED
