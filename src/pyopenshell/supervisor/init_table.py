"""What init started: a table of processes and how each row may change.

    RUNNING --reaped--> ENDED --acknowledged--> (no row)
        |--reaped, and who asked for it is gone--> (no row)
        `--its owner is gone--> ABANDONED --reaped--> (no row)

A pid cannot be given anew while its row runs. An ended row may meet a new process with its pid: the newer one takes its
place, because the asker of the older one learned its end before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyopenshell.drivers.messages import close_all
from pyopenshell.supervisor.init_connection import Connection


@dataclass(slots=True, eq=False)
class Row:
    """One process. `client` is the spawn-only connection that asked, None where it is the owner's, whoever that is.

    `kept` are init's own copies of its output, `stdin` is init's copy of its input's writing end (-1 for none): an asker
    that dies closes its own, and what came until then must not look like the whole input. `status` is of wait(2) once it
    ended.
    """

    pid: int
    label: str
    client: Connection | None
    terminal: bool
    kept: list[int] = field(default_factory=list)
    stdin: int = -1
    abandoned: bool = False
    status: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it was reaped."""
        return self.status is not None

    def end_input(self) -> None:
        """Nobody writes its input any more. Idempotent."""
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

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

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def get(self, pid: object) -> Row | None:
        """The row of a pid as a message names it, or None."""
        return self._rows.get(pid) if isinstance(pid, int) else None

    def add(self, row: Row) -> None:
        """A process was started."""
        older = self._rows.get(row.pid)
        if older is not None:
            self.forget(older)
        self._rows[row.pid] = row
        if row.label:
            self.ran.add(row.label)

    def forget(self, row: Row) -> None:
        """The row is not needed any more; what init kept of it is closed."""
        if self._rows.get(row.pid) is row:
            del self._rows[row.pid]
        close_all(row.kept)
        row.kept = []
        row.end_input()
