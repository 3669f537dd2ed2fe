"""SSH sessions: the tokens of ForwardTcp, from the making to the end.

`verify` answers one question for a stream that opens: is this token good for this sandbox, this principal, this target, now?
Every "no" is UNAUTHENTICATED with its reason; whether the principal may at all is `authorize`'s question, asked before.
"""

from __future__ import annotations

from pyopenshell.model import Principal, SshTarget, Target, TcpTarget
from pyopenshell.store.ssh_sessions import SshSessionRecord, SshSessions

GRANT_MAX = 1000  # connections that one token may be granted; wire contract, "Our extensions"


class SessionTokens:
    """Makes, verifies and revokes the tokens of ForwardTcp. Times are seconds since the epoch and passed in."""

    def __init__(self, table: SshSessions, *, ttl: float, grant_max: int = GRANT_MAX) -> None:
        self._table = table
        self._ttl = ttl
        self._grant_max = grant_max

    async def create(
        self,
        sandbox_id: str,
        principal: Principal,
        now: float,
        *,
        target: SshTarget | TcpTarget | None = None,
        max_connections: int = 0,
    ) -> tuple[str, SshSessionRecord]:
        """A new token (shown once) and its record; `max_connections` is granted up to the ceiling. NOT_FOUND: no sandbox."""
        raise NotImplementedError

    async def verify(self, token: str, sandbox_id: str, principal: Principal, target: Target, now: float) -> SshSessionRecord:
        """The record of `token` when it is good for all of these; raise UNAUTHENTICATED with the reason otherwise."""
        raise NotImplementedError

    async def revoke(self, token: str, principal: Principal, now: float) -> SshSessionRecord | None:
        """Revoke and return the record (its `token_hash` names the relays to close); None for an unknown token.

        Another principal's token is as unknown as none, except for an admin.
        """
        raise NotImplementedError

    async def reap(self, now: float) -> int:
        """Delete what is expired or revoked; how many."""
        return await self._table.delete_dead(now)
