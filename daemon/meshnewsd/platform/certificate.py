"""The certificate that a collector shows in TLS: its keeper's, or one that it makes itself.

It vouches for nothing.  Callers know it by its SHA-256, which the desk publishes,
so it says as little as a certificate can and lasts.
"""

import datetime as dt
import hashlib
import os
import ssl
from pathlib import Path
from typing import Final

FILE: Final = "server.pem"
"""Inside the home: certificate and key, for its owner alone."""

LASTS: Final = dt.timedelta(days=3650)
_BEGINS_BEFORE: Final = dt.timedelta(days=2)
"""Clocks differ."""


def server_context(file: Path, *, name: str) -> ssl.SSLContext:
    """Return what answers in TLS with the certificate and key in `file`, made if it is not there.

    Args:
        file: PEM; the certificate first, then others that vouch for it, and the key.
        name: whom a new certificate names.

    Raises:
        OSError: the file cannot be read or written, or holds something else.
    """
    if not file.exists():
        _write(file, _make(name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def fingerprint(file: Path) -> str | None:
    """Return the SHA-256 of the certificate in `file`, in hexadecimal; None if there is none."""
    try:
        text = file.read_text("ascii")
        first = text[text.index(_BEGIN) : text.index(_END) + len(_END)]
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
    except (OSError, ValueError):
        return None


_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


def _write(file: Path, pem: bytes) -> None:
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as out:  # noqa: PTH123  a descriptor with its mode set
        out.write(pem)
        out.flush()
        os.fsync(out.fileno())
    part.rename(file)


def _make(name: str) -> bytes:
    """Return a certificate for a new P-256 key, signed with it (RFC 5280), and the key."""
    # Only collectors pay for this library, and only the first time.
    from cryptography import x509  # noqa: PLC0415  see above
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  see above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  see above

    key = ec.generate_private_key(ec.SECP256R1())
    whom = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(whom)
        .issuer_name(whom)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEGINS_BEFORE)
        .not_valid_after(now + LASTS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
