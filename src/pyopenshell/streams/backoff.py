"""Waits between attempts to reach a peer: doubling, with half of the range jittered (as gRPC's connection-backoff document).

Jitter keeps a thousand peers of a gateway that came back from coming all at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Waits from `first` to `most` seconds."""

    def __init__(self, first: float, most: float, rand: Callable[[], float] = random.random) -> None:
        self._first = first
        self._most = most
        self._rand = rand
        self._next = first

    def reset(self) -> None:
        """The last attempt was a success."""
        self._next = self._first

    def longest(self) -> None:
        """The next wait is the longest one."""
        self._next = self._most

    def wait(self) -> float:
        """Seconds to wait now."""
        base, self._next = self._next, min(self._next * 2, self._most)
        return base * (0.5 + self._rand() / 2)
