"""What a sync conversation reports to the node that holds it."""

from dataclasses import dataclass

from meshnews.bundle.format import Bundle
from meshnews.ids import BundleRef
from meshnews.sync.messages import Hello


@dataclass(frozen=True, slots=True)
class Greeted:
    """The peer has said HELLO."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Arrived:
    """A new bundle was verified and kept."""

    bundle: Bundle


@dataclass(frozen=True, slots=True)
class Receipted:
    """A bundle became acked here, by a receipt from the peer."""

    ref: BundleRef


@dataclass(frozen=True, slots=True)
class Carried:
    """The peer has a bundle of ours on its disk."""

    ref: BundleRef


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The peer has a receipt on its disk that was handed over to it."""

    ref: BundleRef


@dataclass(frozen=True, slots=True)
class InSync:
    """All classes are compared; what differs is known and on its way."""


SyncEvent = Greeted | Arrived | Receipted | Carried | HandedOver | InSync
