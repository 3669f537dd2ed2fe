"""Header sections of a peer: put together, judged, and where they may come."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import ConnectionTerminated, ErrorCode, HeadersReceived, Limits, Rate, StreamReset
from tests.support import http2_peer as peer
from tests.support.http2_peer import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    REQUEST,
    RESPONSE,
    TRAILERS,
    HandPeer,
    client,
    data,
    frame,
    rst_stream,
    server,
)


def calm(events: list[object], code: ErrorCode = ErrorCode.ENHANCE_YOUR_CALM) -> str:
    """The reason of the one event, which ends the connection."""
    (event,) = events
    assert isinstance(event, ConnectionTerminated) and event.code is code
    return event.reason


def refused(hand: HandPeer, events: list[object], code: ErrorCode = ErrorCode.PROTOCOL_ERROR) -> None:
    """A stream of the peer's was reset before its owner was told of it."""
    assert events == []
    assert [(sent.kind, sent.code) for sent in hand.sent()] == [(peer.RST_STREAM, code)]


def test_a_request_a_response_and_trailers() -> None:
    hand = server()
    assert hand.feed(hand.request(1)) == [HeadersReceived(1, REQUEST, False, False)]
    assert hand.feed(hand.headers(1, TRAILERS, end=True)) == [HeadersReceived(1, TRAILERS, True, True)]
    back = client()
    back.engine.open_stream(REQUEST)
    assert back.feed(back.response(1)) == [HeadersReceived(1, RESPONSE, False, False)]
    assert back.feed(back.headers(1, TRAILERS, end=True)) == [HeadersReceived(1, TRAILERS, True, True)]


@pytest.mark.parametrize("pad", [None, 0, 255])
@pytest.mark.parametrize("priority", [False, True])
def test_padding_and_priority_are_taken_off(pad: int | None, priority: bool) -> None:
    hand = server()
    flags = END_HEADERS | (PADDED if pad is not None else 0) | (HAS_PRIORITY if priority else 0)
    body = bytes(5 if priority else 0) + hand.encoder.encode(REQUEST)
    if pad is not None:
        body = bytes([pad]) + body + bytes(pad)
    assert hand.feed(frame(HEADERS, flags, 1, body)) == [HeadersReceived(1, REQUEST, False, False)]


@pytest.mark.parametrize(
    ("flags", "body", "code"),
    [
        (PADDED, b"", ErrorCode.FRAME_SIZE_ERROR),
        (HAS_PRIORITY, bytes(4), ErrorCode.FRAME_SIZE_ERROR),
        (PADDED | HAS_PRIORITY, bytes(5), ErrorCode.FRAME_SIZE_ERROR),
        (PADDED, b"\1", ErrorCode.PROTOCOL_ERROR),
        (PADDED | HAS_PRIORITY, b"\1" + bytes(5), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_padding_tricks(flags: int, body: bytes, code: ErrorCode) -> None:
    calm(server().feed(frame(HEADERS, flags | END_HEADERS, 1, body)), code)


def split_block(hand: HandPeer, parts: int) -> list[bytes]:
    block = hand.encoder.encode(REQUEST)
    frames = [frame(HEADERS, 0, 1, block)] + [frame(CONTINUATION, 0, 1)] * (parts - 2)
    return [*frames, frame(CONTINUATION, END_HEADERS, 1)]


@pytest.mark.parametrize(("continuations", "sound"), [(15, True), (16, True), (17, False)])
def test_continuation_frames_at_the_limit(continuations: int, sound: bool) -> None:
    hand = server()
    events = hand.feed(*split_block(hand, continuations + 1))
    if sound:
        assert events == [HeadersReceived(1, REQUEST, False, False)]
    else:
        assert "more than 16 CONTINUATION" in calm(events)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_block_size_at_the_limit(over: int) -> None:
    limit = 1000
    hand = server(Limits(max_header_block=limit))
    block = hand.encoder.encode(REQUEST)
    length = limit + over - len(block) - 6
    # a literal "x" and its value, whose length is an integer of three bytes (RFC 7541 section 5.1)
    block += b"\0\1x\x7f" + bytes([(length - 127) & 0x7F | 0x80, (length - 127) >> 7]) + b"v" * length
    assert len(block) == limit + over
    events = hand.feed(frame(HEADERS, 0, 1, block[:500]), frame(CONTINUATION, END_HEADERS, 1, block[500:]))
    if over <= 0:
        assert isinstance(events[0], HeadersReceived)
    else:
        assert "header block over 1000 bytes" in calm(events)


def test_a_flood_of_continuations_is_not_waited_for() -> None:
    hand = server(Limits(max_continuations=10**9))
    assert hand.feed(frame(HEADERS, 0, 1, bytes(2**14))) == []
    assert "header block over" in calm(hand.feed(frame(CONTINUATION, 0, 1, b"x")))


def test_the_header_list_limit_ends_the_connection() -> None:
    hand = server()
    assert "header list over" in calm(hand.feed(hand.request(1, extra=[(b"x", b"y" * 2**14)])))


@pytest.mark.parametrize(
    "headers",
    [REQUEST[1:], [*REQUEST, (b"Upper", b"x")], [*REQUEST, (b"connection", b"close")]],
    ids=["no method", "upper case", "connection field"],
)
def test_a_malformed_request_is_never_told(headers: list[tuple[bytes, bytes]]) -> None:
    hand = server()
    refused(hand, hand.feed(hand.headers(1, headers)))
    assert hand.feed(data(1, b"ignored"), hand.headers(1, TRAILERS, end=True)) == []
    assert hand.feed(hand.request(3)) == [HeadersReceived(3, REQUEST, False, False)]


@pytest.mark.parametrize("value", [b"x", b"-1", b"4"])
def test_content_length_that_cannot_be(value: bytes) -> None:
    hand = server()
    refused(hand, hand.feed(hand.request(1, end=True, extra=[(b"content-length", value)])))


@pytest.mark.parametrize("end", [True, False])
def test_trailers_end_the_stream_and_have_no_pseudo_fields(end: bool) -> None:
    hand = server()
    hand.feed(hand.request(1))
    (event,) = hand.feed(hand.headers(1, TRAILERS if not end else [(b":path", b"/x")], end=end))
    assert isinstance(event, StreamReset) and event.code is ErrorCode.PROTOCOL_ERROR


def test_trailers_before_all_content_came() -> None:
    hand = server()
    hand.feed(hand.request(1, extra=[(b"content-length", b"4")]), data(1, b"abc"))
    (event,) = hand.feed(hand.headers(1, TRAILERS, end=True))
    assert isinstance(event, StreamReset) and "shorter" in event.reason


@pytest.mark.parametrize("count", [15, 16, 17])
def test_informational_responses_at_the_limit(count: int) -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    events = hand.feed(*[hand.headers(1, [(b":status", b"103")])] * count, hand.response(1))
    assert isinstance(events[0], HeadersReceived if count <= 16 else StreamReset)


def test_an_informational_response_does_not_end_a_stream() -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    (event,) = hand.feed(hand.headers(1, [(b":status", b"100")], end=True))
    assert isinstance(event, StreamReset)


def test_a_malformed_response() -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    (event,) = hand.feed(hand.headers(1, [(b"x", b"y")]))
    assert event == StreamReset(1, ErrorCode.PROTOCOL_ERROR, False, "malformed: :status is missing or not a status")


def test_a_stream_that_depends_on_itself() -> None:
    hand = server()
    body = (1).to_bytes(4, "big") + b"\0" + hand.encoder.encode(REQUEST)
    refused(hand, hand.feed(frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, body)))


@pytest.mark.parametrize(
    ("stream_id", "code"),
    [(2, ErrorCode.PROTOCOL_ERROR), (3, ErrorCode.PROTOCOL_ERROR), (5, ErrorCode.STREAM_CLOSED)],
    ids=["even", "decreasing", "reused"],
)
def test_stream_ids(stream_id: int, code: ErrorCode) -> None:
    hand = server()
    hand.feed(hand.request(5, end=True))
    hand.engine.send_headers(5, RESPONSE, end_stream=True)
    calm(hand.feed(hand.request(stream_id)), code)


def test_a_client_gets_no_stream_that_it_did_not_open() -> None:
    for stream_id in (1, 2):
        hand = client()
        calm(hand.feed(hand.response(stream_id)), ErrorCode.PROTOCOL_ERROR)


@pytest.mark.parametrize("opened", [1, 2, 3])
def test_streams_at_once_at_the_limit(opened: int) -> None:
    hand = server(Limits(max_concurrent_streams=2))
    events = hand.feed(*[hand.request(2 * number + 1) for number in range(opened)])
    assert len(events) == min(2, opened)
    codes = [sent.code for sent in hand.sent() if sent.kind == peer.RST_STREAM]
    assert codes == [ErrorCode.REFUSED_STREAM] * max(0, opened - 2)
    if opened == 3:
        hand.feed(rst_stream(1))
        assert len(hand.feed(hand.request(7))) == 1, "a place is free again"


def test_refused_and_malformed_streams_count_as_resets() -> None:
    hand = server(Limits(max_concurrent_streams=0, resets=Rate(burst=2, per_second=0)))
    hand.feed(hand.request(1), hand.headers(3, TRAILERS))
    assert "streams reset" in calm(hand.feed(hand.request(5)))


def test_late_headers_on_a_stream_that_we_reset_keep_hpack_in_step() -> None:
    hand = client()
    hand.engine.open_stream(REQUEST)
    hand.engine.reset(1, ErrorCode.CANCEL)
    assert hand.feed(hand.response(1, extra=[(b"new", b"field")])) == []
    stream_id = hand.engine.open_stream(REQUEST)
    (event,) = hand.feed(hand.response(stream_id, extra=[(b"new", b"field")]))
    assert isinstance(event, HeadersReceived) and event.headers[-1] == (b"new", b"field")


def test_headers_after_the_end() -> None:
    hand = server()
    hand.feed(hand.request(1, end=True))
    (event,) = hand.feed(hand.headers(1, TRAILERS, end=True))
    assert isinstance(event, StreamReset) and event.code is ErrorCode.STREAM_CLOSED


def test_a_block_that_cannot_be_decoded() -> None:
    calm(server().feed(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")), ErrorCode.COMPRESSION_ERROR)
