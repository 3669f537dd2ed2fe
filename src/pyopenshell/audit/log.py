"""Where audit events go: a bounded queue and one thread that appends them to a file as JSON lines.

`emit` never waits and never fails: the event loop goes on while the disk is slow, full or gone. What did not fit into the
queue or onto the disk is counted, said once in the log, and written into the audit file itself as one event as soon as the
disk takes bytes again, so that a gap is never silent.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from pyopenshell.audit.base import Event, Source
from pyopenshell.audit.entities import events_lost
from pyopenshell.audit.file import AuditFile
from pyopenshell.audit.line import as_line

QUEUE_MAX = 10_000  # events of about 1 KiB: 10 MB at the worst, some seconds of the busiest gateway


class AuditLog:
    """Use: `log = AuditLog(path, source, …); log.emit(event, …); await log.close()`."""

    def __init__(
        self,
        path: Path | None,
        source: Source,
        *,
        max_bytes: int,
        keep: int,
        warn: Callable[[str], None],
        text: Callable[[str], None] | None = None,
        wall: Callable[[], float] = time.time,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        """`path` None writes no file. `keep` rotated files stay (`audit.jsonl.1` is the newest).

        `warn` gets a line when events begin to be lost and when that is over, `text` the one-line form of each event; both
        are called on the writer's thread.
        """
        self._file = AuditFile(path, max_bytes=max_bytes, keep=keep) if path is not None else None
        self._source = source
        self._warn = warn
        self._text = text
        self._wall = wall
        self._queue: deque[Event] = deque()
        self._queue_max = queue_max
        self._changed = threading.Condition()
        self._closing = False
        self._lost = 0  # in all
        self._untold = 0  # since the last event of ours that told it
        self._said = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def emit(self, *events: Event) -> None:
        """Queue `events`. Never blocks, never raises."""
        with self._changed:
            room = 0 if self._closing else max(0, self._queue_max - len(self._queue))
            self._queue.extend(events[:room])
            self._count_lost(len(events) - len(events[:room]))
            self._changed.notify()

    @property
    def lost(self) -> int:
        """Events that were lost so far."""
        return self._lost

    async def close(self) -> None:
        """Write what is queued and close the file. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _count_lost(self, count: int) -> None:
        self._lost += count
        self._untold += count

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                batch = list(self._queue)
                self._queue.clear()
            for event in batch:
                self._write(event)
            if not batch:  # closing, and nothing is left
                break
        self._tell()
        if self._file is not None:
            self._file.close()

    def _write(self, event: Event) -> None:
        if self._text is not None:
            self._text(as_line(event))
        if self._file is None:
            return
        self._tell()
        if not self._append(event):
            with self._changed:
                self._count_lost(1)

    def _tell(self) -> None:
        """Put an event about lost ones before the next; while that does not go, they stay untold."""
        with self._changed:
            count = self._untold
        if not count or self._file is None:
            return
        if self._append(events_lost(self._source, self._wall(), count)):
            with self._changed:
                self._untold -= count
            self._said = False
            self._warn(f"the audit file takes events again; {count} were lost")

    def _append(self, event: Event) -> bool:
        assert self._file is not None
        try:
            self._file.append(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            if not self._said:
                self._said = True
                self._warn(f"audit events are being lost: {os.strerror(error.errno or 0)}; free space on that disk")
            return False
        return True
