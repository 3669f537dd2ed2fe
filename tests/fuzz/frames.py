"""The frame reader alone: frames and rubbish, cut anywhere, against a loop that reads whole frames.

It may raise nothing but a fault of the connection, with the same code however the bytes were cut; DATA in parts adds up
to the frame; and it never keeps more than the largest frame of a kind.
"""

from __future__ import annotations

from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.frame_reader import Frame, FrameReader
from tests.fuzz.choices import Step, pieces, steps
from tests.fuzz.grammar import Peer
from tests.fuzz.model import Dead, Model
from tests.fuzz.wire import CUTS, TIGHT
from tests.support.http2_peer import DATA, END_STREAM, PADDED, settings


class Recorder:
    """A sink that writes down what it is told, DATA put together again."""

    def __init__(self) -> None:
        self.told: list[list[object]] = []
        self.left = 0  # of a DATA frame in parts
        self.content = bytearray()

    def on_data(self, stream_id: int, debit: int, flow: int, piece: memoryview, end: bool) -> None:
        if debit or not piece:
            assert not self.left, "a second first part of DATA"
            self.told.append([DATA, stream_id, debit, b"", False])
            self.left = debit
        frame = self.told[-1]
        assert frame[0] == DATA and frame[1] == stream_id and not frame[4]
        assert flow >= len(piece)
        assert piece or not debit or not self.left - flow
        self.left -= flow
        assert self.left >= 0, "more flow than debit"
        frame[3] += bytes(piece)  # type: ignore[operator]
        frame[4] = end

    def on_frame(self, frame: Frame) -> None:
        self.told.append([frame.kind, frame.stream_id, frame.flags, bytes(frame.payload)])


class Whole(Model):
    """The header checks of the model, without what the frames mean."""

    def frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind != DATA:
            self.told.append((kind, stream_id, flags, payload if kind < 10 else b""))
            return
        content = payload
        if flags & PADDED:
            if not payload:
                raise Dead(6)
            if payload[0] >= len(payload):
                raise Dead(1)
            content = payload[1 : len(payload) - payload[0]]
        self.told.append((kind, stream_id, len(payload), content, bool(flags & END_STREAM)))


def frames(program: bytes) -> None:
    """Run a program; raises AssertionError where the reader is wrong."""
    program_steps = steps(program)
    cuts = next(program_steps, Step(b"")).pick(CUTS)
    peer = Peer(client=True)
    wire = settings() + b"".join(peer.say(step) for step in program_steps)
    model = Whole(client=False, limits=TIGHT)
    model.feed(wire)
    while model.missing:
        more = bytes(model.missing)
        wire += more
        model.feed(more)
    recorder, code = Recorder(), None
    reader = FrameReader(recorder, TIGHT)
    try:
        for piece in pieces(wire, cuts):
            reader.feed(memoryview(piece))
            kept = len(reader._body) + len(reader._head)
            assert kept <= TIGHT.max_header_block + 261 + 9, f"{kept} bytes are kept"
    except ConnectionFault as fault:
        code = fault.code
    assert code == model.verdict, f"ended with {code!r}, expected {model.verdict!r}"
    expected = [list(told) for told in model.told if told[0] != "terminated"]
    if code is None:
        assert reader.between_frames is (model.expect is None or not expected)
    else:  # a part of DATA whose padding turned out wrong
        recorder.told = recorder.told[: len(expected)]
    assert recorder.told == expected, f"read {recorder.told}, expected {expected}"
