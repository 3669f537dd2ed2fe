"""SSH sessions: the tokens of ForwardTcp, from the making to the end.

`verify` answers one question for a stream that opens: is this token good for this sandbox, this principal, this target, now?
Every "no" is UNAUTHENTICATED with its reason; whether the principal may at all is `authorize`'s question, asked before.
"""

from __future__ import annotations

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.secrets import TokenKind, matches, new_token, token_hash, token_kind
from pyopenshell.model import Principal, Role, SshTarget, Target, TcpTarget
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
        """A new token (shown once) and its record; `max_connections` is granted up to the ceiling.

        Raises NOT_FOUND when the sandbox is gone, INVALID for a negative number.
        """
        if max_connections < 0:
            raise OpenShellError(Code.INVALID, f"max_connections {max_connections} is negative")
        token = new_token(TokenKind.SSH_SESSION)
        record = SshSessionRecord(
            token_hash=token_hash(token),
            sandbox_id=sandbox_id,
            subject=principal.subject,
            created_at=now,
            expires_at=now + self._ttl if self._ttl else None,
            target=target,
            max_connections=min(max_connections, self._grant_max),
        )
        await self._table.create(record)
        return token, record

    async def verify(
        self, token: str, sandbox_id: str, principal: Principal, target: Target, now: float
    ) -> SshSessionRecord:
        """The record of `token` when it is good for all of these; raise UNAUTHENTICATED with the reason otherwise."""
        if not token:
            raise _refused("none was given")
        record = await self._find(token)
        if record is None:
            raise _refused("it is unknown")
        if record.subject != principal.subject:
            raise _refused("it belongs to another principal")
        if record.sandbox_id != sandbox_id:
            raise _refused("it belongs to another sandbox")
        if record.revoked_at is not None:
            raise _refused("it was revoked")
        if record.expires_at is not None and record.expires_at <= now:
            raise _refused("it has expired")
        if not _covers(record.target, target):
            raise _refused(f"it is good for {record.target} alone")
        return record

    async def revoke(self, token: str, principal: Principal, now: float) -> SshSessionRecord | None:
        """Revoke and return the record (its `token_hash` names the relays to close); None for an unknown token.

        Another principal's token is as unknown as none, except for an admin.
        """
        record = await self._find(token)
        if record is None or (record.subject != principal.subject and principal.role is not Role.ADMIN):
            return None
        return await self._table.revoke(record.token_hash, now)

    async def reap(self, now: float) -> int:
        """Delete what is expired or revoked; how many."""
        return await self._table.delete_dead(now)

    async def _find(self, token: str) -> SshSessionRecord | None:
        if token_kind(token) is not TokenKind.SSH_SESSION:
            return None
        record = await self._table.find(token_hash(token))
        return record if record is not None and matches(token, record.token_hash) else None


def _covers(bound: SshTarget | TcpTarget | None, asked: Target) -> bool:
    if bound is None:
        return isinstance(asked, SshTarget | TcpTarget)
    if isinstance(bound, SshTarget):
        # The key of an ssh target is the client's choice for each connection, unless the token was made for one key.
        return isinstance(asked, SshTarget) and bound.authorized_key in ("", asked.authorized_key)
    return asked == bound


def _refused(reason: str) -> OpenShellError:
    return OpenShellError(
        Code.UNAUTHENTICATED, f"the SSH session's token is not valid: {reason}", hint="create a new SSH session"
    )
