"""An editor's seat at its desk: who may do an editor's work here, and the keys for it.

What is refused here is refused before anything is written: a refusal leaves
both the stores and what the node remembers as they were.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.manifest import Manifest, Role
from meshnews.desk.recall import revocation_id
from meshnews.desk.request import EnrolmentRequest, verify_request
from meshnews.errors import PeerError, Refusal
from meshnews.ids import Day
from meshnews.node.home import Home
from meshnews.node.identity import Role as HomeRole
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.store.age import DAY_S, DAY_ZERO_S

CARD_DAYS: Final = 400
"""How long cards, issuers and manifests are meant to last."""
ALL_ROLES: Final = Role.OPEN | Role.PUBLISH | Role.ENROL


@dataclass(frozen=True, slots=True)
class Seat:
    """What an editor works with.

    Attributes:
        issuer_ends: the last day of what its issuer certifies; None: the manifest has it not.
    """

    manifest: Manifest
    signer: Ed25519Secret
    issuer: Ed25519Secret
    issuer_ends: Day | None

    @property
    def roles(self) -> Role:
        """What the manifest lets this editor do."""
        return self.manifest.roles_of(self.signer.public)


def take_seat(home: Home) -> Seat:
    """Return this home's seat.

    Raises:
        Refusal: the home is no editor's, has no desk, or its editor was recalled.
    """
    signer, issuer = own_keys(home)
    manifest = home.book.manifest
    if manifest is None:
        raise Refusal(
            "no-desk",
            what="This home belongs to no desk yet.",
            meaning="There is nothing that a card could be for.",
            remedy="Make a desk with `meshnews desk create`, or join one with "
            "`meshnews enrol --request FILE`.",
        )
    sign = signer.public
    if not manifest.is_editor(sign) or home.book.is_recalled(revocation_id(sign)):
        raise Refusal(
            "not-an-editor",
            what="The desk does not list this home among its editors, or has recalled it.",
            meaning="Nobody would believe what it signs, so nothing was made.",
            remedy="Ask another editor of the desk.",
        )
    ends = [one.expiry_day for one in manifest.issuers if one.key == issuer.public]
    return Seat(manifest, signer, issuer, ends[0] if ends else None)


def own_keys(home: Home) -> tuple[Ed25519Secret, Ed25519Secret]:
    """Return what this editor signs with, and its postage issuer.

    Raises:
        Refusal: the home is no editor's.
    """
    if home.identity.role is not HomeRole.EDITOR:
        raise Refusal(
            "wrong-role",
            what="This is work for an editor, and this home is not one.",
            meaning="Nothing was changed.",
            remedy="Name the right home with --home.",
        )
    signer = Person(home.open_vault).sign_key()
    issuer = DeskKeys(home.open_vault, home.entropy).issuer()
    assert signer is not None, "an editor without a key that signs"
    assert issuer is not None, "an editor without an issuer"
    return signer, issuer


def floor_time(home: Home) -> int:
    """Return the `floor_time` of a manifest made now: the signing time less a day.

    Raises:
        Refusal: the clock is not to be believed.
    """
    if not home.wall.trusted:
        # A wrong date in a manifest would be every machine's date: years of
        # postage that nobody honours, or a floor above the present.
        raise Refusal(
            "clock-not-trusted",
            what="This machine cannot tell whether its clock is right.",
            meaning="A list of editors carries the date to every machine, so none was made.",
            remedy="Let the clock be set from the network; if you are sure that it is right, "
            'write clock = "trusted" into the configuration.',
        )
    return max(DAY_ZERO_S, home.wall.s - DAY_S)


def read_request(file: bytes) -> EnrolmentRequest:
    """Return what a request file asks.

    Raises:
        Refusal: it is no request, or was changed on its way.
    """
    try:
        return verify_request(file)
    except PeerError as exc:
        raise Refusal(
            "request-unreadable",
            what="This file is no request, or it was changed on its way.",
            meaning="No card was made.",
            remedy="Ask for the file again: `meshnews enrol --request FILE` makes it.",
        ) from exc


def require_not_recalled(home: Home, key: bytes) -> None:
    """Return if nobody recalled the holder of a byline, static or sign key.

    Raises:
        Refusal: it was recalled.
    """
    if home.book.is_recalled(revocation_id(key)):
        raise Refusal(
            "recalled",
            what="The desk has recalled the key in this request.",
            meaning="No machine would believe a card for it, so none was made.",
            remedy="Let a new home be made, and ask for its request.",
        )


def other_role(role: str) -> Refusal:
    """Return the refusal of a request that somebody else's command is for."""
    return Refusal(
        "request-of-other-role",
        what=f"This request is of {role}.",
        meaning="No card was made.",
        remedy="`desk card` is for reporters and relays, `desk editor` for editors.",
    )
