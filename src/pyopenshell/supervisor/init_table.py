"""What init started: a table of processes and how each row may change.

    STARTING --exec succeeded--> RUNNING --reaped--> ENDED --acknowledged--> (no row)
        |                            `--reaped, nobody will ask--> (no row)
        `--exec failed--> (no row)

A row whose process is reaped before its exec was reported keeps the exit until the report is in, so that the asker reads
"started" before "ended".
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pyopenshell.drivers.messages import close_all
from pyopenshell.supervisor.init_connection import Connection


class State(Enum):
    """Where a process is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(slots=True)
class Row:
    """One process. `client` is the spawn-only connection that asked, None where it is the owner's, whoever that is."""

    pid: int
    label: str
    client: Connection | None
    kept: list[int] = field(default_factory=list)
    terminal: bool = False
    state: State = State.STARTING
    status: int | None = None

    def exit(self) -> dict[str, Any] | None:
        """How it ended, as the wire says it; None while it runs."""
        if self.status is None:
            return None
        if os.WIFSIGNALED(self.status):
            return {"code": 0, "signal": os.WTERMSIG(self.status), "core": os.WCOREDUMP(self.status)}
        return {"code": os.WEXITSTATUS(self.status), "signal": 0, "core": False}


class Table:
    """The rows by pid, and the labels that were ever used."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self.ran: set[str] = set()

    def __iter__(self) -> Any:
        return iter(list(self._rows.values()))

    def get(self, pid: object) -> Row | None:
        """The row of a pid as a message names it, or None."""
        return self._rows.get(pid) if isinstance(pid, int) else None

    def add(self, row: Row) -> None:
        """A process was forked."""
        self._rows[row.pid] = row

    def running(self, row: Row) -> None:
        """Its exec succeeded."""
        if row.label:
            self.ran.add(row.label)
        row.state = State.RUNNING if row.status is None else State.ENDED

    def ended(self, pid: int, status: int) -> Row | None:
        """A child was reaped: its row where it was started by init and its exit may be told now."""
        row = self._rows.get(pid)
        if row is None:
            return None
        row.status = status
        if row.state is State.STARTING:
            return None
        row.state = State.ENDED
        return row

    def forget(self, row: Row) -> None:
        """The row is not needed any more; what init kept of it is closed."""
        if self._rows.get(row.pid) is row:
            del self._rows[row.pid]
        close_all(row.kept)
        row.kept = []
