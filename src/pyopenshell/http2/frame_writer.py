"""Frames to bytes (RFC 9113 section 6): everything but the payload of DATA, which is never joined to its header."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from pyopenshell.http2 import codes
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.settings import PARAMETER

#: The 9 bytes before a payload, of length << 8 | kind (of DATA: 0), flags, stream id.
frame_header = Struct(">LBL").pack
_ONE_WORD = Struct(">LBLL").pack


def headers(stream_id: int, block: bytes, end_stream: bool, max_frame: int) -> bytes:
    """HEADERS, and CONTINUATION when the block is larger than the peer's frames."""
    kind, flags = codes.HEADERS, codes.END_STREAM if end_stream else 0
    if len(block) <= max_frame:
        return frame_header(len(block) << 8 | kind, flags | codes.END_HEADERS, stream_id) + block
    frames = bytearray()
    for start in range(0, len(block), max_frame):
        part = block[start : start + max_frame]
        if start + max_frame >= len(block):
            flags |= codes.END_HEADERS
        frames += frame_header(len(part) << 8 | kind, flags, stream_id) + part
        kind, flags = codes.CONTINUATION, 0
    return bytes(frames)


def rst_stream(stream_id: int, code: ErrorCode) -> bytes:
    return _ONE_WORD(4 << 8 | codes.RST_STREAM, 0, stream_id, code)


def window_update(stream_id: int, increment: int) -> bytes:
    return _ONE_WORD(4 << 8 | codes.WINDOW_UPDATE, 0, stream_id, increment)


def settings(parameters: Iterable[tuple[int, int]]) -> bytes:
    body = b"".join(PARAMETER.pack(key, value) for key, value in parameters)
    return frame_header(len(body) << 8 | codes.SETTINGS, 0, 0) + body


SETTINGS_ACK = frame_header(codes.SETTINGS, codes.ACK, 0)


def ping(payload: bytes, ack: bool) -> bytes:
    return frame_header(8 << 8 | codes.PING, codes.ACK if ack else 0, 0) + payload


def goaway(last_stream_id: int, code: ErrorCode, debug: bytes) -> bytes:
    return frame_header((8 + len(debug)) << 8 | codes.GOAWAY, 0, 0) + Struct(">LL").pack(last_stream_id, code) + debug
