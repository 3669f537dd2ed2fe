"""Bytes to frames (RFC 9113 section 4), split anywhere, without copying payload.

`FrameReader.feed` walks over a buffer and calls its sink: `on_data` for DATA, as far as its bytes are there, with
slices of the buffer; `on_frame` for every other frame, whole. Only such a frame is ever kept until it is whole, and
each kind has a largest size; unknown frames are skipped. What can be told from the 9-byte header alone is checked here,
before a byte of payload is waited for: size, stream id zero or not, and what must come first or next.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple, Protocol

from pyopenshell.http2 import codes
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Limits

#: Length and type share the first word.
_HEADER = Struct(">LBL").unpack_from
_NOTHING = memoryview(b"")
#: Bytes of HEADERS besides its block: pad length, 255 of padding, priority.
_HEADERS_EXTRA = 1 + 255 + 5
#: What `Limits` calls the largest length of a kind whose frames have no size of their own.
_LARGEST = {
    codes.SETTINGS: "max_settings",
    codes.GOAWAY: "max_goaway",
    codes.CONTINUATION: "max_header_block",
}


class Frame(NamedTuple):
    """A frame that is not DATA."""

    kind: int
    flags: int
    stream_id: int
    payload: memoryview


class Sink(Protocol):
    """Who is told of the frames. Either method may raise ConnectionFault; then the reader is not used again."""

    def on_data(self, stream_id: int, debit: int, flow: int, piece: memoryview, end: bool) -> None:
        """A DATA frame or a part of one.

        `debit`: flow-controlled length of the whole frame, in its first part; 0 in the others. `flow`: what of it
        belongs to this part. `piece` is empty only when the whole frame is. `end`: END_STREAM, in the last part.
        """

    def on_frame(self, frame: Frame) -> None:
        """Any other frame. Padding is still on it; the payload of an unknown kind is left out."""


class FrameReader:
    """Reads the frames of one connection after the preface. The first one must be SETTINGS."""

    def __init__(self, sink: Sink, limits: Limits) -> None:
        self._on_data = sink.on_data
        self._on_frame = sink.on_frame
        self._max_frame = limits.max_frame
        # kind -> smallest and largest length, and whether the stream id must be zero (None: either).
        self._rules: dict[int, tuple[int, int, bool | None]] = {
            codes.DATA: (0, limits.max_frame, False),
            codes.HEADERS: (0, limits.max_header_block + _HEADERS_EXTRA, False),
            codes.PRIORITY: (5, 5, False),
            codes.RST_STREAM: (4, 4, False),
            codes.SETTINGS: (0, limits.max_settings * 6, True),
            codes.PING: (8, 8, True),
            codes.GOAWAY: (8, limits.max_goaway + 8, True),
            codes.WINDOW_UPDATE: (4, 4, None),
            codes.CONTINUATION: (0, limits.max_header_block, False),
        }
        self._expect: tuple[int, int] | None = (codes.SETTINGS, 0)  # the kind and stream that must come next
        self._head = b""  # a part of a frame header
        self._resume: Callable[[memoryview, int, int], int] | None = None  # goes on with a part of a payload
        self._frame = (0, 0, 0)  # kind, flags, stream id of a frame in parts
        self._body = bytearray()  # its payload so far
        self._left = 0  # bytes of it (of DATA: of its content) still to come
        self._debit = 0
        self._pad = 0

    @property
    def between_frames(self) -> bool:
        """Whether all bytes so far make whole frames."""
        return not self._head and self._resume is None and (self._expect is None or self._expect[0] == codes.SETTINGS)

    def feed(self, view: memoryview) -> None:
        """Take the next bytes. Raises ConnectionFault."""
        pos, end = 0, len(view)
        if self._resume is not None:
            pos = self._resume(view, 0, end)
        if self._head:
            have = self._head + bytes(view[: codes.FRAME_HEADER_BYTES - len(self._head)])
            pos = len(have) - len(self._head)
            self._head = b""
            if len(have) < codes.FRAME_HEADER_BYTES:
                self._head = have
                return
            pos = self._begin(_HEADER(have), view, pos, end)
        while self._resume is None:
            payload = pos + codes.FRAME_HEADER_BYTES
            if payload > end:
                self._head = bytes(view[pos:])
                return
            header = _HEADER(view, pos)
            word, flags, stream_id = header
            stop = payload + (word >> 8)
            if not (word & 0xFF or flags & codes.PADDED or self._expect) and stop <= end and 0 < stream_id < 2**31:
                length = stop - payload
                if length > self._max_frame:
                    raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"DATA of {length} bytes", "max_frame")
                self._on_data(stream_id, length, length, view[payload:stop], flags & codes.END_STREAM != 0)
                pos = stop
            else:
                pos = self._begin(header, view, payload, end)

    def _begin(self, header: tuple[int, int, int], view: memoryview, pos: int, end: int) -> int:
        """A frame that is not whole unpadded DATA, `pos` after its header. Returns where to go on."""
        word, flags, stream_id = header
        length, kind, stream_id = word >> 8, word & 0xFF, stream_id & codes.MAX_STREAM_ID
        self._check(kind, flags, stream_id, length)
        self._frame = (kind, flags, stream_id)
        self._left = length
        if kind == codes.DATA:
            self._debit = length
            self._pad = 0
            if not flags & codes.PADDED:
                return self._more_data(view, pos, end)
            if length == 0:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "padded DATA without a pad length")
            return self._pad_length(view, pos, end)
        if kind not in self._rules:
            self._on_frame(Frame(kind, flags, stream_id, _NOTHING))
            return self._skip(view, pos, end)
        if pos + length <= end:
            self._on_frame(Frame(kind, flags, stream_id, view[pos : pos + length]))
            return pos + length
        self._body = bytearray()
        return self._more_body(view, pos, end)

    def _check(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        if length > self._max_frame:
            reason = f"frame of {length} bytes, limit {self._max_frame}"
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, reason, "max_frame")
        if self._expect is not None:
            if (kind, stream_id) != self._expect or (kind == codes.SETTINGS and flags & codes.ACK):
                wanted, on = self._expect
                reason = f"frame of kind {kind} on stream {stream_id} where kind {wanted} on stream {on} must come"
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, reason)
            self._expect = None
        elif kind == codes.CONTINUATION:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block")
        elif kind == codes.PUSH_PROMISE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE, which nobody enabled")
        if kind in (codes.HEADERS, codes.CONTINUATION) and not flags & codes.END_HEADERS:
            self._expect = (codes.CONTINUATION, stream_id)
        if kind not in self._rules:
            return
        low, high, zero = self._rules[kind]
        if zero is not None and zero != (stream_id == 0):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"frame of kind {kind} on stream {stream_id}")
        wrong = length < low or (kind == codes.SETTINGS and length % 6)
        if wrong or (length > high and (low == high or kind == codes.HEADERS)):
            limit = "max_header_block" if kind == codes.HEADERS else ""
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"frame of kind {kind} with {length} bytes", limit)
        if length > high:
            reason = f"frame of kind {kind} with {length} bytes, limit {high}"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason, _LARGEST[kind])

    def _more_body(self, view: memoryview, pos: int, end: int) -> int:
        stop = min(end, pos + self._left)
        self._body += view[pos:stop]
        self._left -= stop - pos
        self._resume = self._more_body
        if self._left == 0:
            self._resume = None
            self._on_frame(Frame(*self._frame, memoryview(self._body)))
        return stop

    def _skip(self, _view: memoryview, pos: int, end: int) -> int:
        stop = min(end, pos + self._left)
        self._left -= stop - pos
        self._resume = self._skip if self._left else None
        return stop

    def _pad_length(self, view: memoryview, pos: int, end: int) -> int:
        self._resume = self._pad_length
        if pos == end:
            return pos
        self._pad = view[pos]
        self._left -= 1 + self._pad
        if self._left < 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "DATA with more padding than payload")
        return self._more_data(view, pos + 1, end)

    def _more_data(self, view: memoryview, pos: int, end: int) -> int:
        """Content of a DATA frame, as far as it is here; after it the padding is skipped."""
        self._resume = self._more_data
        stop = min(end, pos + self._left)
        if stop == pos and self._left:
            return pos
        _, flags, stream_id = self._frame
        self._left -= stop - pos
        debit, self._debit = self._debit, 0
        padding = debit - (stop - pos) - self._left if debit else 0
        last = flags & codes.END_STREAM != 0 and self._left == 0
        self._on_data(stream_id, debit, stop - pos + padding, view[pos:stop], last)
        if self._left:
            return stop
        self._left = self._pad
        return self._skip(view, stop, end)

    def __repr__(self) -> str:
        if self._resume is not None:
            return f"FrameReader(in a frame of kind {self._frame[0]}, {self._left} bytes to come)"
        if self._head:
            return f"FrameReader(in a frame header, {codes.FRAME_HEADER_BYTES - len(self._head)} bytes to come)"
        return f"FrameReader({'between frames' if self.between_frames else 'in a header block'})"
