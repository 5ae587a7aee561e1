"""The handler of `Follow`: tells what changes as it changes, a few times a second at most.

    look ──> tell what differs from what was told ──> rest ──> a change, or time to look again
     ^                                                                          |
     +--------------------------------------------------------------------------+

Dispatches are read again only when something has happened to them.  That bytes move on a link
is no change that a node tells of, so links are looked at again after a while: often while
something moves, seldom while nothing does.  Without anybody who follows nothing is computed.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from meshnews.control.fact import DispatchStatus, LinkStatus, Neighbour
from meshnews.control.limits import CONTROL_ITEMS_MAX
from meshnews.control.reply import DispatchNews, Event, NeighbourListing, NeighbourNews, Status
from meshnews.control.request import Follow
from meshnews.ids import BundleRef, LinkId
from meshnews.node.dispatches.dispatch import Progress
from meshnews.node.event import Topic
from meshnews.node.links.traffic import Traffic, traffic
from meshnews.node.node import Node
from meshnewsd.control.filing import dispatch_fact
from meshnewsd.control.table import Asker
from meshnewsd.control.watching import listing
from meshnewsd.host import Watch

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

APART_S: Final = 0.5
"""Between two looks at least: as often as a person can follow."""

LINKED_S: Final = 2.0
"""How soon it is noticed that something moves again on a link that was at rest."""

ALONE_S: Final = 60.0
"""Without links only the end of a hold goes by without a word of the node."""


@dataclass(frozen=True, slots=True)
class Link:
    """A neighbour as it was seen, and what was under way."""

    id: LinkId
    neighbour: Neighbour
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class View:
    """What one look at the node saw.

    Attributes:
        at_s: when, in seconds of the node's life.
        dispatches: those that were asked for and are on record.
    """

    at_s: float
    dispatches: Sequence[DispatchStatus]
    surroundings: NeighbourListing
    links: Sequence[Link]


@dataclass
class Sight:
    """What somebody who follows was told last, and what there is to tell after another look."""

    _dispatches: dict[str, DispatchStatus] = field(default_factory=dict)
    _links: dict[LinkId, LinkStatus] = field(default_factory=dict)
    _told: NeighbourNews | None = None
    _at_s: float = 0.0

    @property
    def held(self) -> frozenset[bytes]:
        """The dispatches that were held back: when that ends, nothing is said of it."""
        held = (one for one in self._dispatches.values() if one.release_at is not None)
        return frozenset(_ids(held))

    @property
    def rest_s(self) -> float:
        """How long to wait for a change before the next look."""
        links = self._links.values()
        if any(one.sent_per_s or one.received_per_s for one in links):
            return APART_S
        return LINKED_S if links else ALONE_S

    def news(self, view: View) -> Iterator[Event]:
        """Yield what differs from what was told, and take it as told."""
        for dispatch in view.dispatches:
            before = self._dispatches.get(dispatch.id)
            self._dispatches[dispatch.id] = dispatch
            if before is None or _lasting(before) != _lasting(dispatch):
                yield DispatchNews(dispatch)
        lasted_s, self._at_s = view.at_s - self._at_s, view.at_s
        self._links = {
            link.id: _status(link, self._links.get(link.id), lasted_s) for link in view.links
        }
        now = NeighbourNews(
            visibility=view.surroundings.visibility, neighbours=tuple(self._links.values())
        )
        told, self._told = self._told, now
        if told is None or _steady(told) != _steady(now):
            yield now


def _lasting(dispatch: DispatchStatus) -> DispatchStatus:
    # The end of a hold is reckoned anew each time, and may come out a second later.
    held = dispatch.release_at is not None
    return msgspec.structs.replace(dispatch, release_at=dispatch.filed_at if held else None)


def _steady(news: NeighbourNews) -> NeighbourNews:
    # A mean over the whole life of a link changes although nothing happens.
    links = [msgspec.structs.replace(one, bytes_per_s=0) for one in news.neighbours]
    return msgspec.structs.replace(news, neighbours=tuple(links))


def _status(link: Link, before: LinkStatus | None, lasted_s: float) -> LinkStatus:
    seen = msgspec.structs.asdict(link.neighbour)
    sent_per_s = received_per_s = None
    if before is not None and lasted_s > 0:
        # Reckoned anew each time, the beginning of a link would move by a second.
        seen["since"] = before.since
        sent_per_s = int((link.neighbour.bytes_sent - before.bytes_sent) / lasted_s)
        received_per_s = int((link.neighbour.bytes_received - before.bytes_received) / lasted_s)
    return LinkStatus(
        **seen,
        link=link.id,
        sent_per_s=sent_per_s,
        received_per_s=received_per_s,
        to_send=link.traffic.to_send,
        to_receive=link.traffic.to_receive,
        compared=link.traffic.compared,
    )


class FollowDesk:
    """The handler, with the way to the node."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def follow(self, request: Follow, _: Sequence[int], emit: "Emit") -> Status:
        """Tell what there is and then what changes, until the asker hangs up, which cancels this.

        Raises:
            Refusal: no dispatch, or more than one, is called what was asked for.
        """
        sight = Sight()
        with self._asker.host.watch() as watch:
            view = await self._asker.ask(functools.partial(_first_look, item=request.id))
            only = None if request.id is None else frozenset(_ids(view.dispatches))
            while True:
                for news in sight.news(view):
                    await emit(news)
                changed = await _changed(watch, sight.rest_s)
                wanted = only if changed is None else _chosen(changed | sight.held, only)
                view = await self._asker.ask(functools.partial(_look, wanted=wanted))


async def _changed(watch: Watch, within_s: float) -> frozenset[bytes] | None:
    """Return which dispatches changed, after a rest; None: more than can be said."""
    await trio.sleep(APART_S)
    refs: list[BundleRef | None] = []
    with trio.move_on_after(within_s - APART_S):
        refs += [each.ref for each in await watch.next() if each.topic is Topic.DISPATCH]
    return None if None in refs else frozenset(bytes(ref.id) for ref in refs if ref is not None)


def _chosen(ids: frozenset[bytes], only: frozenset[bytes] | None) -> frozenset[bytes]:
    return ids if only is None else ids & only


def _ids(dispatches: Iterable[DispatchStatus]) -> Iterator[bytes]:
    return (bytes.fromhex(one.id) for one in dispatches)


def _first_look(node: Node, *, item: str | None) -> View:
    if item is None:
        return _look(node, wanted=None)
    return _view(node, [node.dispatches.find(item)])


def _look(node: Node, *, wanted: frozenset[bytes] | None) -> View:
    """Look at the links and at the dispatches with these identifiers; None: at all."""
    if wanted is None:
        return _view(node, node.dispatches.all()[:CONTROL_ITEMS_MAX])
    found = (node.dispatches.get(one) for one in sorted(wanted))
    return _view(node, [one for one in found if one is not None])


def _view(node: Node, dispatches: Sequence[Progress]) -> View:
    under_way, surroundings = traffic(node.switchboard), listing(node)
    return View(
        at_s=node.home.moment.lived_s,
        # The oldest first: what a person looks at last stands last.
        dispatches=[dispatch_fact(node, one, parts=True) for one in reversed(dispatches)],
        surroundings=surroundings,
        links=[
            Link(one.link, fact, under_way[one.link])
            for one, fact in zip(node.neighbours(), surroundings.neighbours, strict=True)
        ],
    )
