"""The table of everything that an open home answers."""

import functools

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
        ask.DeskCreate: enrolment.create,
        ask.EnrolRequest: enrolment.request,
        ask.EnrolCard: enrolment.card,
        ask.DeskCard: enrolment.make_card,
        ask.DeskInvite: inviting.invite,
        ask.DeskPending: inviting.pending,
        ask.DeskConfirm: inviting.confirm,
        ask.DeskRefuse: inviting.refuse,
        ask.DeskClose: inviting.close,
        ask.EnrolCode: inviting.join,
        ask.EnrolWait: inviting.wait,
        ask.EnrolAgree: inviting.agree,
        ask.EnrolStop: inviting.stop,
        ask.DeskEditor: enrolment.prepare_editor,
        ask.DeskEditorSigned: enrolment.admit_editor,
        ask.DeskSign: enrolling.sign,
        ask.DeskHolders: recalling.holders,
        ask.DeskRecall: recalling.prepare,
        ask.DeskRecallSigned: recalling.publish,
        ask.RecallOwn: recalling.own,
        ask.DeskEndpointAdd: wiring.add,
        ask.DeskEndpointRemove: wiring.remove,
        ask.DeskEndpointList: wiring.list,
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
