"""Handlers of joining: requests, cards, desks and editors."""

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshnews.control import refusal
from meshnews.control.desk_reply import (
    CardMade,
    CardWords,
    DeskMade,
    EditorCardMade,
    EditorPrepared,
    ManifestSigned,
)
from meshnews.control.desk_request import (
    DeskCard,
    DeskCreate,
    DeskEditor,
    DeskEditorSigned,
    DeskSign,
)
from meshnews.control.enrol_reply import Enrolled, RequestMade
from meshnews.control.enrol_request import EnrolCard, EnrolRequest
from meshnews.control.fact import Role, SafetyWord
from meshnews.control.recall_reply import RecallSigned
from meshnews.crypto import words as library
from meshnews.desk.recall import Recall
from meshnews.desk.request import Joiner, role_of
from meshnews.errors import Refusal, StoreFull
from meshnews.ids import DeskId
from meshnews.node.enrol import enrolment as library_enrolment
from meshnews.node.enrol.enrolment import desk_words, request_words
from meshnews.node.node import Node
from meshnews.node.office.signing import recall_words, sign_offline
from meshnewsd.control.table import Asker
from meshnewsd.control.times import date_of, moment

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

ROLES = {Joiner.REPORTER: Role.REPORTER, Joiner.RELAY: Role.RELAY, Joiner.EDITOR: Role.EDITOR}

KEY_SHOWN_BYTES = 8


def words_fact(found: Sequence[library.SafetyWord]) -> tuple[SafetyWord, ...]:
    """Return safety words as they are told."""
    return tuple(SafetyWord(one.number, one.word) for one in found)


def enrolled_fact(taken: library_enrolment.Enrolled, role: Role) -> Enrolled:
    """Return what a card made of a home, as it is told."""
    return Enrolled(
        desk=taken.desk.hex(),
        desk_name=taken.desk_name,
        words=words_fact(desk_words(taken.desk)),
        role=role,
        name=taken.name,
        valid_until=None if taken.expiry_day is None else date_of(taken.expiry_day),
    )


class _RootUnwritten(StoreFull):
    """The file for the root's key takes no more: what was begun with it is undone."""


def _write_down(descriptor: int, content: bytes) -> None:
    """Put `content` into an empty file, down to the disk; or leave it empty."""
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError as exc:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
        raise _RootUnwritten("the root's key cannot be written") from exc


class EnrolmentDesk:
    """The handlers, with the way to the node."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    # The joiner -------------------------------------------------------------

    async def request(self, _: EnrolRequest, __: Sequence[int], ___: "Emit") -> RequestMade:
        """Make the request file of this home."""

        def act(node: Node) -> RequestMade:
            file = node.enrolment.request()
            role = Role(node.home.identity.role.value)
            own = node.home.identity.relay
            key = "" if own is None else own.static.public[:KEY_SHOWN_BYTES].hex()
            return RequestMade(file, words_fact(request_words(file)), role, key)

        return await self._asker.ask(act)

    async def card(self, request: EnrolCard, _: Sequence[int], __: "Emit") -> CardWords | Enrolled:
        """Show the words of a card's desk, or take it in."""

        def act(node: Node) -> CardWords | Enrolled:
            if not request.confirmed:
                desk = node.enrolment.desk_of(request.card)
                return CardWords(words_fact(desk_words(desk)), Role(node.home.identity.role.value))
            taken = node.enrolment.take_card(request.card)
            # The request is answered: an invitation has nothing left to ask for.
            node.work.joining.stop()
            node.know_relays()
            return enrolled_fact(taken, Role(node.home.identity.role.value))

        return await self._asker.ask(act)

    # The desk ---------------------------------------------------------------

    async def create(self, request: DeskCreate, descriptors: Sequence[int], _: "Emit") -> DeskMade:
        """Make a desk, once its root's key is on the disk: without it the desk were lost."""
        (file,) = descriptors

        def act(node: Node) -> DeskMade:
            root = node.office.create_desk(request.name, request.root_passphrase)
            _write_down(file, root)
            return DeskMade(
                desk=_own_desk(node).hex(), name=request.name, words=_own_desk_words(node)
            )

        try:
            return await self._asker.ask(act)
        except _RootUnwritten as exc:
            raise refusal.root_unwritten() from exc

    async def make_card(
        self, request: DeskCard, _: Sequence[int], __: "Emit"
    ) -> CardWords | CardMade:
        """Show the words of a request, or make the card for it."""
        name = request.byline or request.relay

        def act(node: Node) -> CardWords | CardMade:
            asked = node.office.read_request(request.request)
            role = ROLES[role_of(asked)]
            wished = Role.REPORTER if request.byline else Role.RELAY
            if role is not wished or name is None:
                raise _other_role(role)
            if not request.confirmed:
                return CardWords(words_fact(request_words(request.request)), role)
            made = node.office.card(request.request, name=name, near=request.near)
            node.know_relays()
            until = None if made.expiry_day is None else date_of(made.expiry_day)
            return CardMade(
                card=made.card,
                role=role,
                name=name,
                desk_words=_own_desk_words(node),
                valid_until=until,
            )

        return await self._asker.ask(act)

    async def prepare_editor(
        self, request: DeskEditor, _: Sequence[int], __: "Emit"
    ) -> EditorPrepared:
        """Prepare the manifest that adds an editor."""

        def act(node: Node) -> EditorPrepared:
            unsigned, manifest = node.office.prepare_editor(request.request)
            return EditorPrepared(
                manifest=unsigned,
                words=words_fact(request_words(request.request)),
                version=manifest.version,
                editors=len(manifest.editors),
            )

        return await self._asker.ask(act)

    async def admit_editor(
        self, request: DeskEditorSigned, _: Sequence[int], __: "Emit"
    ) -> EditorCardMade:
        """Take in a signed manifest, and make the new editor's card."""

        def act(node: Node) -> EditorCardMade:
            card = node.office.admit_editor(request.signed, request.request)
            return EditorCardMade(card, _own_desk_words(node))

        return await self._asker.ask(act)


async def sign(request: DeskSign, _: Sequence[int], __: "Emit") -> ManifestSigned | RecallSigned:
    """Sign a prepared manifest or recall with a root key; asks no node."""
    signed = sign_offline(request.manifest, request.root_key, request.root_passphrase)
    says, desk = signed.says, signed.says.desk.hex()
    if isinstance(says, Recall):
        words, since = words_fact(recall_words(says)), moment(says.time)
        return RecallSigned(signed=signed.signed, desk=desk, words=words, since=since)
    return ManifestSigned(
        signed=signed.signed,
        desk=desk,
        version=says.version,
        editors=len(says.editors),
        valid_until=date_of(says.not_after),
    )


def _own_desk(node: Node) -> DeskId:
    desk = node.home.identity.desk
    assert desk is not None, "an editor of a desk"
    return desk


def _own_desk_words(node: Node) -> tuple[SafetyWord, ...]:
    return words_fact(desk_words(_own_desk(node)))


def _other_role(role: Role) -> Refusal:
    option = "--byline" if role is Role.REPORTER else "--relay"
    remedy = (
        "Use `meshnews desk editor REQUEST`." if role is Role.EDITOR else f"Use {option} instead."
    )
    return Refusal(
        "request-of-other-role",
        what=f"This request was made for the role {role.value}.",
        meaning="No card was made.",
        remedy=remedy,
    )
