"""What becomes of a sandbox: the driver makes it, its supervisor's hello makes it READY, an exit or a person ends it.

Work on a sandbox is done by one task at a time (`work.py`); what a person waits for is shielded, so that a caller who goes
away leaves nothing half done. Every change of phase goes through the table of `phases.py`.
A lost supervisor session leaves the phase alone for the grace, while `lookout.py` looks after the sandbox; then it is
UNKNOWN until a supervisor is back. What a host that is away was not told, it is told when it is back (`take_up`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import phases
from pyopenshell.gateway.attachments import Attachments
from pyopenshell.gateway.births import Births
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.hellos import Hellos
from pyopenshell.gateway.hosts import Hosts
from pyopenshell.gateway.lookout import Lookout
from pyopenshell.gateway.phases import Event
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.work import Work
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord

HELLO_TIMEOUT = 30.0  # seconds from a driver's start to the supervisor's hello; a loaded machine takes one or two
FINALIZE_TIMEOUT = 10.0  # seconds from the report of an exit until its output counts as in


class Lifecycle:
    """Starts, stops, deletes and adopts the sandboxes of `registry`."""

    def __init__(
        self,
        registry: Registry,
        hosts: Hosts,
        board: Board,
        births: Births,
        *,
        wall: Callable[[], float] = time.time,
        hello_timeout: float = HELLO_TIMEOUT,
        finalize_timeout: float = FINALIZE_TIMEOUT,
    ) -> None:
        self._registry = registry
        self._hosts = hosts
        self._board = board
        self._births = births
        self._wall = wall
        self._hello_timeout = hello_timeout
        self._finalize_timeout = finalize_timeout
        self._hellos = Hellos()
        self._work = Work()
        self.attachments = Attachments()
        self._lookout = Lookout(registry, hosts, board, births, self._work, self._end_by_exit_code)
        hosts.told(self._on_exit)
        hosts.on_back, hosts.on_lost = self.take_up, self._on_grace_over
        board.on_grace_over = self._on_grace_over

    # --- what people ask for --------------------------------------------------------------------------------------

    async def create(self, record: SandboxRecord, *, attached: bool = False) -> SandboxRecord:
        """Keep `record`, with its place, and begin to start it; it is PROVISIONING. Raises CONFLICT, as `Hosts.place`."""
        with self._hosts.place(record.spec, record.host) as host:
            made = await self._registry.create(replace(record, host=host))
        self.attachments.expect(made.id, attached)
        self._work.on(made.id, self._start(made.id))
        return made

    async def start(self, sandbox_id: str) -> SandboxRecord:
        """Begin to start a sandbox at rest again. Raises PRECONDITION, NOT_FOUND."""
        record = await self._demand(sandbox_id, Event.START, exit_code=None, instance_id="", started_at=None)
        self._work.on(sandbox_id, self._start(sandbox_id))
        return record

    async def stop(self, sandbox_id: str) -> SandboxRecord:
        """End every process of it and return the record when that is done. Raises PRECONDITION, NOT_FOUND."""
        record = await self._demand(sandbox_id, Event.STOP)
        if record.phase is Phase.STOPPING:
            self._give_up_start(sandbox_id, "it was stopped")
            await asyncio.shield(self._work.on(sandbox_id, self._stop(sandbox_id)))
        return self._registry.get(sandbox_id) or record

    async def delete(self, sandbox_id: str) -> None:
        """End it, remove its files and its record; returns when that is done. Raises NOT_FOUND."""
        try:
            await self._demand(sandbox_id, Event.DELETE, deleted_at=self._wall())
        except OpenShellError as error:
            if error.code is not Code.EXHAUSTED:
                raise
            # A full disk under the database: it may be this sandbox's files that fill it, so they go all the same.
        self._give_up_start(sandbox_id, "it was deleted")
        await asyncio.shield(self._work.on(sandbox_id, self._delete(sandbox_id)))

    # --- what processes report ------------------------------------------------------------------------------------

    async def supervisor_is_here(self, sandbox_id: str, instance_id: str) -> None:
        """Its hello was accepted: a command can run. `instance_id` names the run of the main process, if there is one."""
        if self._hellos.came(sandbox_id, instance_id):
            return
        record = self._registry.get(sandbox_id)
        if record is not None and (record.phase, record.instance_id) != (Phase.READY, instance_id):
            await self._move(
                sandbox_id, Event.UP, instance_id=instance_id, started_at=record.started_at or self._wall()
            )

    def supervisor_is_gone(self, sandbox_id: str) -> None:
        """Its session was lost: have the driver look after it until it is back."""
        self._lookout.watch(sandbox_id)

    def failed(self, sandbox_id: str, reason: str) -> None:
        """It cannot run: it will be ERROR with the reason, and whatever is left of it is ended."""
        if not self._give_up_start(sandbox_id, reason):
            self._work.on(sandbox_id, self._end(sandbox_id, Event.FAIL, reason))

    async def main_process_exited(self, sandbox_id: str, instance_id: str, exit_code: int) -> None:
        """The main process has ended; its output may still come. Raises PRECONDITION when that was an earlier run."""

        def change(record: SandboxRecord) -> SandboxRecord:
            if record.instance_id not in ("", instance_id):
                raise OpenShellError(Code.PRECONDITION, "this exit is of an earlier run of the main process")
            return replace(record, exit_code=exit_code)

        await self._registry.edit(sandbox_id, change)
        self._work.beside(self._finalize_later(sandbox_id, instance_id), sandbox_id)

    def main_process_is_over(self, sandbox_id: str) -> None:
        """The output of the main process is in: COMPLETED or ERROR, by the exit code that was reported."""
        self._work.on(sandbox_id, self._end_by_exit_code(sandbox_id, "the main process ended"))

    # --- the gateway itself ---------------------------------------------------------------------------------------

    async def adopt_all(self) -> None:
        """After the gateway's own start: take up every sandbox where it was left."""
        await self._hosts.load()
        for record in await self._registry.load():
            self.take_up(record)

    def take_up(self, record: SandboxRecord) -> None:
        """Go on where a sandbox was left: look after it, or carry out what was asked, once its host can be asked."""
        if phases.allowed(record.phase, Event.UP):
            self._board.expect(record.id)
            self.supervisor_is_gone(record.id)
        elif self._hosts.away(record.host):
            return
        elif record.phase is Phase.STOPPING:
            self._work.on(record.id, self._stop(record.id))
        elif record.phase is Phase.DELETING:
            self._work.on(record.id, self._delete(record.id))
        elif record.host:  # at rest: it may have missed that
            self._work.on(record.id, self._hosts.of(record.id).stop(record.id))

    async def close(self) -> None:
        """Stop working on sandboxes; those that run, run on."""
        await self._work.close()

    # --- work, one at a time for a sandbox --------------------------------------------------------------------------

    async def _start(self, sandbox_id: str) -> None:
        await self.attachments.wait(sandbox_id)
        record = self._registry.get(sandbox_id)
        if record is None or not phases.allowed(record.phase, Event.UP):
            return
        try:
            with self._hellos.awaiting(sandbox_id) as hello:
                facts = dict(await self._hosts.driver(record.host).start(await self._births.of(record)))
                async with asyncio.timeout(self._hello_timeout):
                    instance_id = await hello
            now = self._wall()
            await self._move(sandbox_id, Event.UP, facts=facts, instance_id=instance_id, started_at=now)
        except TimeoutError:
            await self._end(sandbox_id, Event.FAIL, f"its supervisor did not connect in {self._hello_timeout:.0f} s")
        except OpenShellError as error:
            await self._end(sandbox_id, Event.FAIL, str(error))

    def _give_up_start(self, sandbox_id: str, reason: str) -> bool:
        self.attachments.came(sandbox_id)
        return self._hellos.give_up(sandbox_id, reason)

    async def _stop(self, sandbox_id: str) -> None:
        self._board.forget(sandbox_id, "the sandbox was stopped")
        await self._hosts.of(sandbox_id).stop(sandbox_id)
        await self._move(sandbox_id, Event.STOPPED)

    async def _delete(self, sandbox_id: str) -> None:
        self._board.forget(sandbox_id, "the sandbox was deleted")
        await self._hosts.of(sandbox_id).delete(sandbox_id)
        await self._registry.delete(sandbox_id)

    async def _finalize_later(self, sandbox_id: str, instance_id: str) -> None:
        await asyncio.sleep(self._finalize_timeout)
        record = self._registry.get(sandbox_id)
        if record is not None and record.instance_id == instance_id and record.exit_code is not None:
            self.main_process_is_over(sandbox_id)

    async def _end_by_exit_code(self, sandbox_id: str, reason: str) -> None:
        record = self._registry.get(sandbox_id)
        if record is not None and record.exit_code == 0:
            await self._end(sandbox_id, Event.SUCCEED, "")
        else:
            await self._end(sandbox_id, Event.FAIL, reason)

    async def _end(self, sandbox_id: str, event: Event, reason: str) -> None:
        try:
            record = await self._move(sandbox_id, event, reason=reason)
        except OpenShellError:  # a full disk under the database: what runs is ended all the same
            self._board.forget(sandbox_id, reason)
            await self._hosts.of(sandbox_id).stop(sandbox_id)
            raise
        if record is not None and record.phase in phases.AT_REST:
            self._board.forget(sandbox_id, f"it is {phases.describe(record)}")
            await self._hosts.of(sandbox_id).stop(sandbox_id)

    def _on_exit(self, sandbox_id: str, reason: str) -> None:
        self._work.on(sandbox_id, self._end_by_exit_code(sandbox_id, reason))

    def _on_grace_over(self, sandbox_id: str) -> None:
        self._work.beside(self._lose(sandbox_id), sandbox_id)

    async def _lose(self, sandbox_id: str) -> None:
        await self._move(sandbox_id, Event.LOSE, reason=self._hosts.why_lost(sandbox_id))

    # --- changes of phase -----------------------------------------------------------------------------------------

    async def _demand(self, sandbox_id: str, event: Event, **changes: Any) -> SandboxRecord:
        """A person wants `event`: raises PRECONDITION where it cannot happen."""
        return await self._registry.edit(
            sandbox_id,
            lambda record: replace(
                record, phase=phases.next_phase(record, event), changed_at=self._wall(), reason="", **changes
            ),
        )

    async def _move(self, sandbox_id: str, event: Event, reason: str = "", **changes: Any) -> SandboxRecord | None:
        """A process reports `event`: where it cannot happen (any more), nothing does."""

        def change(record: SandboxRecord) -> SandboxRecord:
            if not phases.allowed(record.phase, event):
                return record
            phase = phases.next_phase(record, event)
            at = record.changed_at if phase is record.phase else self._wall()
            return replace(record, phase=phase, changed_at=at, reason=reason, **changes)

        if self._registry.get(sandbox_id) is None:
            return None
        return await self._registry.edit(sandbox_id, change)
