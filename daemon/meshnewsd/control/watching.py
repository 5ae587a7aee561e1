"""Handlers of looking round: who is near, and whether this machine is ready."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshnews.control.fact import CarrierName, NeighbourKind, Visibility
from meshnews.control.fact import Neighbour as NeighbourFact
from meshnews.control.reply import Diagnosis, NeighbourListing, Visible
from meshnews.control.request import Doctor, Look, Neighbours, TrustNetwork
from meshnews.node.links.neighbour import Neighbour
from meshnews.node.node import Node
from meshnews.node.records.roster import Roster
from meshnewsd.control import diagnosis
from meshnewsd.control.bluetooth_diagnosis import of_bluetooth
from meshnewsd.control.machine_diagnosis import Premises, of_machine
from meshnewsd.control.network_diagnosis import of_networks, of_ports
from meshnewsd.control.table import Asker
from meshnewsd.control.times import moment
from meshnewsd.discovery.interface import Outlook
from meshnewsd.platform.interfaces import list_connected
from meshnewsd.platform.networks import find_networks

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit


class LookoutDesk:
    """The handlers, with the way to the node, what is on disk, and how finders fare."""

    def __init__(self, asker: Asker, premises: Premises, outlook: Outlook) -> None:
        self._asker = asker
        self._premises = premises
        self._outlook = outlook

    async def neighbours(self, _: Neighbours, __: Sequence[int], ___: "Emit") -> NeighbourListing:
        """Tell who is near."""
        return await self._asker.ask(listing)

    async def look(self, request: Look, _: Sequence[int], __: "Emit") -> Visible:
        """Be findable for a while."""

        def act(node: Node) -> Visible:
            node.surroundings.look(float(request.seconds))
            return _visible(node)

        return await self._asker.ask(act)

    async def trust(self, request: TrustNetwork, _: Sequence[int], __: "Emit") -> Visible:
        """Trust the networks that are here, or no longer."""
        # With nobody to show itself to, nobody has told the node which these are.
        here = find_networks(list_connected()) if self._asker.once else None

        def act(node: Node) -> Visible:
            if here is not None:
                node.surroundings.moved(here)
            if request.trusted:
                node.surroundings.trust()
            else:
                node.surroundings.distrust()
            return _visible(node)

        return await self._asker.ask(act)

    async def doctor(self, _: Doctor, __: Sequence[int], ___: "Emit") -> Diagnosis:
        """Check that this machine is ready."""
        findings = of_machine(self._premises, once=self._asker.once)
        if self._asker.once:
            # Without a daemon nobody is met, which was said already.
            return Diagnosis((*findings, *await self._asker.ask(diagnosis.of_node)))
        outlook = self._outlook
        findings += of_networks(
            list_connected(),
            outlook.health,
            has_finders=bool(outlook.finders),
            port=outlook.port,
        )
        findings += of_ports(outlook.missing_ports())
        findings += of_bluetooth(outlook.health)
        findings += await self._asker.ask(diagnosis.of_node)
        findings += await self._asker.ask(diagnosis.of_links)
        return Diagnosis(tuple(findings))


def listing(node: Node) -> NeighbourListing:
    """Return who is near, in the order of `Node.neighbours`."""
    names = _relay_names(node)
    now = node.home.wall.s
    return NeighbourListing(
        visibility=Visibility(node.surroundings.visibility.value),
        neighbours=tuple(_fact(one, names, now) for one in node.neighbours()),
    )


def _visible(node: Node) -> Visible:
    around = node.surroundings
    left_s = around.look_left_s
    return Visible(
        visibility=Visibility(around.visibility.value),
        interfaces=around.places() or (),
        until=moment(int(node.home.wall.s + left_s)) if left_s > 0 else None,
    )


def _relay_names(node: Node) -> dict[bytes, str]:
    vault = node.home.vault
    if vault is None or not node.home.identity.is_desk:
        return {}
    return {bytes(one.entry.static): one.name for one in Roster(vault).relays()}


def _fact(one: Neighbour, names: dict[bytes, str], now: int) -> NeighbourFact:
    if one.collector:
        kind = NeighbourKind.COLLECTOR
    elif one.relay:
        kind = NeighbourKind.RELAY
    else:
        kind = NeighbourKind.MEMBER if one.called else NeighbourKind.CALLER
    since = moment(max(1, now - one.since_s))
    assert since is not None, "a time after 1970"
    return NeighbourFact(
        kind=kind,
        name=names.get(one.relay, one.relay[:4].hex()),
        carrier=CarrierName(one.carrier),
        since=since,
        bytes_received=one.received,
        bytes_sent=one.sent,
        watched=one.is_watched,
        bytes_per_s=(one.received + one.sent) // max(1, one.since_s),
    )
