"""What people do in a plan: filing dispatches, publishing notices, looking for each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.statement import Priority, Role, text_capacity
from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import recall_oneself, revocation_id
from meshnews.ids import BundleRef
from meshnews.limits import ROUTINE_FILE_BYTES_MAX
from meshnews.node.dispatches.filing import REPLY_KEYS, FilingDraft
from meshnews.node.node import Node
from meshnews.node.office.seat import take_seat
from meshnews.sim.plan import PlanItem, Urgency

PIECE_BYTES: Final = 1024 * 1024

_PRIORITIES: Final = {
    Urgency.FLASH: Priority.FLASH,
    Urgency.URGENT: Priority.URGENT,
    Urgency.ROUTINE: Priority.ROUTINE,
    Urgency.PICTURE: Priority.ROUTINE,
    Urgency.BULK: Priority.BULK,
}


@dataclass(frozen=True, slots=True)
class Material:
    """What is filed for one item: words, and a file if they are more than a bundle holds."""

    text: str
    file_bytes: int
    role: Role


def material_of(item: PlanItem, draft: FilingDraft) -> Material:
    """Return what to file for an item, of its size and kind.

    Raises:
        Nothing.
    """
    role = Role.FILE
    if item.size_bytes > ROUTINE_FILE_BYTES_MAX and item.urgency is not Urgency.BULK:
        role = Role.PREVIEW
    is_text = item.urgency in {Urgency.FLASH, Urgency.URGENT, Urgency.ROUTINE}
    room = text_capacity(
        item.slug, traffic=draft.priority.traffic, day=draft.day, reply_keys=REPLY_KEYS
    )
    if is_text and item.size_bytes <= room:
        return Material(_words(item, item.size_bytes), 0, role)
    lead = _words(item, 200)
    return Material(lead, max(1, item.size_bytes - len(lead)), role)


def _words(item: PlanItem, size: int) -> str:
    return (f"{item.slug}: " + "what happened, who saw it and when. " * (size // 30 + 1))[:size]


def pieces(slug: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of an item's file: each piece differs from all others.

    Raises:
        Nothing.
    """
    block = (slug.encode() + bytes(range(256))) * (PIECE_BYTES // 256)
    for number, start in enumerate(range(0, size, PIECE_BYTES)):
        piece = number.to_bytes(8, "big") + block
        yield piece[: min(PIECE_BYTES, size - start)]


def begin(node: Node, item: PlanItem) -> FilingDraft:
    """Begin to file an item.

    Raises:
        Refusal: there is no card, or no postage is left.
    """
    return node.filing.begin(_PRIORITIES[item.urgency])


def finish(node: Node, item: PlanItem, draft: FilingDraft, text: str, *, now: bool) -> BundleRef:
    """Seal an item; return the bundle of its text.

    Raises:
        Refusal: it cannot be sealed, or no postage is left.
    """
    return node.filing.finish(draft, text=text, slug=item.slug, now=now, forget=False).ref


def publish(node: Node) -> bytes:
    """Publish a notice to all; return by what it is known to those whom it reached.

    It is the recall of a card that nobody holds: signed, of the size of a notice, and
    it changes nothing for anybody in the plan.

    Raises:
        Refusal: this node is no editor's.
    """
    seat, home = take_seat(node.home), node.home
    assert home.identity.desk is not None, "an editor without a desk"
    assert seat.issuer_ends is not None, "an editor whose postage nobody takes"
    secret = Ed25519Secret(home.entropy.draw(32))
    notice = Notice(NoticeKind.RECALL, recall_oneself(home.identity.desk, secret))
    home.book.take(notice)
    node.work.notices.publish(notice, seat.issuer, issuer_ends=seat.issuer_ends)
    return revocation_id(secret.public)
