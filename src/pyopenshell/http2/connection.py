"""One HTTP/2 connection (RFC 9113), told bytes and time, answering with events and bytes to send.

The owner's loop: `receive` what came and act on the events; after any call that may have queued something, while the
transport takes bytes, write what `take` gives; `events` tells what `take` or an act of ours brought about. No clock,
socket, task or logger in here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyopenshell.http2 import codes, frame_writer
from pyopenshell.http2.closing import Closing, Stage
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.events import Event, Header
from pyopenshell.http2.faults import ConnectionFault, LocalError
from pyopenshell.http2.frame_reader import FrameReader
from pyopenshell.http2.header_codec import HeaderCodec
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.outbox import Buffer, Outbox
from pyopenshell.http2.receiver import Receiver
from pyopenshell.http2.sender import Sender
from pyopenshell.http2.settings import PeerSettings, announced
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.streams import Streams


class Connection:
    """One end of one connection. Not for two threads at once.

    Buffers hold bytes; a memoryview must be one of bytes (format "B", one dimension, contiguous).
    """

    def __init__(self, role: Role, limits: Limits | None = None, now: float = 0.0) -> None:
        """Queue the preface (client) and SETTINGS, and open the connection's receive window to 2^31-1.

        `now` is in seconds of any steady clock, as in `receive`.
        """
        limits = limits or Limits()
        self.role = role
        self._events: list[Event] = []
        tell = self._events.append
        self._streams = Streams(role, limits)
        self._codec = HeaderCodec(limits)
        self._outbox = Outbox(limits, self._codec.encode, tell)
        self._closing = Closing(role, self._streams, self._outbox, tell)
        self._peer = PeerSettings()
        self._receiver = Receiver(
            role, limits, now, self._peer, self._streams, self._outbox, self._codec, self._closing, tell
        )
        self._sender = Sender(role, limits, self._peer, self._streams, self._outbox, self._closing)
        self._outbox.end_sent = self._sender.end_sent
        self.faults = self._receiver.faults  # what of the peer was refused, counted by kind; the owner takes it out
        self._reader = FrameReader(self._receiver, limits)
        self.send_data = self._sender.send_data  # these two for every message: not wrapped
        self.take = self._outbox.take
        self._preface = codes.PREFACE if role is Role.SERVER else b""  # what of it is still to come
        if role is Role.CLIENT:
            self._outbox.control(codes.PREFACE)
        self._outbox.control(frame_writer.settings(announced(role, limits)))
        self._outbox.control(frame_writer.window_update(0, codes.MAX_WINDOW - codes.DEFAULT_WINDOW))

    # -- bytes in ---------------------------------------------------------------------------------------------------

    def receive(self, data: Buffer, now: float) -> list[Event]:
        """Take bytes from the transport, split anywhere; return what they mean, in order.

        Payload of `DataReceived` points into `data`. Never raises for what a peer did: its faults queue GOAWAY or
        RST_STREAM and come back as `ConnectionTerminated` or `StreamReset`. After `ConnectionTerminated` bytes are
        ignored.
        """
        if not self.terminated:
            self._receiver.at(now)
            try:
                view = memoryview(data)
                if self._preface:
                    view = self._take_preface(view)
                self._reader.feed(view)
                self._outbox.check()
                self._closing.check()
            except ConnectionFault as fault:
                self._receiver.count(fault.kind)
                self._closing.fail(fault.code, fault.reason)
        return self.events()

    def _take_preface(self, view: memoryview) -> memoryview:
        part = bytes(view[: len(self._preface)])
        if not self._preface.startswith(part):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection preface is not that of HTTP/2")
        self._preface = self._preface[len(part) :]
        return view[len(part) :]

    def receive_eof(self) -> list[Event]:
        """The transport has no more bytes. Ends with `ConnectionTerminated`, unless that was told before."""
        if self._preface or not self._reader.between_frames:
            self._closing.over(ErrorCode.PROTOCOL_ERROR, "the peer closed the connection inside a frame")
        elif self._streams.live:
            streams = "1 stream" if self.open_streams == 1 else f"{self.open_streams} streams"
            reason = f"the peer closed the connection with {streams} open"
            self._closing.over(ErrorCode.CONNECT_ERROR, reason)
        else:
            self._closing.over(ErrorCode.NO_ERROR, "closed by the peer")
        return self.events()

    def events(self) -> list[Event]:
        """What arose outside `receive`: `Drained` from `take`, `ConnectionTerminated` from `goaway` or a last stream."""
        if not self._events:
            return []
        events = self._events[:]
        self._events.clear()
        return events

    # -- bytes out --------------------------------------------------------------------------------------------------

    @property
    def want_write(self) -> bool:
        """Whether `take` has something to give now."""
        return self._outbox.wanted

    # -- what we do -------------------------------------------------------------------------------------------------

    def open_stream(self, headers: Sequence[Header], end_stream: bool = False) -> int:
        """Client: send a request, return its stream id.

        Raises TooManyStreams, Draining, LocalError (we are the server; headers over the peer's limit).
        """
        return self._sender.open_stream(headers, end_stream)

    def send_headers(self, stream_id: int, headers: Sequence[Header], end_stream: bool = False) -> None:
        """Server: the response, or after it trailers (`end_stream` needed). Client: trailers.

        Trailers go out after the data queued before them. Raises StreamGone, LocalError.
        """
        self._sender.send_headers(stream_id, headers, end_stream)

    def unsent(self, stream_id: int) -> int:
        """Bytes queued and not yet in frames, so not yet counted in the peer's window. 0 for a stream that is over."""
        stream = self._streams.live.get(stream_id)
        return stream.unsent if stream is not None else 0

    def when_drained(self, stream_id: int) -> bool:
        """Ask for `Drained`, once, when `unsent` is 0. False, and no event, when it is 0 now."""
        stream = self._streams.live.get(stream_id)
        if stream is None or not stream.unsent:
            return False
        stream.watched = True
        return True

    def send_window(self, stream_id: int) -> int:
        """Bytes that the peer would take on this stream now beyond what is queued, at least 0. 0 when it is over."""
        stream = self._streams.live.get(stream_id)
        return max(0, min(stream.send_window, self._outbox.window) - stream.unsent) if stream is not None else 0

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """End a stream both ways and forget what is queued on it. Nothing happens on a stream that is over.

        NO_ERROR after our END_STREAM was queued is the polite form of section 8.1: what is queued goes out first, then
        RST_STREAM, unless the peer ends the stream before; what the peer still sends is thrown away.
        """
        self._sender.reset(stream_id, code)
        self._closing.check()

    def give_back(self, stream_id: int, n: int) -> None:
        """The reader took `n` flow-controlled bytes (the sum of `DataReceived.flow`): lets the peer send more, in batches.

        Nothing happens on a stream that is over. Raises LocalError for more than was received.
        """
        stream = self._streams.live.get(stream_id)
        if stream is None:
            return
        if not 0 <= n <= stream.held:
            raise LocalError(f"stream {stream_id}: {n} bytes given back, {stream.held} received")
        increment = stream.give_back(n)
        if increment:
            self._tell_window(stream, increment)

    def set_window(self, stream_id: int, size: int) -> None:
        """Receive window of this stream from now on, 1..2^31-1. Growth is told at once; it shrinks as bytes are given back.

        Nothing happens on a stream that is over.
        """
        if not 1 <= size <= codes.MAX_WINDOW:
            raise LocalError(f"window of {size} bytes")
        stream = self._streams.live.get(stream_id)
        if stream is not None:
            grows = size > stream.size
            stream.size = size
            increment = stream.due(1) if grows else 0
            if increment:
                self._tell_window(stream, increment)

    def _tell_window(self, stream: Stream, increment: int) -> None:
        self._outbox.answer(frame_writer.window_update(stream.id, increment))

    def ping(self, payload: bytes) -> None:
        """Send PING with 8 bytes of our choice; `PingAcked` follows."""
        if len(payload) != 8:
            raise LocalError(f"PING with {len(payload)} bytes")
        self._receiver.pings_sent += 1
        self._outbox.control(frame_writer.ping(payload, ack=False))

    def allow_streams(self, n: int) -> None:
        """Server: let the peer have `n` streams open at once from now on, not fewer than before."""
        if n > self._streams.most:
            self._streams.most = n
            self._receiver.settings_acks += 1
            self._outbox.control(frame_writer.settings([(codes.SETTINGS_MAX_CONCURRENT_STREAMS, n)]))

    def goaway(self, code: ErrorCode = ErrorCode.NO_ERROR, debug: str = "") -> None:
        """Stop taking streams. NO_ERROR drains: open streams go on, `ConnectionTerminated(NO_ERROR)` after the last.

        Any other code ends the connection now: `ConnectionTerminated(code)` is the next event.
        """
        if code is ErrorCode.NO_ERROR:
            self._closing.drain(debug)
            self._closing.check()
        else:
            self._closing.fail(code, debug)

    # -- how it stands ----------------------------------------------------------------------------------------------

    @property
    def established(self) -> bool:
        """Whether the peer's preface and first SETTINGS have come: the owner bounds the time until then."""
        return self._peer.seen

    @property
    def terminated(self) -> bool:
        """Whether `ConnectionTerminated` was told (or waits in `events`): nothing but the queued bytes is left to do."""
        return self._closing.stage is Stage.OVER

    @property
    def open_streams(self) -> int:
        """Streams that are not over, ours and the peer's."""
        return len(self._streams.live)

    def __repr__(self) -> str:
        return (
            f"Connection({self.role.value}, {self._closing.stage.value}, {self._reader}, {self._outbox},"
            f" {self._streams})"
        )
