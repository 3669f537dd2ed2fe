"""Where any stream id stands, and the bounded memory of those that ended."""

from __future__ import annotations

import pytest

from pyopenshell.http2.codes import MAX_STREAM_ID, Role
from pyopenshell.http2.faults import Draining, StreamFault
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import Act, State
from pyopenshell.http2.streams import Streams


def opened(streams: Streams, stream_id: int) -> Stream:
    stream = Stream(stream_id, 100, 100)
    streams.add(stream)
    return stream


def test_ids_of_a_server() -> None:
    streams = Streams(Role.SERVER, Limits())
    assert [streams.state(n) for n in (1, 2, 7)] == [State.IDLE] * 3
    stream = opened(streams, 5)
    assert streams.state(5) is State.OPEN
    assert streams.state(3) is State.FORGOTTEN, "skipped"
    assert [streams.state(n) for n in (4, 6, 7)] == [State.IDLE] * 3
    streams.act(stream, Act.RECV_END)
    assert streams.state(5) is State.HALF_CLOSED_REMOTE
    streams.act(stream, Act.SEND_END)
    assert streams.state(5) is State.ENDED
    assert streams.live == {}
    streams.refuse(9)
    assert (streams.state(9), streams.state(7)) == (State.RESET_BY_US, State.FORGOTTEN)


def test_ids_of_a_client() -> None:
    streams = Streams(Role.CLIENT, Limits())
    assert streams.next_id() == 1
    for stream_id in (1, 3):
        assert streams.next_id() == stream_id
        streams.act(opened(streams, stream_id), Act.SEND_RESET)
    assert streams.state(1) is State.RESET_BY_US
    streams.newest = MAX_STREAM_ID - 2
    assert streams.next_id() == MAX_STREAM_ID
    streams.newest = MAX_STREAM_ID
    with pytest.raises(Draining):
        streams.next_id()


@pytest.mark.parametrize(("role", "forgotten"), [(Role.SERVER, State.FORGOTTEN), (Role.CLIENT, State.RESET_BY_US)])
def test_the_memory_is_bounded_and_loses_the_oldest(role: Role, forgotten: State) -> None:
    streams = Streams(role, Limits(max_closed=2))
    for stream_id in (1, 3, 5):
        streams.act(opened(streams, stream_id), Act.RECV_RESET)
        assert streams.state(1) is (State.RESET_BY_PEER if stream_id < 5 else forgotten)
    assert [streams.state(n) for n in (3, 5)] == [State.RESET_BY_PEER] * 2


def test_an_act_that_is_a_fault_changes_nothing() -> None:
    streams = Streams(Role.SERVER, Limits())
    stream = opened(streams, 1)
    streams.act(stream, Act.RECV_END)
    with pytest.raises(StreamFault):
        streams.act(stream, Act.RECV_DATA)
    assert streams.state(1) is State.HALF_CLOSED_REMOTE


def test_repr() -> None:
    streams = Streams(Role.SERVER, Limits())
    assert repr(streams) == "Streams([], newest 0, 0 ended ones remembered)"
