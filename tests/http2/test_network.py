"""Client and server against each other through a network that splits, delays and cuts."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from pyopenshell.http2 import (
    Connection,
    ConnectionTerminated,
    DataReceived,
    ErrorCode,
    Event,
    HeadersReceived,
    Limits,
    LocalError,
    Role,
    StreamReset,
)
from tests.support.http2_peer import GOAWAY, HEADERS, REQUEST, RESPONSE, TRAILERS, data, frame

LIMITS = Limits(turn=1_000)


class End:
    """One end with an owner that reads everything."""

    def __init__(self, role: Role) -> None:
        self.engine = Connection(role, LIMITS)
        self.client = role is Role.CLIENT
        self.answered: set[int] = set()
        self.way_out = bytearray()
        self.got: dict[int, bytes] = defaultdict(bytes)
        self.given: dict[int, bytes] = defaultdict(bytes)
        self.headers: dict[int, int] = defaultdict(int)
        self.over: set[int] = set()
        self.reset: set[int] = set()
        self.terminated: list[ConnectionTerminated] = []

    def hear(self, events: list[Event]) -> None:
        assert not self.terminated or not events, "ConnectionTerminated is the last event"
        for event in events:
            match event:
                case DataReceived(stream_id, piece, flow, end_stream):
                    assert stream_id not in self.over | self.reset
                    self.got[stream_id] += piece
                    self.engine.give_back(stream_id, flow)
                    if end_stream:
                        self.over.add(stream_id)
                case HeadersReceived(stream_id, _, end_stream, trailers):
                    assert trailers is (self.headers[stream_id] == 1)
                    self.headers[stream_id] += 1
                    if end_stream:
                        self.over.add(stream_id)
                case StreamReset(stream_id, _, remote):
                    assert remote, event
                    self.reset.add(stream_id)
                case ConnectionTerminated():
                    self.terminated.append(event)

    def flush(self, limit: int) -> None:
        for buffer in self.engine.take(limit):
            self.way_out += buffer
        self.hear(self.engine.events())

    def act(self, kind: int, stream_id: int, size: int) -> None:
        """One thing that an owner may do; what the engine refuses is not done."""
        try:
            if kind == 0:
                self.engine.open_stream(REQUEST)
            elif kind == 1:
                body = bytes([stream_id % 256]) * size
                self.engine.send_data(stream_id, body[: size // 2], body[size // 2 :])
                self.given[stream_id] += body
            elif kind == 2:
                if stream_id not in self.answered:
                    self.engine.send_headers(stream_id, RESPONSE)
                    self.answered.add(stream_id)
            elif kind == 3:
                self.engine.send_data(stream_id, end_stream=True)
            elif kind == 4:
                headers = TRAILERS if self.client or stream_id in self.answered else RESPONSE + TRAILERS
                self.engine.send_headers(stream_id, headers, end_stream=True)
            elif kind == 5:
                before = self.engine.open_streams
                self.engine.reset(stream_id, ErrorCode.CANCEL)
                if self.engine.open_streams < before:
                    self.reset.add(stream_id)
            elif kind == 6:
                self.engine.set_window(stream_id, 1 + size)
            else:
                self.engine.ping(b"12345678")
        except LocalError:
            pass


STEPS = st.lists(
    st.tuples(
        st.booleans(),  # whose turn
        st.integers(0, 7),  # what it does
        st.integers(0, 5).map(lambda n: 2 * n + 1),  # on which stream
        st.integers(0, 70_000),  # how much
        st.integers(0, 3_000),  # bytes of payload taken
        st.integers(0, 90_000),  # bytes delivered
    ),
    max_size=40,
)


def deliver(source: End, target: End, n: int) -> None:
    part = bytes(source.way_out[:n])
    del source.way_out[:n]
    target.hear(target.engine.receive(part, 0.0))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(STEPS)
def test_every_byte_arrives_in_order(steps: list[tuple[bool, int, int, int, int, int]]) -> None:
    client, server = End(Role.CLIENT), End(Role.SERVER)
    for clients, kind, stream_id, size, taken, delivered in steps:
        here, there = (client, server) if clients else (server, client)
        if kind == 2 and clients:
            kind = 1
        here.act(kind, stream_id, size)
        here.flush(taken)
        deliver(here, there, delivered)
    for end in (client, server):  # windows made small above would make the rest slow, not wrong
        for stream_id in range(1, 13, 2):
            end.act(6, stream_id, 2**20)
    while any(end.engine.want_write or end.way_out for end in (client, server)):
        for here, there in ((client, server), (server, client)):
            here.flush(2**20)
            deliver(here, there, 50_000)
    assert client.terminated == server.terminated == []
    for here, there in ((client, server), (server, client)):
        for stream_id, got in there.got.items():
            if stream_id in here.reset | there.reset:
                assert here.given[stream_id].startswith(got)
            else:
                assert here.given[stream_id] == got
        for stream_id in here.given:
            assert here.engine.unsent(stream_id) == 0


@settings(derandomize=True, max_examples=100, deadline=None)
@given(STEPS, st.integers(0, 3_000))
def test_a_cut_ends_it_with_one_event(steps: list[tuple[bool, int, int, int, int, int]], at: int) -> None:
    client, server = End(Role.CLIENT), End(Role.SERVER)
    client.act(0, 1, 0)
    for _, kind, stream_id, size, taken, _ in steps:
        client.act(kind if kind != 2 else 1, stream_id, size)
        client.flush(taken)
    server.hear(server.engine.receive(bytes(client.way_out[:at]), 0.0))
    server.hear(server.engine.receive_eof())
    assert len(server.terminated) == 1
    assert server.engine.receive(b"more", 0.0) == server.engine.receive_eof() == []
    server.flush(2**20)


def outcome(role: Role, wire: bytes, marks: list[int]) -> tuple[list[Event], dict[int, bytes], bytes]:
    """What an engine makes of `wire`, cut at `marks`: events but DATA, the content of each stream, its answer."""
    hello = b"".join(Connection(Role.CLIENT if role is Role.SERVER else Role.SERVER).take(0))
    engine = Connection(role)
    if role is Role.CLIENT:
        for _ in range(3):
            engine.open_stream(REQUEST)
    engine.receive(hello, 0.0)
    engine.take(0)
    events: list[Event] = []
    content: dict[int, bytes] = defaultdict(bytes)
    for first, last in pairwise([0, *marks, len(wire)]):
        for event in engine.receive(wire[first : max(first, last)], 0.0):
            if isinstance(event, DataReceived):
                content[event.stream_id] += event.data
                engine.give_back(event.stream_id, event.flow)
            else:
                events.append(event)
    return events, content, b"".join(engine.take(2**20))


def in_any_pieces(role: Role, wire: bytes, cuts: list[int]) -> None:
    whole = outcome(role, wire, [])
    assert outcome(role, wire, sorted(min(cut, len(wire)) for cut in cuts)) == whole
    assert outcome(role, wire, list(range(len(wire)))) == whole


CUTS = st.lists(st.integers(0, 300), max_size=4)
BLOCKS = st.sampled_from([Encoder().encode(headers) for headers in (REQUEST, RESPONSE, TRAILERS)])
FRAMES = st.one_of(
    st.builds(
        frame,
        st.integers(0, 10).filter(lambda kind: kind != GOAWAY),
        st.one_of(st.sampled_from([0, 1, 4, 5, 8, 12]), st.integers(0, 255)),
        st.integers(0, 6),
        st.one_of(st.binary(max_size=12), st.sampled_from([bytes(4), bytes(5), bytes(8), b"\0\0\0\1"]), BLOCKS),
    ),
    st.builds(frame, st.just(HEADERS), st.sampled_from([0, 4, 5]), st.sampled_from([1, 3, 5]), BLOCKS),
    st.builds(data, st.sampled_from([1, 3, 5]), st.binary(max_size=20), st.booleans(), st.none() | st.integers(0, 9)),
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.sampled_from(list(Role)), st.binary(max_size=200), CUTS)
def test_rubbish_never_raises_and_means_the_same_in_any_pieces(role: Role, rubbish: bytes, cuts: list[int]) -> None:
    in_any_pieces(role, rubbish, cuts)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(st.sampled_from(list(Role)), st.lists(FRAMES, max_size=8), CUTS)
def test_frames_in_any_order_never_raise_and_mean_the_same_in_any_pieces(
    role: Role, frames: list[bytes], cuts: list[int]
) -> None:
    in_any_pieces(role, b"".join(frames), cuts)
