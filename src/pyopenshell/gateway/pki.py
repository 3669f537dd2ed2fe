"""The gateway's own certificates: a CA, a server certificate, and a client certificate for the owner.

Made at the first start, kept under `pki/` (0700, files 0600), renewed when near their end or when the names have changed. A
file is written beside its place and renamed, so that a crash leaves the old one or the new one; a pair that does not fit
together (a crash between two renames) is made again.

P-256, not Ed25519: BoringSSL, and so every gRPC client built on C-core, does not offer Ed25519 in its handshake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PkiFiles:
    """Paths of PEM files. `client_*` are what is copied to the owner's `mtls/` as tls.crt and tls.key, `ca_cert` as ca.crt."""

    ca_cert: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


def ensure_pki(directory: Path, *, owner: str, now: float, names: Sequence[str] = ()) -> PkiFiles:
    """Make or renew what is missing, does not fit or ends soon; return where all is. `names`: further DNS names or IPs.

    Raises PRECONDITION where the directory cannot be written, EXHAUSTED on a full disk, INVALID for an impossible name.
    """
    raise NotImplementedError


def certificate_principal(der: bytes) -> tuple[str, str]:
    """(common name, organizational unit) of a certificate's subject. Raises UNAUTHENTICATED unless there is one of each."""
    raise NotImplementedError
