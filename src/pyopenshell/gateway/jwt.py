"""Supervisor tokens: EdDSA JWTs (RFC 7519, RFC 8037) that say "this is the supervisor of that sandbox", and nothing more.

The gateway alone makes and reads them, so the reader is strict: one algorithm, exactly our header, exactly our claims, each
of its type, the audience one string. The signature is checked before a claim is looked at. The time is passed in.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import private_directory, read_small, write_private
from pyopenshell.model import is_id, new_id

AUDIENCE = "openshell-supervisor"
ALGORITHM = "EdDSA"
KEY_FILE = "supervisor-jwt.key"
KEY_MAX = 4096  # bytes of the key file; an Ed25519 key in PEM has 119
TOKEN_MAX = 4096  # characters; ours have about 450, nothing longer is parsed
CLOCK_STEP = 30.0  # seconds that this machine's clock may have been set back since a token was issued
DEFAULT_TTL = 7 * 24 * 3600.0  # a supervisor asks for a new one at half of it

_HEADER = {"alg": ALGORITHM, "typ": "JWT"}
_CLAIMS: dict[str, type] = {"iss": str, "aud": str, "sub": str, "exp": int, "iat": int, "jti": str}
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}", re.ASCII)  # an Ed25519 signature is 64 bytes


def looks_like_jwt(text: str) -> bool:
    """Whether `text` has the shape of a token of this kind, so that it is judged as one."""
    return len(text) <= TOKEN_MAX and _SHAPE.fullmatch(text) is not None


class SupervisorTokens:
    """Issues and verifies with the Ed25519 key in `pki_dir`, which is made there (0600) at the first use.

    `issuer` is the gateway's name. Raises PRECONDITION where the key cannot be read, EXHAUSTED on a full disk.
    """

    def __init__(self, pki_dir: Path, issuer: str, *, ttl: float = DEFAULT_TTL) -> None:
        self._key = _load_or_make(pki_dir)
        self._public = self._key.public_key()
        self._issuer = issuer
        self._ttl = ttl
        self._jws = PyJWS(algorithms=[ALGORITHM])

    def issue(self, sandbox_id: str, now: float) -> tuple[str, float]:
        """A token for the supervisor of this sandbox and the time at which it ends."""
        issued = int(now)
        ends = issued + int(self._ttl)
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": sandbox_id,
            "exp": ends,
            "iat": issued,
            "jti": new_id(),
        }
        return self._jws.encode(json.dumps(claims).encode(), self._key, ALGORITHM, headers=_HEADER), float(ends)

    def verify(self, token: str, now: float) -> str:
        """The sandbox id that `token` speaks for. Raises UNAUTHENTICATED with the reason."""
        if not looks_like_jwt(token):
            raise _refused("it has not the shape of one")
        try:
            found = self._jws.decode_complete(token, self._public, algorithms=[ALGORITHM])
        except PyJWTError:
            raise _refused("its signature is not this gateway's") from None
        if found["header"] != _HEADER:
            raise _refused("its header is not ours")
        claims = _claims(found["payload"])
        if claims["iss"] != self._issuer:
            raise _refused("another gateway issued it")
        if claims["aud"] != AUDIENCE:
            raise _refused("it is meant for something else")
        if claims["iat"] > now + CLOCK_STEP:
            raise _refused("it was issued in the future: has the clock been set back?")
        if claims["exp"] <= now:
            raise _refused("it has expired")
        sandbox_id: str = claims["sub"]
        if not is_id(sandbox_id):
            raise _refused("it names no sandbox")
        return sandbox_id


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise _refused("its claims cannot be read") from None
    if (
        not isinstance(claims, dict)
        or claims.keys() != _CLAIMS.keys()
        or any(type(claims[name]) is not kind for name, kind in _CLAIMS.items())  # a bool is an int to isinstance
    ):
        raise _refused("its claims are not ours")
    return claims


def _refused(reason: str) -> OpenShellError:
    return OpenShellError(Code.UNAUTHENTICATED, f"the supervisor's token is not valid: {reason}")


def _load_or_make(pki_dir: Path) -> Ed25519PrivateKey:
    path = pki_dir / KEY_FILE
    content = read_small(path, KEY_MAX)
    if content is None:
        key = Ed25519PrivateKey.generate()
        private_directory(pki_dir)
        write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), durable=True)
        return key
    try:
        loaded = load_pem_private_key(content, password=None)
    except ValueError:
        loaded = None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise OpenShellError(
            Code.PRECONDITION,
            f"{path} does not hold an Ed25519 key",
            hint="put the right one back, or remove it: running supervisors are then started anew",
        )
    return loaded
