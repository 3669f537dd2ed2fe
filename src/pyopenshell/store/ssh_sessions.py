"""The ssh_sessions table: tokens that open relays to one sandbox, stored as sha256 and nothing else.

A session is bound to a sandbox and to the subject that made it, and, where asked, to one target. The reaper deletes by
predicate, in one statement, however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyopenshell.model import SshTarget, Target, TcpTarget
from pyopenshell.store.database import Database


@dataclass(frozen=True, slots=True)
class SshSessionRecord:
    """One token. `token_hash` is the sha256 in hex. `target` None = ssh and every tcp target. Times in seconds since the epoch.

    `max_connections` 0 = the gateway's default for one token; more = granted, counted apart.
    """

    token_hash: str
    sandbox_id: str
    subject: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    target: SshTarget | TcpTarget | None = None
    max_connections: int = 0


class SshSessions:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, record: SshSessionRecord) -> None:
        """Insert. Raises NOT_FOUND when the sandbox is gone."""
        raise NotImplementedError

    async def find(self, token_hash: str) -> SshSessionRecord | None:
        """The record of this hash, revoked or expired as it may be, or None."""
        raise NotImplementedError

    async def revoke(self, token_hash: str, now: float) -> SshSessionRecord | None:
        """Mark as revoked (the first time counts) and return the record; None where there is none."""
        raise NotImplementedError

    async def revoke_of(self, subject: str, now: float) -> list[str]:
        """Revoke all live sessions of `subject`; the hashes, so that the caller closes their relays."""
        raise NotImplementedError

    async def delete_dead(self, now: float) -> int:
        """Delete every session that is revoked, or expired at `now`; how many."""
        raise NotImplementedError
