"""The audit trail as the services write it: they name the event and its facts; who we are and when is added here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from pyopenshell.audit.base import Event, Source
from pyopenshell.audit.log import AuditLog

P = ParamSpec("P")


class Trail:
    """Use: `trail.note(ocsf.session_opened, sandbox_id, name, session_id)`."""

    def __init__(self, log: AuditLog, source: Source, wall: Callable[[], float] = time.time) -> None:
        self._log = log
        self._source = source
        self.wall = wall

    def note(
        self,
        build: Callable[Concatenate[Source, float, P], Event | list[Event]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Build the event (or events) and queue it; never waits, never fails."""
        made = build(self._source, self.wall(), *args, **kwargs)
        self._log.emit(*(made if isinstance(made, list) else [made]))
