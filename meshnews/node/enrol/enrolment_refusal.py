"""What is refused about requests and cards, at the joiner.

Each says what happened, what it means, and what to do.
"""

from typing import Final

from meshnews.errors import Refusal

_NOTHING: Final = "Nothing was taken in."


def no_request() -> Refusal:
    """There is no key to open a card with."""
    return Refusal(
        "no-request",
        what="This home has asked for no card.",
        meaning="No card can be opened without the request it answers.",
        remedy="Make a request with `meshnews enrol --request FILE` and give FILE to your desk.",
    )


def card_taken() -> Refusal:
    """The request that it would have to answer was answered."""
    return Refusal(
        "card-taken",
        what="This home belongs to a desk already, and has asked for no further card.",
        meaning=f"A card is taken in once, and none opens without a request. {_NOTHING}",
        remedy="If it was this card, nothing is left to do: delete its file. For another, make a "
        "request with `meshnews enrol --request FILE`.",
    )


def card_unproven() -> Refusal:
    """It does not open, or something in it is not what it should be."""
    return Refusal(
        "card-unproven",
        what="This card does not answer this home's request, or was changed on its way.",
        meaning=_NOTHING,
        remedy="Ask the desk for the card again, and compare the words of the request.",
    )


def card_of_other_desk() -> Refusal:
    """A good card, of a desk that is not the home's."""
    return Refusal(
        "other-desk",
        what="This card is of another desk than the one this home belongs to.",
        meaning=f"A home belongs to one desk, and one of the two may be false. {_NOTHING}",
        remedy="Compare the desk's words again. If this card is of the true desk, or you want to "
        "join both, make another home with `meshnews init --home DIR` and enrol that.",
    )


def has_desk() -> Refusal:
    """An editor's home asks for a second desk."""
    return Refusal(
        "has-desk",
        what="This home belongs to a desk already.",
        meaning="An editor belongs to one desk; its keys are known there.",
        remedy="Make another home with --home to join another desk.",
    )


def whole_desk() -> Refusal:
    """An editor's home that is a collector too."""
    return Refusal(
        "whole-desk",
        what="This home is a whole desk on one machine.",
        meaning="It is called by others, and no card can bring what they would need for that.",
        remedy="Make a desk here with `meshnews desk create`, or make a home without --endpoint "
        "to join one.",
    )
