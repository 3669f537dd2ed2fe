"""DATA from a peer: windows, padding, content-length, empty frames, late frames."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import ConnectionTerminated, DataReceived, ErrorCode, HeadersReceived, Limits, Rate, StreamReset
from tests.support import http2_peer as peer
from tests.support.http2_peer import HandPeer, Sent, client, data, rst_stream, server

WINDOW = Limits().initial_window


def opened(limits: Limits | None = None, extra: list[tuple[bytes, bytes]] | None = None) -> HandPeer:
    """A server with stream 1 open."""
    hand = server(limits)
    (event,) = hand.feed(hand.request(1, extra=extra))
    assert isinstance(event, HeadersReceived)
    return hand


def fill(hand: HandPeer, stream_id: int, n: int) -> None:
    """Send `n` bytes."""
    while n:
        part = min(n, 2**14)
        (event,) = hand.feed(data(stream_id, bytes(part)))
        assert isinstance(event, DataReceived) and event.flow == part
        n -= part


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_window_at_the_limit_and_over_it(over: int) -> None:
    hand = opened()
    fill(hand, 1, WINDOW - 1)
    events = hand.feed(data(1, bytes(1 + over)))
    if over == -1:
        assert events == []
    elif over == 0:
        assert isinstance(events[0], DataReceived)
    else:
        assert events == [StreamReset(1, ErrorCode.FLOW_CONTROL_ERROR, False, "1 bytes over the window")]
        assert [(sent.kind, sent.code) for sent in hand.sent()] == [(peer.RST_STREAM, ErrorCode.FLOW_CONTROL_ERROR)]
        assert hand.feed(data(1, b"late")) == []


def test_padding_counts_against_the_window() -> None:
    hand = opened()
    fill(hand, 1, WINDOW - 10)
    (event,) = hand.feed(data(1, b"abcd", pad=5))
    assert event == DataReceived(1, memoryview(b"abcd"), 10, False)
    assert isinstance(hand.feed(data(1, b"a"))[0], StreamReset)


def test_padding_alone_gives_itself_back() -> None:
    hand = opened(Limits(empty_data=Rate(10_000, 0)))
    for _ in range(2 * WINDOW // 256):
        assert hand.feed(data(1, b"", pad=255)) == []
    updates = [sent for sent in hand.sent() if sent.kind == peer.WINDOW_UPDATE and sent.stream_id == 1]
    assert len(updates) == 8, "in quarters"


def test_given_back_by_the_reader() -> None:
    hand = opened()
    fill(hand, 1, WINDOW)
    hand.engine.give_back(1, WINDOW // 4 - 1)
    assert hand.sent() == []
    hand.engine.give_back(1, 1)
    assert hand.sent() == [Sent(peer.WINDOW_UPDATE, 0, 1, (WINDOW // 4).to_bytes(4, "big"))]
    fill(hand, 1, WINDOW // 4)


def test_a_partial_frame_is_counted_whole_and_told_as_it_comes() -> None:
    hand = opened()
    wire = data(1, b"abcdef", end=True)
    assert hand.feed(wire[:12]) == [DataReceived(1, memoryview(b"abc"), 3, False)]
    assert hand.feed(wire[12:]) == [DataReceived(1, memoryview(b"def"), 3, True)]


def test_the_rest_of_a_frame_whose_stream_is_gone() -> None:
    hand = opened()
    wire = data(1, b"abcdef", end=True)
    hand.feed(wire[:12])
    hand.engine.reset(1, ErrorCode.CANCEL)
    assert hand.feed(wire[12:], peer.ping()) == []
    assert [sent.kind for sent in hand.sent()] == [peer.RST_STREAM, peer.PING]


def test_the_connections_window_is_given_back_on_receipt() -> None:
    hand = opened()
    assert Sent(peer.WINDOW_UPDATE, 0, 0, (2**31 - 1 - 65_535).to_bytes(4, "big")) in peer.split(hand.greeting)
    hand.engine.set_window(1, 2**31 - 1)
    chunk = data(1, bytes(2**16))
    for _ in range(2**14 - 1):
        hand.feed(chunk)
    updates = [sent for sent in hand.sent() if sent.kind == peer.WINDOW_UPDATE and sent.stream_id == 0]
    assert updates == []
    hand.feed(chunk)
    (update,) = hand.sent()
    assert (update.stream_id, int.from_bytes(update.payload, "big")) == (0, 2**30)


@pytest.mark.parametrize(
    ("frames", "sound"),
    [
        ([data(1, b"abcd", end=True)], True),
        ([data(1, b"ab"), data(1, b"cd"), data(1, b"", end=True)], True),
        ([data(1, b"abcd", pad=3, end=True)], True),
        ([data(1, b"abc", end=True)], False),
        ([data(1, b"abcde", end=True)], False),
        ([data(1, b"abcd"), data(1, b"e")], False),
        ([data(1, b"", end=True)], False),
    ],
)
def test_content_length(frames: list[bytes], sound: bool) -> None:
    hand = opened(extra=[(b"content-length", b"4")])
    last = hand.feed(*frames)[-1]
    if sound:
        assert isinstance(last, DataReceived) and last.end_stream
    else:
        assert isinstance(last, StreamReset) and last.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("pad", [None, 0, 200])
def test_empty_frames_up_to_the_limit(pad: int | None) -> None:
    hand = opened(Limits(empty_data=Rate(burst=5, per_second=1)))
    for _ in range(5):
        assert hand.feed(data(1, b"", pad=pad)) == []
    (event,) = hand.feed(data(1, b"", pad=pad))
    assert isinstance(event, ConnectionTerminated) and event.code is ErrorCode.ENHANCE_YOUR_CALM
    assert "empty DATA" in event.reason


def test_an_empty_end_costs_nothing() -> None:
    hand = server(Limits(empty_data=Rate(burst=0, per_second=0)))
    for stream_id in range(1, 20, 2):
        assert len(hand.feed(hand.request(stream_id), data(stream_id, b"", end=True))) == 2


@pytest.mark.parametrize("stream_id", [3, 2], ids=["not opened", "even"])
def test_data_on_an_idle_stream(stream_id: int) -> None:
    (event,) = opened().feed(data(stream_id, b"x"))
    assert isinstance(event, ConnectionTerminated) and event.code is ErrorCode.PROTOCOL_ERROR


def test_data_after_the_end() -> None:
    hand = server()
    hand.feed(hand.request(1, end=True))
    (event,) = hand.feed(data(1, b"x"))
    assert isinstance(event, StreamReset) and event.code is ErrorCode.STREAM_CLOSED
    assert hand.sent()[-1].code == ErrorCode.STREAM_CLOSED


def test_data_after_both_ends() -> None:
    hand = server()
    hand.feed(hand.request(1, end=True))
    hand.engine.send_headers(1, peer.RESPONSE, end_stream=True)
    (event,) = hand.feed(data(1, b"x"))
    assert isinstance(event, ConnectionTerminated) and event.code is ErrorCode.STREAM_CLOSED


def test_data_after_the_peers_reset_is_answered_and_counted() -> None:
    hand = server(Limits(resets=Rate(burst=3, per_second=0)))
    hand.feed(hand.request(1), rst_stream(1))
    for _ in range(2):
        assert hand.feed(data(1, b"x")) == []
        assert hand.sent()[-1].code == ErrorCode.STREAM_CLOSED
    assert isinstance(hand.feed(data(1, b"x"))[0], ConnectionTerminated)


def test_a_client_gets_no_content_before_headers() -> None:
    hand = client()
    stream_id = hand.engine.open_stream(peer.REQUEST)
    (event,) = hand.feed(data(stream_id, b"x"))
    assert event == StreamReset(stream_id, ErrorCode.PROTOCOL_ERROR, False, "DATA before HEADERS")
