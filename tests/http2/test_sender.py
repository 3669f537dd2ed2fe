"""What we do on streams, and what is our own mistake."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import Drained, Draining, ErrorCode, LocalError, StreamGone, TooManyStreams
from tests.support import http2_peer as peer
from tests.support.http2_peer import END_STREAM, REQUEST, RESPONSE, TRAILERS, HandPeer, client, data, rst_stream, server


def answering() -> HandPeer:
    """A server with stream 1 open, nothing answered."""
    hand = server()
    hand.feed(hand.request(1))
    hand.sent()
    return hand


def test_a_client_opens_odd_streams() -> None:
    hand = client()
    assert [hand.engine.open_stream(REQUEST) for _ in range(3)] == [1, 3, 5]
    frames = [sent for sent in hand.sent() if sent.kind == peer.HEADERS]
    assert [sent.stream_id for sent in frames] == [1, 3, 5]
    assert hand.decoder.decode(frames[0].payload, raw=True) == REQUEST


def test_a_server_opens_none() -> None:
    with pytest.raises(LocalError, match="opens no streams"):
        server().engine.open_stream(REQUEST)


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_the_peers_limit_of_streams(limit: int) -> None:
    hand = client(None, (3, limit))
    for _ in range(limit):
        hand.engine.open_stream(REQUEST)
    with pytest.raises(TooManyStreams, match=f"takes {limit} streams"):
        hand.engine.open_stream(REQUEST)
    if limit:
        hand.feed(rst_stream(1))
        hand.engine.open_stream(REQUEST)


def test_no_stream_after_goaway() -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    hand.feed(peer.goaway(1))
    with pytest.raises(Draining, match="draining"):
        hand.engine.open_stream(REQUEST)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_peers_limit_of_a_header_list(over: int) -> None:
    size = sum(32 + len(name) + len(value) for name, value in REQUEST)
    hand = client(None, (6, size - over))
    if over <= 0:
        hand.engine.open_stream(REQUEST)
    else:
        with pytest.raises(LocalError, match="header list"):
            hand.engine.open_stream(REQUEST)
        assert hand.engine.open_streams == 0


def test_response_data_and_trailers() -> None:
    hand = answering()
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, b"abc", b"def")
    hand.engine.send_headers(1, TRAILERS, end_stream=True)
    frames = hand.sent()
    assert [(sent.kind, sent.flags & END_STREAM) for sent in frames] == [
        (peer.HEADERS, 0),
        (peer.DATA, 0),
        (peer.HEADERS, END_STREAM),
    ]
    assert frames[1].payload == b"abcdef"
    assert [hand.decoder.decode(frames[at].payload, raw=True) for at in (0, 2)] == [RESPONSE, TRAILERS]


def test_headers_alone() -> None:
    hand = answering()
    hand.engine.send_headers(1, RESPONSE, end_stream=True)
    (sent,) = hand.sent()
    assert sent.flags & END_STREAM
    hand.feed(data(1, b"", end=True))
    assert hand.engine.open_streams == 0


@pytest.mark.parametrize("payload", [b"", b"abc"])
def test_an_end_by_data(payload: bytes) -> None:
    hand = answering()
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, payload, end_stream=True)
    assert [(sent.flags & END_STREAM, sent.payload) for sent in hand.sent()[1:]] == [(END_STREAM, payload)]


def test_an_end_after_all_data_went_out() -> None:
    hand = answering()
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, b"abc")
    hand.sent()
    hand.engine.send_data(1, end_stream=True)
    (sent,) = hand.sent()
    assert (sent.flags, sent.payload) == (END_STREAM, b"")


def test_misuse() -> None:
    hand = answering()
    with pytest.raises(LocalError, match="data before headers"):
        hand.engine.send_data(1, b"x")
    hand.engine.send_headers(1, RESPONSE)
    with pytest.raises(LocalError, match="second header section"):
        hand.engine.send_headers(1, TRAILERS)
    hand.engine.send_data(1, end_stream=True)
    for act in (lambda: hand.engine.send_data(1, b"x"), lambda: hand.engine.send_headers(1, TRAILERS, True)):
        with pytest.raises(LocalError, match="our direction has ended"):
            act()
    hand.engine.reset(1, ErrorCode.CANCEL)
    for stream_id in (1, 3):
        with pytest.raises(StreamGone):
            hand.engine.send_data(stream_id, b"x")
        with pytest.raises(StreamGone):
            hand.engine.send_headers(stream_id, RESPONSE)


def test_unsent_and_send_window() -> None:
    hand = server(None, (4, 10))
    hand.feed(hand.request(1))
    hand.engine.send_headers(1, RESPONSE)
    assert (hand.engine.unsent(1), hand.engine.send_window(1)) == (0, 10)
    hand.engine.send_data(1, b"x" * 4)
    assert (hand.engine.unsent(1), hand.engine.send_window(1)) == (4, 6)
    hand.sent()
    assert (hand.engine.unsent(1), hand.engine.send_window(1)) == (0, 6)
    hand.engine.send_data(1, b"x" * 9)
    hand.sent()
    assert (hand.engine.unsent(1), hand.engine.send_window(1)) == (3, 0)
    assert (hand.engine.unsent(9), hand.engine.send_window(9)) == (0, 0)


def test_drained_is_told_when_asked_for() -> None:
    hand = server(None, (4, 10))
    hand.feed(hand.request(1))
    hand.engine.send_headers(1, RESPONSE)
    assert not hand.engine.when_drained(1)
    assert hand.engine.send_data(1, b"x" * 8, b"", b"y" * 4) == 12
    assert hand.engine.when_drained(1)
    hand.sent()
    assert (hand.engine.unsent(1), hand.engine.events()) == (2, [])
    hand.feed(peer.window_update(1, 2))
    hand.sent()
    assert hand.engine.events() == [Drained(1)]
    assert not hand.engine.when_drained(1)
    assert not hand.engine.when_drained(9)


def test_reset_forgets_what_is_queued() -> None:
    hand = answering()
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, b"abc", end_stream=True)
    hand.engine.reset(1, ErrorCode.CANCEL)
    hand.engine.reset(1, ErrorCode.CANCEL)
    assert [(sent.kind, sent.stream_id) for sent in hand.sent()] == [(peer.HEADERS, 1), (peer.RST_STREAM, 1)]
    assert hand.engine.events() == []


def polite(window: int = 2) -> HandPeer:
    """A server that answered early, with more than the window takes, and asks for the rest to be left away."""
    hand = server(None, (4, window))
    hand.feed(hand.request(1))
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, b"abcd")
    hand.engine.send_headers(1, TRAILERS, end_stream=True)
    hand.engine.reset(1, ErrorCode.NO_ERROR)
    return hand


def test_the_polite_reset_comes_after_the_answer() -> None:
    hand = polite()
    assert [sent.kind for sent in hand.sent()][-1] == peer.DATA
    assert hand.feed(data(1, b"thrown away")) == []
    hand.feed(peer.window_update(1, 10))
    assert [sent.kind for sent in hand.sent()] == [peer.DATA, peer.HEADERS, peer.RST_STREAM]
    assert hand.engine.open_streams == 0


def test_no_polite_reset_when_the_peer_has_ended() -> None:
    hand = polite()
    assert hand.feed(data(1, b"last", end=True), peer.window_update(1, 10)) == []
    assert [sent.kind for sent in hand.sent()][-2:] == [peer.DATA, peer.HEADERS]
    assert hand.engine.open_streams == 0


@pytest.mark.parametrize("wire", [rst_stream(1), peer.window_update(1, 0)], ids=["reset", "fault"])
def test_a_polite_reset_that_the_peer_cuts_short_is_not_told(wire: bytes) -> None:
    hand = polite()
    events = hand.feed(wire)
    assert [event for event in events if type(event).__name__ == "StreamReset"] == []
    assert hand.engine.open_streams == 0


def test_trailers_of_the_peer_are_thrown_away_too() -> None:
    hand = polite()
    assert hand.feed(hand.headers(1, TRAILERS, end=True)) == []


def test_a_reset_without_error_after_everything_was_sent_is_immediate() -> None:
    hand = polite(window=100)
    assert [sent.kind for sent in hand.sent()][-1] == peer.RST_STREAM
    hand = answering()
    hand.engine.send_headers(1, RESPONSE, end_stream=True)
    hand.engine.reset(1, ErrorCode.NO_ERROR)
    assert [sent.kind for sent in hand.sent()] == [peer.HEADERS, peer.RST_STREAM]
