"""The sandboxes table: what was asked for, what became of it, and a version that guards every change.

A record is a value. To change one, replace fields and hand it back: `replace` writes only where the row still has the
version that the record was read with (compare-and-set), so two lifecycles never overwrite each other; `edit` reads,
changes and writes in one transaction, for changes that do not depend on an older reading.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import DEFAULT_WORKSPACE, Phase, SandboxSpec, is_id
from pyopenshell.store.database import Database
from pyopenshell.store.labels import parse_selector
from pyopenshell.store.paging import Page, check_page_size, decode_page_token, encode_page_token
from pyopenshell.store.schema import Seconds, metadata
from pyopenshell.store.specs import spec_from_json, spec_to_json

sandboxes = Table(
    "sandboxes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("workspace", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("owner", Text, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("exit_code", Integer),
    Column("instance_id", Text, nullable=False),
    Column("started_at", Seconds),
    Column("restart_count", Integer, nullable=False),
    Column("created_at", Seconds, nullable=False),
    Column("changed_at", Seconds, nullable=False),
    Column("deleted_at", Seconds),
    Column("host_key", Text, nullable=False),
    Column("host_key_private", Text, nullable=False),
    Column("host_key_fingerprint", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("resource_version", BigInteger, nullable=False),
    Column("host", String(63), nullable=False, server_default=""),
    UniqueConstraint("workspace", "name", name="sandboxes_name"),
)

#: Columns that never change after the insert.
_FIXED = frozenset({"id", "workspace", "name", "created_at"})


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """One sandbox. Times are seconds since the epoch; `exit_code` and `started_at` are those of the main process.

    `host_key` is the public key line, `host_key_private` the OpenSSH private key in PEM (kept out of the repr).
    `facts` are what the driver told (isolation shape, system, …). `reason` says why the phase is what it is, for people.
    `host` is the sandbox host that it is on; empty: the gateway's own machine.
    """

    id: str
    name: str
    created_at: float
    spec: SandboxSpec = field(default_factory=SandboxSpec)
    workspace: str = DEFAULT_WORKSPACE
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    phase: Phase = Phase.PROVISIONING
    reason: str = ""
    exit_code: int | None = None
    instance_id: str = ""
    started_at: float | None = None
    restart_count: int = 0
    changed_at: float = 0.0
    deleted_at: float | None = None
    host_key: str = ""
    host_key_private: str = field(default="", repr=False)
    host_key_fingerprint: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    resource_version: int = 1
    host: str = ""


class Sandboxes:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, record: SandboxRecord) -> SandboxRecord:
        """Insert `record` with version 1 and return it. Raises CONFLICT when the name is taken in its workspace."""
        record = dataclasses.replace(record, resource_version=1)

        def work(connection: Connection) -> None:
            try:
                connection.execute(insert(sandboxes).values(_to_row(record)))
            except IntegrityError:
                raise OpenShellError(
                    Code.CONFLICT,
                    f"sandbox {record.name!r} already exists",
                    hint="choose another name, or delete that one first",
                ) from None

        await self._database.run(work)
        return record

    async def get(self, sandbox_id: str) -> SandboxRecord | None:
        """The record with this id, or None."""
        return await self._database.run(lambda connection: _read(connection, sandbox_id))

    async def resolve(self, name_or_id: str, workspace: str = DEFAULT_WORKSPACE) -> SandboxRecord:
        """The record that a wire field `sandbox` names: a UUID is an id, all else a name. Raises NOT_FOUND."""
        query = select(sandboxes).where(sandboxes.c.workspace == workspace)
        if is_id(name_or_id):
            query = query.where(sandboxes.c.id == name_or_id)
        else:
            query = query.where(sandboxes.c.name == name_or_id)
        row = await self._database.run(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise _unknown(name_or_id)
        return _from_row(row)

    async def list(
        self,
        *,
        workspace: str | None = DEFAULT_WORKSPACE,
        selector: str = "",
        page_size: int = 0,
        page_token: str = "",
    ) -> Page[SandboxRecord]:
        """One page in order of workspace and name; `workspace` None means all; `selector` is `k=v,k2=v2` (all must hold).

        A sandbox that lives through the whole listing is in exactly one page. Raises INVALID for a bad selector, size or
        token, and for a token of another query.
        """
        size = check_page_size(page_size)
        pairs = parse_selector(selector)
        question = ["" if workspace is None else workspace, *(f"{name}={pairs[name]}" for name in sorted(pairs))]
        after = decode_page_token(question, page_token, parts=2)
        query = select(sandboxes).order_by(sandboxes.c.workspace, sandboxes.c.name).limit(size + 1)
        if workspace is not None:
            query = query.where(sandboxes.c.workspace == workspace)
        for name, value in pairs.items():
            query = query.where(sandboxes.c.labels[name].as_string() == value)
        if after is not None:
            query = query.where(tuple_(sandboxes.c.workspace, sandboxes.c.name) > tuple_(*after))
        rows = await self._database.run(lambda connection: connection.execute(query).all())
        items = tuple(_from_row(row) for row in rows[:size])
        more = len(rows) > size
        return Page(items, encode_page_token(question, (items[-1].workspace, items[-1].name)) if more else "")

    async def all(self) -> builtins.list[SandboxRecord]:
        """Every record, for adoption at the start of a gateway."""
        query = select(sandboxes).order_by(sandboxes.c.created_at, sandboxes.c.id)
        return [_from_row(row) for row in await self._database.run(lambda c: c.execute(query).all())]

    async def replace(self, record: SandboxRecord) -> SandboxRecord:
        """Write `record` where the row still has `record.resource_version`; return it with the next version.

        Raises CONFLICT when the row has moved on, NOT_FOUND when it is gone. id, name, workspace and created_at stay.
        """
        return await self._database.run(lambda connection: _write(connection, record))

    async def edit(self, sandbox_id: str, change: Callable[[SandboxRecord], SandboxRecord]) -> SandboxRecord:
        """Read, `change` (pure, called on the worker thread), write, in one transaction; return the new record.

        When `change` gives back an equal record nothing is written and the version stays. What `change` raises is raised
        here and nothing is written. Raises NOT_FOUND.
        """

        def work(connection: Connection) -> SandboxRecord:
            found = _read(connection, sandbox_id)
            if found is None:
                raise _unknown(sandbox_id)
            changed = change(found)
            return found if changed == found else _write(connection, changed)

        return await self._database.run(work)

    async def delete(self, sandbox_id: str) -> bool:
        """Remove the row, its SSH sessions and its id base, in one transaction. Whether there was one."""
        statement = delete(sandboxes).where(sandboxes.c.id == sandbox_id)  # the others go by ON DELETE CASCADE
        return bool(await self._database.run(lambda connection: connection.execute(statement).rowcount))


def _read(connection: Connection, sandbox_id: str) -> SandboxRecord | None:
    row = connection.execute(select(sandboxes).where(sandboxes.c.id == sandbox_id)).one_or_none()
    return None if row is None else _from_row(row)


def _write(connection: Connection, record: SandboxRecord) -> SandboxRecord:
    written = dataclasses.replace(record, resource_version=record.resource_version + 1)
    values = {name: value for name, value in _to_row(written).items() if name not in _FIXED}
    changed = connection.execute(
        update(sandboxes)
        .where(sandboxes.c.id == record.id, sandboxes.c.resource_version == record.resource_version)
        .values(values)
    ).rowcount
    if changed:
        return written
    if _read(connection, record.id) is None:
        raise _unknown(record.name)
    raise OpenShellError(
        Code.CONFLICT,
        f"sandbox {record.name!r} was changed by another call meanwhile",
        hint="read it again, then retry",
    )


def _unknown(name_or_id: str) -> OpenShellError:
    return OpenShellError(
        Code.NOT_FOUND, f"sandbox {name_or_id[:80]!r} does not exist", hint="see 'openshell sandbox list'"
    )


def _to_row(record: SandboxRecord) -> dict[str, Any]:
    values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    plain = {name: dict(values[name]) for name in ("labels", "annotations", "facts")}
    return values | plain | {"spec": spec_to_json(record.spec), "phase": int(record.phase)}


def _from_row(row: Row[Any]) -> SandboxRecord:
    values = dict(row._mapping)
    values["spec"] = spec_from_json(values["spec"])
    values["phase"] = Phase(values["phase"])
    return SandboxRecord(**values)
