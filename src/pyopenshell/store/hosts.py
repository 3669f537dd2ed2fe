"""The hosts table: machines that run sandboxes for this gateway, as they last said hello.

What a host says of itself (labels, facts, version) is kept as it was cleaned by whoever received it. A row begins with the
first hello and ends when a person removes the host; the sandboxes placed there name it in `sandboxes.host`.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Integer, Row, String, Table, Text, delete, insert, select

from pyopenshell.store.database import Database
from pyopenshell.store.schema import Seconds, metadata

hosts = Table(
    "hosts",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("joined_at", Seconds, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("since", Seconds, nullable=False),
    Column("address", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("max_sandboxes", Integer, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("joined", Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class HostRecord:
    """One host. `since` is when it was connected, or lost; `joined_at` is its first hello; seconds since the epoch.

    `max_sandboxes` 0 is without a limit. `joined`: it is there for its own sandbox alone. `draining`: nothing new is placed.
    """

    name: str
    joined_at: float
    since: float
    connected: bool = False
    address: str = ""
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    max_sandboxes: int = 0
    draining: bool = False
    joined: bool = False


class HostTable:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> builtins.list[HostRecord]:
        """Every host, in order of names."""
        query = select(hosts).order_by(hosts.c.name)
        return [_from_row(row) for row in await self._database.run(lambda c: c.execute(query).all())]

    async def put(self, record: HostRecord) -> None:
        """Write `record` in the place of the one of its name, if there is one."""

        def work(connection: Connection) -> None:
            connection.execute(delete(hosts).where(hosts.c.name == record.name))
            connection.execute(insert(hosts).values(_to_row(record)))

        await self._database.run(work)

    async def delete(self, name: str) -> bool:
        """Remove it. Whether there was one."""
        statement = delete(hosts).where(hosts.c.name == name)
        return bool(await self._database.run(lambda connection: connection.execute(statement).rowcount))


def _to_row(record: HostRecord) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    return values | {"labels": dict(record.labels), "facts": dict(record.facts)}


def _from_row(row: Row[Any]) -> HostRecord:
    return HostRecord(**row._mapping)
