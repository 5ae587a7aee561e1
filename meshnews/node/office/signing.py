"""Signing with the root, away from every home: what a file asks, and the signature.

Whoever holds the root is shown first what is to change.  The list of editors
that is in force is not in the file; where it is at hand (the signed file of the
last time), the difference is told, else the whole list.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.words import SafetyWord, safety_words
from meshnews.desk.manifest import Editor, Manifest, Role, read_unsigned_manifest, verify_manifest
from meshnews.desk.notice import read_unsigned
from meshnews.desk.recall import Recall, revocation_id
from meshnews.desk.root import add_signature
from meshnews.desk.rootkey import open_root_key
from meshnews.errors import Forged, PeerError, Refusal
from meshnews.ids import DAY_ZERO, Day


@dataclass(frozen=True, slots=True)
class SignedFile:
    """What a root has signed, and what that says."""

    signed: bytes
    says: Manifest | Recall


@dataclass(frozen=True, slots=True)
class Asked:
    """What a prepared manifest asks the root to make true.

    Attributes:
        version: of the manifest to be signed.
        before: the version in force, from which the changes are told; None: it
            was not at hand, and every editor is told as added.
        added, removed: editors who come and go.
        changed: editors whose roles change, as they are to be.
        recalled: how many more keys it recalls.
        issuers: how many more keys may certify postage.
        not_after: the last day on which new keys are taken from it.
    """

    version: int
    before: int | None
    added: tuple[Editor, ...]
    removed: tuple[Editor, ...]
    changed: tuple[Editor, ...]
    recalled: int
    issuers: int
    not_after: Day


def what_it_asks(unsigned: bytes, *, in_force: bytes | None = None) -> Asked:
    """Return what a prepared manifest asks, beside the signed one that is in force.

    Raises:
        Refusal: the file is no prepared manifest, or `in_force` is none of the same desk.
    """
    manifest = _read(unsigned)
    known: Manifest | None = None
    if in_force is not None:
        try:
            known = verify_manifest(in_force, manifest.desk)
        except PeerError as exc:
            raise Refusal(
                "manifest-of-other-desk",
                what="The list to compare with is not this desk's, or its signature does not hold.",
                meaning="What changes cannot be told.",
                remedy="Take the file that was signed the last time, or leave it out.",
            ) from exc
    return compare(manifest, known)


def compare(manifest: Manifest, known: Manifest | None) -> Asked:
    """Return what `manifest` changes; with nothing known, all of it.

    Raises:
        Nothing.
    """
    before = {} if known is None else {one.sign: one for one in known.editors}
    after = {one.sign: one for one in manifest.editors}
    issuers = set() if known is None else {one.key for one in known.issuers}
    recalled = set() if known is None else set(known.recalled)
    return Asked(
        version=manifest.version,
        before=None if known is None else known.version,
        added=tuple(one for key, one in after.items() if key not in before),
        removed=tuple(one for key, one in before.items() if key not in after),
        changed=tuple(one for key, one in after.items() if before.get(key, one) != one),
        recalled=len(set(manifest.recalled) - recalled),
        issuers=len({one.key for one in manifest.issuers} - issuers),
        not_after=manifest.not_after,
    )


def key_words(key: bytes) -> list[SafetyWord]:
    """Return the eight words of an editor's sign key: those of its revocation identifier.

    Raises:
        Nothing.
    """
    return safety_words(revocation_id(key))


def recall_words(recall: Recall) -> list[SafetyWord]:
    """Return the eight words of the key that a recall names, as `key_words` gives them.

    Raises:
        Nothing.
    """
    return safety_words(recall.revocation)


def describe(asked: Asked) -> tuple[str, ...]:
    """Return what is asked in lines for whoever holds the root.

    Raises:
        Nothing.
    """
    lines = [f"List {asked.version} of the desk's editors."]
    if asked.before is None:
        lines.append("The list in force is not at hand: every editor is shown.")
    else:
        lines.append(f"It takes the place of list {asked.before}.")
    for word, editors in (
        ("Editor" if asked.before is None else "Adds", asked.added),
        ("Removes", asked.removed),
        ("Changes", asked.changed),
    ):
        lines += [_line(word, editor) for editor in editors]
    if asked.before is not None and not (asked.added or asked.removed or asked.changed):
        lines.append("No editor comes or goes.")
    if asked.issuers:
        lines.append(f"Keys that may certify postage, not in force now: {asked.issuers}.")
    if asked.recalled:
        lines.append(f"Keys recalled, not in force now: {asked.recalled}.")
    last = DAY_ZERO + dt.timedelta(days=asked.not_after)
    lines.append(f"New keys are taken from it until {last.isoformat()}.")
    return tuple(lines)


def sign_offline(unsigned: bytes, root_file: bytes, passphrase: str) -> SignedFile:
    """Return a prepared manifest or recall signed by the root in a file; needs no home.

    Raises:
        Refusal: the manifest, recall or root file cannot be read, the passphrase is
            wrong, or the root is another desk's.
    """
    says = _read_any(unsigned)
    try:
        root = open_root_key(root_file, passphrase)
    except Forged as exc:
        raise Refusal(
            "wrong-root-passphrase",
            what="The root key cannot be opened: the passphrase is wrong or the file damaged.",
            meaning="Nothing was signed.",
            remedy="Try again, or use another copy of the root key.",
        ) from exc
    except PeerError as exc:
        raise Refusal(
            "root-unreadable",
            what="This file is no root key, or it is damaged.",
            meaning="Nothing was signed.",
            remedy="Use another copy of the root key.",
        ) from exc
    return SignedFile(add_signature(unsigned, root), says)


def _read_any(unsigned: bytes) -> Manifest | Recall:
    try:
        return read_unsigned(unsigned)
    except PeerError as exc:
        raise Refusal(
            "manifest-unreadable",
            what="This file is no list of editors and no recall that was prepared for signing.",
            meaning="Nothing was signed.",
            remedy="Prepare it with `meshnews desk editor REQUEST` or `meshnews desk recall WHO`.",
        ) from exc


def _read(unsigned: bytes) -> Manifest:
    try:
        return read_unsigned_manifest(unsigned)
    except PeerError as exc:
        raise Refusal(
            "manifest-unreadable",
            what="This file is no manifest that was prepared for signing.",
            meaning="Nothing was signed.",
            remedy="Prepare it with `meshnews desk editor REQUEST`.",
        ) from exc


_ROLE_WORDS: Final = ((Role.OPEN, "opens"), (Role.PUBLISH, "publishes"), (Role.ENROL, "enrols"))


def _line(word: str, editor: Editor) -> str:
    roles = ", ".join(said for role, said in _ROLE_WORDS if role in editor.roles)
    words = " ".join(one.word for one in key_words(editor.sign))
    return f"{word}: {words} ({roles or 'nothing'})"
