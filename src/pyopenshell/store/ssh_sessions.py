"""The ssh_sessions table: tokens that open relays to one sandbox, stored as sha256 and nothing else.

A session is bound to a sandbox and to the subject that made it, and, where asked, to one target. The reaper deletes by
predicate, in one statement, however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import SshTarget, TcpTarget
from pyopenshell.store.database import Database
from pyopenshell.store.schema import Seconds, metadata

ssh_sessions = Table(
    "ssh_sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("sandbox_id", String(36), ForeignKey("sandboxes.id", ondelete="CASCADE"), nullable=False),
    Column("subject", Text, nullable=False),
    Column("target_kind", String(8), nullable=False),  # "", "ssh" or "tcp"
    Column("target_host", Text, nullable=False),
    Column("target_port", Integer, nullable=False),
    Column("ssh_authorized_key", Text, nullable=False),
    Column("max_connections", Integer, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds),
    Column("revoked_at", Seconds),
    Index("ssh_sessions_sandbox", "sandbox_id"),
    Index("ssh_sessions_subject", "subject"),
)


@dataclass(frozen=True, slots=True)
class SshSessionRecord:
    """One token. `token_hash` is the sha256 in hex. Times in seconds since the epoch. `target` None = ssh and all of tcp.

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

        def work(connection: Connection) -> None:
            try:
                connection.execute(insert(ssh_sessions).values(_to_row(record)))
            except IntegrityError:  # the hash is of 256 random bits, so it is the foreign key
                raise OpenShellError(
                    Code.NOT_FOUND, "the sandbox of this SSH session does not exist any more"
                ) from None

        await self._database.run(work)

    async def find(self, token_hash: str) -> SshSessionRecord | None:
        """The record of this hash, revoked or expired as it may be, or None."""
        return await self._database.run(lambda connection: _read(connection, token_hash))

    async def revoke(self, token_hash: str, now: float) -> SshSessionRecord | None:
        """Mark as revoked (the first time counts) and return the record; None where there is none."""
        statement = (
            update(ssh_sessions)
            .where(ssh_sessions.c.token_hash == token_hash, ssh_sessions.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )

        def work(connection: Connection) -> SshSessionRecord | None:
            connection.execute(statement)
            return _read(connection, token_hash)

        return await self._database.run(work)

    async def revoke_of(self, subject: str, now: float) -> list[str]:
        """Revoke all live sessions of `subject`; the hashes, so that the caller closes their relays."""
        live = (ssh_sessions.c.subject == subject, ssh_sessions.c.revoked_at.is_(None))

        def work(connection: Connection) -> list[str]:
            hashes = connection.execute(select(ssh_sessions.c.token_hash).where(*live)).scalars().all()
            connection.execute(update(ssh_sessions).where(*live).values(revoked_at=now))
            return list(hashes)

        return await self._database.run(work)

    async def delete_dead(self, now: float) -> int:
        """Delete every session that is revoked, or expired at `now`; how many."""
        statement = delete(ssh_sessions).where(
            or_(ssh_sessions.c.revoked_at.is_not(None), ssh_sessions.c.expires_at <= now)
        )
        return await self._database.run(lambda connection: connection.execute(statement).rowcount)


def _read(connection: Connection, token_hash: str) -> SshSessionRecord | None:
    row = connection.execute(select(ssh_sessions).where(ssh_sessions.c.token_hash == token_hash)).one_or_none()
    return None if row is None else _from_row(row)


def _to_row(record: SshSessionRecord) -> dict[str, Any]:
    target = record.target
    return {
        "token_hash": record.token_hash,
        "sandbox_id": record.sandbox_id,
        "subject": record.subject,
        "target_kind": "" if target is None else "tcp" if isinstance(target, TcpTarget) else "ssh",
        "target_host": target.host if isinstance(target, TcpTarget) else "",
        "target_port": target.port if isinstance(target, TcpTarget) else 0,
        "ssh_authorized_key": target.authorized_key if isinstance(target, SshTarget) else "",
        "max_connections": record.max_connections,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
    }


def _from_row(row: Row[Any]) -> SshSessionRecord:
    target: SshTarget | TcpTarget | None = None
    if row.target_kind == "tcp":
        target = TcpTarget(row.target_host, row.target_port)
    elif row.target_kind == "ssh":
        target = SshTarget(row.ssh_authorized_key)
    return SshSessionRecord(
        token_hash=row.token_hash,
        sandbox_id=row.sandbox_id,
        subject=row.subject,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        target=target,
        max_connections=row.max_connections,
    )
