"""How init ends processes: signals as their user, and the hang-up of those whose near side is gone.

    SIGHUP --HANG_UP_GRACE--> SIGKILL

The near side of a process is whoever asked for it: an SSH child, or the owner of the sandbox. Until the process has ended
init keeps its input open, so that what came is never taken for the whole; therefore it must end. What is kept for the next
owner (the main process) has no near side to lose.
"""

from __future__ import annotations

import contextlib
import os
import signal

from pyopenshell.linux.ids import Ids
from pyopenshell.supervisor.init_loop import Loop
from pyopenshell.supervisor.init_spawn import acting_as_user
from pyopenshell.supervisor.init_table import Row, Table

HANG_UP_GRACE = 2.0  # seconds between SIGHUP and SIGKILL, as a supervisor that lives gives them


class Ends:
    """Ends rows of `table`, as the user of `ids`."""

    def __init__(self, loop: Loop, table: Table, ids: Ids) -> None:
        self._loop = loop
        self._table = table
        self._ids = ids

    def kill(self, pid: int, number: int, *, group: bool) -> None:
        """Send a signal; nothing where nobody is there to get it."""
        with contextlib.suppress(ProcessLookupError, PermissionError), acting_as_user(self._ids):
            os.kill(-pid if group else pid, number)

    def hang_up(self, row: Row) -> None:
        """The near side of a running process is gone. A terminal's end is told by the kernel."""
        if row.terminal:
            return

        def over() -> None:
            if not row.ended:
                self.kill(row.pid, signal.SIGKILL, group=True)

        self.kill(row.pid, signal.SIGHUP, group=True)
        self._loop.later(HANG_UP_GRACE, over)

    def abandon(self) -> None:
        """The owner is gone, and with it the near side of its commands; what is kept for the next owner goes on."""
        for row in self._table:
            if row.client is None and not row.kept and not row.label:
                row.abandoned = True
                if row.ended:
                    self._table.forget(row)
                else:
                    self.hang_up(row)
