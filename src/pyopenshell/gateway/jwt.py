"""Supervisor tokens: EdDSA JWTs (RFC 7519, RFC 8037) that say "this is the supervisor of that sandbox", and nothing more.

The gateway alone makes and reads them, so the reader is strict: one algorithm, one header, all claims present and of their
type, one audience as a string. The time is passed in.
"""

from __future__ import annotations

from pathlib import Path

AUDIENCE = "openshell-supervisor"
KEY_FILE = "supervisor-jwt.key"
LEEWAY = 30.0  # seconds a remote machine's clock may be behind or ahead
TOKEN_MAX = 4096  # ours are 400 bytes; nothing longer is parsed
DEFAULT_TTL = 7 * 24 * 3600.0  # a supervisor refreshes at half of it


class SupervisorTokens:
    """Issues and verifies with the Ed25519 key in `pki_dir` (made there, 0600, at the first use). `issuer` is the gateway's name."""

    def __init__(self, pki_dir: Path, issuer: str, *, ttl: float = DEFAULT_TTL) -> None:
        raise NotImplementedError

    def issue(self, sandbox_id: str, now: float) -> tuple[str, float]:
        """A token for the supervisor of this sandbox and the time at which it ends."""
        raise NotImplementedError

    def verify(self, token: str, now: float) -> str:
        """The sandbox id that `token` speaks for. Raises UNAUTHENTICATED with the reason."""
        raise NotImplementedError
