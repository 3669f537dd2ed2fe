"""Send order: control first, streams in turn, buffers untouched; windows, starvation, trailers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Drained, Event, Header
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.outbox import Buffer, Outbox
from pyopenshell.http2.stream import Stream
from tests.support import http2_peer as peer
from tests.support.http2_peer import END_STREAM, split

ANY = 2**30


class Bench:
    """An outbox with its surroundings."""

    def __init__(self, turn: int = 100, window: int = 10_000, max_answers: int = 20) -> None:
        self.events: list[Event] = []
        self.ended: list[int] = []
        limits = Limits(turn=turn, max_answers=max_answers)
        self.box = Outbox(limits, self.encode, self.events.append)
        self.box.end_sent = lambda stream: self.ended.append(stream.id)
        self.box.window = window

    @staticmethod
    def encode(headers: Sequence[Header]) -> bytes:
        return b"".join(name for name, _ in headers)

    def stream(self, stream_id: int, window: int = 10_000) -> Stream:
        return Stream(stream_id, 100, window)

    def put(self, stream: Stream, buffers: Sequence[Buffer]) -> None:
        """Queue bytes, as `Sender.send_data` does."""
        stream.queue.extend(buffers)
        stream.unsent += sum(len(buffer) for buffer in buffers)
        self.box.wake(stream)

    def data(self, limit: int = ANY) -> list[tuple[int, int]]:
        """(stream, length) of the frames that `take` gives."""
        return [(sent.stream_id, len(sent.payload)) for sent in split(b"".join(self.box.take(limit)))]


def test_nothing() -> None:
    bench = Bench()
    assert not bench.box.wanted
    assert bench.box.take(ANY) == []


def test_control_first_then_streams_in_turn() -> None:
    bench = Bench(turn=100)
    first, second = bench.stream(1), bench.stream(3)
    bench.put(first, [b"a" * 250])
    bench.put(second, [b"b" * 150])
    bench.box.control(b"CONTROL")
    out = bench.box.take(ANY)
    assert out[0] == b"CONTROL"
    assert [len(part) for part in out[2::2]] == [100, 100, 100, 50, 50]
    assert [split(b"".join(out[at : at + 2]))[0].stream_id for at in range(1, 11, 2)] == [1, 3, 1, 3, 1]
    assert not bench.box.wanted


def test_a_late_interactive_stream_waits_one_turn() -> None:
    bench = Bench(turn=100)
    bench.put(bench.stream(1), [b"a" * 1000])
    assert bench.data(100) == [(1, 100)]
    bench.put(bench.stream(3), [b"b"])
    assert bench.data(101) == [(1, 100), (3, 1)]


def test_payload_objects_pass_through() -> None:
    bench = Bench(turn=2**20)
    bench.box.max_frame = 2**15
    prefix, body, rest = b"12345", bytearray(2**15 - 5), memoryview(b"x" * 10)
    bench.put(bench.stream(1, 2**20), [prefix, body, rest])
    bench.box.window = 2**20
    out = bench.box.take(ANY)
    assert out[1] is prefix and out[2] is body and out[4] is rest and len(out) == 5


def test_a_buffer_across_frames_is_sliced_and_not_copied() -> None:
    bench = Bench(turn=60)
    body = b"x" * 100
    bench.put(bench.stream(1), [body])
    parts = bench.box.take(ANY)[1::2]
    assert [len(part) for part in parts] == [60, 40]
    assert all(isinstance(part, memoryview) and part.obj is body for part in parts)


def test_the_limit_bounds_payload() -> None:
    bench = Bench(turn=100)
    bench.put(bench.stream(1), [b"a" * 300])
    bench.box.control(b"C" * 1000)
    assert sum(map(len, bench.box.take(0))) == 1000
    assert bench.data(0) == []
    assert bench.data(150) == [(1, 100), (1, 50)]
    assert bench.data() == [(1, 100), (1, 50)]


def test_frames_of_the_peers_size() -> None:
    bench = Bench(turn=2**16, window=2**20)
    bench.put(bench.stream(1, 2**20), [b"a" * (2**14 + 1)])
    assert bench.data() == [(1, 2**14), (1, 1)]
    assert bench.box.frames == 2


@pytest.mark.parametrize("window", [0, -7])
def test_a_stream_without_window_waits_and_others_go_on(window: int) -> None:
    bench = Bench()
    blocked, free = bench.stream(1, window), bench.stream(3)
    bench.put(blocked, [b"a" * 50])
    assert not bench.box.wanted
    bench.put(free, [b"b" * 50])
    assert bench.data() == [(3, 50)]
    blocked.send_window = 20
    bench.box.wake(blocked)
    bench.box.wake(blocked)
    assert bench.data() == [(1, 20)]
    assert blocked.unsent == 30 and not bench.box.wanted


def test_the_connections_window_stops_data_and_nothing_else() -> None:
    bench = Bench(window=60)
    first, second, third = bench.stream(1), bench.stream(3), bench.stream(5)
    bench.put(first, [b"a" * 50])
    bench.put(second, [b"b" * 50])
    assert bench.data() == [(1, 50), (3, 10)]
    assert not bench.box.wanted
    third.ending = True
    bench.put(third, [])
    assert bench.data() == [(5, 0)]
    bench.put(first, [b"a"])
    assert not bench.box.wanted
    bench.box.open_window(41)
    assert bench.data() == [(3, 40), (1, 1)]
    assert bench.box.window == 0


@pytest.mark.parametrize(
    ("unsent", "window", "ending", "wanted"),
    [
        (0, 10, False, False),
        (0, 0, True, True),
        (5, 0, True, False),
        (5, -5, False, False),
        (5, 1, False, True),
    ],
)
def test_which_streams_are_put_in_line(unsent: int, window: int, ending: bool, wanted: bool) -> None:
    bench = Bench()
    stream = bench.stream(1, window)
    stream.ending = ending
    bench.put(stream, [bytes(unsent)])
    assert bench.box.wanted is wanted


def test_end_stream_rides_on_the_last_data() -> None:
    bench = Bench(turn=30)
    stream = bench.stream(1)
    stream.ending = True
    bench.put(stream, [b"a" * 50])
    frames = split(b"".join(bench.box.take(ANY)))
    assert [(len(sent.payload), sent.flags) for sent in frames] == [(30, 0), (20, END_STREAM)]
    assert bench.ended == [1]


def test_trailers_follow_the_data_and_are_encoded_then() -> None:
    bench = Bench()
    stream = bench.stream(1, window=5)
    bench.put(stream, [b"a" * 8])
    stream.ending, stream.trailers = True, [(b"trailer", b"")]
    bench.box.wake(stream)
    assert bench.data() == [(1, 5)]
    assert bench.ended == []
    stream.send_window = 100
    bench.box.wake(stream)
    frames = split(b"".join(bench.box.take(ANY)))
    assert [(sent.kind, sent.flags & END_STREAM, sent.payload) for sent in frames] == [
        (peer.DATA, 0, b"aaa"),
        (peer.HEADERS, END_STREAM, b"trailer"),
    ]
    assert bench.ended == [1]


def test_drained_is_told_once_to_who_asked() -> None:
    bench = Bench(turn=100)
    watched = bench.stream(1)
    watched.watched = True
    bench.put(watched, [b"a" * 160])
    bench.put(bench.stream(3), [b"a" * 160])
    bench.data(100)
    assert bench.events == []
    bench.data()
    assert bench.events == [Drained(1)]
    bench.put(watched, [b"a"])
    bench.data()
    assert bench.events == [Drained(1)]


def test_drop() -> None:
    bench = Bench(window=60)
    first, second = bench.stream(1), bench.stream(3)
    bench.put(first, [b"a" * 100])
    bench.box.drop(first)
    assert not bench.box.wanted and first.unsent == 0
    bench.box.window = 0
    bench.put(second, [b"b"])
    bench.box.drop(second)
    bench.box.drop(second)
    bench.box.open_window(10)
    assert not bench.box.wanted


def test_what_is_queued_while_taking_comes_last() -> None:
    bench = Bench()
    bench.box.end_sent = lambda stream: bench.box.control(b"RESET")
    stream = bench.stream(1)
    stream.ending = True
    bench.put(stream, [b"a"])
    assert bench.box.take(ANY)[-1] == b"RESET"
    assert not bench.box.wanted


def test_answers_that_nobody_reads() -> None:
    bench = Bench(max_answers=20)
    for _ in range(2):
        bench.box.answer(b"a" * 10)
        bench.box.control(b"ours do not count")
        bench.box.check()
    bench.box.take(0)
    bench.box.answer(b"a" * 20)
    bench.box.check()
    bench.box.answer(b"a")
    with pytest.raises(ConnectionFault, match="over 20 bytes of answers") as caught:
        bench.box.check()
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_repr() -> None:
    bench = Bench(window=3)
    bench.put(bench.stream(1), [b"abcd"])
    bench.box.control(b"x")
    assert repr(bench.box) == "Outbox(send window 3, 1 control frames, 1 streams ready, 0 starved)"
