"""Receive buffers of which every byte is written once.

What was read is passed on as slices, and a transport may keep a reference to them until they are sent (asyncio of Python
3.12 and later does). So a region that was handed out is never filled again: the buffer moves on, and when too little is
left a new one is taken; the old one lives as long as a slice of it does. `get_buffer` of a protocol must return a
memoryview: with a bytearray, asyncio's TLS slices a copy and delivers wrong bytes.
"""

from __future__ import annotations

import threading
from collections import deque

from pyopenshell.streams.contract import Buffer

#: One receive buffer: what asyncio's TLS takes from a socket at once (sslproto.SSLProtocol.max_size).
BUFFER_BYTES = 256 * 1024
#: With less room than this a new buffer is taken: one full turn of a bulk stream.
ROOM_MIN = 64 * 1024


class ReceiveBuffer:
    """`room` to read into, `filled` for what came, `keep` when slices of it live on."""

    def __init__(self, size: int = BUFFER_BYTES, least: int = ROOM_MIN) -> None:
        self._size = size
        self._least = least
        self._view = memoryview(b"")

    def room(self) -> memoryview:
        """Where the next bytes go."""
        if len(self._view) < self._least:
            self._view = memoryview(bytearray(self._size))
        return self._view

    def rest(self) -> None:
        """Nothing is read for a while: hold no memory until `room` is asked for again."""
        self._view = memoryview(b"")

    def filled(self, n: int) -> memoryview:
        """The `n` bytes that were read into `room`; good until `room` is used again, or for ever after `keep`."""
        return self._view[:n]

    def keep(self, n: int) -> None:
        """Leave the first `n` bytes of `room` alone from now on."""
        self._view = self._view[n:]


class SharedBuffer(threading.local):
    """One `ReceiveBuffer` for all connections of a thread: each reads and deals with what it read at one go."""

    def __init__(self) -> None:
        self.buffer = ReceiveBuffer()


SHARED = SharedBuffer()

#: Chunks below this are copied together. A chunk of this size holds at most 16 times itself (BUFFER_BYTES).
COPY_BELOW = 16 * 1024


class ChunkQueue:
    """Received chunks of one stream, each with the flow-controlled bytes that it stands for.

    Small chunks are copied together, so that neither a handful of bytes holds a whole receive buffer alive, nor frames of
    one byte take a hundred times their window. With `copy_below` over the window, they take no more than it.
    """

    def __init__(self, copy_below: int = COPY_BELOW) -> None:
        self.copy_below = copy_below
        self._chunks: deque[tuple[Buffer, int]] = deque()

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(len(data) for data, _ in self._chunks)

    def push(self, data: memoryview, flow: int) -> bool:
        """Add a chunk; tell whether `data` itself is referenced now (False: it was copied)."""
        if len(data) >= self.copy_below:
            self._chunks.append((data, flow))
            return True
        if self._chunks:
            last, held = self._chunks[-1]
            if type(last) is bytearray and len(last) < COPY_BELOW:
                last += data
                self._chunks[-1] = (last, held + flow)
                return False
        self._chunks.append((bytearray(data), flow))
        return False

    def pop(self) -> tuple[Buffer, int]:
        """The oldest chunk and its flow; it is not added to any more."""
        return self._chunks.popleft()

    def clear(self) -> None:
        """Drop all."""
        self._chunks.clear()
