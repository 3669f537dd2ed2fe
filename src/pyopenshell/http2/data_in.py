"""DATA of the peer (RFC 9113 sections 6.1 and 6.9): the hot path. Windows, content-length, and the event.

The connection's receive window is given back on receipt, so that no slow reader holds up the other streams; a stream's
window is given back by its reader, and that is the back-pressure.
"""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.http2 import codes, frame_writer
from pyopenshell.http2.allowance import Allowance
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import DataReceived, Event
from pyopenshell.http2.faults import StreamFault
from pyopenshell.http2.outbox import Outbox
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import TABLE, Act, step
from pyopenshell.http2.streams import Streams

#: When less than this is left of the connection's window, it is opened to the full again: a frame for every GiB.
_CONNECTION_LEAST = 2**30


class DataIn:
    """The content that one connection receives."""

    def __init__(
        self,
        streams: Streams,
        outbox: Outbox,
        empty: Allowance,
        late: Allowance,
        reject: Callable[[StreamFault], None],
        tell: Callable[[Event], None],
    ) -> None:
        self.now = 0.0  # when what is being received came, in seconds
        self.window = codes.MAX_WINDOW  # the connection's, for receiving
        self.frames = 0  # DATA frames so far
        self._streams = streams
        self._outbox = outbox
        self._empty = empty
        self._late = late
        self._reject = reject
        self._tell = tell

    def take(self, stream_id: int, debit: int, flow: int, piece: memoryview, end: bool) -> None:
        """A DATA frame or a part of one, as `frame_reader.Sink.on_data` has it. Raises ConnectionFault."""
        first = debit or not piece
        if first:
            self.frames += 1
            self.window -= debit
            if self.window < _CONNECTION_LEAST:
                self._outbox.answer(frame_writer.window_update(0, codes.MAX_WINDOW - self.window))
                self.window = codes.MAX_WINDOW
        stream = self._streams.live.get(stream_id)
        try:
            if stream is None:
                if first:
                    step(stream_id, self._streams.state(stream_id), Act.RECV_DATA)
                    self._late.spend(self.now)
                return
            if first:
                if TABLE[stream.state][Act.RECV_DATA] is not stream.state or not stream.headers_received:
                    _out_of_turn(stream)
                stream.window -= debit
                if stream.window < 0:
                    reason = f"{-stream.window} bytes over the window"
                    raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, reason)
            if stream.expected >= 0:
                stream.expected -= len(piece)
                if stream.expected < 0 or (end and stream.expected):
                    raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "DATA does not match content-length")
        except StreamFault as fault:
            self._reject(fault)
            return
        stream.held += flow
        if not (piece or end):
            self._empty.spend(self.now)
            self._give_back(stream, flow)
        elif stream.leaving:
            self._give_back(stream, flow)
        else:
            self._tell(DataReceived(stream_id, piece, flow, end))
        if end:
            self._streams.act(stream, Act.RECV_END)

    def _give_back(self, stream: Stream, n: int) -> None:
        """What no reader will see needs no reader to give it back."""
        increment = stream.give_back(n)
        if increment:
            self._outbox.answer(frame_writer.window_update(stream.id, increment))


def _out_of_turn(stream: Stream) -> None:
    """Raises the fault of DATA that may not come now."""
    step(stream.id, stream.state, Act.RECV_DATA)
    raise StreamFault(stream.id, ErrorCode.PROTOCOL_ERROR, "DATA before HEADERS")
