"""The invitations table: one-time codes, stored as sha256, that make a user, a sandbox host or a proxy of who brings one.

A code is used up by `Principals.enrol`, in the transaction that makes its principal. What was used or has expired stays for
a while, so that whoever brings it again is told which.
"""

from __future__ import annotations

import builtins
import dataclasses
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, Connection, Row, String, Table, Text, delete, insert, or_, select

from pyopenshell.store.database import Database
from pyopenshell.store.schema import Seconds, metadata

invitations = Table(
    "invitations",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("role", String(8), nullable=False),
    Column("name", String(63), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds, nullable=False),
    Column("used_at", Seconds),
)


@dataclass(frozen=True, slots=True)
class InvitationRecord:
    """One code. `name` empty: whoever comes chooses. Empty `scopes` means all. Times in seconds since the epoch."""

    hash: str
    role: str
    name: str
    invited_by: str
    created_at: float
    expires_at: float
    scopes: frozenset[str] = frozenset()
    used_at: float | None = None


class Invitations:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, record: InvitationRecord) -> None:
        """Insert."""
        await self._database.run(lambda connection: connection.execute(insert(invitations).values(_to_row(record))))

    async def open(self, now: float) -> builtins.list[InvitationRecord]:
        """Those that can still be used, newest first."""
        query = (
            select(invitations)
            .where(invitations.c.used_at.is_(None), invitations.c.expires_at > now)
            .order_by(invitations.c.created_at.desc(), invitations.c.hash)
        )
        return [_from_row(row) for row in await self._database.run(lambda c: c.execute(query).all())]

    async def delete_dead(self, before: float) -> int:
        """Delete what was used or has expired before `before`; how many."""
        statement = delete(invitations).where(or_(invitations.c.used_at < before, invitations.c.expires_at < before))
        return await self._database.run(lambda connection: connection.execute(statement).rowcount)


def read_invitation(connection: Connection, code_hash: str) -> InvitationRecord | None:
    """The record of this hash, used or expired as it may be, or None."""
    row = connection.execute(select(invitations).where(invitations.c.hash == code_hash)).one_or_none()
    return None if row is None else _from_row(row)


def _to_row(record: InvitationRecord) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    values["scopes"] = sorted(record.scopes)
    return values


def _from_row(row: Row[Any]) -> InvitationRecord:
    values = dict(row._mapping)
    values["scopes"] = frozenset(values["scopes"])
    return InvitationRecord(**values)
