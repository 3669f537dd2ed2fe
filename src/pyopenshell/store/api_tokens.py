"""The api_tokens table: tokens of users, stored as sha256, with scopes and an end.

Ended tokens stay listed until `delete_dead` is told otherwise, so that `token list` shows what was revoked and when.
"""

from __future__ import annotations

import builtins
import dataclasses
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, Connection, Row, String, Table, Text, delete, insert, or_, select, update

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.store.database import Database
from pyopenshell.store.schema import Seconds, metadata

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("name", String(63), nullable=False),
    Column("subject", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Column("expires_at", Seconds),
    Column("revoked_at", Seconds),
)


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
        """Insert. Raises CONFLICT when a token of this name lives at `record.created_at` (an ended one's name is free)."""
        same = select(api_tokens.c.id).where(
            api_tokens.c.name == record.name,
            api_tokens.c.revoked_at.is_(None),
            or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > record.created_at),
        )

        def work(connection: Connection) -> None:
            if connection.execute(same).first() is not None:
                raise OpenShellError(
                    Code.CONFLICT,
                    f"token {record.name!r} already exists",
                    hint="choose another name, or revoke that one",
                )
            connection.execute(insert(api_tokens).values(_to_row(record)))

        await self._database.run(work)

    async def find(self, token_hash: str) -> ApiTokenRecord | None:
        """The record of this hash, revoked or expired as it may be, or None."""
        query = select(api_tokens).where(api_tokens.c.token_hash == token_hash)
        row = await self._database.run(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _from_row(row)

    async def list(self) -> builtins.list[ApiTokenRecord]:
        """All, newest first."""
        query = select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        return [_from_row(row) for row in await self._database.run(lambda c: c.execute(query).all())]

    async def revoke(self, id_or_name: str, now: float) -> ApiTokenRecord:
        """Mark as revoked (the first time counts) and return the record. Raises NOT_FOUND.

        A name means its newest token: that is the living one, where one lives.
        """
        query = (
            select(api_tokens)
            .where(or_(api_tokens.c.id == id_or_name, api_tokens.c.name == id_or_name))
            .order_by(api_tokens.c.created_at.desc())
            .limit(1)
        )

        def work(connection: Connection) -> ApiTokenRecord:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise OpenShellError(
                    Code.NOT_FOUND, f"token {id_or_name[:80]!r} does not exist", hint="see 'openshell token list'"
                )
            if row.revoked_at is not None:
                return _from_row(row)
            connection.execute(update(api_tokens).where(api_tokens.c.id == row.id).values(revoked_at=now))
            return dataclasses.replace(_from_row(row), revoked_at=now)

        return await self._database.run(work)

    async def delete_dead(self, before: float) -> int:
        """Delete every token that ended (revoked or expired) before `before`; how many."""
        statement = delete(api_tokens).where(or_(api_tokens.c.revoked_at < before, api_tokens.c.expires_at < before))
        return await self._database.run(lambda connection: connection.execute(statement).rowcount)


def _to_row(record: ApiTokenRecord) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    values["scopes"] = sorted(record.scopes)
    return values


def _from_row(row: Row[Any]) -> ApiTokenRecord:
    values = dict(row._mapping)
    values["scopes"] = frozenset(values["scopes"])
    return ApiTokenRecord(**values)
