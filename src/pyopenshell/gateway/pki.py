"""The gateway's own certificates on disk: a CA, a server certificate, and a client certificate for the owner.

Made at the first start, kept under `pki/` (0700, files 0600), made anew when near their end or when the names have changed.
What is there is judged by what it is: a certificate that does not fit its key, its CA, its names or the time (a crash
between two renames, a copied directory, a clock) is replaced. The CA's key stays, so that its
clients go on trusting it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pyopenshell.files import private_directory, read_small, write_private
from pyopenshell.gateway.certificates import (
    ADMIN_UNIT,
    CA_RENEW_BEFORE,
    LEAF_RENEW_BEFORE,
    alternatives_of,
    client_subject,
    fits,
    server_alternatives,
    server_subject,
    sign_authority,
    sign_leaf,
)

PEM_MAX = 16384  # bytes of a file here; ours have under 1,000


@dataclass(frozen=True, slots=True)
class PkiFiles:
    """Paths of PEM files. The owner's `mtls/` gets copies: ca.crt, client_cert as tls.crt, client_key as tls.key."""

    ca_cert: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path

    @property
    def ca_key(self) -> Path:
        """Beside the CA's certificate."""
        return self.ca_cert.with_name("ca.key")


def ensure_pki(directory: Path, *, owner: str, now: float, names: Sequence[str] = ()) -> PkiFiles:
    """Make or renew what is missing, does not fit or ends soon; return where all is. `names`: further DNS names or IPs.

    Raises PRECONDITION where the directory cannot be written, EXHAUSTED on a full disk, INVALID for an impossible name.
    """
    at = datetime.fromtimestamp(now, UTC)
    alternatives, subject = server_alternatives(names), client_subject(ADMIN_UNIT, owner)
    private_directory(directory)
    authority, key = _ensure_authority(directory, at)
    _ensure_leaf(directory / "server", server_subject(), alternatives, authority, key, at)
    _ensure_leaf(directory / "client", subject, None, authority, key, at)
    return PkiFiles(
        ca_cert=directory / "ca.crt",
        server_cert=directory / "server.crt",
        server_key=directory / "server.key",
        client_cert=directory / "client.crt",
        client_key=directory / "client.key",
    )


def _ensure_authority(directory: Path, at: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key, found = read_key(directory / "ca.key"), read_certificate(directory / "ca.crt")
    if key is not None and found is not None and fits(found, key, found, at, CA_RENEW_BEFORE):
        return found, key
    if key is None:
        key = _make_key(directory / "ca.key")
    made = sign_authority(key, at)
    write_private(directory / "ca.crt", made.public_bytes(Encoding.PEM), durable=True)
    return made, key


def _ensure_leaf(
    stem: Path,
    subject: x509.Name,
    alternatives: x509.SubjectAlternativeName | None,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    at: datetime,
) -> None:
    key, found = read_key(stem.with_suffix(".key")), read_certificate(stem.with_suffix(".crt"))
    if (
        key is not None
        and found is not None
        and fits(found, key, authority, at, LEAF_RENEW_BEFORE)
        and found.subject == subject
        and alternatives_of(found) == alternatives
    ):
        return
    public = _make_key(stem.with_suffix(".key")).public_key()
    made = sign_leaf(subject, public, alternatives, authority, authority_key, at)
    write_private(stem.with_suffix(".crt"), made.public_bytes(Encoding.PEM), durable=True)


def _make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), durable=True)
    return key


def read_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """The key of a PEM file, None where there is none."""
    content = read_small(path, PEM_MAX)
    try:
        key = None if content is None else load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def read_certificate(path: Path) -> x509.Certificate | None:
    """The certificate of a PEM file, None where there is none."""
    content = read_small(path, PEM_MAX)
    try:
        return None if content is None else x509.load_pem_x509_certificate(content)
    except ValueError:
        return None
