"""One HTTP/2 connection (RFC 9113), told bytes and time, answering with events and bytes to send.

The owner's loop: `receive` what came and act on the events; after any call that may have queued something, while the
transport takes bytes, write what `take` gives; `events` tells what `take` or an act of ours brought about. No clock,
socket, task or logger in here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.events import Event, Header
from pyopenshell.http2.limits import Limits

#: Anything that holds bytes. A memoryview must be one of bytes (format "B", one dimension, contiguous).
Buffer = bytes | bytearray | memoryview


class Connection:
    """One end of one connection. Not for two threads at once."""

    def __init__(self, role: Role, limits: Limits | None = None, now: float = 0.0) -> None:
        """Queue the preface (client) and SETTINGS, and open the connection's receive window to 2^31-1.

        `now` is in seconds of any steady clock, as in `receive`.
        """
        raise NotImplementedError

    # -- bytes in ---------------------------------------------------------------------------------------------------

    def receive(self, data: Buffer, now: float) -> list[Event]:
        """Take bytes from the transport, split anywhere; return what they mean, in order.

        Payload of `DataReceived` points into `data`. Never raises for what a peer did: its faults queue GOAWAY or
        RST_STREAM and come back as `ConnectionTerminated` or `StreamReset`. After `ConnectionTerminated` bytes are
        ignored.
        """
        raise NotImplementedError

    def receive_eof(self) -> list[Event]:
        """The transport has no more bytes. Ends with `ConnectionTerminated`, unless that was told before."""
        raise NotImplementedError

    def events(self) -> list[Event]:
        """What arose outside `receive`: `Drained` from `take`, `ConnectionTerminated` from `goaway` or the last stream."""
        raise NotImplementedError

    # -- bytes out --------------------------------------------------------------------------------------------------

    def take(self, limit: int) -> list[Buffer]:
        """Bytes for the transport now, in order: control frames first, then DATA, streams in turn.

        About `limit` bytes: control frames are never held back for it, DATA never passes it. A payload buffer that a
        frame takes whole is the very object given to `send_data`; leave it alone until the transport has sent it.
        """
        raise NotImplementedError

    @property
    def want_write(self) -> bool:
        """Whether `take` has something to give now."""
        raise NotImplementedError

    # -- what we do -------------------------------------------------------------------------------------------------

    def open_stream(self, headers: Sequence[Header], end_stream: bool = False) -> int:
        """Client: send a request, return its stream id. Raises TooManyStreams, Draining, LocalError (headers too large)."""
        raise NotImplementedError

    def send_headers(self, stream_id: int, headers: Sequence[Header], end_stream: bool = False) -> None:
        """Server: the response, or after it trailers (`end_stream` needed). Client: trailers.

        Trailers go out after the data queued before them. Raises StreamGone, LocalError.
        """
        raise NotImplementedError

    def send_data(self, stream_id: int, *buffers: Buffer, end_stream: bool = False) -> None:
        """Queue bytes, without copying them, and perhaps the end of our direction. Raises StreamGone, LocalError."""
        raise NotImplementedError

    def unsent(self, stream_id: int) -> int:
        """Bytes queued on a stream and not yet in frames, so not yet counted in the peer's window. 0 for a stream gone."""
        raise NotImplementedError

    def send_window(self, stream_id: int) -> int:
        """Bytes that the peer would take on this stream now, beyond what is queued; never below 0. 0 for a stream gone."""
        raise NotImplementedError

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream both ways and forget what is queued on it. Nothing happens on a stream that is over.

        NO_ERROR after our END_STREAM was queued is the polite form of section 8.1: what is queued goes out first, then
        RST_STREAM, unless the peer ends the stream before; what the peer still sends is thrown away.
        """
        raise NotImplementedError

    def give_back(self, stream_id: int, n: int) -> None:
        """The reader took `n` flow-controlled bytes (the sum of `DataReceived.flow`): lets the peer send more, in batches.

        Nothing happens on a stream that is over. Raises LocalError for more than was received.
        """
        raise NotImplementedError

    def set_window(self, stream_id: int, size: int) -> None:
        """Receive window of this stream from now on, 1..2^31-1. Growth is told at once; it shrinks as bytes are given back.

        Nothing happens on a stream that is over.
        """
        raise NotImplementedError

    def ping(self, payload: bytes) -> None:
        """Send PING with 8 bytes of our choice; `PingAcked` follows."""
        raise NotImplementedError

    def goaway(self, code: ErrorCode = ErrorCode.NO_ERROR, debug: str = "") -> None:
        """Stop taking streams. NO_ERROR drains: open streams go on, `ConnectionTerminated(NO_ERROR)` after the last.

        Any other code ends the connection now: `ConnectionTerminated(code)` is the next event.
        """
        raise NotImplementedError

    # -- how it stands ----------------------------------------------------------------------------------------------

    @property
    def established(self) -> bool:
        """Whether the peer's preface and first SETTINGS have come: the owner bounds the time until then."""
        raise NotImplementedError

    @property
    def terminated(self) -> bool:
        """Whether `ConnectionTerminated` was told (or waits in `events`): nothing but the queued bytes is left to do."""
        raise NotImplementedError

    @property
    def open_streams(self) -> int:
        """Streams that are not over, ours and the peer's."""
        raise NotImplementedError
