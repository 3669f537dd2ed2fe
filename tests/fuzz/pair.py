"""A client and a server of ours, and a network between them that splits, delays and cuts.

No model is needed: whatever the owners send must arrive, once, in order and unchanged, and end once; neither engine may
ever blame the other; and when everything is read and delivered, nothing waits any more.
"""

from __future__ import annotations

from collections import defaultdict

from pyopenshell.http2 import (
    Connection,
    ConnectionTerminated,
    DataReceived,
    ErrorCode,
    Event,
    GoAwayReceived,
    Header,
    HeadersReceived,
    Limits,
    LocalError,
    PingAcked,
    Role,
    StreamReset,
    data_in,
)
from tests.fuzz.choices import Step, steps
from tests.fuzz.wire import LEAST
from tests.support.http2_peer import REQUEST, RESPONSE, TRAILERS

LIMITS = (
    Limits(turn=1_000),
    Limits(initial_window=65_535, max_frame=16_384),
    Limits(initial_window=200_000, max_frame=70_000, turn=20_000),
    Limits(max_concurrent_streams=2, header_table=200),
)
SIZES = (0, 1, 2, 100, 1_000, 5_000, 16_384, 16_385, 70_000)
AMOUNTS = (1, 5, 9, 10, 13, 100, 1_000, 16_392, 16_393, 30_000, 2**30)
WINDOWS = (1, 10, 1_000, 65_535, 100_000, 2**31 - 1)
#: Rounds until nothing is on its way any more; the largest program needs a few hundred.
ROUNDS = 5_000


class End:
    """One end, its owner, and what is on the way from it."""

    def __init__(self, role: Role, limits: Limits) -> None:
        self.client = role is Role.CLIENT
        self.engine = Connection(role, limits)
        self.way_out = bytearray()
        self.sent: dict[int, bytearray] = defaultdict(bytearray)
        self.sent_headers: dict[int, list[list[Header]]] = defaultdict(list)
        self.sent_end: set[int] = set()
        self.got: dict[int, bytearray] = defaultdict(bytearray)
        self.got_headers: dict[int, list[list[Header]]] = defaultdict(list)
        self.got_end: set[int] = set()
        self.unread: dict[int, int] = defaultdict(int)
        self.reset: set[int] = set()  # by either side
        self.known: list[int] = []
        self.pings = self.pongs = 0
        self.left: ErrorCode | None = None  # code of the GOAWAY that this end or the other sent
        self.terminated: ConnectionTerminated | None = None

    def hear(self, events: list[Event]) -> None:
        for event in events:
            assert self.terminated is None, f"{event} after the end"
            match event:
                case DataReceived(stream_id, piece, flow, end):
                    self._may_come(stream_id)
                    self.got[stream_id] += piece
                    self.unread[stream_id] += flow
                    if end:
                        self.got_end.add(stream_id)
                case HeadersReceived(stream_id, headers, end, trailers):
                    self._may_come(stream_id)
                    assert trailers is bool(self.got_headers[stream_id])
                    self.got_headers[stream_id].append(headers)
                    if not self.client and not trailers:
                        self.known.append(stream_id)
                    if end:
                        self.got_end.add(stream_id)
                case StreamReset(stream_id, _, remote):
                    assert remote, f"we blame our own peer: {event}"
                    assert stream_id not in self.reset
                    self.reset.add(stream_id)
                case GoAwayReceived(_, code, _):
                    self.left = code
                case PingAcked(payload):
                    assert payload == b"%8d" % self.pongs
                    self.pongs += 1
                case ConnectionTerminated(code, reason):
                    assert self.left is not None, f"the end for no reason: {reason}"
                    assert code in (ErrorCode.NO_ERROR, self.left), reason
                    self.terminated = event

    def _may_come(self, stream_id: int) -> None:
        assert stream_id not in self.got_end, f"stream {stream_id}: more after its end"
        assert stream_id not in self.reset, f"stream {stream_id}: more after its reset"

    def flush(self, limit: int) -> None:
        for buffer in self.engine.take(limit):
            self.way_out += buffer
        self.hear(self.engine.events())

    def read(self, most: int) -> None:
        for stream_id, n in self.unread.items():
            taken = min(n, most)
            self.unread[stream_id] -= taken
            self.engine.give_back(stream_id, taken)

    def act(self, step: Step) -> None:
        """One thing that an owner may do; what the engine refuses is not done."""
        what = step.byte() % 16
        try:
            if what < 3 and (self.client or not self.known):
                self._open(step)
                return
            if not self.known:
                return
            stream_id = step.pick(self.known[-4:])
            if what < 3 and (not self.got_headers[stream_id] or self.sent_headers[stream_id]):
                return
            if what < 3:
                self._headers(stream_id, RESPONSE, step.flip(8))
            elif what < 9:
                self._send(stream_id, step.pick(SIZES), step.flip(5), step.byte())
            elif what == 9:
                self._headers(stream_id, TRAILERS, True)
            elif what == 10:
                self._reset(stream_id, step.pick((ErrorCode.CANCEL, ErrorCode.NO_ERROR)))
            elif what == 11:
                self.engine.set_window(stream_id, step.pick(WINDOWS))
            elif what < 14:
                self.read(step.pick(SIZES))
            elif what == 14:
                self.engine.ping(b"%8d" % self.pings)
                self.pings += 1
            elif step.flip(8):
                self._leave(step)
        except LocalError:
            pass

    def _open(self, step: Step) -> None:
        headers, end = [*REQUEST, (b"x", b"%d" % (step.byte() // 32))], step.flip(4)
        stream_id = self.engine.open_stream(headers, end)
        assert stream_id == (self.known[-1] + 2 if self.known else 1)
        self.known.append(stream_id)
        self._said(stream_id, headers, end)

    def _headers(self, stream_id: int, headers: list[Header], end: bool) -> None:
        if headers is TRAILERS and not self.sent_headers[stream_id]:
            return
        self.engine.send_headers(stream_id, headers, end)
        self._said(stream_id, headers, end)

    def _said(self, stream_id: int, headers: list[Header], end: bool) -> None:
        self.sent_headers[stream_id].append(headers)
        if end:
            self.sent_end.add(stream_id)

    def _send(self, stream_id: int, size: int, end: bool, mark: int) -> None:
        body = bytes((mark + n) % 251 for n in range(7)) * (size // 7 + 1)
        half = size // 2
        self.engine.send_data(stream_id, body[:half], memoryview(body)[half:size], end_stream=end)
        self.sent[stream_id] += body[:size]
        if end:
            self.sent_end.add(stream_id)

    def _reset(self, stream_id: int, code: ErrorCode) -> None:
        before = self.engine.open_streams
        self.engine.reset(stream_id, code)
        if self.engine.open_streams < before or code is ErrorCode.NO_ERROR:
            self.reset.add(stream_id)

    def _leave(self, step: Step) -> None:
        code = step.pick((ErrorCode.NO_ERROR, ErrorCode.NO_ERROR, ErrorCode.INTERNAL_ERROR))
        self.left = self.left or code
        self.engine.goaway(code)
        self.hear(self.engine.events())


class Pair:
    """Both ends."""

    def __init__(self, config: Step) -> None:
        data_in._CONNECTION_LEAST = LEAST  # type: ignore[attr-defined]
        self.client = End(Role.CLIENT, config.pick(LIMITS))
        self.server = End(Role.SERVER, config.pick(LIMITS))

    @property
    def ways(self) -> tuple[tuple[End, End], tuple[End, End]]:
        return (self.client, self.server), (self.server, self.client)

    def step(self, step: Step) -> None:
        here, there = self.ways[step.what % 2]
        kind = step.what // 2 % 8
        if kind < 5:
            here.act(step)
            here.flush(step.pick(SIZES))
        if kind > 2:
            self.deliver(here, there, step.pick(AMOUNTS))

    def deliver(self, here: End, there: End, n: int) -> None:
        piece = bytes(here.way_out[:n])
        del here.way_out[:n]
        there.hear(there.engine.receive(piece, 0.0))
        for stream_id, got in there.got.items():
            assert here.sent[stream_id].startswith(got), f"stream {stream_id}: other bytes than were sent"
        for stream_id, lists in there.got_headers.items():
            assert here.sent_headers[stream_id][: len(lists)] == lists
        for stream_id in there.got_end:
            assert stream_id in here.sent_end, f"stream {stream_id}: an end that nobody sent"

    def settle(self) -> None:
        """Everything is read and delivered: then nothing waits."""
        for end in (self.client, self.server):
            for stream_id in end.known:
                end.engine.set_window(stream_id, 2**20)
        for _ in range(ROUNDS):
            for here, there in self.ways:
                here.read(2**30)
                here.flush(2**20)
                self.deliver(here, there, 50_000)
            if not any(end.engine.want_write or end.way_out for end in (self.client, self.server)):
                break
        else:
            raise AssertionError("there is always something on the way")
        if any(end.terminated for end in (self.client, self.server)):
            return
        for here, there in self.ways:
            assert here.pings == here.pongs, "a PING without an answer"
            for stream_id in here.sent_headers.keys() - here.reset - there.reset:
                assert there.got_headers[stream_id] == here.sent_headers[stream_id], f"stream {stream_id}: headers lost"
                assert there.got[stream_id] == here.sent[stream_id], f"stream {stream_id}: bytes lost"
                ended = stream_id in here.sent_end
                assert (stream_id in there.got_end) is ended, f"stream {stream_id}: its end is lost"
                assert here.engine.unsent(stream_id) == 0
        over = [s for s in self.client.known if s in self.client.sent_end and s in self.server.sent_end]
        over += [s for s in self.client.known if s in self.client.reset | self.server.reset and s not in over]
        for end in (self.client, self.server):
            assert end.engine.open_streams >= len(self.client.known) - len(over) - self.refused()
        if not self.client.reset and not self.server.reset:
            assert self.client.engine.open_streams == self.server.engine.open_streams

    def refused(self) -> int:
        return len([s for s in self.client.known if s not in self.server.known])

    def cut(self, step: Step) -> None:
        """The network is gone in the middle of what is on the way."""
        for here, there in self.ways:
            self.deliver(here, there, step.pick(AMOUNTS))
            there.left = there.left or ErrorCode.NO_ERROR
            events = there.engine.receive_eof()
            assert len(events) == (there.terminated is None)
            assert there.engine.terminated
            assert there.engine.receive(b"more", 0.0) == there.engine.receive_eof() == []


def pair(program: bytes) -> None:
    """Run a program; raises AssertionError where an engine is wrong."""
    program_steps = steps(program)
    config = next(program_steps, Step(b""))
    world = Pair(config)
    for step in program_steps:
        world.step(step)
    if config.flip(4):
        world.cut(config)
    else:
        world.settle()
