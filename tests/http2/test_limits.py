"""Every limit on a peer: what passes it ends with the right code, is counted under the limit's name, and does no more work.

Limits that cannot be announced are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields

import pytest

from pyopenshell.http2 import ConnectionTerminated, ErrorCode, HeadersReceived
from pyopenshell.http2.limits import Limits, Rate
from tests.support.http2_peer import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    HandPeer,
    data,
    frame,
    goaway,
    ping,
    rst_stream,
    server,
    settings,
    window_update,
)

LIMITS = Limits()


@pytest.mark.parametrize(
    ("name", "low", "high"), [("max_frame", 2**14, 2**24 - 1), ("initial_window", 65_535, 2**31 - 1)]
)
def test_bounds(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(Limits(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"{name} {value}"):
            Limits(**{name: value})


def test_a_frame_that_we_announce_fits_a_new_streams_window() -> None:
    assert Limits().max_frame <= Limits().initial_window


def rapid_reset(peer: HandPeer) -> Iterator[bytes]:
    for stream_id in range(1, 2**31, 2):
        yield peer.request(stream_id) + rst_stream(stream_id)


def made_you_reset(peer: HandPeer) -> Iterator[bytes]:
    """CVE-2025-8671: requests that the peer makes us reset, by a window update of nothing."""
    for stream_id in range(1, 2**31, 2):
        yield peer.request(stream_id) + window_update(stream_id, 0)


def closed_reset(peer: HandPeer) -> Iterator[bytes]:
    """RST_STREAM on a stream that is over."""
    yield peer.request() + rst_stream(1)
    while True:
        yield rst_stream(1)


def late_data(peer: HandPeer) -> Iterator[bytes]:
    yield peer.request()
    peer.engine.reset(1, ErrorCode.CANCEL)
    while True:
        yield data(1, b"x")


def late_headers(peer: HandPeer) -> Iterator[bytes]:
    yield peer.request()
    peer.engine.reset(1, ErrorCode.CANCEL)
    while True:
        yield peer.request(1)


def on_one_stream(piece: bytes) -> Callable[[HandPeer], Iterator[bytes]]:
    def attack(peer: HandPeer) -> Iterator[bytes]:
        yield peer.request()
        while True:
            yield piece

    return attack


def too_many_streams(peer: HandPeer) -> Iterator[bytes]:
    for stream_id in range(1, 2**31, 2):
        yield peer.request(stream_id)


def again(piece: bytes) -> Callable[[HandPeer], Iterable[bytes]]:
    return lambda _: iter(lambda: piece, b"")


def once(piece: bytes) -> Callable[[HandPeer], Iterable[bytes]]:
    return lambda _: [piece]


OPEN_BLOCK = frame(HEADERS, 0, 1, b"")
CALM, SIZE, PROTOCOL = ErrorCode.ENHANCE_YOUR_CALM, ErrorCode.FRAME_SIZE_ERROR, ErrorCode.PROTOCOL_ERROR


@dataclass(frozen=True)
class Case:
    """`attack` goes on until the connection ends, after exactly `pieces`. The greeting has one SETTINGS frame of its own."""

    kind: str
    attack: Callable[[HandPeer], Iterable[bytes]]
    pieces: int
    code: ErrorCode = CALM
    name: str = ""


CASES = [
    Case("resets", rapid_reset, LIMITS.resets.burst + 1),
    Case("resets", made_you_reset, LIMITS.resets.burst + 1, name="made-you-reset"),
    Case("resets", closed_reset, LIMITS.resets.burst + 1, name="closed-reset"),
    Case("resets", too_many_streams, LIMITS.max_concurrent_streams + LIMITS.resets.burst + 1, name="streams"),
    Case("late_frames", late_data, LIMITS.late_frames.burst + 2),
    Case("late_frames", late_headers, LIMITS.late_frames.burst + 2, name="late-headers"),
    Case("settings", again(settings((4, 65_535))), LIMITS.settings.burst),
    Case("settings", again(frame(SETTINGS, ACK)), LIMITS.settings.burst, name="settings-ack"),
    Case("pings", again(ping()), LIMITS.pings.burst + 1),
    Case("pings", again(ping(ack=True)), LIMITS.pings.burst + 1, name="ping-ack"),
    Case("window_updates", again(window_update(0, 1)), LIMITS.window_updates.burst + 1),
    Case("priorities", again(frame(PRIORITY, 0, 1, bytes(5))), LIMITS.priorities.burst + 1),
    Case("empty_data", on_one_stream(data(1)), LIMITS.empty_data.burst + 2),
    Case("empty_data", on_one_stream(data(1, pad=255)), LIMITS.empty_data.burst + 2, name="padding-alone"),
    Case("odd_frames", again(frame(0xBE, 0, 0, b"x")), LIMITS.odd_frames.burst + 1),
    Case("odd_frames", again(goaway(0)), LIMITS.odd_frames.burst + 1, name="goaway"),
    Case("max_continuations", lambda _: [OPEN_BLOCK] + 17 * [frame(CONTINUATION, 0, 1, b"")], 18),
    Case("max_header_block", lambda _: [OPEN_BLOCK] + 3 * [frame(CONTINUATION, 0, 1, bytes(8_192))], 4),
    Case("max_header_block", once(frame(HEADERS, END_HEADERS, 1, bytes(2**15))), 1, SIZE, name="one-frame"),
    Case("max_header_block", lambda _: [OPEN_BLOCK, frame(CONTINUATION, 0, 1, bytes(2**15))], 2, name="continued"),
    Case("max_frame", once(b"\x01\x00\x01\x00\x00\x00\x00\x00\x01"), 1, SIZE),
    Case("max_frame", on_one_stream(b"\x01\x00\x01\x01\x00\x00\x00\x00\x00"), 2, SIZE, name="headers"),
    Case("max_settings", once(settings(*65 * [(4, 65_535)])), 1),
    Case("max_goaway", once(frame(GOAWAY, 0, 0, bytes(2**14 + 9))), 1),
    Case("protocol_error", once(frame(RST_STREAM, 0, 1, bytes(4))), 1, PROTOCOL),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}".strip("-"))
def test_what_passes_a_limit_ends_the_connection_and_is_counted(case: Case) -> None:
    peer = server()
    pieces = 0
    events = []
    for piece in case.attack(peer):
        pieces += 1
        events = peer.feed(piece)
        if peer.engine.terminated:
            break
    assert isinstance(events[-1], ConnectionTerminated)
    assert events[-1].code is case.code
    assert pieces == case.pieces
    last = peer.sent()[-1]
    assert (last.kind, last.code) == (GOAWAY, case.code)
    assert peer.engine.faults.pop(case.kind) == 1
    assert set(peer.engine.faults) <= {"protocol_error", "max_concurrent_streams"}, "the streams reset on the way"
    assert peer.feed(piece) == []
    assert peer.sent() == []


def test_a_header_list_that_unfolds_is_stopped_at_its_limit() -> None:
    """An HPACK bomb: one field of 3 KiB in the table, and a block of references to it."""
    peer = server()
    peer.feed(peer.request(1, extra=[(b"x", b"y" * 3_000)]))
    events = peer.feed(frame(HEADERS, END_HEADERS, 3, b"\xbe" * 16_000))
    assert isinstance(events[-1], ConnectionTerminated)
    assert events[-1].code is CALM
    assert peer.engine.faults["max_header_list"] == 1


def test_answers_that_nobody_reads() -> None:
    limits = Limits(pings=Rate(10**6, 0))
    peer = server(limits)
    for count in range(limits.max_answers // 17):
        assert not peer.feed(ping()), count
    events = peer.feed(ping())
    assert isinstance(events[-1], ConnectionTerminated)
    assert events[-1].code is CALM
    assert peer.engine.faults == {"max_answers": 1}


def test_a_refused_stream_is_counted_and_the_connection_goes_on() -> None:
    peer = server(Limits(max_concurrent_streams=1))
    peer.feed(peer.request(1), peer.request(3))
    assert peer.engine.faults == {"max_concurrent_streams": 1}
    assert [(sent.kind, sent.code) for sent in peer.sent() if sent.kind == RST_STREAM] == [
        (RST_STREAM, ErrorCode.REFUSED_STREAM)
    ]


def test_a_peer_that_is_known_may_have_more_streams() -> None:
    peer = server(Limits(max_concurrent_streams=1))
    peer.sent()
    peer.engine.allow_streams(2)
    peer.engine.allow_streams(1)
    assert [sent.payload for sent in peer.sent() if sent.kind == SETTINGS] == [bytes([0, 3, 0, 0, 0, 2])]
    events = peer.feed(frame(SETTINGS, ACK), peer.request(1), peer.request(3), peer.request(5))
    assert [event.stream_id for event in events if isinstance(event, HeadersReceived)] == [1, 3]
    assert peer.engine.faults == {"max_concurrent_streams": 1}


def test_answers_to_our_pings_are_free() -> None:
    peer = server(Limits(pings=Rate(1, 0)))
    for _ in range(10):
        peer.engine.ping(b"12345678")
        peer.feed(ping(ack=True))
    assert not peer.engine.terminated


def test_a_rate_is_counted_under_its_own_name() -> None:
    rates = {field.name for field in fields(Limits) if isinstance(getattr(LIMITS, field.name), Rate)}
    assert rates == {case.kind for case in CASES} & rates
