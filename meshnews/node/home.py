"""What the parts of a node share: the stores, who it is, its desk, and this moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from meshnews.bundle.format import Bundle
from meshnews.bundle.receipt import Receipt
from meshnews.crypto.entropy import Entropy, between
from meshnews.errors import LocalMisuse
from meshnews.ids import BundleRef, Day
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.session import LinkSession
from meshnews.node.book import DeskBook
from meshnews.node.event import Changed, Topic
from meshnews.node.identity import Identity, save_identity
from meshnews.node.settings import Settings
from meshnews.node.speaker import Speaker
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.port import Carry, Vault


@dataclass(frozen=True, slots=True)
class Wall:
    """The wall clock of this moment, and whether to believe it."""

    s: int
    trusted: bool


@dataclass
class Home:
    """One home while its node runs.

    Attributes:
        vault: None while it is closed, and always on a relay.
        moment, wall: set by the node before anything is asked of a part.
        announced, receipted: bundles and receipts that entered the set and that the
            neighbours in contact have not been told of.
        due: receipts made in this batch that a collector is to be handed.
        changed: what people who watch are to be told.
        invitations: this desk's open invitations by name: shown, and answered.
        joining: the invitation by which this home wants to join: listened for, and sought.
        enrolment: returns who speaks on an enrolment link, the second argument telling
            whether we called; None: nobody.
        raise_floor: lets a root-signed time move the time floor.
    """

    carry: Carry
    vault: Vault | None
    entropy: Entropy
    settings: Settings
    identity: Identity
    book: DeskBook
    custody: Custody
    moment: Moment = field(default_factory=lambda: Moment(0.0, Day(0), Day(0)))
    wall: Wall = Wall(0, trusted=False)
    announced: list[BundleRef] = field(default_factory=list)
    receipted: list[BundleRef] = field(default_factory=list)
    due: list[Receipt] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    invitations: dict[bytes, Rendezvous] = field(default_factory=dict)
    joining: Rendezvous | None = None
    enrolment: Callable[[LinkSession, bool], Speaker | None] = lambda *_: None
    raise_floor: Callable[[int], None] = lambda _: None

    @property
    def open_vault(self) -> Vault:
        """The vault.

        Raises:
            LocalMisuse: it is closed, which whoever asks has to look at first.
        """
        if self.vault is None:
            raise LocalMisuse("the vault is closed")
        return self.vault

    def become(self, identity: Identity) -> None:
        """Be somebody else from now on: the home was made, or its card has come."""
        save_identity(self.carry, identity)
        self.identity = identity
        if self.book.desk != identity.desk:
            self.book = DeskBook(self.carry, identity.desk)

    def publish(self, bundle: Bundle, *, release_after_s: float, pinned: bool = True) -> None:
        """Put an own bundle into the set, now or after a hold."""
        self.custody.keep_own(bundle, self.moment, release_after_s=release_after_s, pinned=pinned)
        if release_after_s <= 0:
            self.announced.append(bundle.ref)

    def hold_s(self, at_most_s: float) -> float:
        """Return a random hold, so that the first sighting does not name the author."""
        return between(self.entropy, 0.0, at_most_s)

    def tell(self, topic: Topic, refs: Sequence[BundleRef] = ()) -> None:
        """Let watchers know that something changed."""
        if refs:
            self.changed.extend(Changed(topic, ref) for ref in refs)
        else:
            self.changed.append(Changed(topic))
