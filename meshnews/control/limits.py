"""Every number that a person's own programs could influence at their daemon, with its reason."""

from typing import Final

from meshnews.desk.limits import EDITOR_CARD_BYTES_MAX

CONTROL_FRAME_BYTES_MAX: Final = EDITOR_CARD_BYTES_MAX + 64 * 1024
"""Largest message between a daemon and its command line: an editor's card and a little more."""

CONTROL_CONNECTIONS_MAX: Final = 32
"""Connections to one daemon's socket; a newcomer replaces the one idle for longest."""

CONTROL_FRAME_S_MAX: Final = 10.0
"""A control message that began must be whole, and an answer taken, within this."""

CONTROL_HELLO_S_MAX: Final = 5.0
"""A connection that has not said hello by then is closed."""

CONTROL_ITEMS_MAX: Final = 1000
"""Dispatches or inbox lines in one answer: more than anybody reads."""

DISPATCH_TEXT_BYTES_MAX: Final = 60_000
"""Text of one dispatch: with 16 attachments it still fits the largest bundle."""

PASSPHRASE_CHARS_MIN: Final = 10
PASSPHRASE_CHARS_MAX: Final = 1024
"""Passphrase of a new home or desk: shorter ones are guessed, longer ones are a wrong file."""

FILE_NAME_BYTES_MAX: Final = 180
"""Name of an attachment: leaves room for a number within the 255 bytes of most file systems."""

ALARMS_MAX: Final = 8
"""Alarms shown with one item."""

LOOK_S_MAX: Final = 24 * 3600
"""Longest time for which a person asks to be findable everywhere."""
