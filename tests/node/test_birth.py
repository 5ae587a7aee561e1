"""A home is born with the keys of its role, and with nothing else."""

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.errors import LocalMisuse
from meshnews.node.identity import Role, load_identity
from meshnews.node.office.birth import create_home
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.store.memory import MemoryCarry, MemoryVault
from tests.node.newsroom import make_home


@pytest.mark.parametrize(
    ("role", "endpoint", "answers"),
    [
        (Role.REPORTER, False, False),
        (Role.RELAY, False, True),
        (Role.RELAY, True, True),
        (Role.EDITOR, False, False),
        (Role.EDITOR, True, True),
    ],
)
def test_who_others_call_has_relay_keys_and_nobody_else(
    role: Role, endpoint: bool, answers: bool
) -> None:
    identity = load_identity(make_home("home", role, endpoint=endpoint).carry)
    assert (identity.role, identity.endpoint) == (role, endpoint)
    assert (identity.relay is not None) == answers
    assert identity.desk is None
    assert identity.notice_key is None


def test_a_person_signs_and_only_an_editor_certifies_postage() -> None:
    for role, certifies in ((Role.REPORTER, False), (Role.EDITOR, True)):
        home = make_home("home", role)
        assert home.vault is not None
        assert Person(home.vault).sign_key() is not None
        assert (DeskKeys(home.vault, home.entropy).issuer() is not None) == certifies


def test_no_secret_of_a_person_lies_on_carry() -> None:
    home = make_home("home", Role.EDITOR)
    assert home.vault is not None
    secrets = {value for _, value in home.vault.scan("person")}
    on_carry = b"".join(value for _, _, value in make_carry_records(home.carry))
    assert not any(secret in on_carry for secret in secrets)


def make_carry_records(carry: MemoryCarry) -> list[tuple[str, bytes, bytes]]:
    return [("self", key, value) for key, value in carry.scan("self")]


@pytest.mark.parametrize(
    ("role", "endpoint", "with_vault"),
    [
        (Role.RELAY, False, True),
        (Role.REPORTER, False, False),
        (Role.EDITOR, False, False),
        (Role.REPORTER, True, True),
    ],
)
def test_a_home_that_cannot_be_is_our_mistake(role: Role, endpoint: bool, with_vault: bool) -> None:
    vault = MemoryVault() if with_vault else None
    with pytest.raises(LocalMisuse):
        create_home(MemoryCarry(), vault, role=role, endpoint=endpoint, entropy=SeededEntropy(b"x"))
