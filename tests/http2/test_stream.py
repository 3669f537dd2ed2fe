"""The books of one stream: receive window in batches, growth and shrinking."""

from __future__ import annotations

from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import State


def receive(stream: Stream, n: int) -> None:
    stream.window -= n
    stream.held += n


def test_given_back_in_quarters() -> None:
    stream = Stream(1, window=100, send_window=0)
    receive(stream, 60)
    assert stream.give_back(24) == 0
    assert stream.give_back(1) == 25
    assert stream.give_back(24) == 0
    assert stream.give_back(11) == 35
    assert (stream.window, stream.held) == (100, 0)


def test_the_smallest_window() -> None:
    stream = Stream(1, window=1, send_window=0)
    receive(stream, 1)
    assert stream.give_back(0) == 0
    assert stream.give_back(1) == 1


def test_it_grows_at_once_and_shrinks_as_it_is_given_back() -> None:
    stream = Stream(1, window=100, send_window=0)
    receive(stream, 40)
    stream.size = 1000
    assert stream.due(1) == 900
    assert stream.window == 960
    stream.size = 100
    assert stream.due(1) == 0
    receive(stream, 950)
    assert stream.give_back(940) == 40, "10 may still come and 50 are held: 40 bring it to the new size"
    assert stream.window + stream.held == 100


def test_waits_to_end() -> None:
    stream = Stream(1, 10, 10)
    assert not stream.waits_to_end
    stream.ending = True
    assert stream.waits_to_end
    stream.state = State.HALF_CLOSED_LOCAL
    assert not stream.waits_to_end


def test_repr_shows_the_state() -> None:
    stream = Stream(5, 100, 200)
    receive(stream, 10)
    stream.unsent, stream.ending = 7, True
    assert repr(stream) == "Stream(5, OPEN, receive window 90 of 100, 10 held, send window 200, 7 unsent, ending)"
