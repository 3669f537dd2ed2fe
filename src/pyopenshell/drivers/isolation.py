"""The ids that sandboxes get from this gateway: the shape is found out once, by trying, and is the same for all of them.

The trial is a fork of the zygote's, because the gateway has threads. A sandbox that runs already has the ids that it was
born with (`linux.ids.ids_of_process`), whatever the machine would give today.
"""

from __future__ import annotations

from pyopenshell.drivers import tasks
from pyopenshell.drivers.zygote import Zygote
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux.ids import RANGE_FIRST, RANGE_LAST, RANGE_TAKEN, Ids, Shape, range_ids

#: The ids of the probe's throw-away sandbox: the end of the range, which the store gives out last.
PROBE_BASE = RANGE_LAST + 1 - RANGE_TAKEN


class Isolation:
    """Gives ids. `strict` refuses a shape without ids of its own; `because` says why there is no better one, or is ""."""

    def __init__(self, zygote: Zygote, *, strict: bool = False) -> None:
        self._zygote = zygote
        self._strict = strict
        self._found: Ids | None = None
        self.because = ""

    async def ids(self, base: int = PROBE_BASE) -> Ids:
        """The ids of a sandbox; `base` counts only in the shape `range`.

        Raises INVALID for a base that is not free, PRECONDITION where the shape is not strict enough, SetupFailed where
        there is none.
        """
        if self._found is None:
            self._found, self.because = await tasks.shape(self._zygote, PROBE_BASE)
        if self._found.shape is Shape.RANGE:
            if not RANGE_FIRST <= base <= PROBE_BASE:
                raise OpenShellError(Code.INVALID, f"id base {base} is outside of the free ids of this machine")
            return range_ids(base)
        if self._strict and self._found.shape is Shape.SINGLE:
            raise OpenShellError(
                Code.PRECONDITION,
                f"strict isolation needs more ids than this user has{f' ({self.because})' if self.because else ''}",
                hint="install newuidmap (package uidmap) and add this user to /etc/subuid and /etc/subgid",
            )
        return self._found

    def facts(self) -> dict[str, str]:
        """Why the shape is no better one, as a fact of each sandbox; nothing where none was tried in vain."""
        return {"isolation limited": self.because} if self.because else {}
