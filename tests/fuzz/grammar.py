"""What a peer may say: one step of a program to bytes for the wire, sound ones and broken ones.

Frames are built without the engine's code. Most of what is said is sound, since a connection that died at once finds
nothing: ids are most often those of streams that were opened, and each broken thing needs a byte of its own value. The
encoder is that of the peer: it has its own dynamic table, so later header blocks refer to earlier ones, as those of a
real peer do.
"""

from __future__ import annotations

from hpack import Encoder

from pyopenshell.http2 import Header
from tests.fuzz.choices import Step
from tests.support.http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)

#: Ids out of order: the other side's, the last one, none, and ids with the reserved bit set.
STREAMS = (1, 3, 5, 7, 9, 13, 2, 4, 0, 2**31 - 1, 2**31 + 1, 2**31 + 3)
#: A byte from here on chooses of `STREAMS`; one below, among the streams that were opened.
ODD = 250
#: Around every border of a DATA frame: nothing, content-lengths below, the frame limit, the default window.
LENGTHS = (0, 1, 5, 9, 10, 11, 100, 1_000, 4_000, 16_128, 16_383, 16_384, 16_385, 20_000)
INCREMENTS = (0, 1, 10, 1_000, 40_000, 2**30, 2**31 - 1 - 65_535, 2**31 - 65_535, 2**31 - 1, 2**31, 2**31 + 5)
CODES = (0, 1, 5, 7, 8, 0xB, 0xFF)
PARAMETERS = (
    (1, (0, 100, 4_096, 65_536)),
    (2, (0, 0, 0, 0, 0, 0, 0, 0, 1, 2)),
    (3, (0, 1, 2, 100)),
    (4, (0, 1, 100, 65_535, 70_000, 10, 20_000, 2**31 - 1, 1, 5, 100, 2**31)),
    (5, (16_384, 16_385, 70_000, 2**24 - 1, 16_384, 20_000, 30_000, 16_384, 16_383, 2**24)),
    (6, (150, 10_000, 10_000)),
    (99, (0, 1)),
    (4, (1_000, 30_000, 0)),
)
PINGS = (b"12345678", b"lastcall", bytes(8))

_METHOD, _SCHEME, _PATH, _TYPE = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/test.Service/Method"),
    (b"content-type", b"application/grpc"),
)
_REQUEST: list[Header] = [_METHOD, _SCHEME, _PATH, (b":authority", b"localhost"), (b"te", b"trailers"), _TYPE]
#: Sound for a client.
REQUESTS: list[list[Header]] = [
    _REQUEST,
    [*_REQUEST, (b"content-length", b"10")],
    [*_REQUEST, (b"content-length", b"0")],
    [*_REQUEST, (b"authorization", b"Bearer secret")],
    [(b":method", b"CONNECT"), (b":authority", b"localhost:1")],
    [(b":method", b"OPTIONS"), _SCHEME, (b":path", b"*"), (b":authority", b"localhost")],
]
RESPONSES: list[list[Header]] = [
    [(b":status", b"200"), _TYPE],
    [(b":status", b"200"), (b"content-length", b"10")],
    [(b":status", b"200"), _TYPE, (b"grpc-status", b"12")],
    [(b":status", b"100")],
    [(b":status", b"103"), (b"link", b"</a>")],
    [(b":status", b"204")],
]
TRAILERS: list[list[Header]] = [[(b"grpc-status", b"0")], [(b"grpc-status", b"13"), (b"grpc-message", b"why")], []]
#: Malformed wherever they come.
MALFORMED: list[list[Header]] = [
    [*_REQUEST, (b"Upper", b"case")],
    [*_REQUEST, (b"connection", b"close")],
    [*_REQUEST, (b"te", b"gzip")],
    [*_REQUEST, (b":path", b"/again")],
    [_METHOD, _SCHEME, (b":path", b"")],
    [_METHOD, _SCHEME],
    [_SCHEME, _PATH],
    [_METHOD, _PATH],
    [_METHOD, _SCHEME, (b":path", b"relative")],
    [_METHOD, _SCHEME, (b"x", b"1"), _PATH],
    [*_REQUEST, (b":status", b"200")],
    [*_REQUEST, (b":unknown", b"1")],
    [*_REQUEST, (b"x", b"line\r\nbreak: 1")],
    [*_REQUEST, (b"x", b"nul\0")],
    [*_REQUEST, (b"x", b" space ")],
    [*_REQUEST, (b"", b"nameless")],
    [*_REQUEST, (b"content-length", b"ten")],
    [*_REQUEST, (b"content-length", b"1"), (b"content-length", b"2")],
    [(b":method", b"CONNECT"), (b":authority", b"localhost:1"), _PATH],
    [(b":status", b"20")],
    [(b":status", b"099")],
    [(b":status", b"20x")],
]
#: Header blocks that an encoder would not make: too long an integer, an index of nothing, a cut string, table updates.
BLOCKS = (
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x0f",
    b"\xfe",
    b"\x80",
    b"\x00\x7fa",
    b"\x00\x01a\x85\xff\xff\xff\xff\xff",
    b"\x20",
    b"\x3f\xe1\x1f",
    b"\x3f\xe2\x1f",
    b"\x20\x3f\xe1\x1f",
    b"\x20\x20\x20",
    b"\x86\x20",
    b"",
)


class Peer:
    """The sayings of one peer of one engine. `client`: whether this peer is the client."""

    def __init__(self, client: bool) -> None:
        self._client = client
        self._first = REQUESTS if client else RESPONSES
        self._encoder = Encoder()
        self.opened: list[int] = []  # ids of streams that the client opened, newest last
        self._answered: set[int] = set()  # ids with a first header section from this peer

    def say(self, step: Step) -> bytes:
        """The bytes of one step; `step.what` is 0..31."""
        what = step.what % 32
        if not self.opened and what < 22:
            return self._message(step, self._first) if self._client else b""
        if what < 6:
            return self._message(step, self._first)
        if what < 8:
            return self._message(step, TRAILERS)
        if what < 15:
            return self._content(step, self._stream(step))
        if what < 18:
            return frame(RST_STREAM, 0, self._stream(step), step.pick(CODES).to_bytes(4, "big"))
        if what < 22:
            stream_id = 0 if step.flip(3) else self._stream(step)
            return frame(WINDOW_UPDATE, 0, stream_id, step.pick(INCREMENTS).to_bytes(4, "big"))
        if what < 26:
            return _settings(step)
        if what < 28:
            return frame(PING, step.byte() & ACK, 0, step.pick(PINGS))
        if what == 28:
            return _priority_or_goaway(step, self._stream(step))
        if what == 29:
            return self._odd_message(step)
        return _any_frame(step, self._stream(step)) if what == 30 else step.rest if step.flip(8) else b""

    def _content(self, step: Step, stream_id: int) -> bytes:
        """DATA, and before it the header section of an answer that was not given yet, most often."""
        first = b""
        if not self._client and stream_id in self.opened and stream_id not in self._answered and not step.flip(16):
            self._answered.add(stream_id)
            first = _block(stream_id, self._encoder.encode(self._first[0]), 0, 0)
        return first + _data(step, stream_id)

    def _stream(self, step: Step) -> int:
        which = step.byte()
        if not self.opened:
            return 1
        if which >= ODD:
            return STREAMS[which % len(STREAMS)]
        known = self.opened[-6:]
        return known[which % len(known)]

    def _message(self, step: Step, lists: list[list[Header]]) -> bytes:
        which, headers, flags, extra = step.byte(), step.pick(lists), step.byte(), step.byte()
        if self._client and lists is self._first and which < ODD:
            stream_id = self.opened[-1] + 2 if self.opened else 1
        else:
            stream_id = self._stream(Step(bytes([0, which])))
        if stream_id in self._answered and lists is self._first and extra & 0x1C:
            lists = TRAILERS
            headers = TRAILERS[extra % len(TRAILERS)]
        if lists is TRAILERS and flags & 0xF0 != 0xF0:
            flags |= END_STREAM
        elif lists is self._first and headers[0][1] != b"100" and headers[0][1] != b"103":
            self._answered.add(stream_id)
        if extra & 3 == 1:
            headers = [*headers, (b"x-%d" % (extra >> 5), b"%d" % extra)]
        if extra & 127 == 127:
            headers = [*headers, (b"x-long", bytes([97 + extra % 26]) * 500)]
        return self._block(stream_id, self._encoder.encode(headers), flags, step.byte())

    def _odd_message(self, step: Step) -> bytes:
        which, flags = step.byte(), step.byte()
        malformed = MALFORMED[which % len(MALFORMED)]
        block = self._encoder.encode(malformed) if which < 192 else BLOCKS[which % len(BLOCKS)]
        stream_id = self.opened[-1] + 2 if self._client and self.opened else self._stream(step)
        return self._block(stream_id, block, flags, step.byte())

    def _block(self, stream_id: int, block: bytes, flags: int, how: int) -> bytes:
        if self._client and stream_id % 2 and stream_id < 1_000 and stream_id not in self.opened:
            self.opened.append(stream_id)
            self.opened.sort()
        return _block(stream_id, block, flags, how)


def _block(stream_id: int, block: bytes, flags: int, how: int) -> bytes:
    """HEADERS with what `flags` asks for; `how`: padding, priority, and into how many frames the block is split."""
    body, kept = block, flags & END_STREAM
    parts = (1, 2, 3, 2, 1, 3, 2, 5)[how & 7] if how & 8 else 0
    first = block[: len(block) // (parts + 1)]
    if flags & PADDED:
        pad = how >> 4
        body = bytes([pad + (200 if flags & 0xF2 == 0xF2 else 0)])
        kept |= PADDED
    else:
        pad, body = 0, b""
    if flags & HAS_PRIORITY:
        depends_on = stream_id if how >> 4 == 15 else 0
        body += depends_on.to_bytes(4, "big") + b"\x10"
        kept |= HAS_PRIORITY
    body += first + bytes(pad)
    if not parts:
        whole = flags & 0xF6 != 0x84
        return frame(HEADERS, kept | (END_HEADERS if whole else 0), stream_id, body)
    out = frame(HEADERS, kept, stream_id, body)
    rest = block[len(first) :]
    size = max(1, len(rest) // parts)
    for n in range(parts):
        last = n == parts - 1
        part = rest[n * size :] if last else rest[n * size : (n + 1) * size]
        other = flags & 0xF2 == 0xC2
        out += frame(CONTINUATION, END_HEADERS if last else 0, stream_id + 2 if other else stream_id, part)
    return out


def _data(step: Step, stream_id: int) -> bytes:
    length, flags, pad = step.pick(LENGTHS), step.byte(), step.byte()
    mark = step.byte()
    content = (b"%c" % mark) * length
    kept = flags & END_STREAM
    if not flags & PADDED:
        return frame(DATA, kept, stream_id, content)
    if flags & 0xF2 == 0xE2:  # a pad length, and less behind it
        return frame(DATA, kept | PADDED, stream_id, bytes([pad]) + content[: pad - 1 if pad else 0])
    content = content[: max(0, 16_384 - 1 - pad)] if flags & 0x10 else content
    return frame(DATA, kept | PADDED, stream_id, bytes([pad]) + content + bytes(pad))


def _settings(step: Step) -> bytes:
    body, how = b"", step.byte()
    if how % 8 == 7:
        return frame(SETTINGS, ACK, 0, bytes(6) if how == 0xF7 else b"")
    for _ in range(how % 3):
        key, values = step.pick(PARAMETERS)
        body += key.to_bytes(2, "big") + step.pick(values).to_bytes(4, "big")
    return frame(SETTINGS, 0, 0, body)


def _priority_or_goaway(step: Step, stream_id: int) -> bytes:
    how = step.byte()
    if how & 1:
        depends_on = stream_id if how >= ODD else 0
        return frame(PRIORITY, 0, stream_id, (depends_on | (how & 2) << 30).to_bytes(4, "big") + b"\x10")
    last = step.pick((0, 1, 3, 5, 2**31 - 1, 2**31 - 1))
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + step.pick(CODES).to_bytes(4, "big") + bytes(how >> 4))


def _any_frame(step: Step, stream_id: int) -> bytes:
    kind, flags = step.byte() % 64, step.byte()
    length = step.pick((0, 1, 3, 4, 5, 6, 7, 8, 9, 12, 30, 300, 700, 16_384, 16_385))
    return frame(kind if kind < 12 else 0xAA, flags, stream_id, bytes([step.byte()]) * length)
