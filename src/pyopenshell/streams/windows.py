"""How large the receive window of a stream is: the memory that a slow reader can hold, and the speed over a long line.

A window is INITIAL until the call is admitted, then ADMITTED, and grows up to GROWN where a larger one helps
(http2/bdp.py). All windows of a process share one budget: under pressure (the next admission would not fit) grown
windows go back to ADMITTED as their bytes are given back, and a newly admitted call keeps INITIAL until there is room.
So the memory is bounded by the budget and INITIAL for each stream.
"""

from __future__ import annotations

from pyopenshell.http2.bdp import WindowGrowth

#: As the engine's `Limits.initial_window`; nobody who may not has more.
INITIAL = 64 * 1024
#: Four turns of a bulk stream, and 250 MB/s over a round trip of 1 ms. Not more: it is what may stand in a socket before
#: another stream's bytes (bench/fairness.py), and it grows over a longer line.
ADMITTED = 256 * 1024
#: 80 MB/s over a round trip of 100 ms. Chrome grows a stream to 6 MiB, gRPC to 16 MiB.
GROWN = 8 * 1024 * 1024
#: Sum of the windows of one process; half of a small cloud machine.
BUDGET = 256 * 1024 * 1024


class WindowBudget:
    """Counts what the windows of one process promise. `limit` in bytes."""

    def __init__(self, limit: int = BUDGET) -> None:
        self.limit = limit
        self.used = 0

    def __repr__(self) -> str:
        return f"<WindowBudget {self.used} of {self.limit}>"

    @property
    def pressed(self) -> bool:
        """Whether the next admission would not fit."""
        return self.used + ADMITTED - INITIAL > self.limit


#: One for a process, since memory is.
PROCESS = WindowBudget()


class StreamWindow:
    """The window of one stream. Methods that change it return the size to set, or None where it stays."""

    __slots__ = ("_budget", "_growth", "size")

    def __init__(self, budget: WindowBudget) -> None:
        self.size = INITIAL
        self._growth: WindowGrowth | None = None  # from admission on
        self._budget = budget
        budget.used += INITIAL

    def admit(self, now: float) -> int | None:
        """The call may send in earnest. `now` in seconds of any steady clock, as below."""
        if self._growth is None:
            self._growth = WindowGrowth(ADMITTED, GROWN, now)
        return self.adjust()

    def adjust(self) -> int | None:
        """Bytes are given back: shrink under pressure, or take what could not be had before."""
        if self._growth is None:
            return None
        pressed = self._budget.pressed
        if self.size > ADMITTED and pressed:
            self._growth.shrink(ADMITTED)
            return self._set(ADMITTED)
        if self.size < ADMITTED and not pressed:
            return self._set(ADMITTED)
        return None

    def taken(self, n: int, now: float) -> bool:
        """The reader took `n` bytes; whether to send a PING, and call `answered` when it is back."""
        return self._growth is not None and self.size >= ADMITTED and self._growth.taken(n, now)

    def answered(self, now: float, shortest: float) -> int | None:
        """The PING is back: the window grows where that helps and there is room. `shortest` as in http2/bdp.py."""
        if self._growth is None or not self._growth.answered(now, shortest):
            return None
        if self._budget.used + self._growth.window - self.size > self._budget.limit - ADMITTED:
            self._growth.shrink(self.size)
            return None
        return self._set(self._growth.window)

    def release(self) -> None:
        """The stream is over. Idempotent."""
        self._budget.used -= self.size
        self.size = 0
        self._growth = None

    def _set(self, size: int) -> int:
        self._budget.used += size - self.size
        self.size = size
        return size
