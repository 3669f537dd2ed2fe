"""Memory for messages that come in parts: so much for each connection, first come, first served.

A message is put together outside its stream's window, so windows do not bound it. A place is taken for the whole length
that a message announces before any of it is collected: who has a place can always come to an end, and who has none is not
read, which its window makes back-pressure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyopenshell.streams.transports import wake

#: Bytes for the incomplete messages of one connection: eight of the largest.
ROOM = 32 * 1024 * 1024
#: Messages up to this need no place: their streams' windows bound them.
FREE = 64 * 1024


class Room:
    """Of one connection. `size` in bytes, not less than the largest message."""

    __slots__ = ("_left", "_waiting")

    def __init__(self, size: int = ROOM) -> None:
        self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def place(self, n: int) -> AsyncIterator[None]:
        """Wait for `n` bytes of room, and hold them."""
        if n <= FREE:
            yield
            return
        if self._waiting or n > self._left:
            await self._wait(n)
        else:
            self._left -= n
        try:
            yield
        finally:
            self._left += n
            self._hand_out()

    async def _wait(self, n: int) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (n, waiter)
        self._waiting.append(entry)
        try:
            await waiter
        except BaseException:
            if entry in self._waiting:
                self._waiting.remove(entry)
            else:
                self._left += n
            self._hand_out()
            raise

    def _hand_out(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            n, waiter = self._waiting.popleft()
            self._left -= n
            wake(waiter)

    def __repr__(self) -> str:
        return f"<Room {self._left} bytes left, {len(self._waiting)} wait>"
