"""The open streams of one connection: each event to the stream it is for, and places for new streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import (
    DataReceived,
    Drained,
    Event,
    GoAwayReceived,
    Header,
    HeadersReceived,
    StreamReset,
    StreamsAllowed,
)
from pyopenshell.http2.faults import Draining, LocalError, TooManyStreams
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.transports import wake

if TYPE_CHECKING:
    from pyopenshell.streams.http2 import Http2Connection


class StreamTable:
    """Streams by id. `on_request` (server) is told of each new one, `told` of what is about no single stream."""

    def __init__(
        self,
        connection: Http2Connection,
        on_request: Callable[[Http2Stream], None] | None,
        told: Callable[[Event], None],
    ) -> None:
        self._connection = connection
        self._on_request = on_request
        self._told = told
        self._streams: dict[int, Http2Stream] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def __len__(self) -> int:
        return len(self._streams)

    def all(self) -> Iterable[Http2Stream]:
        """The open streams, as they are now."""
        return list(self._streams.values())

    def add(self, stream_id: int) -> Http2Stream:
        """A new stream."""
        stream = self._streams[stream_id] = Http2Stream(self._connection, stream_id)
        return stream

    def forget(self, stream: Http2Stream) -> None:
        """The stream is over: events for it go nowhere."""
        if self._streams.pop(stream.id, None) is not None:
            stream.window.release()
            self._place_free()

    def break_all(self, reason: str) -> None:
        """The connection is gone: every stream breaks, and who waits for a place looks again."""
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.break_off(StreamBroken(reason))
        self._place_free()

    async def open(self, headers: Sequence[Header]) -> Http2Stream:
        """Client: open a stream; while the peer has no place for one (MAX_CONCURRENT_STREAMS), wait.

        Raises UNAVAILABLE when the connection is gone or draining, INVALID for headers that the peer does not take.
        """
        connection = self._connection
        while True:
            if connection.reason or connection.engine.terminated:
                raise connection.unavailable()
            try:
                stream_id = connection.engine.open_stream(headers)
            except TooManyStreams:
                await self._place()
            except Draining:
                raise OpenShellError(
                    Code.UNAVAILABLE, f"{connection.hop} is closing the connection", hint="try again"
                ) from None
            except LocalError as error:
                raise OpenShellError(Code.INVALID, f"cannot ask {connection.hop}: {error}") from error
            else:
                connection.want_flush()
                return self.add(stream_id)

    async def _place(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def _place_free(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            wake(waiter)

    # -- events -----------------------------------------------------------------------------------------------------

    def deliver(self, events: Iterable[Event]) -> bool:
        """Hand on `events`; tell whether a stream references bytes of the receive buffer now."""
        kept = False
        for event in events:
            if type(event) is DataReceived:
                kept |= self._data(event)
            elif isinstance(event, Drained):
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.drained()
            elif isinstance(event, HeadersReceived):
                self._headers(event)
            elif isinstance(event, StreamReset):
                stream = self._streams.pop(event.stream_id, None)
                self._place_free()
                if stream is not None:
                    stream.break_off(_reset_error(event, self._connection.hop))
            else:
                self._told(event)
                if isinstance(event, GoAwayReceived | StreamsAllowed):
                    self._place_free()
        return kept

    def _data(self, event: DataReceived) -> bool:
        stream = self._streams.get(event.stream_id)
        if stream is None:
            self._connection.give_back(event.stream_id, event.flow)
            return False
        kept = stream.data_received(event.data, event.flow) if event.flow else False
        if event.end_stream:
            stream.end_received()
        return kept

    def _headers(self, event: HeadersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.headers_received(event.headers, event.trailers)
            if event.end_stream:
                stream.end_received()
        elif self._on_request is not None and not event.trailers:
            stream = self.add(event.stream_id)
            stream.headers = event.headers
            if event.end_stream:
                stream.end_received()
            self._on_request(stream)


def _reset_error(event: StreamReset, hop: str) -> StreamBroken:
    if event.code is ErrorCode.REFUSED_STREAM:
        return StreamBroken(f"{hop} took no new call", code=Code.UNAVAILABLE, hint="try again")
    if event.remote:
        return StreamBroken(f"{hop} reset the stream ({event.code.name})")
    return StreamBroken(f"{hop} broke the protocol: {event.reason or event.code.name}")
