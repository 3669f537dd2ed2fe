"""Whose fault it is. Ours is a `LocalError`, raised to the caller; the peer's never leaves the engine.

A peer's fault is a `ConnectionFault` (section 5.4.1: GOAWAY, everything ends) or a `StreamFault` (section 5.4.2:
RST_STREAM, one stream ends). They are raised where the rule is checked, and turned into frames and events in one place,
`receiver.py`; no caller of `Connection` ever sees them. What they count as is a `kind`: the field of `Limits` that was
passed, or the error code in small letters where a rule was broken that is no limit.
"""

from __future__ import annotations

from pyopenshell.http2.codes import ErrorCode


class LocalError(Exception):
    """We asked the engine for something that the protocol does not allow now. Nothing was sent."""


class TooManyStreams(LocalError):
    """The peer's MAX_CONCURRENT_STREAMS is reached; try again when a stream of ours has ended, or at `StreamsAllowed`."""


class Draining(LocalError):
    """The connection takes no new streams: GOAWAY was sent or received, stream ids are used up, or it is over."""


class StreamGone(LocalError):
    """The stream is over (ended, reset, or never opened): there is nowhere to send to."""


class ConnectionFault(Exception):
    """The peer broke a rule of the connection. Becomes GOAWAY(code) and `ConnectionTerminated(code, reason)`."""

    def __init__(self, code: ErrorCode, reason: str, limit: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.kind = limit or code.name.lower()


class StreamFault(Exception):
    """The peer broke a rule of one stream. Becomes RST_STREAM(code) and `StreamReset(remote=False)`."""

    def __init__(self, stream_id: int, code: ErrorCode, reason: str, limit: str = "") -> None:
        super().__init__(reason)
        self.stream_id = stream_id
        self.code = code
        self.reason = reason
        self.kind = limit or code.name.lower()
