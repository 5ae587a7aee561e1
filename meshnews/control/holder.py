"""One to whom a desk gave a card, as a daemon tells of it."""

from typing import Annotated

from msgspec import Meta

from meshnews.control.fact import Fact, MaybeName, Role, SafetyWords


class Holder(Fact, frozen=True, kw_only=True):
    """One to whom the desk gave a card."""

    role: Role
    name: MaybeName = ""
    """Editors have none."""
    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    words: SafetyWords
    """Of the key: whoever signs its recall is shown the same."""
    own: bool = False
    """It is this home."""
    recalled: bool = False
    owed: bool = False
    """It has not confirmed keys that were replaced after a recall; a relay never does."""
