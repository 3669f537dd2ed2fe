"""What we do on streams: open, send, reset. Checks that we may, changes the books, and queues it.

The counterpart of `receiver.py`. Misuse raises LocalError (or one of its kinds) before anything is changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyopenshell.http2 import frame_writer
from pyopenshell.http2.closing import Closing
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.events import Header
from pyopenshell.http2.faults import Draining, LocalError, StreamGone, TooManyStreams
from pyopenshell.http2.header_codec import list_size
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.outbox import Buffer, Outbox
from pyopenshell.http2.settings import PeerSettings
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import Act
from pyopenshell.http2.streams import Streams


class Sender:
    """The acts of one connection. Method by method documented in `Connection`."""

    def __init__(
        self, role: Role, limits: Limits, peer: PeerSettings, streams: Streams, outbox: Outbox, closing: Closing
    ) -> None:
        self._role = role
        self._window = limits.initial_window
        self._peer = peer
        self._streams = streams
        self._outbox = outbox
        self._closing = closing

    def open_stream(self, headers: Sequence[Header], end_stream: bool) -> int:
        """Raises LocalError, Draining, TooManyStreams."""
        if self._role is Role.SERVER:
            raise LocalError("a server opens no streams")
        if not self._closing.takes_streams:
            raise Draining(f"no new streams: the connection is {self._closing.stage.value}")
        if len(self._streams.live) >= self._peer.max_streams:
            raise TooManyStreams(f"the peer takes {self._peer.max_streams} streams at once")
        self._check_size(headers)
        stream = Stream(self._streams.next_id(), self._window, self._peer.initial_window)
        self._streams.add(stream)
        self._send_first(stream, headers, end_stream)
        return stream.id

    def send_headers(self, stream_id: int, headers: Sequence[Header], end_stream: bool) -> None:
        """Raises StreamGone, LocalError."""
        stream = self._sending(stream_id)
        self._check_size(headers)
        if not stream.headers_sent:
            self._send_first(stream, headers, end_stream)
        elif end_stream:
            stream.ending = True
            stream.trailers = headers
            self._outbox.wake(stream)
        else:
            raise LocalError(f"stream {stream_id}: a second header section must end the stream")

    def _send_first(self, stream: Stream, headers: Sequence[Header], end_stream: bool) -> None:
        stream.headers_sent = True
        self._outbox.headers(stream, headers, end_stream)
        if end_stream:
            stream.ending = True
            self.end_sent(stream)

    def send_data(self, stream_id: int, *buffers: Buffer, end_stream: bool = False) -> int:
        """Queue bytes, without copying them, and perhaps the end of our direction. Returns `unsent` after that.

        Raises StreamGone, LocalError.
        """
        stream = self._streams.live.get(stream_id)
        if stream is None or stream.ending:
            stream = self._sending(stream_id)  # raises
        if not stream.headers_sent:
            raise LocalError(f"stream {stream_id}: data before headers")
        stream.ending = end_stream
        unsent = stream.unsent
        for buffer in buffers:
            size = len(buffer)
            if size:
                stream.queue.append(buffer)
                unsent += size
        stream.unsent = unsent
        if stream.waits_in is None:
            self._outbox.wake(stream)
        return unsent

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        """At once; or, when it is the polite form, after what is queued."""
        stream = self._streams.live.get(stream_id)
        if stream is None:
            return
        if code is ErrorCode.NO_ERROR and stream.waits_to_end:
            stream.leaving = True
            return
        self._outbox.drop(stream)
        self._outbox.control(frame_writer.rst_stream(stream_id, code))
        self._streams.act(stream, Act.SEND_RESET)

    def end_sent(self, stream: Stream) -> None:
        """END_STREAM of ours is in a frame."""
        self._streams.act(stream, Act.SEND_END)
        if stream.leaving:
            self.reset(stream.id, ErrorCode.NO_ERROR)
        self._closing.check()

    def _sending(self, stream_id: int) -> Stream:
        stream = self._streams.live.get(stream_id)
        if stream is None:
            raise StreamGone(f"stream {stream_id} is over")
        if stream.ending:
            raise LocalError(f"stream {stream_id}: our direction has ended")
        return stream

    def _check_size(self, headers: Sequence[Header]) -> None:
        limit = self._peer.max_header_list
        if limit is not None and list_size(headers) > limit:
            raise LocalError(f"header list of {list_size(headers)} bytes, and the peer takes {limit}")
