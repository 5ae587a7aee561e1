"""Whom there is a use in calling, of those a machine knows, with the links it has.

See docs/protocol/discovery.md, and for how links are counted `meshnews.node.links.company`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.entropy import Entropy, below
from meshnews.ids import LinkId
from meshnews.node.event import Address
from meshnews.node.links.company import Company, place_of
from meshnews.node.links.target import Target, off_radio

LINKS_WANTED: Final = 4
RELAYS_WANTED: Final = 2
"""With this many links a member calls no more members; with so many of them to relays, no more
relays.  It still answers all."""

MEET_AGAIN_S: Final = 900.0
"""Whom we were linked to within this time is no stranger: members show the beacon of an epoch."""

Callers = Mapping[LinkId, Address]
"""From where each neighbour in contact called us."""

NOBODY: Final[Callers] = {}


@dataclass(frozen=True, slots=True)
class Outlook:
    """When there will be somebody to call, as long as nothing happens.

    Attributes:
        callers: the neighbours in contact for whom this was looked up.
        call_s: when one of those is due whom there is a use in calling; never: infinite.
        extra_s: when one more may be called than are wanted.
    """

    callers: Callers
    call_s: float
    extra_s: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """Those a machine knows, whom it is calling and whom it is linked to; they change under it.

    Attributes:
        targets: all it knows, by name.
        attempts: whom it is calling.
        links: to whom calls led.
        links_max: with so many links nobody is called but collectors.
    """

    targets: Mapping[bytes, Target]
    attempts: Mapping[int, Target]
    links: Mapping[LinkId, Target]
    links_max: int

    def worth_calling(self, targets: Iterable[Target], callers: Callers) -> Iterator[Target]:
        """Yield those whom there is a use in calling, with these neighbours in contact."""
        idle = [each for each in targets if each.may_be_called]
        if not idle:
            return
        has_relays = sum(target.is_relay for target in self._called()) >= RELAYS_WANTED
        company = self.company(callers)
        closed = {each for each in (LINKS_WANTED, self.links_max) if company.is_enough(each)}
        for target in idle:
            is_spare = target.is_member or (target.is_relay and has_relays)
            enough = LINKS_WANTED if is_spare else self.links_max
            if enough in closed and not target.is_collector:
                continue
            if target.is_radio and self._is_better_left_alone(target):
                continue
            if target.is_collector or company.wants(target.places, enough):
                yield target

    def _called(self) -> list[Target]:
        return [*self.attempts.values(), *self.links.values()]

    def company(self, callers: Callers) -> Company:
        """Return where the links lead that there are, and those that are being made."""
        # A stream that was kept in place of a call of ours leads to whom we chose.
        chosen = {target.twin for target in self.targets.values()} if callers else ()
        return Company(
            [target.going_to for target in self._called()]
            + [place_of(where) for link, where in callers.items() if link in chosen],
            [place_of(where) for link, where in callers.items() if link not in chosen],
        )

    def wanted(self, members: Sequence[Target], callers: Callers) -> list[Target]:
        """Return those members to whom a link more is wanted."""
        company = self.company(callers)
        return [each for each in members if company.wants(each.places, LINKS_WANTED)]

    def draw(
        self, targets: Sequence[Target], callers: Callers, entropy: Entropy
    ) -> tuple[Target, str]:
        """Choose one by chance, at one of the places where the fewest links lead; say where.

        Places are drawn before machines: who shows many beacons is as likely as who shows one.
        """
        company = self.company(callers)
        places = sorted({place for target in targets for place in target.places})
        fewest = min(company.links_at(place) for place in places)
        few = [place for place in places if company.links_at(place) == fewest]
        place = few[below(entropy, len(few))]
        there = [target for target in targets if place in target.places]
        return there[below(entropy, len(there))], place

    def strangers(self, now_s: float) -> Iterator[Target]:
        """Yield those who may be called and have not been met lately."""
        for target in self.targets.values():
            # Over the air a call takes the radio from those who use it (decision 0152).
            if target.is_radio or now_s < target.met_at_s + MEET_AGAIN_S:
                continue
            if (target.is_member or target.is_relay) and target.may_be_called:
                yield target

    def _is_better_left_alone(self, target: Target) -> bool:
        if target.is_member:
            # Who is linked already shows a new beacon in each epoch, which names nobody.
            near = [each for each in self.targets.values() if each.is_radio and each.is_member]
            linked = {each.link or each.twin for each in near} - {None}
            return sum(each.may_be_called for each in near) <= len(linked)
        known = self.targets.get(off_radio(target.name))
        return known is not None and not known.is_radio and known.is_promising
