"""Identifiers and names as people type them."""

import re
import unicodedata
from typing import Final

from meshnews.control.refusal import no_such_item
from meshnews.desk.limits import NAME_CHARS_MAX
from meshnews_cli import complaint
from meshnews_cli.terminal import safe_line

_ID: Final = re.compile(r"[0-9a-z-]{1,64}")
_SHOWN_CHARS_MAX: Final = 64


def item_id(typed: str) -> str:
    """Return an identifier, or the beginning of one, as a daemon takes it.

    Raises:
        Refusal: nothing can be called that.
    """
    item = typed.strip().lower()
    if not _ID.fullmatch(item):
        raise no_such_item(safe_line(typed[:_SHOWN_CHARS_MAX]))
    return item


def name_of(typed: str) -> str:
    """Return the name of a person, a relay or a desk in NFC.

    Raises:
        Refusal: it is not one line of 1 to NAME_CHARS_MAX characters.
    """
    name = unicodedata.normalize("NFC", typed).strip()
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise complaint.name_bad(NAME_CHARS_MAX)
    return name
