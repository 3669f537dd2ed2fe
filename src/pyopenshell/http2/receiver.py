"""What each frame of the peer does: the rules of RFC 9113 section 6, one method a frame type.

A fault of the connection is raised as ConnectionFault through `FrameReader.feed` to `Connection.receive`. A fault of a
stream ends here, in `_reject`: RST_STREAM, counted against the peer.
"""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.http2 import codes, frame_writer
from pyopenshell.http2.allowance import Allowance
from pyopenshell.http2.closing import Closing
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.data_in import DataIn
from pyopenshell.http2.events import Event, GoAwayReceived, PingAcked, StreamReset, StreamsAllowed
from pyopenshell.http2.faults import ConnectionFault, StreamFault
from pyopenshell.http2.frame_reader import Frame
from pyopenshell.http2.header_codec import HeaderCodec
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.messages_in import MessagesIn
from pyopenshell.http2.outbox import Outbox
from pyopenshell.http2.settings import PeerSettings
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import Act, State, step
from pyopenshell.http2.streams import Streams

#: Bytes of DATA that pay for one WINDOW_UPDATE. A peer with the smallest usual window (64 KiB), read in quarters, sends
#: one for the stream and one for the connection every 16 KiB; one that opens its window byte by byte has paid for none.
_BYTES_AN_UPDATE = 1_024


class Receiver:
    """The sink of the frame reader: changes the books, queues answers, adds events."""

    def __init__(
        self,
        role: Role,
        limits: Limits,
        now: float,
        peer: PeerSettings,
        streams: Streams,
        outbox: Outbox,
        codec: HeaderCodec,
        closing: Closing,
        events: Callable[[Event], None],
    ) -> None:
        self._now = now
        self._peer = peer
        self._role = role
        self._streams = streams
        self._outbox = outbox
        self._codec = codec
        self._closing = closing
        self._tell = events
        self._messages = MessagesIn(role, limits, self._peer, streams, codec, closing, events)
        empty = Allowance("empty DATA frames", limits.empty_data, now, "empty_data")
        self._late = Allowance("frames on streams that were reset", limits.late_frames, now, "late_frames")
        self._data = DataIn(streams, outbox, empty, self._late, self._reject, events)
        self.on_data = self._data.take  # see `frame_reader.Sink`
        self.faults: dict[str, int] = {}  # by `kind`, until the owner of the connection takes them
        self.pings_sent = 0  # ours
        self.settings_acks = 1  # acknowledgements that we wait for
        self._blocks = 0  # header blocks received
        self._settings = Allowance("SETTINGS frames", limits.settings, now, "settings")
        self._pings = Allowance("PING frames", limits.pings, now, "pings")
        self._window_updates = Allowance("WINDOW_UPDATE frames", limits.window_updates, now, "window_updates")
        self._resets = Allowance("streams reset", limits.resets, now, "resets")
        self._priorities = Allowance("PRIORITY frames", limits.priorities, now, "priorities")
        self._odd_frames = Allowance("unknown or GOAWAY frames", limits.odd_frames, now, "odd_frames")
        self._handlers: dict[int, Callable[[Frame], None]] = {
            codes.HEADERS: self._headers,
            codes.CONTINUATION: self._headers,
            codes.PRIORITY: self._priority,
            codes.RST_STREAM: self._rst_stream,
            codes.SETTINGS: self._on_settings,
            codes.PING: self._ping,
            codes.GOAWAY: self._goaway,
            codes.WINDOW_UPDATE: self._window_update,
        }

    def at(self, now: float) -> None:
        """What is received from here on came at `now`, in seconds."""
        self._now = self._data.now = now

    def on_frame(self, frame: Frame) -> None:
        """See `frame_reader.Sink`."""
        handler = self._handlers.get(frame.kind)
        if handler is None:
            self._odd_frames.spend(self._now)
            return
        try:
            handler(frame)
        except StreamFault as fault:
            self._reject(fault)

    def count(self, kind: str) -> None:
        """The peer broke a rule, or passed a limit."""
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def _reject(self, fault: StreamFault) -> None:
        """A fault of a stream: RST_STREAM. It costs the peer as much as a reset of its own."""
        self.count(fault.kind)
        self._resets.spend(self._now)
        stream = self._streams.live.get(fault.stream_id)
        self._outbox.answer(frame_writer.rst_stream(fault.stream_id, fault.code))
        if stream is None:
            if self._streams.state(fault.stream_id) is State.IDLE:
                self._streams.refuse(fault.stream_id)
            return
        self._outbox.drop(stream)
        self._streams.act(stream, Act.SEND_RESET)
        if not stream.leaving and (self._role is Role.CLIENT or stream.headers_received):
            self._tell(StreamReset(stream.id, fault.code, remote=False, reason=fault.reason))

    def _headers(self, frame: Frame) -> None:
        self._messages.fragment(frame)
        if frame.flags & codes.END_HEADERS:
            self._blocks += 1
            if not self._messages.complete():
                self._late.spend(self._now)

    def _priority(self, frame: Frame) -> None:
        self._priorities.spend(self._now)
        if int.from_bytes(frame.payload[:4], "big") & codes.MAX_STREAM_ID == frame.stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {frame.stream_id} depends on itself")

    def _rst_stream(self, frame: Frame) -> None:
        stream_id = frame.stream_id
        stream = self._streams.live.get(stream_id)
        if stream is None or self._role is Role.SERVER:
            self._resets.spend(self._now)
        if stream is None:
            step(stream_id, self._streams.state(stream_id), Act.RECV_RESET)
            return
        self._outbox.drop(stream)
        self._streams.act(stream, Act.RECV_RESET)
        if not stream.leaving:
            self._tell(StreamReset(stream_id, ErrorCode(int.from_bytes(frame.payload, "big")), remote=True))

    def _on_settings(self, frame: Frame) -> None:
        if frame.flags & codes.ACK:
            if frame.payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "acknowledgement of SETTINGS with frame.payload")
            if self.settings_acks:
                self.settings_acks -= 1
                self._codec.own_table()
            else:
                self._settings.spend(self._now)
            return
        self._settings.spend(self._now)
        window, streams = self._peer.initial_window, self._peer.max_streams
        self._peer.apply(frame.payload, Role.SERVER if self._role is Role.CLIENT else Role.CLIENT)
        self._outbox.max_frame = self._peer.max_frame
        for size in self._peer.header_tables:
            self._codec.peer_table(size)
        if self._peer.max_streams > streams and self._role is Role.CLIENT:
            self._tell(StreamsAllowed(self._peer.max_streams))
        if self._peer.initial_window != window:
            self._shift_windows(self._peer.initial_window - window)
        self._outbox.answer(frame_writer.SETTINGS_ACK)

    def _shift_windows(self, change: int) -> None:
        """Section 6.9.2: a new INITIAL_WINDOW_SIZE moves the window of every live stream, below zero perhaps."""
        for stream in self._streams.live.values():
            stream.send_window += change
            if stream.send_window > codes.MAX_WINDOW:
                reason = f"INITIAL_WINDOW_SIZE takes the window of stream {stream.id} over 2^31-1"
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, reason)
            self._opened(stream, change)

    def _opened(self, stream: Stream, increment: int) -> None:
        """A stream's send window grew: bytes perhaps waited for that."""
        if stream.unsent and 0 < stream.send_window <= increment:
            self._outbox.wake(stream)

    def _ping(self, frame: Frame) -> None:
        data = bytes(frame.payload)
        self._pings.spend(self._now, self._blocks + self._data.frames + self._outbox.frames + self.pings_sent)
        if not frame.flags & codes.ACK:
            self._outbox.answer(frame_writer.ping(data, ack=True))
        elif not self._closing.ping_acked(data):
            self._tell(PingAcked(data))

    def _goaway(self, frame: Frame) -> None:
        self._odd_frames.spend(self._now)
        last = int.from_bytes(frame.payload[:4], "big") & codes.MAX_STREAM_ID
        code = ErrorCode(int.from_bytes(frame.payload[4:8], "big"))
        self._tell(GoAwayReceived(last, code, bytes(frame.payload[8:])))
        if self._role is Role.CLIENT:
            self._closing.peer_left(code, bytes(frame.payload[8:]))
            for stream in [stream for stream in self._streams.live.values() if stream.id > last]:
                self._outbox.drop(stream)
                self._streams.act(stream, Act.RECV_RESET)
                self._tell(StreamReset(stream.id, ErrorCode.REFUSED_STREAM, remote=True, reason="GOAWAY"))

    def _window_update(self, frame: Frame) -> None:
        self._window_updates.spend(self._now, self._blocks + self._outbox.sent // _BYTES_AN_UPDATE)
        stream_id = frame.stream_id
        increment = int.from_bytes(frame.payload, "big") & codes.MAX_WINDOW
        if stream_id == 0:
            if increment == 0:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
            if self._outbox.window + increment > codes.MAX_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window over 2^31-1")
            self._outbox.open_window(increment)
            return
        stream = self._streams.live.get(stream_id)
        if stream is None:
            step(stream_id, self._streams.state(stream_id), Act.RECV_WINDOW)
            return
        if increment == 0:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        if stream.send_window + increment > codes.MAX_WINDOW:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "window over 2^31-1")
        stream.send_window += increment
        self._opened(stream, increment)

    def __repr__(self) -> str:
        return f"Receiver(receive window {self._data.window}, {self._resets}, {self._pings})"
