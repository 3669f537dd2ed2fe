"""Every frame type but HEADERS and DATA: what it does, and each flood at its limit and one over it."""

from __future__ import annotations

import pytest
from hpack import Encoder

from pyopenshell.http2 import (
    Connection,
    ConnectionTerminated,
    ErrorCode,
    Event,
    GoAwayReceived,
    Limits,
    PingAcked,
    Rate,
    Role,
    StreamReset,
    StreamsAllowed,
    TooManyStreams,
)
from tests.support import http2_peer as peer
from tests.support.http2_peer import (
    REQUEST,
    RESPONSE,
    HandPeer,
    Sent,
    client,
    data,
    frame,
    ping,
    rst_stream,
    server,
    settings,
)
from tests.support.http2_peer import window_update as update

MAX_WINDOW = 2**31 - 1
SMALL = Rate(burst=5, per_second=1)


def ended(events: list[Event], code: ErrorCode) -> str:
    """The reason of the one event, which ends the connection."""
    (event,) = events
    assert isinstance(event, ConnectionTerminated) and event.code is code
    return event.reason


def flood(hand: HandPeer, wire: bytes, sound: int, what: str) -> None:
    """`sound` frames at once are taken; one more ends the connection; a second later there is one more."""
    for _ in range(sound):
        assert all(not isinstance(event, ConnectionTerminated) for event in hand.feed(wire))
    assert all(not isinstance(event, ConnectionTerminated) for event in hand.feed(wire, now=1.0))
    *_, last = hand.feed(wire, now=1.0)
    assert isinstance(last, ConnectionTerminated) and last.code is ErrorCode.ENHANCE_YOUR_CALM
    assert what in last.reason
    assert hand.sent()[-1].kind == peer.GOAWAY
    assert hand.feed(wire, now=100.0) == [] and not hand.engine.want_write, "over is over"


# -- floods -------------------------------------------------------------------------------------------------------------


def test_settings_flood() -> None:
    flood(server(Limits(settings=SMALL)), settings((1, 1)), 4, "SETTINGS")  # the first came with the handshake


def test_settings_acknowledgement_flood() -> None:
    flood(server(Limits(settings=SMALL)), frame(peer.SETTINGS, peer.ACK), 4, "SETTINGS")


def test_ping_flood() -> None:
    flood(server(Limits(pings=SMALL)), ping(), 5, "PING")


def test_priority_flood() -> None:
    flood(server(Limits(priorities=SMALL)), frame(peer.PRIORITY, 0, 1, bytes(5)), 5, "PRIORITY")


@pytest.mark.parametrize("wire", [frame(0x77, 0, 1, b"abc"), peer.goaway(0)], ids=["unknown", "goaway"])
def test_odd_frames_flood(wire: bytes) -> None:
    flood(server(Limits(odd_frames=SMALL)), wire, 5, "unknown or GOAWAY")


def test_window_update_flood() -> None:
    hand = server(Limits(window_updates=SMALL))
    hand.feed(hand.request(1))
    flood(hand, update(1, 1), 5, "WINDOW_UPDATE")


def test_window_updates_are_paid_for_by_the_data_that_they_let_through() -> None:
    hand = answering(limits=Limits(window_updates=SMALL))
    for _ in range(100):
        hand.engine.send_data(1, bytes(2_048))
        hand.sent()
        assert hand.feed(update(1, 2_048), update(0, 2_048)) == []


def test_a_window_opened_by_crumbs_is_not() -> None:
    hand = answering((4, 0), limits=Limits(window_updates=SMALL))
    hand.engine.send_data(1, bytes(100))
    for _ in range(5):
        assert hand.feed(update(1, 1)) == []
        assert sizes(hand) == [1]
    assert "WINDOW_UPDATE" in ended(hand.feed(update(1, 1)), ErrorCode.ENHANCE_YOUR_CALM)


def test_reset_flood_on_dead_streams() -> None:
    hand = server(Limits(resets=SMALL))
    hand.feed(hand.request(1))
    flood(hand, rst_stream(1), 5, "streams reset")


@pytest.mark.parametrize("count", [4, 5, 6])
def test_rapid_reset(count: int) -> None:
    hand = server(Limits(resets=SMALL))
    events = hand.feed(*[hand.request(n) + rst_stream(n) for n in range(1, 2 * count, 2)])
    assert isinstance(events[-1], ConnectionTerminated if count == 6 else StreamReset)
    assert hand.engine.open_streams == 0


@pytest.mark.parametrize("count", [4, 5, 6])
def test_made_you_reset(count: int) -> None:
    """CVE-2025-8671: the peer makes us reset, with an update by nothing."""
    hand = server(Limits(resets=SMALL))
    events = hand.feed(*[hand.request(n) + update(n, 0) for n in range(1, 2 * count, 2)])
    assert isinstance(events[-1], ConnectionTerminated if count == 6 else StreamReset)


def test_a_server_may_reset_as_many_streams_as_we_open() -> None:
    hand = client(Limits(resets=Rate(burst=0, per_second=0)))
    for _ in range(20):
        stream_id = hand.engine.open_stream(REQUEST)
        assert hand.feed(rst_stream(stream_id)) == [StreamReset(stream_id, ErrorCode.CANCEL, remote=True)]


def test_pings_beside_data_are_paid_for() -> None:
    hand = server(Limits(pings=SMALL))
    hand.feed(hand.request(1))
    for _ in range(100):
        assert len(hand.feed(data(1, b"x"), ping())) == 1


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_answers_that_the_peer_does_not_read(over: int) -> None:
    hand = server(Limits(max_answers=17 * 10 + 9))
    hand.sent()
    events = hand.feed(*[ping()] * (10 + over), settings())
    if over <= 0:
        assert events == []
        assert len(hand.sent()) == 11 + over
    else:
        assert "answers not read" in ended(events, ErrorCode.ENHANCE_YOUR_CALM)


# -- one frame type after the other ---------------------------------------------------------------------------------------


def test_ping_is_answered_with_its_payload() -> None:
    hand = server()
    assert hand.feed(ping(b"abcdefgh"), ping(b"ourping!", ack=True)) == [PingAcked(b"ourping!")]
    assert hand.sent() == [Sent(peer.PING, peer.ACK, 0, b"abcdefgh")]


def test_settings_are_acknowledged() -> None:
    hand = server()
    assert hand.feed(settings((0x99, 1))) == []
    assert hand.sent() == [Sent(peer.SETTINGS, peer.ACK, 0, b"")]


def test_a_header_table_that_was_small_for_a_moment_is_named() -> None:
    hand = server()
    hand.feed(settings((1, 0), (1, 4_096)), hand.request())
    hand.engine.send_headers(1, RESPONSE)
    assert hand.sent()[-1].payload.startswith(b"\x20\x3f\xe1\x1f"), "updates to 0 and to 4096 (RFC 7541 section 6.3)"


def test_a_smaller_header_table_binds_from_the_acknowledgement_on() -> None:
    engine, encoder = Connection(Role.SERVER, Limits(header_table=100)), Encoder()
    hello = peer.PREFACE + settings()
    first = frame(peer.HEADERS, peer.END_HEADERS, 1, encoder.encode(REQUEST))
    assert len(engine.receive(hello + first, 0.0)) == 1
    second = frame(peer.HEADERS, peer.END_HEADERS, 3, encoder.encode(REQUEST))
    ended(engine.receive(frame(peer.SETTINGS, peer.ACK) + second, 0.0), ErrorCode.COMPRESSION_ERROR)


def test_an_acknowledgement_has_no_payload() -> None:
    ended(server().feed(frame(peer.SETTINGS, peer.ACK, 0, bytes(6))), ErrorCode.FRAME_SIZE_ERROR)


def test_bad_settings_end_the_connection() -> None:
    assert "INITIAL_WINDOW_SIZE" in ended(server().feed(settings((4, 2**31))), ErrorCode.FLOW_CONTROL_ERROR)


def test_a_client_hears_when_it_may_open_more_streams() -> None:
    hand = client(None, (3, 1))
    hand.engine.open_stream(REQUEST)
    with pytest.raises(TooManyStreams):
        hand.engine.open_stream(REQUEST)
    assert hand.feed(settings((3, 1)), settings((3, 0)), settings((1, 0))) == []
    assert hand.feed(settings((3, 2))) == [StreamsAllowed(2)]
    hand.engine.open_stream(REQUEST)
    assert server().feed(settings((3, 2**31))) == []


@pytest.mark.parametrize(
    ("wire", "events"),
    [
        (settings(), [StreamsAllowed(2**31 - 1)]),
        (settings((3, 1_100)), [StreamsAllowed(1_100)]),
        (settings((3, 100)), []),
        (settings((3, 9)), []),
    ],
)
def test_a_client_hears_at_the_first_settings(wire: bytes, events: list[Event]) -> None:
    assert Connection(Role.CLIENT).receive(wire, 0.0) == events


def test_a_priority_on_any_stream_means_nothing() -> None:
    hand = server()
    assert hand.feed(frame(peer.PRIORITY, 0, 5, bytes(5)), hand.request(3)) != []
    ended(hand.feed(frame(peer.PRIORITY, 0, 7, (7).to_bytes(4, "big") + b"\0")), ErrorCode.PROTOCOL_ERROR)


def test_reset() -> None:
    hand = server()
    hand.feed(hand.request(1))
    hand.engine.send_headers(1, RESPONSE)
    hand.engine.send_data(1, b"never sent")
    assert hand.feed(rst_stream(1, 7)) == [StreamReset(1, ErrorCode.REFUSED_STREAM, remote=True)]
    assert [sent.kind for sent in hand.sent()] == [peer.HEADERS]
    assert hand.feed(rst_stream(1)) == []
    ended(hand.feed(rst_stream(3)), ErrorCode.PROTOCOL_ERROR)


def test_goaway_tells_a_client_which_streams_to_try_elsewhere() -> None:
    hand = client()
    for _ in range(3):
        hand.engine.open_stream(REQUEST)
    assert hand.feed(peer.goaway(3, 11, b"calm")) == [
        GoAwayReceived(3, ErrorCode.ENHANCE_YOUR_CALM, b"calm"),
        StreamReset(5, ErrorCode.REFUSED_STREAM, True, "GOAWAY"),
    ]
    assert hand.engine.open_streams == 2
    hand.feed(hand.response(1, end=True), hand.response(3, end=True))
    for stream_id in (1, 3):
        hand.engine.reset(stream_id, ErrorCode.CANCEL)
    assert hand.engine.events() == [ConnectionTerminated(ErrorCode.ENHANCE_YOUR_CALM, "GOAWAY of the peer: calm")]


def test_goaway_of_a_client_is_told_and_changes_nothing() -> None:
    hand = server()
    assert hand.feed(peer.goaway(0)) == [GoAwayReceived(0, ErrorCode.NO_ERROR, b"")]
    assert len(hand.feed(hand.request(1))) == 1


# -- send windows ---------------------------------------------------------------------------------------------------------


def answering(*parameters: tuple[int, int], limits: Limits | None = None) -> HandPeer:
    """A server that has begun its answer on stream 1."""
    hand = server(limits, *parameters)
    hand.feed(hand.request(1))
    hand.engine.send_headers(1, RESPONSE)
    hand.sent()
    return hand


def sizes(hand: HandPeer) -> list[int]:
    return [len(sent.payload) for sent in hand.sent() if sent.kind == peer.DATA]


def test_a_stream_window_opened_byte_by_byte() -> None:
    hand = answering((4, 0))
    hand.engine.send_data(1, b"abc")
    assert not hand.engine.want_write
    for _ in range(3):
        assert hand.feed(update(1, 1)) == []
        assert sizes(hand) == [1]
    assert hand.feed(update(1, 1)) == []
    assert sizes(hand) == []


def test_an_update_of_an_open_window_is_not_told() -> None:
    hand = answering()
    hand.engine.send_data(1, b"abc")
    assert hand.feed(update(1, 1)) == []


@pytest.mark.parametrize("stream_id", [0, 1])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_window_at_its_largest_and_over_it(stream_id: int, over: int) -> None:
    hand = answering()
    events = hand.feed(update(stream_id, MAX_WINDOW - 65_535 + over))
    if over <= 0:
        assert events == []
    elif stream_id:
        assert events == [StreamReset(1, ErrorCode.FLOW_CONTROL_ERROR, False, "window over 2^31-1")]
    else:
        ended(events, ErrorCode.FLOW_CONTROL_ERROR)


def test_an_update_by_nothing() -> None:
    hand = answering()
    (event,) = hand.feed(update(1, 0))
    assert isinstance(event, StreamReset) and event.code is ErrorCode.PROTOCOL_ERROR
    ended(hand.feed(update(0, 0)), ErrorCode.PROTOCOL_ERROR)


def test_updates_of_streams_that_are_over_or_idle() -> None:
    hand = answering()
    hand.engine.reset(1, ErrorCode.CANCEL)
    assert hand.feed(update(1, 1)) == []
    ended(hand.feed(update(3, 1)), ErrorCode.PROTOCOL_ERROR)


def test_a_new_initial_window_moves_every_stream_below_zero_too() -> None:
    hand = answering((4, 10))
    hand.engine.send_data(1, b"x" * 20)
    assert sizes(hand) == [10]
    assert hand.feed(settings((4, 5))) == []
    assert sizes(hand) == [], "the window is -5"
    assert hand.feed(settings((4, 10))) == []
    assert hand.feed(settings((4, 13))) == []
    assert sizes(hand) == [3]


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_new_initial_window_may_not_overflow_one(over: int) -> None:
    hand = answering((4, 10))
    assert hand.feed(update(1, 90)) == []
    events = hand.feed(settings((4, MAX_WINDOW - 90 + over)))
    if over <= 0:
        assert events == []
    else:
        assert "stream 1" in ended(events, ErrorCode.FLOW_CONTROL_ERROR)


def test_the_connections_window_is_shared() -> None:
    hand = answering((4, 2**20))
    hand.engine.send_data(1, bytes(70_000))
    assert sum(sizes(hand)) == 65_535
    assert not hand.engine.want_write
    assert hand.feed(update(0, 100)) == []
    assert sizes(hand) == [100]


def test_frames_of_the_size_that_the_peer_takes() -> None:
    hand = answering((4, 2**20), (5, 2**15))
    hand.engine.send_data(1, bytes(40_000))
    assert sizes(hand) == [2**15, 40_000 - 2**15]


def test_repr_shows_the_state() -> None:
    hand = server()
    hand.feed(hand.request(1))
    assert repr(hand.engine._receiver) == (
        "Receiver(receive window 2147483647, Allowance(streams reset: 1000 of 1000 left),"
        " Allowance(PING frames: 1000 of 1000 left))"
    )
