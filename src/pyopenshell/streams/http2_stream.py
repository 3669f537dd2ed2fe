"""One stream of an HTTP/2 connection as a task uses it: chunks in, buffers out, headers, reset.

Reading: chunks wait in a queue that the stream's receive window bounds. The window of a chunk is given back when the
next one is asked for. Small chunks are copied together, so that no handful of bytes holds a receive buffer alive.
Writing: buffers are queued in the engine, and `write` waits while more than WRITE_AHEAD of them are not yet in frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Header
from pyopenshell.http2.faults import LocalError
from pyopenshell.streams.buffers import COPY_BELOW, ChunkQueue
from pyopenshell.streams.contract import Buffer, StreamBroken, StreamBusy, StreamClosed
from pyopenshell.streams.strangers import patience, wait_for
from pyopenshell.streams.transports import JOIN_BELOW, Waiter
from pyopenshell.streams.windows import INITIAL, StreamWindow

if TYPE_CHECKING:
    from pyopenshell.streams.http2 import Http2Connection

#: Bytes of one stream that may wait in the engine beyond what `write` promises: one turn of a bulk stream, so that the
#: next turn is there when this one is sent.
WRITE_AHEAD = 64 * 1024


class Http2Stream:
    """One stream. `headers` are the request's (server), or the response's once they came (client)."""

    def __init__(self, connection: Http2Connection, stream_id: int) -> None:
        self.id = stream_id
        self.connection = connection
        self.headers: list[Header] = []
        self.trailers: list[Header] = []
        self.dropped = 0  # bytes that came after `stop_reading`
        self.on_over: Callable[[], None] | None = None  # told once when the world ends the stream early
        self.window = StreamWindow(connection.budget)
        self._chunks = ChunkQueue(copy_below=INITIAL + 1)  # nobody knows this peer yet: no slice of a large buffer
        self._flow = 0  # of the chunk that was read last
        self.ended = False  # the peer's END_STREAM came, or we stopped reading
        self.end_sent = False  # ours was queued
        self.broken: StreamBroken | None = None  # how the world ended it early
        self._closed = False
        self._why = "the stream is closed"
        self._reader = Waiter()
        self._writer = Waiter()
        self._heading = Waiter()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "broken" if self.broken else "open"
        return f"<Http2Stream {self.id} {state} chunks={len(self._chunks)} ended={self.ended} end_sent={self.end_sent}>"

    # -- reading ----------------------------------------------------------------------------------------------------

    async def read(self) -> Buffer:
        """The next chunk, b"" at the end of the peer's direction. What came before a break is read first."""
        if self._reader.taken:
            raise StreamBusy("two tasks read one stream")
        if self._flow:
            self._give_back()
        while not self._chunks:
            if self._closed:
                raise StreamClosed(self._why)
            if self.ended:
                return b""
            if self.broken is not None:
                raise self.broken
            await self._reader.wait()
        data, self._flow = self._chunks.pop()
        return data

    async def wait_headers(self) -> None:
        """Client: wait until the response's headers came (or its trailers alone). Raises StreamBroken, StreamClosed."""
        while not self.headers:
            self._check_up()
            if self._heading.taken:
                raise StreamBusy("two tasks wait for the headers of one stream")
            await self._heading.wait()

    @property
    def unread(self) -> bool:
        """Whether chunks wait to be read."""
        return bool(self._chunks)

    def stop_reading(self) -> None:
        """Take the peer's direction as ended: `read` returns b"", what still comes is counted in `dropped` alone."""
        self.ended = True
        self._reader.wake()

    def admit(self) -> None:
        """The peer may send in earnest: open the receive window, as far as the process has memory for it."""
        self._chunks.copy_below = COPY_BELOW
        self._set_window(self.window.admit(self.connection.liveness.now()))

    def _set_window(self, size: int | None) -> None:
        if size is not None:
            self.connection.set_window(self.id, size)

    def _give_back(self) -> None:
        """The chunk that was read last was taken."""
        flow, self._flow = self._flow, 0
        liveness = self.connection.liveness
        self._set_window(self.window.adjust())
        if self.window.taken(flow, liveness.now()):
            liveness.ask(lambda: self._set_window(self.window.answered(liveness.now(), liveness.shortest)))
        self.connection.give_back(self.id, flow)

    # -- writing ----------------------------------------------------------------------------------------------------

    async def write(self, *buffers: Buffer) -> None:
        """Queue `buffers`; return when at most WRITE_AHEAD of them wait. Raises StreamBroken, StreamClosed, StreamBusy."""
        if self._writer.taken:
            raise StreamBusy("two tasks write one stream")
        self._check_open()
        engine = self.connection.engine
        try:
            unsent = engine.send_data(self.id, *buffers)
        except LocalError as error:
            raise self._gone() from error
        self.connection.want_flush(now=unsent < JOIN_BELOW)  # a bulk write waits for its company
        if engine.unsent(self.id) > WRITE_AHEAD:
            await self._drained()

    async def end(self) -> None:
        """END_STREAM after what was written; returns when all of it is in frames. Idempotent."""
        if self.end_sent:
            return
        if self._writer.taken:
            raise StreamBusy("end while another task writes")
        self._check_open()
        try:
            self.connection.engine.send_data(self.id, end_stream=True)
        except LocalError as error:
            raise self._gone() from error
        self.end_sent = True
        self.connection.want_flush(now=True)
        await self._drained()
        self._forget_if_over()

    def send_headers(self, headers: Sequence[Header], end_stream: bool = False) -> None:
        """Server: the response's headers, or trailers (sent after the queued data). Raises StreamBroken, StreamClosed."""
        self._check_open()
        try:
            self.connection.engine.send_headers(self.id, headers, end_stream)
        except LocalError as error:
            raise self._gone() from error
        self.end_sent = self.end_sent or end_stream
        self.connection.want_flush()
        if end_stream:
            wait_for(self)
            self._forget_if_over()

    @property
    def unsent(self) -> int:
        """Bytes that wait in the engine."""
        return self.connection.engine.unsent(self.id)

    async def _drained(self) -> None:
        if self.connection.engine.when_drained(self.id):
            with patience(self):
                await self._writer.wait()
        self._check_up()

    def reset(self, code: ErrorCode = ErrorCode.CANCEL, reason: str = "") -> None:
        """End the stream both ways and drop what was not read; NO_ERROR still sends what is queued. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._why = reason or self._why
        self.connection.engine.reset(self.id, code)
        self._chunks.clear()
        self._flow = 0
        self.connection.forget(self)
        self.window.release()
        self.connection.want_flush()
        self._wake_all()

    def fail(self, error: StreamBroken, code: ErrorCode = ErrorCode.CANCEL) -> None:
        """Reset the stream, and let every pending and later use of it raise `error`: a deadline, a peer's fault."""
        if self._closed or self.broken is not None:
            return
        self.connection.engine.reset(self.id, code)
        self.connection.forget(self)
        self.connection.want_flush()
        self.break_off(error)

    def _forget_if_over(self) -> None:
        if self.ended and self.end_sent:
            self.connection.forget(self)

    def _check_up(self) -> None:
        if self._closed:
            raise StreamClosed(self._why)
        if self.broken is not None:
            raise self.broken

    def _check_open(self) -> None:
        self._check_up()
        if self.end_sent:
            raise StreamClosed("write after end")

    def _gone(self) -> StreamBroken:
        return self.broken or StreamBroken(f"the stream to {self.connection.hop} is over")

    # -- told by the connection -------------------------------------------------------------------------------------

    def data_received(self, data: memoryview, flow: int) -> bool:
        """Queue `data`; tell whether it is referenced (False: copied, its buffer may be used again)."""
        if self._closed or self.ended or not len(data):  # no data: nothing but padding
            self.dropped += len(data)
            self.connection.give_back(self.id, flow)
            return False
        kept = self._chunks.push(data, flow)
        self._reader.wake()
        return kept

    def headers_received(self, headers: list[Header], trailers: bool) -> None:
        """Response headers or trailers came."""
        if trailers:
            self.trailers = headers
        else:
            self.headers = headers
            self._heading.wake()

    def end_received(self) -> None:
        """END_STREAM came."""
        self.ended = True
        self._reader.wake()
        self._forget_if_over()

    def drained(self) -> None:
        """What was written is in frames."""
        self._writer.wake()

    def break_off(self, error: StreamBroken) -> None:
        """The world ended the stream early: reset, or the connection is gone."""
        if self._closed or self.broken is not None:
            return
        self.broken = error
        self.window.release()
        self._wake_all()
        if self.on_over is not None:
            self.on_over()

    def _wake_all(self) -> None:
        for waiter in (self._reader, self._writer, self._heading):
            waiter.wake()
