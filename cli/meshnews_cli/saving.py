"""Writes what an opened item holds into a folder, and shows how far that is."""

import contextlib
from typing import TYPE_CHECKING

from meshnews.control.fact import Phase
from meshnews.control.refusal import save_failed
from meshnews.control.reply import AttachmentSaved, Opened, Progress
from meshnews.control.request import SaveAttachment
from meshnews_cli import file_complaint, filing_complaint, stopping_complaint
from meshnews_cli.client import Connection
from meshnews_cli.folder import Folder, is_content
from meshnews_cli.names import file_name
from meshnews_cli.progress import Load, Sparing, listener
from meshnews_cli.terminal import row

if TYPE_CHECKING:
    from collections.abc import Callable


class Saving:
    """Saves one item.

    Attributes:
        saved: names of the attachments that lie in the folder, by index.
    """

    def __init__(
        self, connection: Connection, opened: Opened, folder: Folder, *, as_json: bool
    ) -> None:
        """Take the item, and the way to its attachments."""
        self._connection = connection
        self._opened = opened
        self._folder = folder
        self._is_told = not as_json
        self._names = [
            file_name(each.name, number=number)
            for number, each in enumerate(opened.attachments, start=1)
        ]
        self._here = [each.complete and not each.let_go for each in opened.attachments]
        sizes = [
            each.size if here else 0
            for here, each in zip(self._here, opened.attachments, strict=True)
        ]
        self._shown = listener(list(map(Load, self._names, sizes)), as_json=as_json)
        self.saved: dict[int, str] = {}

    def run(self) -> None:
        """Save the text, and every attachment that is here, complete.

        Raises:
            Refusal: one cannot be saved, or Ctrl-C was typed; those before it are.
        """
        try:
            with contextlib.closing(self._shown):
                self._save_text()
                for index in (n for n, here in enumerate(self._here) if here):
                    self.saved[index] = self._save(index)
                    self._tell(self.saved[index])
        except KeyboardInterrupt as exc:
            raise stopping_complaint.saving_stopped(len(self.saved), len(self._names)) from exc

    def _tell(self, name: str) -> None:
        self._shown.close()
        if self._is_told:
            row(f"Saved {self._folder.path / name}")

    def _save(self, index: int) -> str:
        attachment = self._opened.attachments[index]
        size, sha256, wished = attachment.size, attachment.sha256, self._names[index]
        try:
            already = self._folder.find(wished, size, sha256, tell=self._checking(index))
            if already is not None:
                return already
            with self._folder.temporary() as (descriptor, name_it):
                self._connection.ask(
                    SaveAttachment(self._opened.id, index),
                    AttachmentSaved,
                    descriptors=[descriptor],
                    on_event=self._shown.hear,
                )
                if not is_content(descriptor, size, sha256, tell=self._checking(index)):
                    raise filing_complaint.save_mismatch(index + 1)
                return name_it(wished)
        except OSError as exc:
            raise save_failed(index + 1) from exc

    def _checking(self, index: int) -> "Callable[[int], None]":
        sparing, size = Sparing(self._shown), self._opened.attachments[index].size
        return lambda done: sparing.tell(Progress(Phase.CHECKING, index, done, size))

    def _save_text(self) -> None:
        import hashlib
        import os

        body = self._opened.text.encode("utf-8")
        wished = f"{self._opened.id}.txt"
        name = self._folder.find(wished, len(body), hashlib.sha256(body).digest())
        if name is None:
            try:
                with self._folder.temporary() as (descriptor, name_it):
                    with os.fdopen(descriptor, "wb", closefd=False) as file:
                        file.write(body)
                    name = name_it(wished)
            except OSError as exc:
                raise file_complaint.unwritable(self._folder.path / wished, exc) from exc
        self._tell(name)
