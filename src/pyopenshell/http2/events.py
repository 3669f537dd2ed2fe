"""What a connection tells its owner. `Connection.receive` and `Connection.events` return lists of these.

All are immutable in spirit; all but `DataReceived` in fact. That one is made for every chunk that passes, and a frozen
dataclass costs three times as much to build.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyopenshell.http2.codes import ErrorCode

#: One field of a header section. Names are lower case, pseudo-header fields come first (RFC 9113 section 8.3).
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class HeadersReceived:
    """A request, a response or trailers, checked against sections 8.2 and 8.3. 1xx responses are swallowed."""

    stream_id: int
    headers: list[Header]
    end_stream: bool
    trailers: bool


@dataclass(slots=True)
class DataReceived:
    """Bytes of a stream, in order; at times a part of a frame, as soon as it is there.

    `data` is a slice of what was given to `receive`: it lives as long as that buffer is left alone. `flow` is what to
    hand to `Connection.give_back` once the bytes are taken: their length and the padding that came with them.
    `data` is empty only together with `end_stream`.
    """

    stream_id: int
    data: memoryview
    flow: int
    end_stream: bool


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The stream is over, both ways, and nothing queued on it will be sent.

    `remote` True: the peer reset it, or its GOAWAY said that it never saw it (code REFUSED_STREAM: safe to try again).
    `remote` False: we reset it because the peer broke a rule. Our own `Connection.reset` causes no event.
    """

    stream_id: int
    code: ErrorCode
    remote: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Drained:
    """`Connection.when_drained` asked: all bytes queued on this stream are in frames now, counted in the peer's window."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class PingAcked:
    """The peer answered `Connection.ping`; `payload` is the same 8 bytes."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class StreamsAllowed:
    """Client: the server now takes `limit` streams at once, more than before: a caller who met TooManyStreams may try again.

    Told at the first SETTINGS too, since fewer are assumed until then.
    """

    limit: int


@dataclass(frozen=True, slots=True)
class GoAwayReceived:
    """The peer takes no new streams. Streams of ours above `last_stream_id` follow as `StreamReset(REFUSED_STREAM)`."""

    last_stream_id: int
    code: ErrorCode
    debug: bytes


@dataclass(frozen=True, slots=True)
class ConnectionTerminated:
    """The last event: take what `Connection.take` still gives (a GOAWAY perhaps), then close the transport.

    Every stream that was open is over without an event of its own. NO_ERROR means a clean end: drained, or closed by
    the peer between two frames with no stream open.
    """

    code: ErrorCode
    reason: str


Event = (
    HeadersReceived
    | DataReceived
    | StreamReset
    | Drained
    | PingAcked
    | StreamsAllowed
    | GoAwayReceived
    | ConnectionTerminated
)
