"""What one watcher has still to be told: a bounded queue, waited for as long as its reader reads.

Where it overflows, because the watcher reads too slowly, everything in it is thrown away and the watcher is told that it
missed something (a warning) and how things are now (a fresh snapshot). So it may miss steps, never the end. Whoever has a
burst to tell waits for `room` between its pieces; a reader that took nothing for PATIENCE is not waited for until it reads.
"""

from __future__ import annotations

import asyncio
from collections import deque

from pyopenshell.gateway.sandbox_view import sandbox_message
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

QUEUE_MAX = 1000  # events of one watcher: a burst of log lines that a terminal shows in a second
PATIENCE = 1.0  # seconds; a reader that reads takes half a queue in a tenth of that
QUEUE_BYTES_MAX = 1024 * 1024  # bytes of them, so that a hundred watchers hold 100 MB at the worst


class Watcher:
    """The queue of one WatchSandbox call. Cursors are `SANDBOX-VERSION.LOG-NUMBER`, where the watcher has got to."""

    def __init__(self, record: SandboxRecord, line: int = -1) -> None:
        self._record: SandboxRecord | None = record
        self._queue: deque[tuple[pb.SandboxStreamEvent, SandboxRecord | None]] = deque()
        self._bytes = 0
        self._missed = 0
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._stalled = False
        self._gone = False
        self._version = record.resource_version
        self._line = line

    def put_record(self, record: SandboxRecord) -> None:
        """The sandbox has changed."""
        self._record = record
        self._put(self.snapshot(record), record)

    def put_line(self, number: int, line: pb.SandboxLogLine) -> None:
        """The sandbox has printed `line`."""
        self._line = number
        self._put(pb.SandboxStreamEvent(log=line, cursor=self._cursor()))

    def put_event(self, event: pb.PlatformEvent) -> None:
        """Something has happened to the sandbox."""
        self._put(pb.SandboxStreamEvent(event=event, cursor=self._cursor()))

    def end(self) -> None:
        """The sandbox is gone for good: what is queued is still told."""
        self._gone = True
        self._changed.set()
        self._drained.set()

    async def room(self) -> None:
        """Wait until half of the queue is free, for a reader that reads."""
        if self._stalled or self._gone or self._roomy():
            return
        self._drained.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._drained.wait()
        except TimeoutError:
            self._stalled = True

    async def next(self) -> list[tuple[pb.SandboxStreamEvent, SandboxRecord | None]]:
        """What to tell next, each snapshot with its record; empty at the end."""
        while not self._queue and not self._missed:
            if self._gone:
                return []
            self._changed.clear()
            await self._changed.wait()
        self._stalled = False
        if self._missed:
            return self._fresh()
        event, record = self._queue.popleft()
        self._bytes -= event.ByteSize()
        if self._roomy():
            self._drained.set()
        return [(event, record)]

    def snapshot(self, record: SandboxRecord) -> pb.SandboxStreamEvent:
        """`record` as an event."""
        self._version = record.resource_version
        return pb.SandboxStreamEvent(sandbox=sandbox_message(record), cursor=self._cursor())

    def _roomy(self) -> bool:
        return len(self._queue) <= QUEUE_MAX // 2 and self._bytes <= QUEUE_BYTES_MAX // 2

    def _put(self, event: pb.SandboxStreamEvent, record: SandboxRecord | None = None) -> None:
        self._changed.set()
        if self._missed:
            self._missed += 1
            return
        self._queue.append((event, record))
        self._bytes += event.ByteSize()
        if len(self._queue) > QUEUE_MAX or self._bytes > QUEUE_BYTES_MAX:
            self._missed = len(self._queue)
            self._queue.clear()
            self._bytes = 0

    def _fresh(self) -> list[tuple[pb.SandboxStreamEvent, SandboxRecord | None]]:
        text = f"this watcher is too slow: {self._missed} events were left out; a fresh snapshot follows"
        self._missed = 0
        told: list[tuple[pb.SandboxStreamEvent, SandboxRecord | None]] = [
            (pb.SandboxStreamEvent(warning=pb.SandboxStreamWarning(message=text), cursor=self._cursor()), None)
        ]
        if self._record is not None:
            told.append((self.snapshot(self._record), self._record))
        return told

    def _cursor(self) -> str:
        return f"{self._version}.{self._line}"


def platform_event(record: SandboxRecord, before: SandboxRecord | None) -> pb.PlatformEvent | None:
    """The event that a change of phase is; None where the phase stayed."""
    if before is not None and before.phase is record.phase:
        return None
    return pb.PlatformEvent(
        event_time=timestamp(record.changed_at or record.created_at),
        source="gateway",
        type="Warning" if record.phase in (Phase.ERROR, Phase.UNKNOWN) else "Normal",
        reason=record.phase.label,
        message=record.reason or f"the sandbox is in phase {record.phase.label}",
    )
