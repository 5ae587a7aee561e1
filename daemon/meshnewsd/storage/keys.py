"""The key files of a home, and the keys of its databases.

    seed   = 1 ‖ 0 or 1 ‖ erase secret 32          1: a passphrase is needed
    slots  = 1 ‖ count u8 ‖ count x 97 bytes       see meshnews.crypto.slots

    data key  = b2('vk', erase secret, key = the key in a slot, or 32 zero bytes at a relay)
    carry key = b2('key-carry', '', key = data key)
    vault key = b2('key-vault', '', key = data key)

Whoever destroys `seed`, 34 bytes in a file of its own, destroys the home: no
passphrase opens it again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import SymmetricKey
from meshnews.crypto.slots import (
    ERASE_SECRET_BYTES,
    MEMORY_BYTES,
    PASSES,
    SLOT_BYTES,
    Slot,
    data_key,
    decode_slot,
    new_slot,
    open_slot,
)
from meshnews.errors import Forged, LocalMisuse, Malformed, Refusal
from meshnewsd.storage.fault import StoreDamaged
from meshnewsd.storage.home import (
    SEED_FILE,
    SLOTS_FILE,
    burn_file,
    check_home,
    replace_file,
    write_new,
)

FORMAT: Final = 1
SLOTS_MAX: Final = 8
"""Passphrases of one home."""

_KEY_BYTES: Final = 32
_NO_PASSPHRASE: Final = bytes(_KEY_BYTES)
_SEED_BYTES: Final = 2 + ERASE_SECRET_BYTES


@dataclass(frozen=True, slots=True)
class HomeKeys:
    """What opens the databases of a home; hidden in repr.

    Attributes:
        carry: of the bundles.
        vault: of the person; None at a relay, which has no vault.
    """

    carry: SymmetricKey
    vault: SymmetricKey | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one try of a passphrase costs: Argon2id passes and memory."""

    passes: int = PASSES
    memory_bytes: int = MEMORY_BYTES


def create_keys(
    folder: Path, entropy: Entropy, *, passphrase: str | None, cost: Cost | None = None
) -> HomeKeys:
    """Write fresh key files into a home and return its keys; no passphrase makes a relay's home.

    Raises:
        Refusal: the home has keys already, or the passphrase is empty or too long.
        StoreDamaged: the files cannot be written.
    """
    erase, key = entropy.draw(ERASE_SECRET_BYTES), _NO_PASSPHRASE
    try:
        if passphrase is not None:
            key = entropy.draw(_KEY_BYTES)
            slot = _slot(key, passphrase, entropy, cost or Cost())
            write_new(folder / SLOTS_FILE, _encode_slots([slot]))
        has_slots = bytes((passphrase is not None,))
        write_new(folder / SEED_FILE, bytes((FORMAT,)) + has_slots + erase)
    except FileExistsError as exc:
        raise Refusal(
            "keys-exist",
            what=f"{folder} has keys already.",
            meaning="New ones would make what is in it unreadable.",
            remedy="Choose another folder with --home.",
        ) from exc
    except OSError as exc:
        raise StoreDamaged(f"the key files cannot be written: {exc.strerror}") from exc
    return _derived(key, erase, has_vault=passphrase is not None)


def open_keys(folder: Path, *, passphrase: str | None = None) -> HomeKeys:
    """Return the keys of a home.

    Raises:
        Refusal: it is no home, a passphrase is wanted and was not given, or it is the wrong one.
        StoreDamaged: a key file cannot be read.
    """
    check_home(folder)
    wants_passphrase, erase = _read_seed(folder)
    if not wants_passphrase:
        return _derived(_NO_PASSPHRASE, erase, has_vault=False)
    if passphrase is None:
        raise Refusal(
            "passphrase-wanted",
            what=f"{folder} is locked with a passphrase.",
            meaning="Nothing in it can be read without.",
            remedy="Type the passphrase, or name a file that holds it with --passphrase-file.",
        )
    _, key = _opened(_read_slots(folder), passphrase)
    return _derived(key, erase, has_vault=True)


def wants_passphrase(folder: Path) -> bool:
    """Tell whether opening the home takes a passphrase.

    Raises:
        Refusal: it is no home, or it was destroyed.
        StoreDamaged: the key file cannot be read.
    """
    check_home(folder)
    return _read_seed(folder)[0]


def change_passphrase(
    folder: Path, entropy: Entropy, *, old: str, new: str, cost: Cost | None = None
) -> None:
    """Let `new` open the home in place of `old`; nothing else in the home changes.

    Raises:
        Refusal: `old` is wrong, or `new` is empty or too long; nothing has changed.
        StoreDamaged: the disk; either passphrase may be the one that opens.
    """
    slots = _read_slots(folder)
    place, key = _opened(slots, old)
    slots[place] = _slot(key, new, entropy, cost or Cost())
    _write_slots(folder, slots)


def add_passphrase(
    folder: Path, entropy: Entropy, *, old: str, new: str, cost: Cost | None = None
) -> None:
    """Let `new` open the home as well as `old`.

    Raises:
        Refusal: `old` is wrong, `new` is empty or too long, or there are SLOTS_MAX already.
        StoreDamaged: the disk.
    """
    slots = _read_slots(folder)
    _, key = _opened(slots, old)
    if len(slots) >= SLOTS_MAX:
        raise Refusal(
            "too-many-passphrases",
            what=f"The home has {SLOTS_MAX} passphrases already.",
            meaning="No more are kept.",
            remedy="Change one of them.",
        )
    _write_slots(folder, [*slots, _slot(key, new, entropy, cost or Cost())])


def burn_keys(folder: Path) -> None:
    """Overwrite and remove the erase secret: the home cannot be opened any more.

    What a laboratory may still find on flash is said by `destroy`, not here.

    Raises:
        FileNotFoundError: it is gone already.
        OSError: the disk; the secret may still be there.
    """
    burn_file(folder / SEED_FILE)


def _slot(key: bytes, passphrase: str, entropy: Entropy, cost: Cost) -> Slot:
    return new_slot(
        key, passphrase, entropy, opslimit=cost.passes, memlimit_bytes=cost.memory_bytes
    )


def _opened(slots: list[Slot], passphrase: str) -> tuple[int, bytes]:
    """Return which slot the passphrase opens, and the key in it."""
    for place, slot in enumerate(slots):
        try:
            return place, open_slot(slot, passphrase)
        except Forged:
            continue
    raise Refusal(
        "wrong-passphrase",
        what="The passphrase does not open this home.",
        meaning="Nothing was opened or changed.",
        remedy="Try again; capital letters and the keyboard layout count.",
    )


def _derived(key: bytes, erase: bytes, *, has_vault: bool) -> HomeKeys:
    root = data_key(key, erase)
    vault = SymmetricKey(b2(Label.KEY_VAULT, b"", key=root)) if has_vault else None
    return HomeKeys(SymmetricKey(b2(Label.KEY_CARRY, b"", key=root)), vault)


def _read_seed(folder: Path) -> tuple[bool, bytes]:
    """Return whether a passphrase is wanted, and the erase secret."""
    try:
        content = _read(folder / SEED_FILE, _SEED_BYTES)
    except FileNotFoundError as exc:
        raise Refusal(
            "home-destroyed",
            what=f"The erase secret of {folder} is gone.",
            meaning="Nothing in this home can be read again, with any passphrase.",
            remedy="Make a new home with init, and ask for a new card.",
        ) from exc
    if len(content) != _SEED_BYTES or content[0] != FORMAT or content[1] > 1:
        raise StoreDamaged("the erase secret cannot be read")
    return content[1] == 1, content[2:]


def _read_slots(folder: Path) -> list[Slot]:
    try:
        content = _read(folder / SLOTS_FILE, 2 + SLOTS_MAX * SLOT_BYTES)
    except FileNotFoundError as exc:
        raise StoreDamaged("the passphrase slots are gone") from exc
    if len(content) < 2 or content[0] != FORMAT or len(content) != 2 + content[1] * SLOT_BYTES:
        raise StoreDamaged("the passphrase slots cannot be read")
    try:
        return [
            decode_slot(content[at : at + SLOT_BYTES]) for at in range(2, len(content), SLOT_BYTES)
        ]
    except Malformed as exc:
        raise StoreDamaged("a passphrase slot cannot be read") from exc


def _encode_slots(slots: list[Slot]) -> bytes:
    if not 1 <= len(slots) <= SLOTS_MAX:
        raise LocalMisuse(f"{len(slots)} passphrase slots")
    return bytes((FORMAT, len(slots))) + b"".join(slot.encode() for slot in slots)


def _write_slots(folder: Path, slots: list[Slot]) -> None:
    try:
        replace_file(folder / SLOTS_FILE, _encode_slots(slots))
    except OSError as exc:
        raise StoreDamaged(f"the passphrase slots cannot be written: {exc.strerror}") from exc


def _read(path: Path, bytes_max: int) -> bytes:
    """Return a small file; what is longer than it may be comes back too long by one byte."""
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise StoreDamaged(f"{path.name} cannot be read: {exc.strerror}") from exc
