"""An enrolment link between two homes, message by message, that can be cut at every commit.

`Door` plays everything between the two machines: the handshake, the messages,
and the people on both sides, who say yes when the words are the same.  Each
message is taken in, and each answer of a person given, in a transaction of its
own; `Kill` ends a machine within one of them or right behind it.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.desk.joining import Card, Piece, decode_join_message
from meshnews.desk.request import Joiner
from meshnews.errors import PeerError, Refusal
from meshnews.ids import DeskId
from meshnews.link.party import InvitationTarget, LinkKeys
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.session import LinkSession
from meshnews.node import shelf
from meshnews.node.enrol.invitation_shelf import InvitationRecord
from meshnews.node.enrol.joining import Joined, Progress
from meshnews.node.identity import Role
from meshnews.node.links.replay import ReplayShelf
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.wallet import Wallet
from meshnews.node.speaker import Speaker
from tests.node.newsroom import Machine, make_desk, make_home

T = TypeVar("T")
ROLES = {Role.REPORTER: Joiner.REPORTER, Role.RELAY: Joiner.RELAY}
_DOORS = itertools.count()
ROOM = 1
"""So little that every pull gives one message."""


class Killed(Exception):
    """The power went out."""


@dataclass
class Kill:
    """When which machine ends: within its n-th transaction, or right after it."""

    machine: Machine
    at: int
    is_before_commit: bool
    seen: int = 0

    def counts(self, machine: Machine) -> bool:
        if machine is self.machine:
            self.seen += 1
        return machine is self.machine and self.seen == self.at


def invite(
    desk: Machine,
    name: str,
    *,
    role: Joiner = Joiner.REPORTER,
    near: tuple[str, ...] = (),
    hours: int = 24,
) -> str:
    """Return the code of a new invitation."""
    return desk.ask(
        lambda node: node.work.invitations.invite(name, role=role, near=near, hours=hours)
    )[1].code


def begin(joiner: Machine, code: str) -> None:
    """Let a home join by a code."""
    joiner.ask(lambda node: node.work.joining.begin(code))


def progress(joiner: Machine) -> Joined:
    """Return how far a joiner has come."""
    return joiner.ask(lambda node: node.work.joining.progress())


def last(desk: Machine) -> InvitationRecord:
    """Return the desk's newest invitation."""
    return desk.node.work.invitations.all()[-1]


def handshake(
    entropy: SeededEntropy, caller: Rendezvous, answered: list[Rendezvous], desk: Machine
) -> tuple[LinkSession, LinkSession] | None:
    """Return both ends of a link, or None when the caller is left in silence."""
    calling = LinkSession.initiate(InvitationTarget(caller), entropy=entropy)
    answering = LinkSession.respond(
        LinkKeys(unprompted=answered), replay=ReplayShelf(desk.carry), entropy=entropy
    )
    try:
        answering.receive(calling.start())
        calling.receive(answering.take(0))
        answering.receive(calling.take(0))
    except PeerError:
        return None
    return calling, answering


@dataclass
class Door:
    """One meeting after another of a joiner and a desk's machine."""

    joiner: Machine
    desk: Machine
    kill: Kill | None = None
    desk_first: bool = True
    trusting: bool = True
    """The people say yes without being asked."""
    speakers: dict[str, Speaker] = field(default_factory=dict)
    sent: dict[str, list[bytes]] = field(default_factory=dict)
    silenced: str = ""
    """Who was left in silence, through a fault of the other side."""

    def __post_init__(self) -> None:
        # No two doors shake hands alike: a recording would be left in silence.
        self.entropy = SeededEntropy(b"door %d" % next(_DOORS))
        self.sent = {self.joiner.name: [], self.desk.name: []}

    # Transactions -----------------------------------------------------------

    def act(self, machine: Machine, work: Callable[[Node], T]) -> T:
        """Do something on a machine, which may be killed at it."""
        kill = self.kill if self.kill is not None and self.kill.counts(machine) else None

        def whole(node: Node) -> T:
            result = work(node)
            if kill is not None and kill.is_before_commit:
                raise Killed
            return result

        result = machine.ask(whole)
        if kill is not None:
            raise Killed
        return result

    # One meeting --------------------------------------------------------------

    def meet(self) -> None:
        """Let both talk until nothing more is said, or one is killed."""
        try:
            if self.connect():
                self.talk()
        except Killed:
            assert self.kill is not None
            self.kill.machine.restart()
            other = self.desk if self.kill.machine is self.joiner else self.joiner
            self.speakers.pop(self.kill.machine.name, None)
            self.part(other)
        else:
            self.part(self.joiner)
            self.part(self.desk)

    def connect(self) -> bool:
        """Shake hands; tell whether the desk's machine answered."""
        wanted = self.joiner.node.home.joining
        open_ones = list(self.desk.node.home.invitations.values())
        met = handshake(self.entropy, wanted, open_ones, self.desk) if wanted else None
        if met is None:
            return False
        self.speakers.clear()
        self._open(self.desk, met[1], is_calling=False)
        self._open(self.joiner, met[0], is_calling=True)
        return len(self.speakers) == 2

    def _open(self, machine: Machine, session: LinkSession, *, is_calling: bool) -> None:
        def work(node: Node) -> Speaker | None:
            speaker = node.home.enrolment(session, is_calling)
            if speaker is not None:
                speaker.start(node.home.moment)
            return speaker

        speaker = self.act(machine, work)
        if speaker is not None:
            self.speakers[machine.name] = speaker

    def talk(self) -> None:
        """Pass messages to and fro until neither machine nor people have anything to say."""
        moved = True
        while moved and not self.silenced:
            moved = self.say(self.joiner, self.desk) or self.say(self.desk, self.joiner)
            if not moved and self.trusting:
                moved = self.people()

    def say(self, one: Machine, other: Machine) -> bool:
        """Let one machine's next message reach the other; tell whether there was any."""
        speaker, hearer = self.speakers[one.name], self.speakers[other.name]
        messages = speaker.pull(ROOM, one.node.home.moment)
        for message in messages:
            self.sent[one.name].append(message)
            self.hear(other, hearer, message)
        return bool(messages)

    def hear(self, machine: Machine, speaker: Speaker, message: bytes) -> None:
        """Let a message come in; a fault of its sender leaves that one in silence."""

        def work(node: Node) -> bool:
            try:
                speaker.receive(message, node.home.moment)
            except PeerError:
                return False
            return True

        if not self.act(machine, work):
            self.silenced = next(name for name in self.speakers if name != machine.name)

    def people(self) -> bool:
        """Let the people compare the words; tell whether one of them said yes."""
        if self.desk_first:
            return self.desk_agrees() or self.joiner_agrees()
        return self.joiner_agrees() or self.desk_agrees()

    def joiner_agrees(self) -> bool:
        """Let the joiner's person say yes, if there is a question."""
        at = progress(self.joiner)
        if at.progress is not Progress.COMPARING:
            return False
        self.act(self.joiner, lambda node: node.work.joining.agree(at.meeting, is_same=True))
        return True

    def desk_agrees(self) -> bool:
        """Let the editor say yes to the joiner whose words the joiner's person reads out."""
        words = list(progress(self.joiner).words)
        asked = [
            visitor.number
            for visitor in self.desk.node.work.invitations.visitors()
            if visitor.words == words and not visitor.desk_agrees
        ]
        if asked:
            self.act(self.desk, lambda node: node.work.invitations.confirm(asked[0]))
        return bool(asked)

    def part(self, machine: Machine) -> None:
        """Let a machine notice that the link is gone."""
        speaker = self.speakers.pop(machine.name, None)
        if speaker is not None:
            machine.ask(lambda _: speaker.ended())


def pair(role: Role = Role.REPORTER, name: str = "joiner-1") -> tuple[Machine, Machine, str]:
    """Return a home that joins, a desk that invited it, and the code."""
    desk, _ = make_desk()
    joiner = make_home(name, role)
    code = invite(desk, name, role=ROLES[role])
    begin(joiner, code)
    return joiner, desk, code


def has_joined(joiner: Machine, desk: Machine) -> bool:
    """Tell whether a home is a member, after seeing that it is one wholly or not at all."""
    home = joiner.node.home
    if home.identity.desk is None:
        assert home.book.manifest is None
        assert home.identity.notice_key is None
        assert joiner.vault is None or Person(joiner.vault).certificate() is None
        return False
    assert home.identity.desk == desk.node.home.identity.desk
    assert home.book.manifest == desk.node.home.book.manifest
    assert home.identity.notice_key == desk.node.home.identity.notice_key
    # The key that opened the card is forgotten in a later transaction.
    joiner.ask(lambda node: node.work.sweep())
    if joiner.vault is not None:
        (editor,) = home.book.manifest.editors if home.book.manifest else ()
        assert Person(joiner.vault).certificate() is not None
        assert Wallet(joiner.vault, joiner.entropy).prekeys_left(editor.sign) == 256
        assert joiner.vault.get(shelf.PERSON, b"card-key") is None
    else:
        assert home.identity.relay is not None
        assert home.identity.relay.beacon_key is not None
    return True


def cards_sent(sent: list[bytes]) -> int:
    """Count the messages that have anything of a card in them."""
    return sum(isinstance(decode_join_message(one), Card | Piece) for one in sent)


def agree(joiner: Machine, meeting: bytes, *, is_same: bool = True) -> None:
    joiner.ask(lambda node: node.work.joining.agree(meeting, is_same=is_same))


def code_of(machine: Machine, act: Callable[[], object]) -> str:
    """Return the code of a refusal, after seeing that nothing was changed."""
    before = machine.contents
    with pytest.raises(Refusal) as caught:
        act()
    assert machine.contents == before
    assert all((caught.value.what, caught.value.meaning, caught.value.remedy))
    return caught.value.code


def desk_id(desk: Machine) -> DeskId:
    identity = desk.node.home.identity.desk
    assert identity is not None
    return identity


def close(desk: Machine) -> None:
    """End a desk's newest invitation."""
    number = last(desk).number
    desk.ask(lambda node: node.work.invitations.close(number))
