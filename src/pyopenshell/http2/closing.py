"""How a connection ends (RFC 9113 section 6.8).

    RUNNING --> LAST_CALL --> DRAINING --> OVER       any state --> OVER by a fault

A server drains in two steps: GOAWAY with the highest id of all and a PING (LAST_CALL: what was on the way still gets
in), then, when the PING is back, GOAWAY with the newest id (DRAINING). A client, and one whose server left, goes straight
to DRAINING. OVER comes when the last stream ends.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from pyopenshell.http2 import codes, frame_writer
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.events import ConnectionTerminated, Event
from pyopenshell.http2.outbox import Outbox
from pyopenshell.http2.streams import Streams

#: Payload of the PING between the two GOAWAY frames; its answer is not told to the owner.
_LAST_CALL_PING = b"lastcall"
#: Debug data that we send is for a log line.
_DEBUG_BYTES = 256


class Stage(Enum):
    """How far the end is."""

    RUNNING = "running"
    LAST_CALL = "last call"
    DRAINING = "draining"
    OVER = "over"


class Closing:
    """The end of one connection."""

    def __init__(self, role: Role, streams: Streams, outbox: Outbox, events: Callable[[Event], None]) -> None:
        self.stage = Stage.RUNNING
        self._server = role is Role.SERVER
        self._streams = streams
        self._outbox = outbox
        self._tell = events
        self._why = (ErrorCode.NO_ERROR, "drained")

    @property
    def takes_streams(self) -> bool:
        """Whether a new stream may be opened: by us (client), or by the peer (server)."""
        return self.stage is Stage.RUNNING or self.stage is Stage.LAST_CALL

    def drain(self, debug: str) -> None:
        """We want to go: no new streams, then the end. Does nothing a second time."""
        if self.stage is not Stage.RUNNING:
            return
        if self._server:
            self.stage = Stage.LAST_CALL
            self._goaway(codes.MAX_STREAM_ID, ErrorCode.NO_ERROR, debug)
            self._outbox.control(frame_writer.ping(_LAST_CALL_PING, ack=False))
        else:
            self.stage = Stage.DRAINING
            self._goaway(0, ErrorCode.NO_ERROR, debug)

    def ping_acked(self, payload: bytes) -> bool:
        """A PING came back. Returns whether it was that of the last call."""
        if self.stage is not Stage.LAST_CALL or payload != _LAST_CALL_PING:
            return False
        self.stage = Stage.DRAINING
        self._goaway(self._streams.newest, ErrorCode.NO_ERROR, "")
        return True

    def peer_left(self, code: ErrorCode, debug: bytes) -> None:
        """Client: the server sent GOAWAY."""
        if self.stage is Stage.RUNNING:
            self.stage = Stage.DRAINING
        self._why = (code, f"GOAWAY of the peer: {debug.decode('ascii', 'backslashreplace')}" if debug else "drained")

    def fail(self, code: ErrorCode, reason: str) -> None:
        """The end, now, with GOAWAY. Does nothing when it is over."""
        if self.stage is not Stage.OVER:
            self._goaway(self._streams.newest if self._server else 0, code, reason)
            self.over(code, reason)

    def over(self, code: ErrorCode, reason: str) -> None:
        """The end, now, without a word to the peer. Does nothing when it is over."""
        if self.stage is not Stage.OVER:
            self.stage = Stage.OVER
            self._streams.live.clear()
            self._outbox.drop_all()
            self._tell(ConnectionTerminated(code, reason))

    def check(self) -> None:
        """Something ended perhaps: is it all over?"""
        if self.stage is Stage.DRAINING and not self._streams.live:
            self.over(*self._why)

    def _goaway(self, last: int, code: ErrorCode, debug: str) -> None:
        data = debug.encode("ascii", "backslashreplace")[:_DEBUG_BYTES]
        self._outbox.control(frame_writer.goaway(last, code, data))

    def __repr__(self) -> str:
        return f"Closing({self.stage.value})"
