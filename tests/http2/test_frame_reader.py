"""The frame reader: the same frames whole, byte by byte and followed by rubbish; every size and order rule."""

from __future__ import annotations

import pytest

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.frame_reader import Frame, FrameReader
from pyopenshell.http2.limits import Limits
from tests.support import http2_peer as peer
from tests.support.http2_peer import data, frame, settings

FIRST = settings()
LIMITS = Limits(max_frame=2**15)


class Recorder:
    """A sink that puts DATA together again."""

    def __init__(self) -> None:
        self.frames: list[object] = []
        self.pieces = 0
        self.debit = 0
        self.flow = 0
        self._content = b""

    def on_data(self, stream_id: int, debit: int, flow: int, piece: memoryview, end: bool) -> None:
        assert bool(piece) or debit or not self._content
        self.pieces += 1
        self.debit += debit
        self.flow += flow
        self._content += piece
        if end:
            self.frames.append(("DATA", stream_id, self._content))
            self._content = b""

    def on_frame(self, frame: Frame) -> None:
        self.frames.append((frame.kind, frame.flags, frame.stream_id, bytes(frame.payload)))


def read(*chunks: bytes) -> Recorder:
    recorder = Recorder()
    reader = FrameReader(recorder, LIMITS)
    for chunk in chunks:
        reader.feed(memoryview(chunk))
    return recorder


CASES: dict[str, tuple[bytes, object]] = {
    "data": (data(1, b"hello", end=True), ("DATA", 1, b"hello")),
    "data, reserved bit": (frame(0, 1, 1 << 31 | 1, b"hello"), ("DATA", 1, b"hello")),
    "data, empty": (data(1, b"", end=True), ("DATA", 1, b"")),
    "data, padded": (data(3, b"hello", end=True, pad=7), ("DATA", 3, b"hello")),
    "data, padded by 0": (data(3, b"hello", end=True, pad=0), ("DATA", 3, b"hello")),
    "data, padding alone": (data(3, b"", end=True, pad=9), ("DATA", 3, b"")),
    "headers": (frame(peer.HEADERS, 4, 5, b"block"), (1, 4, 5, b"block")),
    "headers, empty": (frame(peer.HEADERS, 4, 5), (1, 4, 5, b"")),
    "priority": (frame(peer.PRIORITY, 0, 5, b"12345"), (2, 0, 5, b"12345")),
    "rst_stream": (frame(peer.RST_STREAM, 0, 5, b"1234"), (3, 0, 5, b"1234")),
    "settings": (settings((1, 2)), (4, 0, 0, b"\0\1\0\0\0\2")),
    "ping": (frame(peer.PING, 0, 0, b"12345678"), (6, 0, 0, b"12345678")),
    "goaway": (frame(peer.GOAWAY, 0, 0, b"12345678debug"), (7, 0, 0, b"12345678debug")),
    "window_update, stream": (frame(peer.WINDOW_UPDATE, 0, 9, b"1234"), (8, 0, 9, b"1234")),
    "window_update, connection": (frame(peer.WINDOW_UPDATE, 0, 0, b"1234"), (8, 0, 0, b"1234")),
    "unknown": (frame(99, 77, 9, b"what is this"), (99, 77, 9, b"")),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["whole", "byte by byte", "with more behind"])
def test_every_frame_three_ways(case: str, way: str) -> None:
    wire, expected = CASES[case]
    if way == "whole":
        got = read(FIRST, wire)
        assert got.frames[1:] == [expected]
    elif way == "byte by byte":
        got = read(*(bytes([byte]) for byte in FIRST + wire))
        assert got.frames[1:] == [expected]
    else:
        ping = frame(peer.PING, 0, 0, b"abcdefgh")
        got = read(FIRST + wire + ping + b"\0\0")
        assert got.frames[1:] == [expected, (6, 0, 0, b"abcdefgh")]
    if case.startswith("data"):
        assert got.debit == got.flow == len(wire) - 9


def test_data_is_a_slice_of_what_was_given_and_comes_as_it_arrives() -> None:
    seen: list[memoryview] = []

    class Sink(Recorder):
        def on_data(self, stream_id: int, debit: int, flow: int, piece: memoryview, end: bool) -> None:
            seen.append(piece)

    reader = FrameReader(Sink(), LIMITS)
    reader.feed(memoryview(FIRST))
    wire = data(1, b"x" * 1000)
    first, second = wire[:500], wire[500:]
    reader.feed(memoryview(first))
    assert [len(piece) for piece in seen] == [491], "before the frame is whole"
    reader.feed(memoryview(second))
    assert [len(piece) for piece in seen] == [491, 509]
    assert seen[0].obj is first
    assert seen[1].obj is second


def test_nothing_is_told_of_a_frame_whose_content_has_not_begun() -> None:
    wire = data(1, b"abc", end=True, pad=4)
    assert read(FIRST, wire[:9]).pieces == 0
    assert read(FIRST, wire[:10]).pieces == 0
    assert read(FIRST, wire[:11]).pieces == 1


def test_padding_is_counted_in_the_first_part() -> None:
    wire = data(1, b"abcdef", end=True, pad=4)
    parts = read(FIRST, wire[:12], wire[12:])
    assert (parts.pieces, parts.debit, parts.flow) == (2, 11, 11)


FAULTS: dict[str, tuple[bytes, ErrorCode]] = {
    "data on stream 0": (data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
    "headers on stream 0": (frame(peer.HEADERS, 4, 0, b""), ErrorCode.PROTOCOL_ERROR),
    "priority on stream 0": (frame(peer.PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
    "rst_stream on stream 0": (frame(peer.RST_STREAM, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "settings on a stream": (frame(peer.SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "ping on a stream": (frame(peer.PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "goaway on a stream": (frame(peer.GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "push_promise": (frame(peer.PUSH_PROMISE, 4, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "continuation of nothing": (frame(peer.CONTINUATION, 4, 1), ErrorCode.PROTOCOL_ERROR),
    "padding as long as the payload": (frame(0, 8, 1, b"\3ab"), ErrorCode.PROTOCOL_ERROR),
    "padded without a pad length": (frame(0, 8, 1), ErrorCode.FRAME_SIZE_ERROR),
    "priority of 4": (frame(peer.PRIORITY, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    "priority of 6": (frame(peer.PRIORITY, 0, 1, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    "rst_stream of 3": (frame(peer.RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "rst_stream of 5": (frame(peer.RST_STREAM, 0, 1, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    "settings of 5": (frame(peer.SETTINGS, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    "settings of 7": (frame(peer.SETTINGS, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    "ping of 7": (frame(peer.PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    "ping of 9": (frame(peer.PING, 0, 0, bytes(9)), ErrorCode.FRAME_SIZE_ERROR),
    "goaway of 7": (frame(peer.GOAWAY, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    "window_update of 3": (frame(peer.WINDOW_UPDATE, 0, 0, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "window_update of 5": (frame(peer.WINDOW_UPDATE, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("way", ["whole", "byte by byte"])
def test_every_fault(case: str, way: str) -> None:
    wire, code = FAULTS[case]
    chunks = [FIRST + wire] if way == "whole" else [bytes([byte]) for byte in FIRST + wire]
    with pytest.raises(ConnectionFault) as caught:
        read(*chunks)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("kind", "stream_id", "largest", "code"),
    [
        (peer.DATA, 1, LIMITS.max_frame, ErrorCode.FRAME_SIZE_ERROR),
        (99, 1, LIMITS.max_frame, ErrorCode.FRAME_SIZE_ERROR),
        (peer.HEADERS, 1, LIMITS.max_header_block + 261, ErrorCode.FRAME_SIZE_ERROR),
        (peer.SETTINGS, 0, LIMITS.max_settings * 6, ErrorCode.ENHANCE_YOUR_CALM),
        (peer.GOAWAY, 0, LIMITS.max_goaway + 8, ErrorCode.ENHANCE_YOUR_CALM),
    ],
)
def test_sizes_at_the_limit_and_next_to_it(kind: int, stream_id: int, largest: int, code: ErrorCode) -> None:
    step = 6 if kind == peer.SETTINGS else 1
    for length in (largest - step, largest):
        read(FIRST + frame(kind, 4 if kind == peer.HEADERS else 0, stream_id, bytes(length)))
    too_large = frame(kind, 4, stream_id, bytes(largest + step))
    with pytest.raises(ConnectionFault) as caught:
        read(FIRST + too_large[:9])  # told by the header alone
    assert caught.value.code is code
    with pytest.raises(ConnectionFault) as caught:
        read(FIRST + too_large)
    assert caught.value.code is code


@pytest.mark.parametrize(
    "wire",
    [data(1, b"x"), frame(peer.PING, 0, 0, bytes(8)), frame(99, 0, 0, b""), frame(peer.SETTINGS, 1, 0)],
    ids=["data", "ping", "unknown", "settings acknowledgement"],
)
def test_settings_come_first(wire: bytes) -> None:
    with pytest.raises(ConnectionFault, match="must come") as caught:
        read(wire)
    assert caught.value.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "wire",
    [
        frame(peer.CONTINUATION, 4, 3),
        frame(peer.HEADERS, 4, 1),
        data(1, b"x"),
        frame(peer.PING, 0, 0, bytes(8)),
        frame(99, 0, 1, b""),
    ],
    ids=["continuation of another", "headers", "data", "ping", "unknown"],
)
def test_nothing_comes_between_headers_and_continuation(wire: bytes) -> None:
    begun = FIRST + frame(peer.HEADERS, 0, 1, b"a")
    assert len(read(begun + frame(peer.CONTINUATION, 0, 1, b"b") + frame(peer.CONTINUATION, 4, 1, b"c")).frames) == 4
    for start in (begun, begun + frame(peer.CONTINUATION, 0, 1, b"b")):
        with pytest.raises(ConnectionFault) as caught:
            read(start + wire)
        assert caught.value.code is ErrorCode.PROTOCOL_ERROR


def test_between_frames() -> None:
    reader = FrameReader(Recorder(), LIMITS)
    assert reader.between_frames
    for byte in FIRST[:-1]:
        reader.feed(memoryview(bytes([byte])))
        assert not reader.between_frames
    reader.feed(memoryview(FIRST[-1:]))
    assert reader.between_frames
    for wire in (data(1, b"abc", pad=2), frame(99, 0, 0, b"abc"), frame(peer.PING, 0, 0, bytes(8))):
        for byte in wire[:-1]:
            reader.feed(memoryview(bytes([byte])))
            assert not reader.between_frames
        reader.feed(memoryview(wire[-1:]))
        assert reader.between_frames
    reader.feed(memoryview(frame(peer.HEADERS, 0, 1, b"a")))
    assert not reader.between_frames, "a header block is open"


def test_repr() -> None:
    reader = FrameReader(Recorder(), LIMITS)
    assert repr(reader) == "FrameReader(between frames)"
    reader.feed(memoryview(FIRST + data(1, b"abc")[:-1]))
    assert repr(reader) == "FrameReader(in a frame of kind 0, 1 bytes to come)"
    reader.feed(memoryview(b"c" + frame(peer.HEADERS, 0, 1)[:-2]))
    assert repr(reader) == "FrameReader(in a frame header, 2 bytes to come)"
    reader.feed(memoryview(b"\0\1"))
    assert repr(reader) == "FrameReader(in a header block)"
