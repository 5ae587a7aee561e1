"""Handlers of joining by invitation, at the desk and at the joiner."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from meshnews.control.desk_reply import Invited, PendingListing
from meshnews.control.desk_request import (
    DeskClose,
    DeskConfirm,
    DeskInvite,
    DeskPending,
    DeskRefuse,
)
from meshnews.control.enrol_reply import JoinStatus
from meshnews.control.enrol_request import EnrolAgree, EnrolCode, EnrolStop, EnrolWait
from meshnews.control.fact import (
    InvitationState,
    InvitationStatus,
    JoinerStatus,
    JoinProgress,
    JoinReason,
    Role,
)
from meshnews.control.reply import Done
from meshnews.desk.joining import Reason
from meshnews.desk.request import Joiner
from meshnews.node.enrol import invitation_shelf as kept
from meshnews.node.enrol.invitation_shelf import InvitationRecord
from meshnews.node.event import Topic
from meshnews.node.node import Node
from meshnewsd.control.enrolling import ROLES, enrolled_fact, words_fact
from meshnewsd.control.table import Asker
from meshnewsd.control.times import moment

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

STATES = {
    kept.InvitationState.OPEN: InvitationState.OPEN,
    kept.InvitationState.GIVEN: InvitationState.GIVEN,
    kept.InvitationState.USED: InvitationState.USED,
    kept.InvitationState.EXPIRED: InvitationState.EXPIRED,
    kept.InvitationState.CLOSED: InvitationState.CLOSED,
}
REASONS = {
    Reason.WORDS: JoinReason.WORDS,
    Reason.STOPPED: JoinReason.STOPPED,
    Reason.UNPROVEN: JoinReason.UNPROVEN,
    Reason.DESK: JoinReason.DESK,
    Reason.ROLE: JoinReason.ROLE,
    Reason.CARD: JoinReason.CARD,
}

Versioned = TypeVar("Versioned", PendingListing, JoinStatus)


class InvitationDesk:
    """The handlers, with the way to the node."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def invite(self, request: DeskInvite, _: Sequence[int], __: "Emit") -> Invited:
        """Invite somebody."""
        name = request.byline or request.relay
        role = Joiner.REPORTER if request.byline else Joiner.RELAY

        def act(node: Node) -> Invited:
            assert name is not None, "under one name"
            record, invitation = node.work.invitations.invite(
                name, role=role, near=request.near, hours=request.hours
            )
            return Invited(invitation=_invitation(node, record), code=invitation.code)

        return await self._asker.ask(act)

    async def pending(self, request: DeskPending, _: Sequence[int], __: "Emit") -> PendingListing:
        """List invitations and who has come, perhaps only once that has changed."""
        return await self._once_changed(_pending, request.after)

    async def confirm(self, request: DeskConfirm, _: Sequence[int], __: "Emit") -> Done:
        """Say that a joiner's words are the same."""
        await self._asker.ask(lambda node: node.work.invitations.confirm(request.joiner))
        return Done()

    async def refuse(self, request: DeskRefuse, _: Sequence[int], __: "Emit") -> Done:
        """Turn a joiner away."""
        await self._asker.ask(lambda node: node.work.invitations.refuse(request.joiner))
        return Done()

    async def close(self, request: DeskClose, _: Sequence[int], __: "Emit") -> Done:
        """End an invitation."""
        await self._asker.ask(lambda node: node.work.invitations.close(request.invitation))
        return Done()

    async def join(self, request: EnrolCode, _: Sequence[int], __: "Emit") -> JoinStatus:
        """Join by an invitation."""

        def act(node: Node) -> JoinStatus:
            node.work.joining.begin(request.code)
            return _progress(node)

        return await self._asker.ask(act)

    async def wait(self, request: EnrolWait, _: Sequence[int], __: "Emit") -> JoinStatus:
        """Tell how far joining has come, once that has changed."""
        return await self._once_changed(_progress, request.after)

    async def agree(self, request: EnrolAgree, _: Sequence[int], __: "Emit") -> JoinStatus:
        """Say whether the words are the same."""

        def act(node: Node) -> JoinStatus:
            node.work.joining.agree(request.meeting, is_same=request.is_same)
            return _progress(node)

        return await self._asker.ask(act)

    async def stop(self, _: EnrolStop, __: Sequence[int], ___: "Emit") -> JoinStatus:
        """Give up joining."""

        def act(node: Node) -> JoinStatus:
            node.work.joining.stop()
            return _progress(node)

        return await self._asker.ask(act)

    async def _once_changed(
        self, read: Callable[[Node], Versioned], after: int | None
    ) -> Versioned:
        with self._asker.host.watch() as watch:
            while True:
                answer = await self._asker.ask(read)
                if answer.version != after:
                    return answer
                while all(change.topic is not Topic.DESK for change in await watch.next()):
                    pass


def _pending(node: Node) -> PendingListing:
    invitations = node.work.invitations
    return PendingListing(
        version=invitations.version,
        invitations=tuple(_invitation(node, record) for record in invitations.all()),
        joiners=tuple(
            JoinerStatus(
                number=visitor.number,
                invitation=visitor.link.invitation,
                words=words_fact(visitor.words),
                joiner_agrees=visitor.joiner_agrees,
                desk_agrees=visitor.desk_agrees,
            )
            for visitor in invitations.visitors()
        ),
    )


def _invitation(node: Node, record: InvitationRecord) -> InvitationStatus:
    home, invitations = node.home, node.work.invitations
    trouble = invitations.trouble(record.number)
    return InvitationStatus(
        number=record.number,
        role=ROLES[record.role],
        name=record.name,
        state=STATES[record.state],
        ends_at=moment(home.wall.s + record.ends_s - home.moment.lived_s),
        alarm=record.has_alarm,
        words_differed=invitations.differed(record.number),
        trouble="" if trouble is None else trouble.what,
    )


def _progress(node: Node) -> JoinStatus:
    joining = node.work.joining
    joined = joining.progress()
    role = Role(node.home.identity.role.value)
    return JoinStatus(
        version=joining.version,
        progress=JoinProgress(joined.progress.value),
        meeting=joined.meeting,
        words=words_fact(joined.words),
        silences=joined.silences,
        reason=None if joined.reason is None else REASONS[joined.reason],
        enrolled=None if joined.enrolled is None else enrolled_fact(joined.enrolled, role),
    )
