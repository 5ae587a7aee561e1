"""File names for attachments, made from whatever a sender called them.

A sender may be hostile: a name may hold folders, escape sequences, characters
that turn its end round, or a device's name.  What comes out names one plain
file in the folder that the person chose, on any file system.
"""

import unicodedata
from typing import Final

from meshnews.control.limits import FILE_NAME_BYTES_MAX

_FORBIDDEN: Final = frozenset('<>:"|?*')
"""Refused by FAT, exFAT and NTFS, which sticks are formatted with."""
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "clock$", "conin$", "conout$"}
    | {f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789¹²³"}
)
_EXTENSION_BYTES_MAX: Final = 20
_LEADING: Final = ".-~ "
_TRAILING: Final = ". "


def file_name(raw: str, *, number: int) -> str:
    """Return a harmless file name like `raw`; ``attachment-N`` when nothing is left of it.

    The result has no folders, no control, format or bidirectional characters,
    does not begin with a full stop, a dash or a tilde, is no device's name and
    has at most FILE_NAME_BYTES_MAX bytes of UTF-8.
    """
    last = raw.replace("\\", "/").rpartition("/")[2]
    name = _trimmed("".join(_replaced(char) for char in unicodedata.normalize("NFC", last)))
    name = _trimmed(unicodedata.normalize("NFC", _shortened(name, FILE_NAME_BYTES_MAX)))
    if not name:
        return f"attachment-{number}"
    if name.partition(".")[0].rstrip(" ").lower() in _RESERVED:
        return f"_{_shortened(name, FILE_NAME_BYTES_MAX - 1)}"
    return name


def numbered(name: str, copy: int) -> str:
    """Return `name` for the `copy`-th file that wants it: ``photo.jpg``, ``photo-2.jpg``."""
    if copy == 1:
        return name
    stem, extension = _split(name)
    return f"{stem}-{copy}{extension}"


def _replaced(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "Z":
        return " "
    if category in _DROPPED:
        return ""
    return "_" if char in _FORBIDDEN else char


def _trimmed(name: str) -> str:
    return " ".join(name.split()).lstrip(_LEADING).rstrip(_TRAILING)


def _shortened(name: str, bytes_max: int) -> str:
    if len(name.encode()) <= bytes_max:
        return name
    stem, extension = _split(name)
    room = bytes_max - len(extension.encode())
    return stem.encode()[:room].decode("utf-8", errors="ignore").rstrip(_TRAILING) + extension


def _split(name: str) -> tuple[str, str]:
    """Split off an extension; what is too long to be one stays in the stem."""
    stem, dot, end = name.rpartition(".")
    extension = dot + end
    if not stem or len(extension.encode()) > _EXTENSION_BYTES_MAX:
        return name, ""
    return stem, extension
