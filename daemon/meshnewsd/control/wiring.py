"""Handlers of the wire: where collectors are, which ways lead there, when there was one."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from meshnews.control.desk_reply import EndpointListing
from meshnews.control.desk_request import DeskEndpointAdd, DeskEndpointList, DeskEndpointRemove
from meshnews.control.limits import CONTROL_ITEMS_MAX
from meshnews.control.reply import WireLogListing, WireStatus
from meshnews.control.request import Wire, WireLog
from meshnews.control.wire_fact import (
    DropFact,
    DropKind,
    DropState,
    EndpointFact,
    RouteBound,
    RouteFact,
    RouteKind,
    RouteState,
    RouteTrouble,
    WireEntry,
)
from meshnews.desk.bulletin import EndpointKind
from meshnews.node.links.route import Route
from meshnews.node.node import Node
from meshnews.node.office.endpoints import Published
from meshnews.node.records.roster import Roster
from meshnewsd.control.table import Asker
from meshnewsd.control.times import moment
from meshnewsd.platform.certificate import fingerprint
from meshnewsd.uplinks.drops import Standing, Standings

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit


class WireDesk:
    """The handlers.

    Args:
        asker: the way to the node.
        certificate: the file of the one that is shown.
        drops: tells how the dead drops fare.
    """

    def __init__(self, asker: Asker, certificate: Path | None, drops: Standings) -> None:
        self._asker = asker
        self._certificate = certificate
        self._drops = drops

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
        drops = self._drops()
        status = await self._asker.ask(lambda node: _wire(node, drops))
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


def _wire(node: Node, drops: Sequence[Standing]) -> WireStatus:
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
        drops=tuple(_drop(node, standing) for standing in drops),
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
    rest = node.uplinks.allowances.rest_of(route.address)
    return RouteFact(
        collector=names.get(bytes(route.relay.static), route.relay.static[:4].hex()),
        kind=kind,
        where=words[1] if through else words[0],
        proxy=words[0] if through else "",
        state=_state(node, route),
        trouble=None if route.trouble is None else RouteTrouble(route.trouble.value),
        tried_at=_when(node, route.tried_s),
        up_since=_when(node, route.linked_s),
        proven_at=_when(node, route.proven_s),
        bound=None if rest is None else RouteBound(rest.bound.value),
        rests_until=(
            None
            if rest is None
            else moment(node.home.wall.s + rest.until_s - node.home.moment.lived_s)
        ),
        bytes_per_s=0 if route.link is None else node.switchboard.talks.rate_of(route.link),
    )


def _when(node: Node, at_s: float | None) -> dt.datetime | None:
    """Return when it was, by the wall clock of now."""
    if at_s is None:
        return None
    return moment(max(1.0, node.home.wall.s - (node.home.moment.lived_s - at_s)))


def _drop(node: Node, standing: Standing) -> DropFact:
    return DropFact(
        kind=DropKind(standing.place.kind),
        where=standing.place.url,
        proxy=standing.proxy,
        state=_drop_state(standing),
        trouble=None if standing.trouble is None else RouteTrouble(standing.trouble.value),
        visited_at=_when(node, standing.visited_s),
        proven_at=_when(node, standing.proven_s),
        objects=standing.objects,
        read=standing.read,
        written=standing.written,
    )


def _drop_state(standing: Standing) -> DropState:
    if standing.is_visiting:
        return DropState.VISITING
    if standing.trouble is not None:
        return DropState.FAILED
    return DropState.UNTRIED if standing.visited_s is None else DropState.VISITED


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
