"""What the command line refuses about the files and folders that it is named."""

from pathlib import Path
from typing import Final

from meshnews.errors import Refusal
from meshnews_cli.complaint import reason
from meshnews_cli.terminal import byte_size

_UNCHANGED: Final = "Nothing was changed."


def unreadable(path: Path, exc: OSError) -> Refusal:
    """A file that was named cannot be read."""
    return Refusal(
        "file-unreadable",
        what=f"The file {path} cannot be read ({reason(exc)}).",
        meaning=_UNCHANGED,
        remedy="Check its name and whether you may read it.",
    )


def file_too_large(path: Path, most: int) -> Refusal:
    """A file is far larger than anything it could be."""
    return Refusal(
        "file-too-large",
        what=f"The file {path} has more than {byte_size(most)}.",
        meaning=f"It cannot be the file that is meant here. {_UNCHANGED}",
        remedy="Check its name.",
    )


def file_empty(path: Path) -> Refusal:
    """A file that should hold something holds nothing."""
    return Refusal(
        "file-empty",
        what=f"The file {path} is empty.",
        meaning=f"It was probably not copied to its end. {_UNCHANGED}",
        remedy="Have it copied again.",
    )


def file_exists(path: Path) -> Refusal:
    """Writing would overwrite something."""
    return Refusal(
        "file-exists",
        what=f"There is already something at {path}.",
        meaning="It was left as it is: nothing is ever overwritten.",
        remedy="Choose another name, or move the old file away.",
    )


def unwritable(path: Path, exc: OSError) -> Refusal:
    """A file cannot be made or filled."""
    return Refusal(
        "file-unwritable",
        what=f"The file {path} cannot be written ({reason(exc)}).",
        meaning="No half-written file was left there.",
        remedy="Check the folder, the space that is left, and whether you may write there.",
    )


def no_folder(path: Path) -> Refusal:
    """The root folder is not there."""
    return Refusal(
        "no-folder",
        what=f"There is no folder {path}.",
        meaning="If it is meant to be on a stick, the stick is not mounted. Nothing was made.",
        remedy="Mount the stick, or make the folder, and try again.",
    )


def folder_in_home(path: Path) -> Refusal:
    """The root would lie where the editor's keys are."""
    return Refusal(
        "folder-in-home",
        what=f"The folder {path} is inside the home.",
        meaning="Whoever took this machine would take the desk's root with it. Nothing was made.",
        remedy="Choose a folder on a stick that you keep elsewhere.",
    )


def root_file_missing(folder: Path) -> Refusal:
    """No root key in the folder."""
    return Refusal(
        "root-missing",
        what=f"There is no root key (root-1.key) in {folder}.",
        meaning="Nothing was signed.",
        remedy="Name the folder that was given to `meshnews desk create`.",
    )
