"""How much one connection does in one turn of the event loop, so that the others have theirs.

Bytes differ in what they cost: 256 KiB of bulk take 0.3 ms, of small header blocks half a second. So the reader measures:
what took longer than TURN is read in smaller pieces, and in larger ones again when it was cheap. What is not read waits in
the kernel, and that is the peer's back-pressure. Calls that came together are begun a few in a turn, for each one's first
step runs to where it has to wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pyopenshell.streams.buffers import BUFFER_BYTES

T = TypeVar("T")

#: Seconds that what was read at once may take. A turn of ten such connections is still below 20 ms, which a person feels.
TURN = 0.002
#: Bytes read at once: at first (120 requests that are reset at once, 5 ms), at least (the dearest header blocks take 2 us
#: a byte), at most.
FIRST = 4 * 1024
LEAST = 1024
MOST = BUFFER_BYTES
#: Calls of one connection that begin in one turn: at 0.1 ms each, about TURN.
BEGINS = 16


class Pace:
    """Of one connection: `size` bytes are read at once."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = FIRST

    def took(self, n: int, seconds: float) -> None:
        """`n` bytes were read and dealt with."""
        if seconds > TURN:
            self.size = max(LEAST, min(n, self.size) // 2)
        elif n >= self.size and seconds < TURN / 4:
            self.size = min(MOST, self.size * 2)


class Begins(Generic[T]):
    """Begins the calls of one connection, BEGINS in a turn, in the order in which they came."""

    __slots__ = ("_begin", "_left", "_waiting")

    def __init__(self, begin: Callable[[T], None]) -> None:
        self._begin = begin
        self._left = BEGINS
        self._waiting: deque[T] = deque()

    def add(self, call: T) -> None:
        """Begin `call` now, or in one of the next turns."""
        if self._left == BEGINS:
            asyncio.get_running_loop().call_soon(self._turn_over)
        if self._left:
            self._left -= 1
            self._begin(call)
        else:
            self._waiting.append(call)

    def _turn_over(self) -> None:
        self._left = BEGINS
        for _ in range(min(BEGINS, len(self._waiting))):
            self.add(self._waiting.popleft())
