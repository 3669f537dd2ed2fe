"""A pair of streams joined in memory: what one writes the other reads. For tests, and for parts within one process."""

from __future__ import annotations

import asyncio
from collections import deque

from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamBusy, StreamClosed

#: Bytes that may wait in one direction before `write` does: as a pipe has, pipe(7).
CAPACITY = 64 * 1024


class _Pipe:
    """One direction. Every change wakes both sides, which look again."""

    def __init__(self, capacity: int) -> None:
        self.chunks: deque[memoryview] = deque()
        self.size = 0
        self.capacity = capacity
        self.ended = False
        self.changed = asyncio.Event()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class MemoryStream(ByteStream):
    """One end of `pair`."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._peer: MemoryStream | None = None
        self._closed = False
        self._broken = ""
        self._seen_end = False
        self._reading = False
        self._writing = False

    async def read(self) -> Buffer:
        if self._reading:
            raise StreamBusy("two tasks read one stream")
        self._reading = True
        pipe = self._incoming
        try:
            while True:
                self._check()
                if pipe.chunks:
                    chunk = pipe.chunks.popleft()
                    pipe.size -= len(chunk)
                    pipe.wake()
                    return chunk
                if pipe.ended:
                    self._seen_end = True
                    return b""
                await pipe.changed.wait()
        finally:
            self._reading = False

    async def write(self, *data: Buffer) -> None:
        if self._writing:
            raise StreamBusy("two tasks write one stream")
        self._writing = True
        pipe = self._outgoing
        try:
            self._check()
            if pipe.ended:
                raise StreamClosed("write after end")
            for buffer in data:
                view = memoryview(buffer)
                while len(view):
                    room = pipe.capacity - pipe.size
                    if room > 0:
                        pipe.chunks.append(view[:room])
                        pipe.size += min(room, len(view))
                        view = view[room:]
                        pipe.wake()
                    else:
                        await pipe.changed.wait()
                    self._check()
        finally:
            self._writing = False

    async def end(self) -> None:
        if self._writing:
            raise StreamBusy("end while another task writes")
        if self._outgoing.ended and not self._broken:
            return
        self._check()
        self._outgoing.ended = True
        self._outgoing.wake()

    def abort(self, reason: str = "") -> None:
        if self._closed:
            return
        self._closed = True
        peer = self._peer
        if peer is not None and not peer._closed and not peer._broken:
            peer._broken = reason or "the peer aborted"
        for pipe in (self._incoming, self._outgoing):
            pipe.chunks.clear()
            pipe.size = 0
            pipe.wake()

    async def close(self) -> None:
        if not self._closed and self._outgoing.ended and self._seen_end and not self._broken:
            self._closed = True
        else:
            self.abort("closed before both directions had ended")

    def _check(self) -> None:
        if self._closed:
            raise StreamClosed("the stream is closed")
        if self._broken:
            raise StreamBroken(self._broken)


def pair(capacity: int = CAPACITY) -> tuple[MemoryStream, MemoryStream]:
    """Two joined streams; `capacity` bytes may wait in each direction."""
    one, two = _Pipe(capacity), _Pipe(capacity)
    near, far = MemoryStream(one, two), MemoryStream(two, one)
    near._peer, far._peer = far, near
    return near, far
