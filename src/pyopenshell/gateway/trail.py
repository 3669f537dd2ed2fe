"""The audit trail as the services write it: they name the event and its facts; who we are and when is added here.

What is noted is built and handed to the log a moment later, all of that moment together: an event costs 0.1 ms to build and
a wake of the writer's thread more than that, and neither may stand between a caller and its first byte.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from pyopenshell.audit.base import Event, Source
from pyopenshell.audit.log import AuditLog

P = ParamSpec("P")

GATHERED = 0.02  # seconds that an event may wait: one exec takes about as long


class Trail:
    """Use, in the event loop: `trail.note(ocsf.session_opened, sandbox_id, name, session_id)`; at the end `flush`."""

    def __init__(self, log: AuditLog, source: Source, wall: Callable[[], float] = time.time) -> None:
        self._log = log
        self._source = source
        self._noted: list[Callable[[], Event | list[Event]]] = []
        self.wall = wall

    def note(
        self,
        build: Callable[Concatenate[Source, float, P], Event | list[Event]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Note an event (or events) as of now; never waits, never fails."""
        now = self.wall()
        if not self._noted:
            asyncio.get_running_loop().call_later(GATHERED, self.flush)
        self._noted.append(lambda: build(self._source, now, *args, **kwargs))

    def flush(self) -> None:
        """Hand all that was noted to the log."""
        noted, self._noted = self._noted, []
        events: list[Event] = []
        for build in noted:
            made = build()
            events += made if isinstance(made, list) else [made]
        if events:
            self._log.emit(*events)
