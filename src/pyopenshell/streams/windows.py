"""How large the receive window of a stream is: the memory that a slow reader can hold, and the speed over a long line.

A window is INITIAL until the call is admitted, then ADMITTED. When a peer fills two thirds of it within one round trip,
it is the window that limits the speed, so it is doubled, up to GROWN. All windows of a process share one budget: under
pressure (the next admission would not fit) grown windows go back to ADMITTED as their bytes are given back, and a newly
admitted call keeps INITIAL until there is room. So the memory is bounded by the budget and INITIAL for each stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

#: The protocol's own (RFC 9113 section 6.9.2); nobody who may not has more.
INITIAL = 65_535
#: 145 MB/s over a round trip of 7 ms.
ADMITTED = 1024 * 1024
#: 80 MB/s over a round trip of 100 ms. Chrome grows a stream to 6 MiB, gRPC to 16 MiB.
GROWN = 8 * 1024 * 1024
#: Sum of the windows of one process.
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
    """The window of one stream. Each method returns the size to set, or None where it stays."""

    __slots__ = ("_admitted", "_budget", "received", "size")

    def __init__(self, budget: WindowBudget) -> None:
        self.size = INITIAL
        self.received = 0  # flow-controlled bytes so far, for `measured`
        self._admitted = False
        self._budget = budget
        budget.used += INITIAL

    def admit(self) -> int | None:
        """The call may send in earnest."""
        self._admitted = True
        return self.adjust()

    def adjust(self) -> int | None:
        """Bytes are given back: shrink under pressure, or take what could not be had before."""
        if not self._admitted:
            return None
        if self.size > ADMITTED:
            return self._set(ADMITTED) if self._budget.pressed else None
        if self.size < ADMITTED and not self._budget.pressed:
            return self._set(ADMITTED)
        return None

    def measured(self, received: int) -> int | None:
        """So many bytes came within one round trip: double a window that they nearly filled."""
        if not ADMITTED <= self.size < GROWN or received * 3 < self.size * 2:
            return None
        if self._budget.used + self.size > self._budget.limit - ADMITTED:
            return None
        return self._set(self.size * 2)

    def release(self) -> None:
        """The stream is over. Idempotent."""
        self._budget.used -= self.size
        self.size = 0
        self._admitted = False

    def _set(self, size: int) -> int:
        self._budget.used += size - self.size
        self.size = size
        return size


#: Seconds between two measurements: a window doubles at most so often, and 5 PINGs a second disturb nobody.
MEASURE_EVERY = 0.2


class Growing(Protocol):
    """A stream whose window may grow."""

    window: StreamWindow

    def set_window(self, size: int | None) -> None:
        """Set the receive window in bytes; None leaves it."""


class Growth:
    """Measures, while data comes, how much of it each stream of a connection gets within one round trip.

    `ask` sends a PING and calls back when it is answered.
    """

    def __init__(self, ask: Callable[[Callable[[], None]], None]) -> None:
        self._ask = ask
        self._last = 0.0
        self._before: list[tuple[Growing, int]] = []

    def due(self, now: float) -> bool:
        """Whether to measure again."""
        return not self._before and now - self._last >= MEASURE_EVERY

    def measure(self, streams: Iterable[Growing], now: float) -> None:
        """Start: note what each stream that may grow has received."""
        self._last = now
        self._before = [(stream, stream.window.received) for stream in streams if stream.window.size >= ADMITTED]
        if self._before:
            self._ask(self._measured)

    def _measured(self) -> None:
        before, self._before = self._before, []
        for stream, received in before:
            stream.set_window(stream.window.measured(stream.window.received - received))
