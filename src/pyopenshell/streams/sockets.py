"""Streams over sockets: TCP, Unix, socket pairs.

Reading stops when READ_AHEAD bytes wait, so that the kernel's own buffers push back. Writing waits above WRITE_HIGH.
Abort: on TCP it is RST (SO_LINGER 0, socket(7)), which the peer reads as a break. A TCP socket has that option from its
first moment until its orderly close, so that a process that is killed resets its connections too: what the kernel would
send for it otherwise is a FIN, and the peer would take a piece for the whole. A Unix socket has no RST: the peer's read
fails with ECONNRESET only where it had sent bytes that we did not read (unix(7)), and ends like an end otherwise; its
writes fail in both cases.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable

from pyopenshell.streams.buffers import ReceiveBuffer
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamBusy, StreamClosed
from pyopenshell.streams.transports import RESETS, WRITE_HIGH, Waiter, error_words, tune, write_all

#: Bytes that wait for the reader before we stop to read the socket.
READ_AHEAD = 256 * 1024
_ENDS = struct.pack("ii", 0, 0)  # struct linger, off: the default


class SocketProtocol(asyncio.BufferedProtocol):
    """What the transport tells, kept for the stream's one reader and one writer."""

    def __init__(self, on_connected: Callable[[SocketStream], None] | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.chunks: deque[memoryview] = deque()
        self.waiting = 0
        self.reading_paused = False
        self.writing_paused = False
        self.ended = False
        self.broken: StreamBroken | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.reader = Waiter()
        self.writer = Waiter()
        self.on_break: Callable[[], None] | None = None
        self.closed = False
        self.why = "the stream is closed"
        self._buffer = ReceiveBuffer()
        self._on_connected = on_connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        tune(transport)
        _at_close(transport, RESETS)
        transport.set_write_buffer_limits(high=WRITE_HIGH)
        if self._on_connected is not None:
            self._on_connected(SocketStream(self))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio calls it so, and has no hint to give
        return self._buffer.room()

    def buffer_updated(self, nbytes: int) -> None:
        self.chunks.append(self._buffer.filled(nbytes))
        self._buffer.keep(nbytes)
        self.waiting += nbytes
        if self.waiting >= READ_AHEAD and self.transport is not None:
            self.reading_paused = True
            self.transport.pause_reading()
        self.reader.wake()

    def eof_received(self) -> bool:
        self.ended = True
        self.reader.wake()
        return True  # half-close: writing goes on

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self.closed:
            self.broken = StreamBroken(error_words(exc) if exc is not None else "the connection was closed")
            if self.on_break is not None:
                self.on_break()
        if not self.lost.done():
            self.lost.set_result(None)
        self.reader.wake()
        self.writer.wake()

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        self.writer.wake()


class SocketStream(ByteStream):
    """A connected stream socket. Made by `adopt`, and by the functions of `dialling`."""

    def __init__(self, protocol: SocketProtocol) -> None:
        self._protocol = protocol
        self._end_sent = False
        self._seen_end = False

    def __repr__(self) -> str:
        state = "closed" if self._protocol.closed else "broken" if self._protocol.broken else "open"
        return f"<SocketStream {state} unread={self._protocol.waiting} end_sent={self._end_sent}>"

    @property
    def peername(self) -> str:
        """Address of the other end, "" where it has none."""
        transport = self._protocol.transport
        name = transport.get_extra_info("peername") if transport is not None else None
        return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""

    async def read(self) -> Buffer:
        protocol = self._protocol
        if protocol.reader.taken:
            raise StreamBusy("two tasks read one stream")
        while not protocol.chunks:
            if protocol.closed:
                raise StreamClosed(protocol.why)
            if protocol.ended:
                self._seen_end = True
                return b""
            if protocol.broken is not None:
                raise protocol.broken
            await protocol.reader.wait()
        chunk = protocol.chunks.popleft()
        protocol.waiting -= len(chunk)
        if protocol.reading_paused and protocol.waiting < READ_AHEAD // 2 and protocol.transport is not None:
            protocol.reading_paused = False
            protocol.transport.resume_reading()
        return chunk

    async def write(self, *data: Buffer) -> None:
        protocol = self._protocol
        if protocol.writer.taken:
            raise StreamBusy("two tasks write one stream")
        transport = self._open()
        write_all(transport, data)
        if transport.is_closing():  # the write failed; the reason is told in the event loop's next turn
            await asyncio.shield(protocol.lost)
        elif protocol.writing_paused:
            await protocol.writer.wait()
        if protocol.closed:
            raise StreamClosed(protocol.why)
        if protocol.broken is not None:
            raise protocol.broken

    async def end(self) -> None:
        if self._end_sent and not self._protocol.closed and self._protocol.broken is None:
            return
        if self._protocol.writer.taken:
            raise StreamBusy("end while another task writes")
        transport = self._open()
        self._end_sent = True
        try:
            transport.write_eof()
        except OSError as error:  # ENOTCONN: the peer reset it, and the event loop does not know yet
            raise StreamBroken(error_words(error)) from error

    def _open(self) -> asyncio.Transport:
        protocol = self._protocol
        if protocol.closed:
            raise StreamClosed(protocol.why)
        if protocol.broken is not None:
            raise protocol.broken
        if self._end_sent:
            raise StreamClosed("write after end")
        assert protocol.transport is not None
        return protocol.transport

    def abort(self, reason: str = "") -> None:
        protocol = self._protocol
        if protocol.closed:
            return
        protocol.closed = True
        protocol.why = reason or protocol.why
        protocol.chunks.clear()
        transport = protocol.transport
        if transport is not None:
            transport.abort()
        protocol.reader.wake()
        protocol.writer.wake()

    async def close(self) -> None:
        """As the contract; returns when the kernel has taken what was written."""
        protocol = self._protocol
        if protocol.closed:
            return
        if not (self._end_sent and self._seen_end and protocol.broken is None):
            self.abort("closed before both directions had ended")
            return
        protocol.closed = True
        if protocol.transport is not None:
            _at_close(protocol.transport, _ENDS)
            protocol.transport.close()
        await asyncio.shield(protocol.lost)

    def on_break(self, tell: Callable[[], None]) -> None:
        self._protocol.on_break = tell


def _at_close(transport: asyncio.Transport, linger: bytes) -> None:
    """What the kernel does when this TCP socket is closed, by us or with the process: SO_LINGER of socket(7)."""
    sock = transport.get_extra_info("socket")
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def adopt(sock: socket.socket) -> SocketStream:
    """A stream over `sock`, a connected stream socket; the socket is the stream's from here on."""
    sock.setblocking(False)
    _, protocol = await asyncio.get_running_loop().connect_accepted_socket(SocketProtocol, sock)
    return SocketStream(protocol)
