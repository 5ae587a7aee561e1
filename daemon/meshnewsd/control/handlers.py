"""The table of everything that an open home answers."""

import functools

from meshnews.control import desk_request, enrol_request
from meshnews.control import request as ask
from meshnewsd.control import enrolling
from meshnewsd.control.enrolling import EnrolmentDesk
from meshnewsd.control.filing import FilingDesk
from meshnewsd.control.following import FollowDesk
from meshnewsd.control.inviting import InvitationDesk
from meshnewsd.control.machine_diagnosis import Premises
from meshnewsd.control.reading import ReadingDesk
from meshnewsd.control.recalling import RecallDesk
from meshnewsd.control.server import Handlers
from meshnewsd.control.table import Asker
from meshnewsd.control.watching import LookoutDesk
from meshnewsd.control.wiring import WireDesk
from meshnewsd.discovery.interface import Outlook
from meshnewsd.platform.paths import free_bytes
from meshnewsd.uplinks.drops import Standings


def home_handlers(
    asker: Asker,
    premises: Premises,
    outlook: Outlook | None = None,
    *,
    drops: Standings = tuple,
) -> Handlers:
    """Return what a daemon whose home is open answers."""
    filing = FilingDesk(asker, functools.partial(free_bytes, premises.home))
    reading = ReadingDesk(asker)
    enrolment, lookout = EnrolmentDesk(asker), LookoutDesk(asker, premises, outlook or Outlook())
    inviting, recalling, following = InvitationDesk(asker), RecallDesk(asker), FollowDesk(asker)
    wiring = WireDesk(asker, premises.certificate, drops)
    return {
        ask.Hello: asker.welcome,
        enrol_request.EnrolRequest: enrolment.request,
        enrol_request.EnrolCard: enrolment.card,
        enrol_request.EnrolCode: inviting.join,
        enrol_request.EnrolWait: inviting.wait,
        enrol_request.EnrolAgree: inviting.agree,
        enrol_request.EnrolStop: inviting.stop,
        enrol_request.RecallOwn: recalling.own,
        desk_request.DeskCreate: enrolment.create,
        desk_request.DeskCard: enrolment.make_card,
        desk_request.DeskInvite: inviting.invite,
        desk_request.DeskPending: inviting.pending,
        desk_request.DeskConfirm: inviting.confirm,
        desk_request.DeskRefuse: inviting.refuse,
        desk_request.DeskClose: inviting.close,
        desk_request.DeskEditor: enrolment.prepare_editor,
        desk_request.DeskEditorSigned: enrolment.admit_editor,
        desk_request.DeskSign: enrolling.sign,
        desk_request.DeskHolders: recalling.holders,
        desk_request.DeskRecall: recalling.prepare,
        desk_request.DeskRecallSigned: recalling.publish,
        desk_request.DeskEndpointAdd: wiring.add,
        desk_request.DeskEndpointRemove: wiring.remove,
        desk_request.DeskEndpointList: wiring.list,
        ask.Wire: wiring.wire,
        ask.WireLog: wiring.log,
        ask.File: filing.file,
        ask.StatusRequest: filing.status,
        ask.Watch: filing.watch,
        ask.Follow: following.follow,
        ask.Inbox: reading.inbox,
        ask.Open: reading.open,
        ask.SaveAttachment: reading.save,
        ask.LetGo: reading.let_go,
        ask.SendReply: reading.reply,
        ask.Neighbours: lookout.neighbours,
        ask.Look: lookout.look,
        ask.TrustNetwork: lookout.trust,
        ask.Doctor: lookout.doctor,
    }
