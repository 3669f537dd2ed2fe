"""What goes on the wire, and in which order: control frames first, then DATA, one turn a stream.

Control frames (HEADERS that open or answer, SETTINGS, PING, RST_STREAM, WINDOW_UPDATE, GOAWAY) are queued as bytes and
leave with the next `take`. DATA is queued in its stream as the caller's own buffers. A stream with something to send is
in `_ready`; one that only the connection's window stops is in `_starved`; one that its own window stops is in neither.
Trailers end a stream's queue, and are encoded when their turn comes, since HPACK wants blocks in wire order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from pyopenshell.http2 import codes, frame_writer
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Drained, Event, Header
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.frame_writer import frame_header
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.stream import Stream

Buffer = bytes | bytearray | memoryview


class Outbox:
    """The send side of one connection.

    `encode` makes a header block; `end_sent`, to be set before the first `take`, is told of each stream whose END_STREAM
    was put in a frame.
    """

    def __init__(
        self, limits: Limits, encode: Callable[[Sequence[Header]], bytes], tell: Callable[[Event], None]
    ) -> None:
        self._turn = limits.turn
        self._max_answers = limits.max_answers
        self._encode = encode
        self._tell = tell
        self.end_sent: Callable[[Stream], None]
        self.window = codes.DEFAULT_WINDOW  # the connection's, for sending
        self.max_frame = codes.MIN_MAX_FRAME  # the peer's
        self.frames = 0  # DATA frames with payload so far
        self._granted = self.window  # sum of what the peer ever opened of it
        self._control: list[Buffer] = []
        self._answers = 0  # bytes in `_control` that the peer made us queue
        self._ready: deque[Stream] = deque()
        self._starved: deque[Stream] = deque()

    @property
    def wanted(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._control or self._ready)

    @property
    def sent(self) -> int:
        """Bytes of payload in DATA frames so far."""
        return self._granted - self.window

    # -- queue ------------------------------------------------------------------------------------------------------

    def control(self, frame: bytes) -> None:
        """Queue a frame of our own making."""
        self._control.append(frame)

    def answer(self, frame: bytes) -> None:
        """Queue a frame that the peer made us send."""
        self._answers += len(frame)
        self._control.append(frame)

    def check(self) -> None:
        """Raises ConnectionFault when too many answers wait for a peer that does not read."""
        if self._answers > self._max_answers:
            reason = f"over {self._max_answers} bytes of answers not read"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason, "max_answers")

    def headers(self, stream: Stream, headers: Sequence[Header], end_stream: bool) -> None:
        """Queue HEADERS that no data waits in front of."""
        block = self._encode(headers)
        self._control.append(frame_writer.headers(stream.id, block, end_stream, self.max_frame))

    def wake(self, stream: Stream) -> None:
        """The stream may have something to send now: put it in line, once."""
        if stream.waits_in is None and (stream.send_window > 0 if stream.unsent else stream.ending):
            line = self._starved if stream.unsent and self.window <= 0 else self._ready
            stream.waits_in = line
            line.append(stream)

    def drop(self, stream: Stream) -> None:
        """Forget what is queued on a stream."""
        if stream.waits_in is not None:
            stream.waits_in.remove(stream)
            stream.waits_in = None
        stream.queue.clear()
        stream.unsent = 0

    def drop_all(self) -> None:
        """The connection is over: only control frames may still leave."""
        self._ready.clear()
        self._starved.clear()

    def open_window(self, increment: int) -> None:
        """The connection's window grew: those that waited for it are ready again."""
        self.window += increment
        self._granted += increment
        if self.window > 0:
            for stream in self._starved:
                stream.waits_in = self._ready
            self._ready.extend(self._starved)
            self._starved.clear()

    # -- take -------------------------------------------------------------------------------------------------------

    def take(self, limit: int) -> list[Buffer]:
        """All control frames and up to `limit` bytes of DATA payload, as buffers in wire order."""
        out = self._control
        self._control = []
        self._answers = 0
        ready = self._ready
        while ready and limit > 0:
            stream = ready.popleft()
            stream.waits_in = None
            size = unsent = stream.unsent
            if size > limit or size > self._turn or size > stream.send_window or size > self.window:
                size = max(0, min(limit, self._turn, stream.send_window, self.window))
            if size:
                limit -= size
                self.window -= size
                stream.send_window -= size
                stream.unsent = unsent = unsent - size
                if unsent or size > self.max_frame:
                    self._cut(stream, size, out)
                else:
                    self.frames += 1
                    out.append(frame_header(size << 8, stream.ending and stream.trailers is None, stream.id))
                    out += stream.queue
                    stream.queue.clear()
            if unsent:
                self.wake(stream)
                continue
            if stream.watched:
                stream.watched = False
                self._tell(Drained(stream.id))
            if stream.ending:
                if not size or stream.trailers is not None:
                    self._finish(stream, out)
                self.end_sent(stream)
        if self._control:  # RST_STREAM after an END_STREAM
            out += self._control
            self._control = []
        return out

    def _cut(self, stream: Stream, size: int, out: list[Buffer]) -> None:
        """The first `size` bytes of a stream as frames, its buffers untouched where a frame takes them whole."""
        queue, taken = stream.queue, 0
        last = stream.ending and stream.trailers is None and not stream.unsent
        while size:
            left = min(size, self.max_frame)
            size -= left
            self.frames += 1
            out.append(frame_header(left << 8, last and not size, stream.id))
            while left:
                buffer = queue[taken]
                length = len(buffer)
                if length <= left:
                    out.append(buffer)
                    taken += 1
                    left -= length
                else:
                    view = memoryview(buffer)
                    out.append(view[:left])
                    queue[taken] = view[left:]
                    left = 0
        del queue[:taken]

    def _finish(self, stream: Stream, out: list[Buffer]) -> None:
        """END_STREAM by a frame of its own: trailers, or empty DATA."""
        if stream.trailers is None:
            out.append(frame_header(0, True, stream.id))
        else:
            out.append(frame_writer.headers(stream.id, self._encode(stream.trailers), True, self.max_frame))

    def __repr__(self) -> str:
        return (
            f"Outbox(send window {self.window}, {len(self._control)} control frames, {len(self._ready)} streams ready,"
            f" {len(self._starved)} starved)"
        )
