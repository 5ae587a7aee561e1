"""The file of a root key opens with its passphrase, and says nothing without it."""

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.desk.limits import ROOT_KEY_BYTES_MAX
from meshnews.desk.rootkey import open_root_key, write_root_key
from meshnews.errors import Forged, Malformed
from tests.desk.sample import ROOTS

FILE = write_root_key(
    ROOTS[0], "correct horse", SeededEntropy(b"root"), opslimit=1, memlimit_bytes=8192
)


def test_the_passphrase_gives_the_root_back() -> None:
    assert open_root_key(FILE, "correct horse") == ROOTS[0]


def test_another_passphrase_gives_nothing() -> None:
    with pytest.raises(Forged):
        open_root_key(FILE, "wrong horse")


def test_the_file_shows_neither_half_of_the_key_and_no_word() -> None:
    assert bytes(ROOTS[0].public) not in FILE
    assert ROOTS[0].raw not in FILE
    assert len(FILE) <= 128


def test_every_changed_byte_is_refused() -> None:
    # The bytes of the costs ask for more work and are tried by the slot's own tests.
    for at in (0, 1, *range(10, len(FILE))):
        changed = bytearray(FILE)
        changed[at] ^= 0x10
        with pytest.raises((Forged, Malformed)):
            open_root_key(bytes(changed), "correct horse")


@pytest.mark.parametrize(
    "file", [b"", FILE[:-1], FILE + b"\0", b"\x02" + FILE[1:], bytes(ROOT_KEY_BYTES_MAX + 1)]
)
def test_what_is_no_root_key_is_refused_before_any_work(file: bytes) -> None:
    with pytest.raises(Malformed):
        open_root_key(file, "correct horse")
