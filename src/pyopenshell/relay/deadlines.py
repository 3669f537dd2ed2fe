"""Deadlines by name: what is due at `now`, and when to look again.

A heap with lazy removal: setting a name again, or clearing it, leaves the old entry in the heap to be skipped when it
surfaces, so both cost O(log n) and a thousand relays cost no scan. Times are seconds of one monotonic clock that the
caller owns; nothing here reads a clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Deadlines(Generic[Name]):
    """At most one deadline for each name."""

    def __init__(self) -> None:
        self._at: dict[Name, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Name]] = []
        self._serial = count()  # orders equal times by age and never compares names

    def set(self, name: Name, at: float) -> None:
        """Make `at` the deadline of `name`, in place of the one it had."""
        entry = (at, next(self._serial))
        self._at[name] = entry
        heapq.heappush(self._heap, (*entry, name))

    def clear(self, name: Name) -> None:
        """Forget the deadline of `name`, if it has one."""
        self._at.pop(name, None)
        if not self._at:
            self._heap.clear()

    def due(self, now: float) -> list[Name]:
        """Take out and return the names whose deadline is `now` or before, oldest first."""
        names = []
        while (at := self.next()) is not None and at <= now:
            _, _, name = heapq.heappop(self._heap)
            del self._at[name]
            names.append(name)
        return names

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        while self._heap:
            at, serial, name = self._heap[0]
            if self._at.get(name) == (at, serial):
                return at
            heapq.heappop(self._heap)
        return None

    def __len__(self) -> int:
        return len(self._at)

    def __repr__(self) -> str:
        return f"Deadlines({len(self._at)}, next={self.next()})"
