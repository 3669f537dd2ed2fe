"""The sandboxes that this gateway knows, in memory, written through to the database, and told on to whoever watches.

The gateway is the only writer of its database, so what is here is what is there: a stream that opens asks no disk. Every
change goes to the database first and is told to the subscribers after that, each record with a higher version.
"""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import DEFAULT_WORKSPACE, is_id
from pyopenshell.store.sandboxes import Sandboxes, SandboxRecord

#: Told the new record, and None in place of it when it is gone for good.
Subscriber = Callable[[str, SandboxRecord | None], None]


class Registry:
    """All records of one gateway. Every changing method also raises what `store.Database.run` raises."""

    def __init__(self, table: Sandboxes) -> None:
        self.table = table
        self._by_id: dict[str, SandboxRecord] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        self._subscribers: set[Subscriber] = set()

    async def load(self) -> list[SandboxRecord]:
        """Read every record: once, at the start."""
        records = await self.table.all()
        for record in records:
            self._keep(record)
        return records

    def get(self, sandbox_id: str) -> SandboxRecord | None:
        """The record with this id, or None."""
        return self._by_id.get(sandbox_id)

    def resolve(self, name_or_id: str, workspace: str = DEFAULT_WORKSPACE) -> SandboxRecord:
        """The record that a wire field names: a UUID is an id, all else a name. Raises NOT_FOUND, INVALID for nothing."""
        if not name_or_id:
            raise OpenShellError(Code.INVALID, "no sandbox is named")
        sandbox_id = name_or_id if is_id(name_or_id) else self._by_name.get((workspace, name_or_id), "")
        record = self._by_id.get(sandbox_id)
        if record is None:
            raise OpenShellError(
                Code.NOT_FOUND, f"sandbox {name_or_id[:80]!r} does not exist", hint="see 'openshell sandbox list'"
            )
        return record

    def find_annotated(self, key: str, value: str) -> SandboxRecord | None:
        """The sandbox that has this annotation, or None."""
        return next((record for record in self._by_id.values() if record.annotations.get(key) == value), None)

    def on_host(self, host: str) -> list[SandboxRecord]:
        """The sandboxes that are placed on the host of this name."""
        return [record for record in self._by_id.values() if record.host == host]

    async def create(self, record: SandboxRecord) -> SandboxRecord:
        """Insert. Raises CONFLICT when the name is taken in its workspace."""
        made = await self.table.create(record)
        self._keep(made)
        return made

    async def edit(self, sandbox_id: str, change: Callable[[SandboxRecord], SandboxRecord]) -> SandboxRecord:
        """Change a record (see `Sandboxes.edit`) and tell it on. Raises NOT_FOUND."""
        changed = await self.table.edit(sandbox_id, change)
        known = self._by_id.get(sandbox_id)
        if known is None or changed.resource_version > known.resource_version:
            self._keep(changed)
        return changed

    async def delete(self, sandbox_id: str) -> None:
        """Remove it for good and tell it on."""
        await self.table.delete(sandbox_id)
        record = self._by_id.pop(sandbox_id, None)
        if record is not None:
            self._by_name.pop((record.workspace, record.name), None)
            self._tell(sandbox_id, None)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` after every change, until the returned function is called."""
        self._subscribers.add(subscriber)
        return lambda: self._subscribers.discard(subscriber)

    def _keep(self, record: SandboxRecord) -> None:
        self._by_id[record.id] = record
        self._by_name[record.workspace, record.name] = record.id
        self._tell(record.id, record)

    def _tell(self, sandbox_id: str, record: SandboxRecord | None) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(sandbox_id, record)
