"""What travels whole in requests and replies: texts, secrets, and the files of a desk."""

from typing import Annotated, Final

from msgspec import Meta

from meshnews.control.limits import DISPATCH_TEXT_BYTES_MAX, PASSPHRASE_CHARS_MAX
from meshnews.desk.limits import (
    EDITOR_CARD_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    RECALL_BYTES_MAX,
    REQUEST_BYTES_MAX,
    ROOT_KEY_BYTES_MAX,
)

CARD_FILE_BYTES_MAX: Final = EDITOR_CARD_BYTES_MAX + 1024
"""An editor's card and what seals it."""

Passphrase = Annotated[str, Meta(min_length=1, max_length=PASSPHRASE_CHARS_MAX)]
Text = Annotated[str, Meta(max_length=DISPATCH_TEXT_BYTES_MAX)]
RequestFile = Annotated[bytes, Meta(min_length=1, max_length=REQUEST_BYTES_MAX)]
CardFile = Annotated[bytes, Meta(min_length=1, max_length=CARD_FILE_BYTES_MAX)]
ManifestFile = Annotated[bytes, Meta(min_length=1, max_length=MANIFEST_BYTES_MAX)]
RecallFile = Annotated[bytes, Meta(min_length=1, max_length=RECALL_BYTES_MAX)]
RootKeyFile = Annotated[bytes, Meta(min_length=1, max_length=ROOT_KEY_BYTES_MAX)]
