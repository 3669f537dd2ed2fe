"""How a connection ends: drain of both ends, faults, end of file."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import ConnectionTerminated, Draining, ErrorCode, GoAwayReceived, StreamGone
from tests.support import http2_peer as peer
from tests.support.http2_peer import (
    GOAWAY,
    PING,
    REQUEST,
    RESPONSE,
    HandPeer,
    client,
    data,
    frame,
    goaway,
    ping,
    server,
)

DRAINED = ConnectionTerminated(ErrorCode.NO_ERROR, "drained")


def goaways(hand: HandPeer) -> list[tuple[int, int]]:
    """(last stream, code) of each GOAWAY that was sent."""
    return [(int.from_bytes(sent.payload[:4], "big"), sent.code) for sent in hand.sent() if sent.kind == GOAWAY]


def test_a_server_drains_in_two_steps() -> None:
    hand = server()
    hand.feed(hand.request(1))
    hand.sent()
    hand.engine.goaway(debug="restart")
    hand.engine.goaway()
    first, question = hand.sent()
    assert (first.kind, first.payload) == (GOAWAY, bytes.fromhex("7fffffff00000000") + b"restart")
    assert question.kind == PING
    assert len(hand.feed(hand.request(3))) == 1, "was on its way"
    assert hand.feed(ping(question.payload, ack=True)) == []
    assert goaways(hand) == [(3, 0)]
    assert hand.feed(hand.request(5)) == []
    assert [(sent.kind, sent.code) for sent in hand.sent()] == [(peer.RST_STREAM, ErrorCode.REFUSED_STREAM)]
    for stream_id in (1, 3):
        assert not hand.engine.terminated
        hand.engine.send_headers(stream_id, RESPONSE, end_stream=True)
        events = hand.feed(data(stream_id, b"", end=True))
    assert events[-1] == DRAINED
    assert hand.engine.terminated


def test_a_server_without_streams_waits_for_the_last_call_alone() -> None:
    hand = server()
    hand.sent()
    hand.engine.goaway()
    assert hand.engine.events() == []
    question = hand.sent()[-1]
    assert hand.feed(ping(question.payload, ack=True)) == [DRAINED]
    assert hand.feed(ping(question.payload, ack=True)) == []


def test_a_ping_of_ours_is_not_taken_for_the_last_call() -> None:
    hand = server()
    question = b"lastcall"
    assert len(hand.feed(ping(question, ack=True))) == 1


def test_a_client_drains_in_one() -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    hand.engine.goaway()
    assert goaways(hand) == [(0, 0)]
    with pytest.raises(Draining):
        hand.engine.open_stream(REQUEST)
    hand.feed(hand.response(1, end=True))
    hand.engine.send_data(1, b"bye", end_stream=True)
    hand.engine.take(2**20)
    assert hand.engine.events()[-1] == DRAINED


def test_a_client_without_streams_is_done_at_once() -> None:
    hand = client()
    hand.engine.goaway()
    assert hand.engine.events() == [DRAINED]
    assert hand.engine.want_write, "GOAWAY still goes out"


def test_a_client_whose_server_leaves() -> None:
    hand = client()
    assert hand.feed(goaway(0)) == [GoAwayReceived(0, ErrorCode.NO_ERROR, b""), DRAINED]
    hand = client()
    hand.engine.open_stream(REQUEST)
    assert len(hand.feed(goaway(2**31 - 1), goaway(1))) == 2
    hand.engine.reset(1, ErrorCode.CANCEL)
    assert hand.engine.events() == [DRAINED]


def test_the_end_now() -> None:
    hand = server()
    hand.feed(hand.request(1))
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, b"never sent")
    hand.engine.goaway(ErrorCode.INTERNAL_ERROR, "broken \u2620")
    hand.engine.goaway(ErrorCode.INTERNAL_ERROR)
    assert hand.engine.events() == [ConnectionTerminated(ErrorCode.INTERNAL_ERROR, "broken \u2620")]
    frames = hand.sent()
    assert [sent.kind for sent in frames][-2:] == [peer.HEADERS, GOAWAY]
    assert frames[-1].payload == bytes.fromhex("0000000100000002") + b"broken \\u2620"
    assert hand.engine.open_streams == 0
    with pytest.raises(StreamGone):
        hand.engine.send_data(1, b"x")
    assert hand.feed(ping()) == []
    assert hand.engine.receive_eof() == []
    assert not hand.engine.want_write


def test_the_reason_is_cut_for_the_wire() -> None:
    hand = server()
    hand.engine.goaway(ErrorCode.INTERNAL_ERROR, "x" * 1000)
    assert len(hand.sent()[-1].payload) == 8 + 256


def test_a_fault_names_the_newest_stream() -> None:
    hand = server()
    hand.feed(hand.request(1), hand.request(7))
    (event,) = hand.feed(frame(peer.PUSH_PROMISE, 0, 1))
    assert isinstance(event, ConnectionTerminated)
    assert goaways(hand) == [(7, ErrorCode.PROTOCOL_ERROR)]


def test_events_before_a_fault_are_still_told() -> None:
    hand = server()
    events = hand.feed(hand.request(1), data(1, b"abc"), data(0, b"x"))
    assert [type(event).__name__ for event in events] == ["HeadersReceived", "DataReceived", "ConnectionTerminated"]


@pytest.mark.parametrize("make", [server, client])
def test_end_of_file(make: type[HandPeer]) -> None:
    clean = make()
    assert clean.engine.receive_eof() == [ConnectionTerminated(ErrorCode.NO_ERROR, "closed by the peer")]
    assert clean.engine.receive_eof() == []
    inside = make()
    inside.feed(ping()[:-1])
    (event,) = inside.engine.receive_eof()
    assert isinstance(event, ConnectionTerminated) and event.code is ErrorCode.PROTOCOL_ERROR
    assert "inside a frame" in event.reason


def test_end_of_file_with_open_streams() -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    (event,) = hand.engine.receive_eof()
    assert event == ConnectionTerminated(ErrorCode.CONNECT_ERROR, "the peer closed the connection with 1 stream open")


def test_repr() -> None:
    hand = server()
    assert repr(hand.engine._closing) == "Closing(running)"
    hand.engine.goaway()
    assert repr(hand.engine._closing) == "Closing(last call)"
