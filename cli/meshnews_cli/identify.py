"""Identifiers as people type them."""

import re
from typing import Final

from meshnews.control.refusal import no_such_item
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
