"""A gateway that drains says so: in its state directory, for whoever starts it again, and to every caller at its doors.

While relays get their moment to end, the doors of people stay open and answer each new call with UNAVAILABLE and what to do;
a connection that is refused would say nothing. Supervisors are served to the end: what was admitted can still be claimed,
and last words still come in.
"""

from __future__ import annotations

import os
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import write_private

DRAINING = "draining"  # holds the pid in decimal; read by sdk/running.py


class Draining:
    """Whether the gateway was told to end. `begin` once; `forget` when it has ended."""

    def __init__(self, state: Path) -> None:
        self._path = state / DRAINING
        self._begun = False

    def __bool__(self) -> bool:
        return self._begun

    def begin(self) -> None:
        """From now on. A disk that takes no mark costs the mark alone."""
        self._begun = True
        try:
            write_private(self._path, b"%d\n" % os.getpid())
        except OpenShellError:
            return

    def forget(self) -> None:
        """Remove the mark: of this gateway's end, or of one that was killed while it drained."""
        self._path.unlink(missing_ok=True)

    def refuse(self) -> None:
        """Raise UNAVAILABLE for a new call while the gateway drains."""
        if self._begun:
            raise OpenShellError(
                Code.UNAVAILABLE,
                "the gateway is stopping",
                hint="'openshell gateway start' waits for its end and starts it anew",
            )
