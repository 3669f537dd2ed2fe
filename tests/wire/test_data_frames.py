from __future__ import annotations

import random
import struct

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.wire.data_frames import END_MESSAGE, MESSAGE_MAX, DataScanner, End, Init, Piece, data_header
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


def message(body: bytes) -> bytes:
    return struct.pack(">BL", 0, len(body)) + body


def frame(**fields: object) -> bytes:
    return message(pb.TcpForwardFrame(**fields).SerializeToString())  # type: ignore[arg-type]


INIT = pb.TcpForwardInit(features=[1], relay_id="abc")
WIRE = (
    frame(init=INIT)
    + frame(data=b"hello")
    + message(b"")
    + frame(data=b"")
    + frame(data=bytes(range(256)) * 2000)
    + message(b"\x18\x07" + b"\x22\x03???" + b"\x29" + bytes(8) + b"\x35" + bytes(4) + b"\x12\x02ok")
    + frame(end=False)
    + frame(end=True)
)
PAYLOAD = b"hello" + bytes(range(256)) * 2000 + b"ok"


def told(pieces: list[Piece]) -> tuple[list[bytes], bytes, int]:
    inits = [piece.data for piece in pieces if isinstance(piece, Init)]
    data = b"".join(piece for piece in pieces if isinstance(piece, memoryview))
    return inits, data, sum(isinstance(piece, End) for piece in pieces)


EXPECTED = ([INIT.SerializeToString()], PAYLOAD, 1)


def test_whole() -> None:
    scanner = DataScanner()
    pieces = scanner.feed(WIRE)
    assert told(pieces) == EXPECTED
    assert isinstance(pieces[-1], End)
    assert scanner.at_boundary


def test_one_byte_at_a_time() -> None:
    scanner = DataScanner()
    assert told([piece for at in range(len(WIRE)) for piece in scanner.feed(WIRE[at : at + 1])]) == EXPECTED
    assert scanner.at_boundary


@pytest.mark.parametrize("seed", range(20))
def test_cut_anywhere(seed: int) -> None:
    chooser = random.Random(seed)
    scanner, pieces, at = DataScanner(), [], 0
    while at < len(WIRE):
        size = chooser.choice((1, 2, 5, 7, 11, 4096, 300_000))
        pieces += scanner.feed(memoryview(WIRE)[at : at + size])
        at += size
    assert told(pieces) == EXPECTED


def test_payload_is_a_slice_of_what_was_fed() -> None:
    wire = bytearray(frame(data=b"abc"))
    (piece,) = DataScanner().feed(wire)
    wire[-3:] = b"xyz"
    assert piece == b"xyz"


@pytest.mark.parametrize("size", [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_the_header_that_we_write_is_what_protobuf_writes(size: int) -> None:
    data = bytes(size)
    assert data_header(size) + data == frame(data=data)


def test_end_is_what_protobuf_writes() -> None:
    assert frame(end=True) == END_MESSAGE


def test_an_empty_init_is_one() -> None:
    assert DataScanner().feed(frame(init=pb.TcpForwardInit())) == [Init(b"")]


def test_a_relay_frame_has_the_same_encoding() -> None:
    body = pb.RelayFrame(data=b"abc").SerializeToString()
    assert body == pb.TcpForwardFrame(data=b"abc").SerializeToString()
    assert pb.RelayFrame(end=True).SerializeToString() == pb.TcpForwardFrame(end=True).SerializeToString()


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"\x01\x00\x00\x00\x01x", "compressed"),
        (struct.pack(">BL", 0, MESSAGE_MAX + 1), "over the limit"),
        (message(b"\x12"), "ends inside a field"),
        (message(b"\x12\x05abc"), "does not fit"),
        (message(b"\x0b"), "does not fit|inside a field"),
        (message(b"\x13\x00"), "does not fit"),
        (message(b"\xff" * 12), "too long"),
        (message(b"\x31\x00\x00"), "does not fit"),
        (message(b"\x0a\x81\x80\x40" + bytes(1024 * 1024 + 1)), "init over the limit"),
    ],
)
def test_what_is_no_such_message_breaks(wire: bytes, words: str) -> None:
    with pytest.raises(OpenShellError, match=words):
        DataScanner().feed(wire)
    scanner = DataScanner()
    with pytest.raises(OpenShellError, match=words):
        for at in range(len(wire)):
            scanner.feed(wire[at : at + 1])


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 7, 9])
def test_the_end_within_a_message_is_known(cut: int) -> None:
    scanner = DataScanner()
    scanner.feed(frame(data=b"abc")[:cut])
    assert not scanner.at_boundary
