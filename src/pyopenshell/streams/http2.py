"""The asyncio shell of the HTTP/2 engine: one connection, client or server, with TLS or without.

Bytes from the transport go into the engine at once, so the connection is always read; what is for a stream waits in its
`Http2Stream`, bounded by that stream's window. Bytes for the transport are taken from the engine once an event-loop
turn, as long as the transport does not say stop: control frames first, streams in turn. A connection that says nothing
is asked (PING), and is lost when it does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.connection import Connection
from pyopenshell.http2.events import ConnectionTerminated, Event, GoAwayReceived, Header, PingAcked
from pyopenshell.http2.limits import Limits
from pyopenshell.streams.buffers import SHARED
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.streams.hits import PROCESS as HITS
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.liveness import Liveness
from pyopenshell.streams.pace import Pace
from pyopenshell.streams.rooms import Room
from pyopenshell.streams.stream_table import StreamTable
from pyopenshell.streams.transports import WRITE_HIGH, error_words, tune, write_all, write_records
from pyopenshell.streams.windows import PROCESS, WindowBudget

#: Bytes taken from the engine for one write: two streams' turns.
TAKE = 128 * 1024
LIMITS = Limits()


class Http2Connection(asyncio.BufferedProtocol):
    """One connection. `hop` names the other end in messages; `on_request` (server) is told of each new stream."""

    def __init__(
        self,
        role: Role,
        *,
        hop: str,
        limits: Limits = LIMITS,
        budget: WindowBudget = PROCESS,
        on_request: Callable[[Http2Stream], None] | None = None,
        on_connected: Callable[[Http2Connection], None] | None = None,
        on_lost: Callable[[Http2Connection], None] | None = None,
    ) -> None:
        self.hop, self.budget = hop, budget
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.engine = Connection(role, limits, self._loop.time())
        self._on_connected, self._on_lost = on_connected, on_lost
        self.hits = HITS
        self.known = True  # somebody vouched for the peer (strangers.py)
        self.on_read: Callable[[Http2Connection], None]  # told while nobody did
        self.room = Room()
        self._buffer = SHARED.buffer
        self._pace = Pace()
        self._streams = StreamTable(self, on_request, self._told)
        self._paused = self._flushing = self._draining = False
        self._write = write_all
        self.faulty = False  # the peer broke the protocol, or said nothing in time
        self._eof = False
        self.code: ErrorCode | None = None  # that the engine ended with
        self.reason = ""  # why the connection is gone; empty while it is up
        self.liveness = Liveness(self)

    def __repr__(self) -> str:
        return f"<Http2Connection to {self.hop} streams={len(self._streams)} {'lost' if self.lost.done() else 'up'}>"

    # -- transport --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        tune(transport)
        transport.set_write_buffer_limits(high=WRITE_HIGH)
        if transport.get_extra_info("ssl_object") is not None:
            self._write = write_records
        self.liveness.start()
        if self._on_connected is not None:
            self._on_connected(self)
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio calls it so, and has no hint to give
        return self._buffer.room()[: self._pace.size]

    def buffer_updated(self, nbytes: int) -> None:
        now = self.liveness.heard = self._loop.time()
        self._dispatch(self.engine.receive(self._buffer.filled(nbytes), now), nbytes)
        if self.engine.want_write:
            self.want_flush()
        self.hits.take(self.engine.faults)
        self._pace.took(nbytes, self._loop.time() - now)
        if not self.known:
            self.on_read(self)

    def eof_received(self) -> bool:
        self._eof = True
        self._dispatch(self.engine.receive_eof())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.liveness.lost(exc)
        self._terminated(error_words(exc) if exc is not None else "")
        self.eof_received()
        if not self.lost.done():
            self.lost.set_result(self.reason or "closed")
        if self._on_lost is not None:
            self._on_lost(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    # -- out --------------------------------------------------------------------------------------------------------

    def want_flush(self, *, now: bool = False) -> None:
        """Write what the engine has at the end of this turn of the event loop; with `now`, the first time in it at once."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._turn_over)
            if now:
                self._flush()

    def _turn_over(self) -> None:
        self._flushing = False
        self._flush()

    def _flush(self) -> None:
        engine, transport = self.engine, self.transport
        if transport is None or transport.is_closing():
            return
        while not self._paused and engine.want_write:
            buffers = engine.take(TAKE)
            if not buffers:
                break
            self._write(transport, buffers)
        if events := engine.events():
            self._dispatch(events)

    # -- in ---------------------------------------------------------------------------------------------------------

    def _dispatch(self, events: Sequence[Event], nbytes: int = 0) -> None:
        if self._streams.deliver(events):
            self._buffer.keep(nbytes)

    def _told(self, event: Event) -> None:
        """What is about the connection and not about one stream."""
        if isinstance(event, PingAcked):
            self.liveness.answered(event.payload)
        elif isinstance(event, GoAwayReceived):
            self._draining = True
        elif isinstance(event, ConnectionTerminated):
            self.code = event.code
            self.faulty |= event.code is not ErrorCode.NO_ERROR and not self._eof
            self._terminated(event.reason)
            self._close_transport()

    # -- streams ----------------------------------------------------------------------------------------------------

    async def open_stream(self, headers: Sequence[Header]) -> Http2Stream:
        """Client: open a stream, waiting for a free place. Raises UNAVAILABLE (gone, draining), INVALID (too large)."""
        return await self._streams.open(headers)

    def give_back(self, stream_id: int, flow: int) -> None:
        """The reader took `flow` bytes."""
        self.engine.give_back(stream_id, flow)
        if self.engine.want_write:
            self.want_flush()

    def set_window(self, stream_id: int, size: int) -> None:
        """Receive window of a stream, in bytes."""
        self.engine.set_window(stream_id, size)
        self.want_flush()

    def forget(self, stream: Http2Stream) -> None:
        """The stream is over: events for it go nowhere."""
        self._streams.forget(stream)

    # -- life -------------------------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether a new stream could be opened."""
        return self.transport is not None and not (self.reason or self._draining or self.engine.terminated)

    @property
    def busy(self) -> bool:
        """Whether streams are open, or what was said last on one still waits."""
        return self.engine.open_streams > 0

    def unavailable(self) -> OpenShellError:
        """The error for a call that cannot be opened because the connection is gone."""
        reason = f": {self.reason}" if self.reason else ""
        return OpenShellError(Code.UNAVAILABLE, f"the connection to {self.hop} is gone{reason}")

    def drain(self) -> None:
        """GOAWAY: no new streams; the connection ends after the last open one."""
        self._draining = True
        if not self.engine.terminated:
            self.engine.goaway()
            self.want_flush()
            self._dispatch(self.engine.events())

    def finish(self, reason: str) -> None:
        """Break every open stream, say GOAWAY, and close once it is sent."""
        streams = self._streams.all()
        self._terminated(reason)
        if not self.engine.terminated:
            for stream in streams:
                self.engine.reset(stream.id, ErrorCode.CANCEL)
            self.engine.goaway()
        self._dispatch(self.engine.events())
        self._close_transport()

    def abort(self, reason: str) -> None:
        """Cut the connection at once."""
        self._terminated(reason)
        if self.transport is not None:
            self.transport.abort()

    async def ping(self) -> float:
        """Round trip of one PING in seconds. Raises UNAVAILABLE, BROKEN."""
        if self.transport is None or self.engine.terminated:
            raise self.unavailable()
        seconds = await self.liveness.round_trip()
        if self.reason:
            raise StreamBroken(f"the connection to {self.hop} was lost: {self.reason}")
        return seconds

    def _terminated(self, reason: str) -> None:
        """Every stream is over; told once, by whoever comes first."""
        if self.reason:
            return
        self.reason = reason or f"{self.hop} closed the connection"
        self._streams.break_all(f"the connection to {self.hop} was lost: {self.reason}")
        self.liveness.stop()

    def _close_transport(self) -> None:
        self._flush()
        if self.transport is not None:
            self.transport.close()
            self.liveness.closing()
