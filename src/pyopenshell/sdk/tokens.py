"""API tokens of users: made, listed, revoked. The secret is in the answer to `create` once, and never again."""

from __future__ import annotations

from collections.abc import Sequence

from pyopenshell.sdk.connection import EXTENSION, Connection
from pyopenshell.sdk.types import Token
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


class Tokens:
    """The API tokens of one gateway. All raise what the gateway answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, name: str, *, scopes: Sequence[str] = (), ttl: float | None = None) -> tuple[Token, str]:
        """A new token and its secret. `ttl` is in seconds: None is the gateway's default, 0 is without an end."""
        request = ext.CreateTokenRequest(name=name, scopes=scopes)
        if ttl is not None:
            request.ttl.FromNanoseconds(round(ttl * 1e9))
        response = await self._connection.call("CreateToken", request, ext.CreateTokenResponse, service=EXTENSION)
        return Token.of(response.token), response.secret

    async def list(self) -> list[Token]:
        """All tokens that this caller may see."""
        response = await self._connection.call(
            "ListTokens", ext.ListTokensRequest(), ext.ListTokensResponse, service=EXTENSION
        )
        return [Token.of(token) for token in response.tokens]

    async def revoke(self, token: str) -> Token:
        """End a token, by name or id; what it opened is cut. Raises NOT_FOUND."""
        response = await self._connection.call(
            "RevokeToken", ext.RevokeTokenRequest(id=token), ext.RevokeTokenResponse, service=EXTENSION
        )
        return Token.of(response.token)
