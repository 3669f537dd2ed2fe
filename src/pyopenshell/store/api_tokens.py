"""The api_tokens table: tokens of users, stored as sha256, with scopes and an end.

Revoked tokens stay listed until they would have expired anyway (or for `delete_dead`'s keep), so that `token list` shows
what was revoked and when.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyopenshell.store.database import Database


@dataclass(frozen=True, slots=True)
class ApiTokenRecord:
    """One token; `subject` is who made it. Empty `scopes` means all that a user may. Times in seconds since the epoch."""

    id: str
    name: str
    subject: str
    token_hash: str
    created_at: float
    scopes: frozenset[str] = frozenset()
    expires_at: float | None = None
    revoked_at: float | None = None


class ApiTokens:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, record: ApiTokenRecord) -> None:
        """Insert. Raises CONFLICT when a token of this name lives (a revoked one's name is free again)."""
        raise NotImplementedError

    async def find(self, token_hash: str) -> ApiTokenRecord | None:
        """The record of this hash, revoked or expired as it may be, or None."""
        raise NotImplementedError

    async def list(self) -> list[ApiTokenRecord]:
        """All, newest first."""
        raise NotImplementedError

    async def revoke(self, id_or_name: str, now: float) -> ApiTokenRecord:
        """Mark as revoked (the first time counts) and return the record. Raises NOT_FOUND."""
        raise NotImplementedError

    async def delete_dead(self, before: float) -> int:
        """Delete every token that ended (revoked or expired) before `before`; how many."""
        raise NotImplementedError
