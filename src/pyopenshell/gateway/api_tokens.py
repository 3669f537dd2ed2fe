"""API tokens of users: made, listed, revoked, and known again when they come as a bearer token.

The principal of a token is its own (`token:ID`), never its maker's: what it opened can be told apart and cut off with it.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import check_scopes
from pyopenshell.gateway.secrets import TokenKind, matches, new_token, token_hash, token_kind
from pyopenshell.model import Principal, Role, check_name, new_id
from pyopenshell.store.api_tokens import ApiTokenRecord, ApiTokens

PROVIDER = "token"  # Principal.provider, GetCurrentUserResponse.identity_provider
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
        check_name(name, "token name")
        granted = check_scopes(scopes)
        life = DEFAULT_TTL if ttl is None else ttl
        if not life >= 0:
            raise OpenShellError(Code.INVALID, f"ttl {life} is negative", hint="use 0 for a token without an end")
        token = new_token(TokenKind.API)
        record = ApiTokenRecord(
            id=new_id(),
            name=name,
            subject=principal.subject,
            token_hash=token_hash(token),
            created_at=now,
            scopes=granted,
            expires_at=now + life if life else None,
        )
        await self._table.create(record)
        return token, record

    async def verify(self, token: str, now: float) -> Principal:
        """The principal of `token`: role user, its scopes. Raises UNAUTHENTICATED (unknown, revoked, expired)."""
        record = await self._table.find(token_hash(token)) if token_kind(token) is TokenKind.API else None
        if record is None or not matches(token, record.token_hash):
            raise _refused("it is unknown")
        if record.revoked_at is not None:
            raise _refused("it was revoked")
        if record.expires_at is not None and record.expires_at <= now:
            raise _refused("it has expired")
        return Principal(
            token_subject(record.id),
            Role.USER,
            record.scopes,
            provider=PROVIDER,
            expires_at=record.expires_at,
            credential=record.id,
        )

    async def list(self) -> builtins.list[ApiTokenRecord]:
        """All tokens, newest first."""
        return await self._table.list()

    async def revoke(self, id_or_name: str, now: float) -> ApiTokenRecord:
        """Revoke; the record. Its SSH sessions are those of `token_subject(record.id)`. Raises NOT_FOUND."""
        return await self._table.revoke(id_or_name, now)


def token_subject(token_id: str) -> str:
    """The subject of the principal that the token with this id is."""
    return f"token:{token_id}"


def _refused(reason: str) -> OpenShellError:
    return OpenShellError(
        Code.UNAUTHENTICATED, f"the API token is not valid: {reason}", hint="make one with 'openshell token create'"
    )
