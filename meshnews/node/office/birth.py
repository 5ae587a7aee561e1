"""Making a home: who it is, and the keys it is born with."""

from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import Ed25519Secret, X25519Secret
from meshnews.errors import LocalMisuse
from meshnews.node.identity import Identity, RelaySecrets, Role, save_identity
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.store.port import Carry, Vault


def create_home(
    carry: Carry, vault: Vault | None, *, role: Role, endpoint: bool, entropy: Entropy
) -> Identity:
    """Write who a home is into its empty stores, and return it.

    A machine that others call (a relay, or an editor's that is a whole desk)
    gets relay keys; a person gets the key that signs.

    Raises:
        LocalMisuse: a person without a vault, or a reporter's endpoint.
    """
    if (vault is None) != (role is Role.RELAY) or (endpoint and role is Role.REPORTER):
        raise LocalMisuse("a home that cannot be")
    answers = role is Role.RELAY or endpoint
    identity = Identity(role, endpoint=endpoint, relay=_relay_secrets(entropy) if answers else None)
    save_identity(carry, identity)
    if vault is not None:
        Person(vault).set_sign_key(Ed25519Secret(entropy.draw(32)))
    if vault is not None and role is Role.EDITOR:
        DeskKeys(vault, entropy).make_issuer()
    return identity


def _relay_secrets(entropy: Entropy) -> RelaySecrets:
    return RelaySecrets(
        static=X25519Secret(entropy.draw(32)),
        notice=X25519Secret(entropy.draw(32)),
        sign=Ed25519Secret(entropy.draw(32)),
    )
