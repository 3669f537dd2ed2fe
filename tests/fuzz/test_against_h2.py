"""The differential test: sequences that Hypothesis makes, and a catalogue after h2spec's, section by section."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from pyopenshell.http2 import Header
from tests.fuzz.against_h2 import CONNECTION, DIFFERENCES, STREAM, TAKEN, Ours, Theirs, compare
from tests.fuzz.choices import RECORD
from tests.support import http2_peer as peer
from tests.support.http2_peer import REQUEST, data, frame, goaway, ping, rst_stream, window_update

HELLO = peer.PREFACE + peer.settings() + frame(peer.SETTINGS, peer.ACK)


def head(
    stream_id: int, end: bool = False, headers: list[Header] | None = None, flags: int = peer.END_HEADERS
) -> bytes:
    """A request without anything of the dynamic table, so that any order will do."""
    encoder = Encoder()
    encoder.header_table_size = 0
    block = encoder.encode(REQUEST if headers is None else headers)
    return frame(peer.HEADERS, flags | (peer.END_STREAM if end else 0), stream_id, block)


OPEN, WHOLE = head(1), head(1, end=True)
#: Name (section of RFC 9113), frames, and what both make of the last one.
CATALOGUE: dict[str, tuple[list[bytes], str, int | None]] = {
    "4.1 unknown flags": ([frame(peer.PING, 0xFE & ~peer.ACK, 0, bytes(8))], TAKEN, None),
    "4.1 the reserved bit": ([frame(peer.PING, 0, 2**31, bytes(8))], TAKEN, None),
    "4.2 the largest DATA": ([OPEN, data(1, bytes(16_384))], TAKEN, None),
    "4.2 DATA over the limit": ([OPEN, data(1, bytes(16_385))], CONNECTION, 6),
    "4.2 HEADERS over the limit": ([frame(peer.HEADERS, 4, 1, bytes(16_385))], CONNECTION, 6),
    "5.1 idle: DATA": ([data(1, b"x")], CONNECTION, 1),
    "5.1 idle: RST_STREAM": ([rst_stream(1)], CONNECTION, 1),
    "5.1 idle: WINDOW_UPDATE": ([window_update(1, 1)], CONNECTION, 1),
    "5.1 half-closed: DATA": ([WHOLE, data(1, b"x")], STREAM, 5),
    "5.1 half-closed: HEADERS": ([WHOLE, head(1)], STREAM, 5),
    "5.1 half-closed: WINDOW_UPDATE": ([WHOLE, window_update(1, 1)], TAKEN, None),
    "5.1 reset: WINDOW_UPDATE": ([OPEN, rst_stream(1), window_update(1, 1)], TAKEN, None),
    "5.1 reset: RST_STREAM": ([OPEN, rst_stream(1), rst_stream(1)], TAKEN, None),
    "5.1 reset: DATA": ([OPEN, rst_stream(1), data(1, b"x")], STREAM, 5),
    "5.1.1 an even id": ([head(2)], CONNECTION, 1),
    "5.1.1 a smaller id": ([head(5), head(3)], CONNECTION, 1),
    "5.5 an unknown frame": ([frame(0xAA, 0xFF, 1, b"any")], TAKEN, None),
    "5.5 an unknown frame in a block": ([head(1, flags=0), frame(0xAA, 0, 1, b"")], CONNECTION, 1),
    "6.1 DATA on stream 0": ([data(0, b"x")], CONNECTION, 1),
    "6.1 padding as large as the frame": ([OPEN, frame(peer.DATA, peer.PADDED, 1, b"\x05abcd")], CONNECTION, 1),
    "6.1 all padding": ([OPEN, data(1, b"", pad=10)], TAKEN, None),
    "6.2 HEADERS on stream 0": ([head(0)], CONNECTION, 1),
    "6.2 DATA in a block": ([head(1, flags=0), data(1, b"x")], CONNECTION, 1),
    "6.2 HEADERS of another stream in a block": ([head(1, flags=0), head(3)], CONNECTION, 1),
    "6.3 PRIORITY on stream 0": ([frame(peer.PRIORITY, 0, 0, bytes(5))], CONNECTION, 1),
    "6.3 PRIORITY of an idle stream": ([frame(peer.PRIORITY, 0, 9, bytes(5))], TAKEN, None),
    "6.4 RST_STREAM on stream 0": ([rst_stream(0)], CONNECTION, 1),
    "6.4 RST_STREAM": ([OPEN, rst_stream(1)], TAKEN, None),
    "6.5 SETTINGS on a stream": ([frame(peer.SETTINGS, 0, 1)], CONNECTION, 1),
    "6.5.2 ENABLE_PUSH is 2": ([peer.settings((2, 2))], CONNECTION, 1),
    "6.5.2 INITIAL_WINDOW_SIZE over 2^31-1": ([peer.settings((4, 2**31))], CONNECTION, 3),
    "6.5.2 MAX_FRAME_SIZE below 2^14": ([peer.settings((5, 16_383))], CONNECTION, 1),
    "6.5.2 MAX_FRAME_SIZE over 2^24-1": ([peer.settings((5, 2**24))], CONNECTION, 1),
    "6.5.2 an unknown parameter": ([peer.settings((0xFF, 1))], TAKEN, None),
    "6.6 PUSH_PROMISE of a client": ([OPEN, frame(peer.PUSH_PROMISE, 4, 1, bytes(4))], CONNECTION, 1),
    "6.7 PING": ([ping()], TAKEN, None),
    "6.7 PING on a stream": ([frame(peer.PING, 0, 1, bytes(8))], CONNECTION, 1),
    "6.8 GOAWAY": ([goaway(0)], TAKEN, None),
    "6.8 GOAWAY on a stream": ([frame(peer.GOAWAY, 0, 1, bytes(8))], CONNECTION, 1),
    "6.9 WINDOW_UPDATE by nothing": ([window_update(0, 0)], CONNECTION, 1),
    "6.9.1 the connection's window over 2^31-1": ([window_update(0, 2**31 - 1)], CONNECTION, 3),
    "6.9.1 a stream's window over 2^31-1": ([OPEN, window_update(1, 2**31 - 1)], STREAM, 3),
    "6.9.2 a change takes a window over 2^31-1": (
        [OPEN, window_update(1, 2**30), peer.settings((4, 2**31 - 1))],
        CONNECTION,
        3,
    ),
    "6.10 a block in three frames": (
        [head(1, flags=0), frame(peer.CONTINUATION, 0, 1), frame(peer.CONTINUATION, 4, 1)],
        TAKEN,
        None,
    ),
    "6.10 CONTINUATION of another stream": ([head(1, flags=0), frame(peer.CONTINUATION, 4, 3)], CONNECTION, 1),
    "6.10 CONTINUATION without HEADERS": ([OPEN, frame(peer.CONTINUATION, 4, 1)], CONNECTION, 1),
    "8.1 trailers": ([OPEN, head(1, end=True, headers=[(b"grpc-status", b"0")])], TAKEN, None),
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue(name: str) -> None:
    frames, verdict, code = CATALOGUE[name]
    ours, theirs = Ours(client=False), Theirs(client=False)
    for one in (ours, theirs):
        assert one.feed(HELLO) == TAKEN
        for before in frames[:-1]:
            assert one.feed(before) == TAKEN
    mine, other = ours.feed(frames[-1]), theirs.feed(frames[-1])
    assert (mine.verdict, mine.code) == (verdict, code)
    if (other.verdict, other.code) != (verdict, code):
        sent = peer.Sent(frames[-1][3], frames[-1][4], int.from_bytes(frames[-1][5:9], "big"), frames[-1][9:])
        assert any(applies(sent, mine, other, True) for applies in DIFFERENCES.values()), other


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.booleans(), st.lists(st.binary(min_size=RECORD, max_size=RECORD), max_size=30))
def test_sequences(client: bool, records: list[bytes]) -> None:
    compare(b"".join(records), client)
