"""The sandboxes table: what was asked for, what became of it, and a version that guards every change.

A record is a value. To change one, replace fields and hand it back: `replace` writes only where the row still has the
version that the record was read with (compare-and-set), so two lifecycles never overwrite each other; `edit` reads,
changes and writes in one transaction, for changes that do not depend on an older reading.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Connection, Integer, Row, String, Table, Text, UniqueConstraint
from sqlalchemy import and_, delete, insert, or_, select, update

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import DEFAULT_WORKSPACE, Limits, Phase, SandboxSpec, is_id
from pyopenshell.store.database import Database
from pyopenshell.store.paging import Page, check_page_size, decode_page_token, encode_page_token
from pyopenshell.store.schema import Seconds, metadata


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """One sandbox. Times are seconds since the epoch; `exit_code` and `started_at` are those of the main process.

    `host_key` is the public key line, `host_key_private` the OpenSSH private key in PEM (kept out of the repr).
    `facts` are what the driver told (isolation shape, system, …). `reason` says why the phase is what it is, for people.
    """

    id: str
    name: str
    created_at: float
    spec: SandboxSpec = SandboxSpec()
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


class Sandboxes:
    """The table, asynchronously. Every method may also raise what `Database.run` raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, record: SandboxRecord) -> SandboxRecord:
        """Insert `record` with version 1 and return it. Raises CONFLICT when the name is taken in its workspace."""
        raise NotImplementedError

    async def get(self, sandbox_id: str) -> SandboxRecord | None:
        """The record with this id, or None."""
        raise NotImplementedError

    async def resolve(self, name_or_id: str, workspace: str = DEFAULT_WORKSPACE) -> SandboxRecord:
        """The record that a wire field `sandbox` names: a UUID is an id, all else a name. Raises NOT_FOUND."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def all(self) -> list[SandboxRecord]:
        """Every record, for adoption at the start of a gateway."""
        raise NotImplementedError

    async def replace(self, record: SandboxRecord) -> SandboxRecord:
        """Write `record` where the row still has `record.resource_version`; return it with the next version.

        Raises CONFLICT when the row has moved on, NOT_FOUND when it is gone. id, name, workspace and created_at stay.
        """
        raise NotImplementedError

    async def edit(self, sandbox_id: str, change: Callable[[SandboxRecord], SandboxRecord]) -> SandboxRecord:
        """Read, `change` (pure, called on the worker thread), write, in one transaction; return the new record.

        When `change` gives back an equal record nothing is written and the version stays. What `change` raises is raised
        here and nothing is written. Raises NOT_FOUND.
        """
        raise NotImplementedError

    async def delete(self, sandbox_id: str) -> bool:
        """Remove the row, its SSH sessions and its id base, in one transaction. Whether there was one."""
        raise NotImplementedError
