"""How much one connection does in one turn of the event loop, so that the others have theirs.

Bytes differ in what they cost: 256 KiB of bulk take 0.3 ms, of small header blocks half a second. So the reader measures:
what took longer than TURN is read in smaller pieces, and in larger ones again when it was cheap. What is not read waits in
the kernel, and that is the peer's back-pressure. Hundreds of connections that are each modest are no less of a load: those
of strangers take turns. Calls that came together are begun a few in a turn, for each one's first step runs to where it has
to wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from pyopenshell.streams.buffers import BUFFER_BYTES

if TYPE_CHECKING:
    from pyopenshell.streams.http2 import Http2Connection

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
#: The same of a stranger's, who may have hundreds of connections.
BEGINS_OF_STRANGERS = 2
#: Connections of strangers that are read in one turn, however many of them have something to say.
READERS = 2


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
    """Begins the calls of one connection, `most` in a turn, in the order in which they came."""

    __slots__ = ("_begin", "_left", "_most", "_waiting")

    def __init__(self, begin: Callable[[T], None], most: int = BEGINS) -> None:
        self._begin = begin
        self._most = self._left = most
        self._waiting: deque[T] = deque()

    def add(self, call: T) -> None:
        """Begin `call` now, or in one of the next turns."""
        if self._left == self._most:
            asyncio.get_running_loop().call_soon(self._turn_over)
        if self._left:
            self._left -= 1
            self._begin(call)
        else:
            self._waiting.append(call)

    def _turn_over(self) -> None:
        self._left = self._most
        for _ in range(min(self._most, len(self._waiting))):
            self.add(self._waiting.popleft())


class Turns:
    """Connections that may each be read once, and then wait until those that wait already have had their turn."""

    def __init__(self) -> None:
        self._waiting: deque[Http2Connection] = deque()

    def wait(self, connection: Http2Connection) -> None:
        """It was read: stop reading until its turn."""
        if connection.transport is None or connection.transport.is_closing():
            return
        connection.transport.pause_reading()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._turn_over)
        self._waiting.append(connection)

    def _turn_over(self) -> None:
        for _ in range(min(READERS, len(self._waiting))):
            transport = self._waiting.popleft().transport
            if transport is not None and not transport.is_closing():
                transport.resume_reading()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn_over)
