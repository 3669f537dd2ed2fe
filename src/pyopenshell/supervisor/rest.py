"""What a supervisor and its init do when nobody wants anything of them: give back the memory that the last work took."""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.linux import memory
from pyopenshell.streams.buffers import SHARED

#: Seconds after the end of something until it is asked whether all is quiet. A person's next command, a script's next step
#: come sooner than this, or much later.
QUIET = 5.0


def give_back() -> None:
    """Free pages of the heap, the receive buffer, pages that were only read. 5 ms."""
    SHARED.buffer.rest()
    memory.give_back()


class Rest:
    """`later` calls something after so many seconds, `wanted` tells whether something goes on, `act` gives back."""

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        wanted: Callable[[], bool],
        act: Callable[[], None] = give_back,
    ) -> None:
        self._later = later
        self._wanted = wanted
        self._act = act
        self._due = False

    def ended(self) -> None:
        """Something is done: look in a while whether all is."""
        if not self._due:
            self._due = True
            self._later(QUIET, self._look)

    def _look(self) -> None:
        self._due = False
        if not self._wanted():
            self._act()
