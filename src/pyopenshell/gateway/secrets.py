"""Random tokens: how they are made, what is kept of them, how one is known again.

A token is a prefix that says its kind (so that a leaked one can be found by a scanner and never be taken for another kind)
and 256 random bits; an invitation's code, which people may have to type, has 160 and no capital letter. Kept is its sha256
alone: with that much entropy a slow hash adds nothing. The database is asked by hash, and the answer is compared once more
in constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from enum import StrEnum

CODE_BYTES = 20  # 160 bits, which base32 (RFC 4648 section 6) says in 32 characters without padding
TOKEN_BYTES = 32  # 256 bits: RFC 6750 section 5.2 asks for unguessable, NIST SP 800-63B 5.1.2 for at least 112


class TokenKind(StrEnum):
    """The prefix of a token."""

    API = "ost_"  # who calls: `authorization: Bearer ost_…`
    SSH_SESSION = "oss_"  # what may be opened: TcpForwardInit.authorization_token
    INVITATION = "osi_"  # who may come: EnrolRequest.code


_SHAPE = re.compile(r"(?:ost_|oss_)[A-Za-z0-9_-]{43}|osi_[a-z2-7]{32}", re.ASCII)


def new_token(kind: TokenKind) -> str:
    """A fresh token of `kind`."""
    if kind is TokenKind.INVITATION:
        return kind.value + base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower()
    return kind.value + secrets.token_urlsafe(TOKEN_BYTES)


def token_kind(text: str) -> TokenKind | None:
    """The kind of `text` when it has the shape of a token of ours, else None."""
    return TokenKind(text[:4]) if _SHAPE.fullmatch(text) else None


def token_hash(token: str) -> str:
    """The sha256 of `token` in hex: what is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def matches(token: str, stored_hash: str) -> bool:
    """Whether `token` is the one of `stored_hash`, in time that does not depend on where they differ."""
    return hmac.compare_digest(token_hash(token), stored_hash)
