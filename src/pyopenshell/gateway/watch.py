"""WatchSandbox: one snapshot first, then every change, the logs and the events that were asked for.

`resume_after_cursor` leaves out the log lines that a watcher has seen already; the snapshot is sent all the same, so that a
cursor of before a restart of the gateway does no harm. With `stop_on_terminal` the call ends when the sandbox changes no
more by itself: at rest, or ready where it has no main process to wait for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import phases
from pyopenshell.gateway.attachments import Attachments
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.log_book import LogBook, LogFilter
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.sandbox_view import one_workspace
from pyopenshell.gateway.watchers import Watcher, platform_event
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire.convert import seconds_of_timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

EVENTS_KEPT = 100  # events of one sandbox that `event_tail` can reach back to


class WatchService:
    """Serves WatchSandbox, and keeps the last events of each sandbox."""

    def __init__(self, registry: Registry, book: LogBook, attachments: Attachments) -> None:
        self._registry = registry
        self._book = book
        self._attachments = attachments
        self._records: dict[str, SandboxRecord] = {}
        self._events: dict[str, deque[pb.PlatformEvent]] = {}
        self._watchers: dict[str, set[tuple[Watcher, bool, bool]]] = {}
        self._unsubscribe = registry.subscribe(self._changed)

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [Rpc(Action.WATCH_SANDBOX, pb.WatchSandboxRequest, many=self.watch, cut=True)]

    async def watch(self, request: pb.WatchSandboxRequest, caller: Caller) -> AsyncIterator[pb.SandboxStreamEvent]:
        """Events until the sandbox is gone, or at rest with `stop_on_terminal`. Raises NOT_FOUND, INVALID."""
        record = self._registry.resolve(request.sandbox, one_workspace(request.workspace_scope))
        caller.may(Action.WATCH_SANDBOX, record.id)
        wanted = LogFilter(
            since=seconds_of_timestamp(request.since_time),
            sources=frozenset(request.log_sources),
            min_level=request.log_min_level,
        )
        seen = _seen(request.resume_after_cursor)
        watcher = Watcher(record, seen)
        # A request that follows nothing by name follows the status: else it would be told nothing at all.
        status = request.follow_status or not (request.follow_logs or request.follow_events)
        place = (watcher, status or request.stop_on_terminal, request.follow_events)

        def on_line(sandbox_id: str, number: int, line: pb.SandboxLogLine) -> None:
            if sandbox_id == record.id and number > seen and wanted.wants(line):
                watcher.put_line(number, line)

        async def room(sandbox_id: str) -> None:
            if sandbox_id == record.id:
                await watcher.room()

        self._watchers.setdefault(record.id, set()).add(place)
        stop_logs = self._book.subscribe(on_line, room) if request.follow_logs else None
        if request.follow_logs:
            self._attachments.came(record.id)
        try:
            yield watcher.snapshot(record)
            if request.event_tail:
                for past in list(self._events.get(record.id, ()))[-request.event_tail :]:
                    yield pb.SandboxStreamEvent(event=past)
            if request.log_tail_lines or (request.follow_logs and request.resume_after_cursor):
                for number, line in await self._book.tail(record.id, wanted, request.log_tail_lines):
                    if number > seen:
                        seen = number
                        yield pb.SandboxStreamEvent(log=line, cursor=f"{record.resource_version}.{number}")
            latest = self._registry.get(record.id)
            if request.stop_on_terminal and latest is not None and _terminal(latest):
                if latest.resource_version != record.resource_version:
                    yield watcher.snapshot(latest)
                return
            while told := await watcher.next():
                for event, about in told:
                    if event.WhichOneof("payload") == "log" and _number(event.cursor) <= seen:
                        continue  # it was among the tail
                    yield event
                    if request.stop_on_terminal and about is not None and _terminal(about):
                        return
        finally:
            watcher.end()
            if stop_logs is not None:
                stop_logs()
            watching = self._watchers[record.id]
            watching.discard(place)
            if not watching:
                del self._watchers[record.id]

    def close(self) -> None:
        """Tell nobody any more; every watcher's call ends."""
        self._unsubscribe()
        for watching in self._watchers.values():
            for watcher, _, _ in watching:
                watcher.end()

    def _changed(self, sandbox_id: str, record: SandboxRecord | None) -> None:
        watching = tuple(self._watchers.get(sandbox_id, ()))
        if record is None:
            self._records.pop(sandbox_id, None)
            self._events.pop(sandbox_id, None)
            for watcher, _, _ in watching:
                watcher.end()
            return
        happened = platform_event(record, self._records.get(sandbox_id))
        self._records[sandbox_id] = record
        if happened is not None:
            self._events.setdefault(sandbox_id, deque(maxlen=EVENTS_KEPT)).append(happened)
        for watcher, status, events in watching:
            if status:
                watcher.put_record(record)
            if events and happened is not None:
                watcher.put_event(happened)


def _terminal(record: SandboxRecord) -> bool:
    return record.phase in phases.AT_REST or (record.phase is Phase.READY and not record.spec.command)


def _seen(cursor: str) -> int:
    """The number of the last log line that a cursor stands for, -1 for none. Raises INVALID."""
    if not cursor:
        return -1
    try:
        return _number(cursor)
    except ValueError:
        raise OpenShellError(Code.INVALID, "the cursor is not one of ours", hint="watch without a cursor") from None


def _number(cursor: str) -> int:
    return int(cursor.partition(".")[2])
