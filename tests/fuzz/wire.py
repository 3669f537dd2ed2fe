"""One end of a connection against a hostile peer that speaks bytes, and everything that must hold for it.

The peer says things (`grammar.py`), cut anywhere, and an owner acts (`owner.py`). After each step everything that came out
is compared with `model.py`, and with what no model is needed for: what the owner sent arrives once, in order, inside the
peer's windows and frames, and ends once; the peer's windows are the sum of what came and what was told; nothing comes
after the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hpack import Decoder

from pyopenshell.http2 import (
    Connection,
    ConnectionTerminated,
    DataReceived,
    Drained,
    ErrorCode,
    Event,
    GoAwayReceived,
    HeadersReceived,
    Limits,
    PingAcked,
    Rate,
    Role,
    StreamGone,
    StreamReset,
    StreamsAllowed,
    data_in,
)
from tests.fuzz.choices import Step, pieces
from tests.fuzz.grammar import Peer
from tests.fuzz.model import MOST, Model, Stream, table_updates
from tests.support.http2_peer import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Sent,
    settings,
    split,
)

#: The connection's window is opened again when it falls to this; at its real value a program would have to send a GiB.
LEAST = MOST - 50_000
#: Small, so that a short program comes to every one of them.
TIGHT = Limits(
    max_frame=16_384,
    initial_window=65_535,
    max_concurrent_streams=4,
    max_header_list=600,
    max_header_block=400,
    max_continuations=3,
    max_settings=4,
    max_goaway=8,
    max_informational=2,
    max_closed=4,
    turn=3_000,
    settings=Rate(6, 0),
    pings=Rate(6, 0),
    window_updates=Rate(12, 0),
    resets=Rate(8, 0),
    priorities=Rate(4, 0),
    empty_data=Rate(4, 0),
    odd_frames=Rate(4, 0),
    late_frames=Rate(5, 0),
)
WIDE = Limits(initial_window=100_000, max_frame=20_000)
CUTS: tuple[tuple[int, ...], ...] = (
    (),
    (),
    (1,),
    (9,),
    (10,),
    (9, 1),
    (5, 4),
    (3, 30),
    (13, 2, 7),
    (1_000,),
    (16_392, 1),
    (16_393,),
    (8, 16_386),
    (4_000, 1),
)
#: Events that tell an owner when to look again; they bind nobody.
HINTS = {"SendWindowOpened", "Drained"}


class World:
    """An engine, its model, its owner and its peer."""

    def __init__(self, client: bool, config: Step) -> None:
        data_in._CONNECTION_LEAST = LEAST  # type: ignore[attr-defined]
        limits = config.pick((TIGHT, TIGHT, TIGHT, WIDE, Limits()))
        self.client = client
        self.engine = Connection(Role.CLIENT if client else Role.SERVER, limits)
        self.model = Model(client, limits)
        self.peer = Peer(client=not client)
        self.reads = config.byte() % 3  # 0: everything at once, 1: when told, 2: all but some bytes
        self.wire = b"" if client else PREFACE
        self.wrong_preface = not client and config.flip(32)
        if self.wrong_preface:
            self.wire = bytearray(PREFACE)
            self.wire[config.byte() % len(PREFACE)] ^= 1
            self.wire = bytes(self.wire)
        if not config.flip(32):
            self.wire += settings(*(((4, 100),) if config.flip(4) else ()))
        self.reader = Decoder()
        self.shrunk = False
        self.out: dict[int, bytearray] = defaultdict(bytearray)  # content that came out
        self.given: dict[int, bytearray] = defaultdict(bytearray)  # content that the owner sent
        self.ended_out: set[int] = set()
        self.flow: dict[int, int] = defaultdict(int)
        self.got: dict[int, bytearray] = defaultdict(bytearray)
        self.faulted: set[int] = set()
        self.peer_view = 65_535  # of the connection's window
        self.over = False
        self._greeting(limits)

    def _greeting(self, limits: Limits) -> None:
        out = b"".join(self.engine.take(0))
        if self.client:
            assert out.startswith(PREFACE)
            out = out[len(PREFACE) :]
        first, second = split(out)
        assert (first.kind, first.flags, first.stream_id) == (SETTINGS, 0, 0)
        told = {
            int.from_bytes(first.payload[at : at + 2], "big"): int.from_bytes(first.payload[at + 2 : at + 6], "big")
            for at in range(0, len(first.payload), 6)
        }
        assert told.get(4, 65_535) == limits.initial_window
        assert told.get(5, 16_384) == limits.max_frame
        assert told.get(1, 4_096) == limits.header_table
        assert told[6] == limits.max_header_list
        assert told.get(2) == (0 if self.client else None)
        assert told.get(3) == (None if self.client else limits.max_concurrent_streams)
        assert (second.kind, second.stream_id) == (WINDOW_UPDATE, 0)
        self.peer_view += int.from_bytes(second.payload, "big")
        assert self.peer_view == MOST

    # -- the peer ---------------------------------------------------------------------------------------------------

    def deliver(self, cuts: Iterable[int], whole: bool = True) -> None:
        """What the peer said comes in, in pieces; what of a frame is missing is made up, unless it may be missing."""
        chunk, self.wire = self.wire, b""
        model = self.model
        if self.wrong_preface:
            model.die(ErrorCode.PROTOCOL_ERROR)
        elif not self.client and not hasattr(self, "greeted"):
            self.greeted = True
            model.feed(chunk[len(PREFACE) :])
        else:
            model.feed(chunk)
        while model.missing and (whole or self._must_be_whole()):
            more = bytes(model.missing)
            chunk += more
            model.feed(more)
        events: list[Event] = []
        for piece in pieces(chunk, list(cuts)):
            events += self.engine.receive(piece, 0.0)
        self.hear(events)
        if not self.over and self.reads != 1:
            self.read(0 if self.reads == 0 else 7)
        self.flush(0)

    def _must_be_whole(self) -> bool:
        """Whether the engine acts on a part of the frame that lacks something: content, and frames that it skips."""
        head = self.model.buffer
        return len(head) > 9 and (head[3] == DATA or head[3] > 9)

    def hear(self, events: list[Event]) -> None:
        """Compare with the model what the owner is told."""
        model = self.model
        told: list[tuple[object, ...]] = []
        for event in events:
            if type(event).__name__ in HINTS:
                continue
            assert not (told and told[-1][0] == "terminated"), f"{event} after the end"
            match event:
                case HeadersReceived(stream_id, headers, end, trailers):
                    told.append(("headers", stream_id, headers, end, trailers))
                case DataReceived(stream_id, piece, flow, end):
                    assert piece or end
                    assert flow >= len(piece)
                    self.got[stream_id] += piece
                    self.flow[stream_id] += flow
                    if end:
                        told.append(("end", stream_id))
                case StreamReset(stream_id, code, remote):
                    told.append(("reset", stream_id, code, remote))
                case PingAcked(payload):
                    told.append(("pong", payload))
                case StreamsAllowed(limit):
                    told.append(("streams", limit))
                case GoAwayReceived(last, code, debug):
                    told.append(("goaway", last, code, debug))
                case ConnectionTerminated(code):
                    told.append(("terminated", code))
                case _:
                    raise AssertionError(f"{event} out of place")
        if model.ends:  # at the latest after these bytes; what follows in them may still be heard
            expected, rest = told[: len(model.told)], told[len(model.told) :]
            assert expected == model.told, f"told {expected}, expected {model.told}"
            assert rest, "the end is not told"
            assert rest[-1][0] == "terminated", f"told {rest}, expected the end"
            assert model.buffer or rest == [("terminated", model.why)], (
                f"told {rest}, expected the end with {model.why!r}"
            )
            self.over = True
            return
        assert told == model.told, f"told {told}, expected {model.told}"
        for stream_id in self.got.keys() | model.content.keys():
            got, sure = bytes(self.got[stream_id]), bytes(model.content[stream_id])
            assert got.startswith(sure), f"stream {stream_id}: content lost"
            assert (sure + model.perhaps.get(stream_id, b"")).startswith(got), f"stream {stream_id}: content made up"
            if stream_id in model.live:
                assert self.flow[stream_id] == model.flow[stream_id], f"stream {stream_id}: flow is not what was sent"
        model.told = []

    # -- the owner --------------------------------------------------------------------------------------------------

    def read(self, keep: int) -> None:
        """The owner takes what came, but for `keep` bytes a stream."""
        for stream in list(self.model.live.values()):
            taken = max(0, stream.held - keep)
            stream.held -= taken
            self.engine.give_back(stream.id, taken)

    def flush(self, limit: int) -> None:
        """Take, and compare what comes out with the model."""
        model = self.model
        wire = b"".join(self.engine.take(limit))
        if self.over:
            return
        answers: list[tuple[object, ...]] = []
        payload = 0
        for sent in split(wire):
            payload += self._came_out(sent, answers)
        assert answers == model.answers, f"answered {answers}, expected {model.answers}"
        model.answers = []
        assert payload <= limit, f"{payload} bytes of payload, {limit} asked for"
        if model.verdict is not None:
            self._silence()
            return
        model.look()
        events = self.engine.events()
        for event in events:
            if isinstance(event, Drained):
                left = model.live[event.stream_id].queued if event.stream_id in model.live else 0
                assert not left, f"stream {event.stream_id}: drained, and {left} bytes are left"
        self.hear(events)
        if not self.over:
            self._check()

    def _came_out(self, sent: Sent, answers: list[tuple[object, ...]]) -> int:
        """One frame of the engine's. Returns its bytes of content."""
        model = self.model
        stream_id, word = sent.stream_id, int.from_bytes(sent.payload[:4], "big")
        assert len(sent.payload) <= model.max_frame, "larger than the peer takes"
        if sent.kind == DATA:
            return self._data_out(sent)
        if sent.kind == HEADERS:
            self._headers_out(sent, answers)
        elif sent.kind == WINDOW_UPDATE:
            self._window_out(stream_id, word)
        elif sent.kind == RST_STREAM:
            answers.append(("rst", stream_id, ErrorCode(word)))
        elif sent.kind == SETTINGS and not sent.flags & ACK:
            answers.append(("settings", sent.payload))
        elif sent.kind == SETTINGS:
            assert not sent.payload
            for size in model.tables:  # as a peer does when its SETTINGS are acknowledged
                self.shrunk |= size < self.reader.header_table_size
                self.reader.header_table.maxsize = min(size, self.reader.header_table_size)
                self.reader.max_allowed_table_size = size
            model.tables = []
            answers.append(("settings ack",))
        elif sent.kind == PING:
            answers.append(("pong" if sent.flags & ACK else "ping", sent.payload))
        elif sent.kind == GOAWAY:
            answers.append(("goaway", word, ErrorCode(int.from_bytes(sent.payload[4:8], "big"))))
        else:
            raise AssertionError(f"a frame of kind {sent.kind} came out")
        return 0

    def _data_out(self, sent: Sent) -> int:
        stream, size = self._sending(sent.stream_id), len(sent.payload)
        assert not sent.flags & ~END_STREAM
        assert stream.sent_headers, "DATA before HEADERS"
        stream.send -= size
        self.model.send -= size
        stream.queued -= size
        assert not size or (stream.send >= 0 and self.model.send >= 0), "over the peer's window"
        assert stream.queued >= 0
        if size:
            self.model.frames_out += 1
            self.model.bytes_out += size
        self.out[stream.id] += sent.payload
        given, out = self.given[stream.id], self.out[stream.id]
        assert given[: len(out)] == out, "other bytes than the owner sent"
        if sent.flags & END_STREAM:
            assert stream.trailers is None
            self._end_out(stream)
        return size

    def _headers_out(self, sent: Sent, answers: list[tuple[object, ...]]) -> None:
        assert sent.flags & END_HEADERS, "no block here is larger than a frame"
        updates = table_updates(sent.payload)
        assert updates <= 2, "more table size updates than RFC 7541 section 4.2 allows"
        assert updates or not self.shrunk, "the peer's table shrank, and the block does not say that we know"
        self.shrunk = False
        fields = [(bytes(name), bytes(value)) for name, value in self.reader.decode(sent.payload, raw=True)]
        stream = self._sending(sent.stream_id)
        end = bool(sent.flags & END_STREAM)
        if stream.sent_headers:
            assert fields == stream.trailers, f"trailers {fields}"
            assert end
        else:
            stream.sent_headers = True
            answers.append(("headers", stream.id, fields, end))
        if end:
            self._end_out(stream)

    def _sending(self, stream_id: int) -> Stream:
        stream = self.model.live.get(stream_id)
        assert stream is not None, f"sent on stream {stream_id}, which is over"
        assert stream.local, f"sent on stream {stream_id} after END_STREAM"
        return stream

    def _end_out(self, stream: Stream) -> None:
        assert stream.ending, "END_STREAM that nobody asked for"
        assert self.out[stream.id] == self.given[stream.id], "END_STREAM before the last byte"
        stream.local = False
        self.model.ended(stream)
        if stream.leaving and stream.id in self.model.live:
            self.model.answers.append(("rst", stream.id, ErrorCode.NO_ERROR))
            self.model.close(stream.id, "us")

    def _window_out(self, stream_id: int, increment: int) -> None:
        assert 0 < increment <= MOST
        if stream_id == 0:
            self.model.window += increment
            assert self.model.window <= MOST, f"the connection's window is {self.model.window} for the peer"
            return
        stream = self.model.live.get(stream_id)
        if stream is not None:  # told before its end, in the same turn
            stream.window += increment
            assert stream.window <= max(stream.size, stream.window - increment), "a window larger than asked for"

    def _check(self) -> None:
        model, engine = self.model, self.engine
        assert not engine.terminated
        assert engine.open_streams == len(model.live)
        assert engine.established is model.seen
        assert model.window >= LEAST, f"{MOST - model.window} bytes of the connection's window are not given back"
        for stream in model.live.values():
            assert engine.unsent(stream.id) == stream.queued, f"stream {stream.id}: unsent"
            window = max(0, min(stream.send, model.send) - stream.queued)
            assert engine.send_window(stream.id) == window, f"stream {stream.id}: send window"
            owed = stream.size - stream.window - stream.held
            assert owed < max(1, stream.size // 4), f"stream {stream.id}: {owed} bytes of window are not given back"

    def drain(self) -> None:
        """Take all that the windows allow; then nothing that may go is left."""
        for _ in range(200):
            if not self.engine.want_write or self.over:
                break
            self.flush(2**20)
        if self.over:
            return
        assert not self.engine.want_write, "there is always more to write"
        for stream in self.model.live.values():
            stuck = stream.queued and stream.send > 0 and self.model.send > 0
            assert not stuck, f"stream {stream.id}: {stream.queued} bytes are stuck"
            assert stream.queued or not stream.ending or not stream.local, f"stream {stream.id}: END_STREAM is stuck"

    def _silence(self) -> None:
        """It is over: nothing is heard or said any more."""
        self.over = True
        engine = self.engine
        assert engine.terminated
        assert engine.open_streams == 0
        assert not engine.want_write
        assert engine.receive(settings(), 0.0) == engine.events() == engine.take(100) == []
        assert engine.receive_eof() == []
        for stream_id in (1, 3):
            assert (engine.unsent(stream_id), engine.send_window(stream_id)) == (0, 0)
            try:
                engine.send_data(stream_id, b"x")
            except StreamGone:
                continue
            raise AssertionError("data is taken after the end")

    def eof(self) -> None:
        """The peer is gone, perhaps inside a frame."""
        self.deliver((), whole=False)
        model = self.model
        if self.over:
            return
        if model.buffer or (model.expect is not None and model.seen):
            model.over(ErrorCode.PROTOCOL_ERROR)
        else:
            model.over(ErrorCode.CONNECT_ERROR if model.live else ErrorCode.NO_ERROR)
        self.hear(self.engine.receive_eof())
        self._silence()
