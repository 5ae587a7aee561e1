"""What a daemon may refuse about desks, requests and cards; see `refusal`."""

from meshnews.errors import Refusal
from meshnews.limits import EDITORS_MAX

_UNCHANGED = "Nothing was changed."


def no_desk() -> Refusal:
    """An editor's home without a desk."""
    return Refusal(
        "no-desk",
        what="This home has no desk yet.",
        meaning=_UNCHANGED,
        remedy="Make one with `meshnews desk create NAME --root-folder DIR`, or join one with "
        "`meshnews enrol`.",
    )


def desk_exists() -> Refusal:
    """`desk create` in a home that has one."""
    return Refusal(
        "desk-exists",
        what="This home already belongs to a desk.",
        meaning=f"One home serves one desk. {_UNCHANGED}",
        remedy="For another desk make another home, with --home.",
    )


def request_unreadable() -> Refusal:
    """The file is no enrolment request."""
    return Refusal(
        "request-unreadable",
        what="This file is not an enrolment request, or it is damaged.",
        meaning="No card was made.",
        remedy="Ask for the file that `meshnews enrol --request` wrote, and have it copied again.",
    )


def request_of_other_role(role: str) -> Refusal:
    """The request is for another kind of card; `role` is the one it was made by."""
    return Refusal(
        "request-of-other-role",
        what=f"This request was made in a home with the role {role}.",
        meaning="No card was made: it would not fit that home.",
        remedy="Use --byline for a reporter, --relay for a relay, and `meshnews desk editor` for "
        "an editor.",
    )


def card_unreadable() -> Refusal:
    """The file is no card, or not sealed to this home."""
    return Refusal(
        "card-unreadable",
        what="This file is not a card for this home, or it is damaged.",
        meaning="A card opens only in the home whose request it was made for. Nothing was changed.",
        remedy="Check that the desk used the newest request file of this home, and have the card "
        "copied again.",
    )


def card_of_other_desk() -> Refusal:
    """The home belongs to another desk."""
    return Refusal(
        "card-of-other-desk",
        what="This card comes from another desk than the one this home belongs to.",
        meaning=f"One home serves one desk. {_UNCHANGED}",
        remedy="For the other desk make another home with --home, and a request there.",
    )


def manifest_unreadable() -> Refusal:
    """The file is no manifest, or its signature does not hold, or it is not ours."""
    return Refusal(
        "manifest-unreadable",
        what="This file is not a list of editors of this desk, or it is damaged or not properly "
        "signed.",
        meaning=_UNCHANGED,
        remedy="Prepare it again with `meshnews desk editor REQUEST`, and sign that file with "
        "`meshnews desk sign`.",
    )


def manifest_old() -> Refusal:
    """A newer manifest is known."""
    return Refusal(
        "manifest-old",
        what="A newer list of editors than this one is already in force.",
        meaning="It was left in force.",
        remedy="Prepare the change again with `meshnews desk editor REQUEST`.",
    )


def root_unreadable() -> Refusal:
    """The root key file is damaged, or is not a root of the manifest's desk."""
    return Refusal(
        "root-unreadable",
        what="The root key file is damaged, or it belongs to another desk.",
        meaning="Nothing was signed.",
        remedy="Try the other copies of this desk's root key.",
    )


def wrong_root_passphrase() -> Refusal:
    """The passphrase of the root key file is wrong."""
    return Refusal(
        "wrong-root-passphrase",
        what="The passphrase of the root key is wrong.",
        meaning="Nothing was signed.",
        remedy="Try again; it is the one given at `meshnews desk create`, not the one of a home.",
    )


def name_taken(name: str) -> Refusal:
    """The name already stands on another card."""
    return Refusal(
        "name-taken",
        what=f"The name {name} already stands on a card of this desk.",
        meaning="No card was made: two people or relays of one name could not be told apart.",
        remedy="Choose another name.",
    )


def name_unknown(name: str) -> Refusal:
    """`--near` names a relay that the desk does not have."""
    return Refusal(
        "name-unknown",
        what=f"This desk has no relay named {name}.",
        meaning="No card was made.",
        remedy="Enrol that relay first, or leave out --near.",
    )


def too_many_editors() -> Refusal:
    """The desk is full."""
    return Refusal(
        "too-many-editors",
        what=f"A desk has at most {EDITORS_MAX} editors, and this one has them.",
        meaning="No more fit into what a dispatch is sealed for.",
        remedy="Take out an editor first.",
    )
