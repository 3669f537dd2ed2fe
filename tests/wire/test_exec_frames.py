from __future__ import annotations

import random

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.exec_frames import HEADER, PAYLOAD_MAX, START_MAX, Decoder, Frame, Kind, encode, header

SCRIPT = [
    Frame(Kind.START, b"start message"),
    Frame(Kind.STARTED),
    Frame(Kind.STDIN, b"in"),
    Frame(Kind.STDOUT, bytes(PAYLOAD_MAX)),
    Frame(Kind.STDERR, b"err"),
    Frame(Kind.RESIZE, b"\x00\x50\x00\x18"),
    Frame(Kind.SIGNAL, b"\x0f"),
    Frame(Kind.STDIN_END),
    Frame(Kind.EXIT, b"\x08\x00"),
]
WIRE = b"".join(encode(frame.kind, frame.payload) for frame in SCRIPT)
DATA = {Kind.STDIN, Kind.STDOUT, Kind.STDERR}


def joined(frames: list[Frame]) -> list[tuple[Kind, bytes]]:
    """Frames with the pieces of data frames put together again."""
    found: list[tuple[Kind, bytes]] = []
    for frame in frames:
        if found and frame.kind in DATA and found[-1][0] is frame.kind:
            found[-1] = (frame.kind, found[-1][1] + bytes(frame.payload))
        else:
            found.append((frame.kind, bytes(frame.payload)))
    return found


EXPECTED = [(frame.kind, bytes(frame.payload)) for frame in SCRIPT]


def test_numbers_are_the_wires() -> None:
    assert {kind.name: int(kind) for kind in Kind} == {
        "START": 1,
        "STDIN": 2,
        "STDIN_END": 3,
        "STDOUT": 4,
        "STDERR": 5,
        "RESIZE": 6,
        "SIGNAL": 7,
        "EXIT": 8,
        "STARTED": 9,
    }
    assert encode(Kind.STDIN, b"ab") == b"\x02\x00\x00\x00\x02ab"


def test_whole() -> None:
    decoder = Decoder()
    assert joined(decoder.feed(WIRE)) == EXPECTED
    assert decoder.at_boundary


def test_one_byte_at_a_time() -> None:
    decoder = Decoder()
    frames = [frame for at in range(len(WIRE)) for frame in decoder.feed(WIRE[at : at + 1])]
    assert joined(frames) == EXPECTED
    assert decoder.at_boundary


@pytest.mark.parametrize("seed", range(20))
def test_cut_anywhere(seed: int) -> None:
    chooser = random.Random(seed)
    decoder, frames, at = Decoder(), [], 0
    while at < len(WIRE):
        size = chooser.choice((1, 3, 4, 5, 6, 1000, 70_000))
        frames += decoder.feed(memoryview(WIRE)[at : at + size])
        at += size
    assert joined(frames) == EXPECTED


def test_payload_is_a_slice_of_what_was_fed() -> None:
    wire = bytearray(encode(Kind.STDOUT, b"abc"))
    (frame,) = Decoder().feed(wire)
    wire[5:8] = b"xyz"
    assert bytes(frame.payload) == b"xyz"


@pytest.mark.parametrize("kind", [0, 10, 255])
def test_an_unknown_kind_is_skipped(kind: int) -> None:
    wire = HEADER.pack(kind, 3) + b"???" + HEADER.pack(kind, 0) + encode(Kind.STARTED)
    assert Decoder().feed(wire) == [Frame(Kind.STARTED)]


@pytest.mark.parametrize("kind", list(Kind))
def test_limits(kind: Kind) -> None:
    limit = START_MAX if kind is Kind.START else PAYLOAD_MAX
    assert header(kind, limit) == HEADER.pack(kind, limit)
    with pytest.raises(ValueError, match="over the limit"):
        header(kind, limit + 1)
    Decoder().feed(HEADER.pack(kind, limit))
    with pytest.raises(OpenShellError, match="over its limit") as caught:
        Decoder().feed(HEADER.pack(kind, limit + 1))
    assert caught.value.code is Code.BROKEN


def test_an_empty_data_frame_is_nothing() -> None:
    decoder = Decoder()
    assert decoder.feed(encode(Kind.STDOUT)) == []
    assert decoder.at_boundary


@pytest.mark.parametrize("cut", [1, 4, 5, 6])
def test_the_end_within_a_frame_is_known(cut: int) -> None:
    decoder = Decoder()
    decoder.feed(encode(Kind.STDIN, b"abc")[:cut])
    assert not decoder.at_boundary
