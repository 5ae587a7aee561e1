"""What a node does on a person's behalf with what arrives, and with what time brings.

The parts are those of a reporter and of an editor; each looks by itself
whether it has anything to do on this machine.
"""

from meshnews.bundle.format import Bundle
from meshnews.bundle.receipt import Receipt
from meshnews.ids import BundleRef
from meshnews.link.session import LinkSession
from meshnews.node.dispatches.dispatch import Dispatches
from meshnews.node.dispatches.filing import Filing
from meshnews.node.dispatches.letter import Letters
from meshnews.node.dispatches.opening import Opening
from meshnews.node.enrol.enrolment import Enrolment
from meshnews.node.enrol.invitations import Invitations
from meshnews.node.enrol.joining import Joining
from meshnews.node.home import Home
from meshnews.node.office.notices import Notices
from meshnews.node.office.refreshing import Refreshing
from meshnews.node.office.rotation import Rotation
from meshnews.node.office.supply import Supply
from meshnews.node.office.turning import Turning
from meshnews.node.records.confirmation import Confirmations
from meshnews.node.records.outbox import Outbox
from meshnews.node.speaker import Speaker


class Work:
    """The parts of a node that are not about links."""

    def __init__(self, home: Home) -> None:
        self.filing = Filing(home)
        self.outbox = Outbox(home)
        self.dispatches = Dispatches(home)
        self.refreshing = Refreshing(home)
        self.notices = Notices(home, self.refreshing)
        self.confirmations = Confirmations(home)
        self.letters = Letters(home, self.confirmations)
        self.supply = Supply(home)
        self.turning = Turning(home, self.notices, self.supply)
        self.enrolment = Enrolment(home)
        self.opening = Opening(
            home,
            letters=self.letters,
            confirmations=self.confirmations,
            notices=self.notices,
            dispatches=self.dispatches,
            refreshing=self.refreshing,
            supply=self.supply,
            turning=self.turning,
        )
        self.rotation = Rotation(home, self.notices, self.supply, self.turning)
        self.invitations = Invitations(home, self.rotation)
        self.joining = Joining(home)
        home.enrolment = self._speaker

    def start(self) -> None:
        """Go on where a crash or a restart left off."""
        self.filing.recover()
        self.rotation.turn()
        self.opening.catch_up()
        self.dispatches.catch_up()
        self.invitations.start()
        self.enrolment.tidy()
        self.joining.start()

    def _speaker(self, session: LinkSession, is_calling: bool) -> Speaker | None:  # noqa: FBT001  as `Home.enrolment` is called
        """Return who speaks on an enrolment link; see `Home.enrolment`."""
        return self.joining.call(session) if is_calling else self.invitations.answer(session)

    def arrived(self, bundle: Bundle) -> None:
        """A bundle was verified and kept."""
        self.opening.arrived(bundle)

    def receipted(self, ref: BundleRef) -> None:
        """A bundle became acked."""
        self.dispatches.on_receipt(ref)
        self.confirmations.came_back(ref)

    def carried(self, ref: BundleRef, *, at_collector: bool) -> None:
        """Another machine has a bundle on its disk."""
        self.dispatches.on_carried(ref, at_collector=at_collector)

    def handed_over(self, ref: BundleRef, collector: bytes) -> None:
        """A collector says that it has a receipt on its disk."""
        self.confirmations.handed_over(ref, collector)

    def due(self, collector: bytes) -> list[Receipt]:
        """Return the receipts that a collector has not said to have."""
        return self.confirmations.due(collector)

    def sweep(self) -> None:
        """Do what time demands."""
        self.outbox.tidy()
        self.rotation.turn()
        self.opening.catch_up()
        self.dispatches.catch_up()
        self.opening.sweep()
        self.notices.sweep()
        self.invitations.sweep()
        self.enrolment.tidy()
        self.joining.sweep()
