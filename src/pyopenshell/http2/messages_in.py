"""Header blocks of the peer: put together from HEADERS and CONTINUATION, decoded, and judged by where they come.

RFC 9113 section 8.1: a message is a header section (a response may have 1xx ones before), content, and perhaps a
trailer section, which ends it. A block is always decoded, even when its stream is refused or over: HPACK has one state
for the connection.
"""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.http2 import codes, header_rules
from pyopenshell.http2.closing import Closing
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.events import Event, Header, HeadersReceived
from pyopenshell.http2.faults import ConnectionFault, StreamFault
from pyopenshell.http2.frame_reader import Frame
from pyopenshell.http2.header_codec import HeaderCodec
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.settings import PeerSettings
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import Act, State, step
from pyopenshell.http2.streams import Streams


class MessagesIn:
    """The header sections that one connection receives."""

    def __init__(
        self,
        role: Role,
        limits: Limits,
        peer: PeerSettings,
        streams: Streams,
        codec: HeaderCodec,
        closing: Closing,
        events: Callable[[Event], None],
    ) -> None:
        self._role = role
        self._limits = limits
        self._peer = peer
        self._streams = streams
        self._codec = codec
        self._closing = closing
        self._tell = events
        self._block = b""
        self._stream_id = 0
        self._end_stream = False
        self._depends_on_itself = False
        self._continuations = -1  # frames of the block after the first; -1: no block is open

    def fragment(self, frame: Frame) -> None:
        """A HEADERS frame, or a CONTINUATION of it (the frame reader lets nothing else come between)."""
        if self._continuations < 0:
            self._stream_id = frame.stream_id
            self._end_stream = frame.flags & codes.END_STREAM != 0
            self._block = bytes(self._unwrap(frame.flags, frame.payload))
        else:
            self._block += frame.payload
        self._continuations += 1
        if self._continuations > self._limits.max_continuations:
            reason = f"header block with more than {self._limits.max_continuations} CONTINUATION frames"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason, "max_continuations")
        if len(self._block) > self._limits.max_header_block:
            reason = f"header block over {self._limits.max_header_block} bytes"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason, "max_header_block")

    def _unwrap(self, flags: int, payload: memoryview) -> memoryview:
        """Take padding and priority (section 5.3.2: without effect) off a HEADERS frame."""
        start, pad = 0, 0
        if flags & codes.PADDED:
            if not payload:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "padded HEADERS without a pad length")
            start, pad = 1, payload[0]
        self._depends_on_itself = False
        if flags & codes.PRIORITY_FLAG:
            if len(payload) < start + 5:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without the priority that it announces")
            depends_on = int.from_bytes(payload[start : start + 4], "big") & codes.MAX_STREAM_ID
            self._depends_on_itself = depends_on == self._stream_id
            start += 5
        if start + pad > len(payload):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS with more padding than payload")
        return payload[start : len(payload) - pad]

    def complete(self) -> bool:
        """The block is whole; False when it is ignored, for we reset its stream. Raises ConnectionFault, StreamFault."""
        headers = self._codec.decode(self._block)
        self._block = b""
        self._continuations = -1
        stream_id = self._stream_id
        stream = self._streams.live.get(stream_id)
        if stream is None:
            state = self._streams.state(stream_id)
            if state is not State.IDLE:
                step(stream_id, state, Act.RECV_HEADERS)
                return False
            self._open(stream_id, headers)
            return True
        step(stream_id, stream.state, Act.RECV_HEADERS)
        self._no_loop()
        if stream.headers_received:
            self._trailers(stream, headers)
        else:
            self._response(stream, headers)
        return True

    def _open(self, stream_id: int, headers: list[Header]) -> None:
        """A request. Its stream is kept only when nothing is wrong with it."""
        if self._role is Role.CLIENT or stream_id % 2 == 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"HEADERS on stream {stream_id}, which nobody opened")
        if not self._closing.takes_streams:
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "opened after GOAWAY")
        if len(self._streams.live) >= self._streams.most:
            reason = f"over {self._streams.most} streams at once"
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, reason, "max_concurrent_streams")
        self._no_loop()
        self._sound(header_rules.bad_request(headers))
        stream = Stream(stream_id, self._limits.initial_window, self._peer.initial_window)
        self._begin_content(stream, headers)
        self._streams.add(stream)
        self._tell_headers(stream, headers, trailers=False)

    def _response(self, stream: Stream, headers: list[Header]) -> None:
        self._sound(header_rules.bad_response(headers))
        if headers[0][1] < b"200":
            stream.informational += 1
            if self._end_stream or stream.informational > self._limits.max_informational:
                reason = "a 1xx response that ends the stream, or too many"
                limit = "" if self._end_stream else "max_informational"
                raise StreamFault(stream.id, ErrorCode.PROTOCOL_ERROR, reason, limit)
            return
        self._begin_content(stream, headers)
        self._tell_headers(stream, headers, trailers=False)

    def _trailers(self, stream: Stream, headers: list[Header]) -> None:
        self._sound("" if self._end_stream else "a second header section that does not end the stream")
        self._sound(header_rules.bad_trailers(headers))
        self._sound("content is shorter than content-length" if stream.expected > 0 else "")
        self._tell_headers(stream, headers, trailers=True)

    def _begin_content(self, stream: Stream, headers: list[Header]) -> None:
        """The final header section came: content may follow, as long as its content-length says."""
        stream.headers_received = True
        try:
            stream.expected = header_rules.content_length(headers)
        except ValueError as error:
            raise StreamFault(stream.id, ErrorCode.PROTOCOL_ERROR, "content-length") from error
        self._sound("content-length without content" if self._end_stream and stream.expected > 0 else "")

    def _tell_headers(self, stream: Stream, headers: list[Header], trailers: bool) -> None:
        if not stream.leaving:
            self._tell(HeadersReceived(stream.id, headers, self._end_stream, trailers))
        if self._end_stream:
            self._streams.act(stream, Act.RECV_END)

    def _no_loop(self) -> None:
        self._sound("depends on itself" if self._depends_on_itself else "")

    def _sound(self, reason: str) -> None:
        if reason:
            raise StreamFault(self._stream_id, ErrorCode.PROTOCOL_ERROR, f"malformed: {reason}")
