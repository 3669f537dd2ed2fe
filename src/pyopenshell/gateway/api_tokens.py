"""API tokens of users: made, listed, revoked, and known again when they come as a bearer token.

The principal of a token is its own (`token:ID`), never its maker's: what it opened can be told apart and cut off with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyopenshell.model import Principal
from pyopenshell.store.api_tokens import ApiTokenRecord, ApiTokens

DEFAULT_TTL = 30 * 24 * 3600.0  # extension.proto, CreateTokenRequest.ttl


class TokenBook:
    """Makes and verifies API tokens. Times are seconds since the epoch and passed in."""

    def __init__(self, table: ApiTokens) -> None:
        self._table = table

    async def create(
        self, principal: Principal, name: str, scopes: Iterable[str], now: float, *, ttl: float | None = None
    ) -> tuple[str, ApiTokenRecord]:
        """A new token (shown once) and its record. `ttl` in seconds: None = 30 days, 0 = no end.

        Raises INVALID (name, scope, negative ttl), CONFLICT (a token of this name lives).
        """
        raise NotImplementedError

    async def verify(self, token: str, now: float) -> Principal:
        """The principal of `token`: role user, its scopes. Raises UNAUTHENTICATED (unknown, revoked, expired)."""
        raise NotImplementedError

    async def list(self) -> list[ApiTokenRecord]:
        """All tokens, newest first."""
        return await self._table.list()

    async def revoke(self, id_or_name: str, now: float) -> ApiTokenRecord:
        """Revoke; the record. Its SSH sessions are those of `token_subject(record.id)`. Raises NOT_FOUND."""
        return await self._table.revoke(id_or_name, now)


def token_subject(token_id: str) -> str:
    """The subject of the principal that the token with this id is."""
    return f"token:{token_id}"
