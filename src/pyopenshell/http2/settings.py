"""SETTINGS: what the peer announced (RFC 9113 section 6.5), checked on arrival, and what we announce."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from pyopenshell.http2 import codes
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Limits

PARAMETER = Struct(">HL")

#: Streams that we open before the server said how many it takes. Section 6.5.2 asks it for at least 100; grpc-go
#: assumes the same.
ASSUMED_STREAMS = 100


class PeerSettings:
    """The peer's values, which bind what we send. They start at the protocol's defaults."""

    __slots__ = ("header_tables", "initial_window", "max_frame", "max_header_list", "max_streams", "seen")

    def __init__(self) -> None:
        self.seen = False
        self.header_tables: list[int] = []  # of the last frame: a size that held for a moment evicts too
        self.max_streams = ASSUMED_STREAMS
        self.initial_window = codes.DEFAULT_WINDOW
        self.max_frame = codes.MIN_MAX_FRAME
        self.max_header_list: int | None = None

    def apply(self, payload: memoryview, peer: Role) -> None:
        """Take the parameters of one frame in order; unknown ones are ignored. Raises ConnectionFault.

        `payload` is a whole number of parameters.
        """
        self.header_tables = []
        if not self.seen:
            self.seen = True
            self.max_streams = codes.MAX_STREAM_ID  # a server that says nothing takes as many as ids exist
        for key, value in PARAMETER.iter_unpack(payload):
            if key == codes.SETTINGS_HEADER_TABLE_SIZE:
                self.header_tables.append(value)
            elif key == codes.SETTINGS_ENABLE_PUSH:
                _check(value <= 1 and not (peer is Role.SERVER and value), f"ENABLE_PUSH is {value}")
            elif key == codes.SETTINGS_MAX_CONCURRENT_STREAMS:
                self.max_streams = value
            elif key == codes.SETTINGS_INITIAL_WINDOW_SIZE:
                sound = value <= codes.MAX_WINDOW
                _check(sound, f"INITIAL_WINDOW_SIZE is {value}", ErrorCode.FLOW_CONTROL_ERROR)
                self.initial_window = value
            elif key == codes.SETTINGS_MAX_FRAME_SIZE:
                _check(codes.MIN_MAX_FRAME <= value <= codes.MAX_MAX_FRAME, f"MAX_FRAME_SIZE is {value}")
                self.max_frame = value
            elif key == codes.SETTINGS_MAX_HEADER_LIST_SIZE:
                self.max_header_list = value


def _check(sound: bool, reason: str, code: ErrorCode = ErrorCode.PROTOCOL_ERROR) -> None:
    if not sound:
        raise ConnectionFault(code, f"SETTINGS: {reason}")


def announced(role: Role, limits: Limits) -> Iterator[tuple[int, int]]:
    """The parameters of our one SETTINGS frame; those at the protocol's default are left out."""
    if role is Role.CLIENT:
        yield codes.SETTINGS_ENABLE_PUSH, 0
    else:
        yield codes.SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_concurrent_streams
    if limits.header_table != 4_096:
        yield codes.SETTINGS_HEADER_TABLE_SIZE, limits.header_table
    if limits.initial_window != codes.DEFAULT_WINDOW:
        yield codes.SETTINGS_INITIAL_WINDOW_SIZE, limits.initial_window
    if limits.max_frame != codes.MIN_MAX_FRAME:
        yield codes.SETTINGS_MAX_FRAME_SIZE, limits.max_frame
    yield codes.SETTINGS_MAX_HEADER_LIST_SIZE, limits.max_header_list
