"""What an editor asks: who belongs to the desk, who no longer, and where it can be called.

Words that people have to compare come first: what is not `confirmed` changes nothing.
"""

from typing import Annotated

from msgspec import Meta

from meshnews.control.content import ManifestFile, Passphrase, RecallFile, RequestFile, RootKeyFile
from meshnews.control.fact import Count, Name
from meshnews.control.request_base import RequestBase
from meshnews.desk.limits import (
    ENDPOINT_PORTS_MAX,
    HOST_CHARS_MAX,
    INVITATION_HOURS_MAX,
    NAME_CHARS_MAX,
    RELAYS_NAMED_ON_CARD,
    SERVER_NAME_CHARS_MAX,
)

Host = Annotated[str, Meta(min_length=1, max_length=HOST_CHARS_MAX)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class DeskCreate(RequestBase, frozen=True, tag="desk-create"):
    """Make a desk with this editor's home as its first.  Answer: `DeskMade`.

    Beside it travels one descriptor of an empty file, open for writing.  The root's
    key file is in it, down to the disk, before there is a desk.
    """

    name: Name
    root_passphrase: Passphrase

    @property
    def descriptors(self) -> int:
        """One, to be written."""
        return 1


class DeskCard(RequestBase, frozen=True, tag="desk-card", kw_only=True):
    """Make a card for a request, under exactly one of `byline` and `relay`.

    Unconfirmed, nothing is made and the answer is `CardWords`; confirmed, it is
    `CardMade`.
    """

    request: RequestFile
    byline: Name | None = None
    relay: Name | None = None
    near: Annotated[tuple[Name, ...], Meta(max_length=RELAYS_NAMED_ON_CARD)] = ()
    confirmed: bool = False


class DeskInvite(RequestBase, frozen=True, tag="desk-invite", kw_only=True):
    """Invite somebody, under exactly one of `byline` and `relay`.  Answer: `Invited`."""

    byline: Name | None = None
    relay: Name | None = None
    near: Annotated[tuple[Name, ...], Meta(max_length=RELAYS_NAMED_ON_CARD)] = ()
    hours: Annotated[int, Meta(ge=1, le=INVITATION_HOURS_MAX)]


class DeskPending(RequestBase, frozen=True, tag="desk-pending"):
    """List invitations and who has come with them.  Answer: `PendingListing`.

    With `after`, it is answered when the listing has another version.
    """

    after: Count | None = None


class DeskConfirm(RequestBase, frozen=True, tag="desk-confirm"):
    """Say that the words of a joiner are the same on both sides.  Answer: `Done`."""

    joiner: Count


class DeskRefuse(RequestBase, frozen=True, tag="desk-refuse"):
    """Turn a joiner away; its invitation stays open.  Answer: `Done`."""

    joiner: Count


class DeskClose(RequestBase, frozen=True, tag="desk-close"):
    """End an invitation.  Answer: `Done`."""

    invitation: Count


class DeskEditor(RequestBase, frozen=True, tag="desk-editor"):
    """Prepare the manifest that adds an editor.  Answer: `EditorPrepared`."""

    request: RequestFile


class DeskSign(RequestBase, frozen=True, tag="desk-sign"):
    """Sign a prepared manifest or recall with a root key.  Needs no home.

    Answer: `ManifestSigned` or `RecallSigned`.
    """

    manifest: ManifestFile
    root_key: RootKeyFile
    root_passphrase: Passphrase


class DeskEditorSigned(RequestBase, frozen=True, tag="desk-editor-signed"):
    """Take in a signed manifest and make the new editor's card.  Answer: `EditorCardMade`."""

    signed: ManifestFile
    request: RequestFile


class DeskHolders(RequestBase, frozen=True, tag="desk-holders"):
    """List those to whom the desk gave cards.  Answer: `HolderListing`."""


class DeskRecall(RequestBase, frozen=True, tag="desk-recall"):
    """Prepare the recall of one of them.  Answer: `RecallPrepared`."""

    who: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    """A name, or how a key begins, in hexadecimal."""


class DeskRecallSigned(RequestBase, frozen=True, tag="desk-recall-signed", kw_only=True):
    """Publish a recall that a root, or who is recalled, has signed; replace what that one knew.

    Unconfirmed, nothing is done and the answer is `RecallShown`; confirmed, it is `Recalled`.
    """

    signed: RecallFile
    confirmed: bool = False


class DeskEndpointAdd(RequestBase, frozen=True, tag="desk-endpoint-add", kw_only=True):
    """Publish where a collector can be called.  Answer: `EndpointListing`."""

    collector: Name
    host: Host
    ports: Annotated[tuple[Port, ...], Meta(min_length=1, max_length=ENDPOINT_PORTS_MAX)]
    pin: Annotated[bytes, Meta(max_length=32)] = b""
    """SHA-256 of the certificate that it shows; empty: it is called without TLS."""
    server_name: Annotated[str, Meta(max_length=SERVER_NAME_CHARS_MAX)] = ""


class DeskEndpointRemove(RequestBase, frozen=True, tag="desk-endpoint-remove"):
    """Take back what this editor publishes of a collector.  Answer: `EndpointListing`."""

    collector: Name
    host: Host
    port: Port | None = None


class DeskEndpointList(RequestBase, frozen=True, tag="desk-endpoint-list"):
    """List where the desk's collectors can be called.  Answer: `EndpointListing`."""
