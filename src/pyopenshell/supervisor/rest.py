"""What a supervisor does when nobody wants anything of it: gives back the memory that the last burst of work took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyopenshell.linux import memory
from pyopenshell.streams.buffers import SHARED

#: Seconds without a relay. A person's next command, a script's next step come sooner than this, or much later.
QUIET = 5.0


def give_back() -> None:
    """Free pages of the heap, the receive buffer, pages that were only read. 5 ms."""
    SHARED.buffer.rest()
    memory.give_back()


class Rest:
    """Calls `act` once when it has been idle for QUIET seconds. Begins as neither idle nor busy."""

    def __init__(self, act: Callable[[], None] = give_back) -> None:
        self._act = act
        self._timer: asyncio.TimerHandle | None = None

    def busy(self) -> None:
        """Something is wanted, or nothing will be any more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def idle(self) -> None:
        """All that was wanted is done."""
        self.busy()
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._act)
