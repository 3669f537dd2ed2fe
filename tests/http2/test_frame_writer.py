"""Frames that we write, taken apart by hand."""

from __future__ import annotations

import pytest

from pyopenshell.http2 import frame_writer
from pyopenshell.http2.codes import ErrorCode
from tests.support import http2_peer as peer
from tests.support.http2_peer import END_HEADERS, END_STREAM, Sent, split


def test_one_frame_each() -> None:
    wire = (
        frame_writer.settings([(1, 2), (3, 4)])
        + frame_writer.SETTINGS_ACK
        + frame_writer.ping(b"12345678", ack=False)
        + frame_writer.ping(b"12345678", ack=True)
        + frame_writer.rst_stream(7, ErrorCode.CANCEL)
        + frame_writer.window_update(9, 2**31 - 1)
        + frame_writer.goaway(5, ErrorCode.ENHANCE_YOUR_CALM, b"why")
        + frame_writer.frame_header(3 << 8, END_STREAM, 11)
        + b"abc"
        + frame_writer.frame_header(0, 0, 11)
    )
    assert split(wire) == [
        Sent(peer.SETTINGS, 0, 0, bytes.fromhex("000100000002000300000004")),
        Sent(peer.SETTINGS, 1, 0, b""),
        Sent(peer.PING, 0, 0, b"12345678"),
        Sent(peer.PING, 1, 0, b"12345678"),
        Sent(peer.RST_STREAM, 0, 7, bytes([0, 0, 0, 8])),
        Sent(peer.WINDOW_UPDATE, 0, 9, bytes.fromhex("7fffffff")),
        Sent(peer.GOAWAY, 0, 0, bytes.fromhex("000000050000000b") + b"why"),
        Sent(peer.DATA, 1, 11, b"abc"),
        Sent(peer.DATA, 0, 11, b""),
    ]


@pytest.mark.parametrize(
    ("length", "parts"), [(0, [0]), (9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (21, [10, 10, 1])]
)
@pytest.mark.parametrize("end_stream", [False, True])
def test_a_block_is_split_at_the_peers_frame_size(length: int, parts: list[int], end_stream: bool) -> None:
    block = bytes(range(length))
    frames = split(frame_writer.headers(3, block, end_stream, max_frame=10))
    assert [len(sent.payload) for sent in frames] == parts
    assert b"".join(sent.payload for sent in frames) == block
    assert [sent.kind for sent in frames] == [peer.HEADERS] + [peer.CONTINUATION] * (len(parts) - 1)
    assert [sent.flags & END_HEADERS for sent in frames] == [0] * (len(parts) - 1) + [END_HEADERS]
    assert [sent.flags & END_STREAM for sent in frames] == [int(end_stream)] + [0] * (len(parts) - 1)
