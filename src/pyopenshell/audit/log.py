"""Where audit events go: a bounded queue and one thread that appends them to a file as JSON lines.

`emit` never waits and never fails: the event loop goes on while the disk is slow, full or gone. What did not fit into the
queue or onto the disk is counted, said once in the log, and written into the audit file itself as one event as soon as the
disk takes bytes again, so that a gap is never silent.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pyopenshell.audit.ocsf import Event

QUEUE_MAX = 10_000  # events of about 1 KiB: 10 MB at the worst, some seconds of the busiest gateway


class AuditLog:
    """Use: `log = AuditLog(path, warn=logger.warning); log.emit(event, …); await log.close()`."""

    def __init__(
        self,
        path: Path | None,
        *,
        max_bytes: int,
        keep: int,
        warn: Callable[[str], None],
        text: Callable[[str], None] | None = None,
    ) -> None:
        """`path` None writes no file. `keep` rotated files stay (`audit.jsonl.1` is the newest). `text` gets one-line forms."""
        raise NotImplementedError

    def emit(self, *events: Event) -> None:
        """Queue `events`. Never blocks, never raises."""
        raise NotImplementedError

    @property
    def lost(self) -> int:
        """Events that were lost so far."""
        raise NotImplementedError

    async def close(self) -> None:
        """Write what is queued and close the file. Idempotent."""
        raise NotImplementedError
