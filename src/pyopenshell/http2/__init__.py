"""HTTP/2 (RFC 9113) and gRPC message framing without I/O: told bytes and time, answering with events and bytes.

Start with `connection.py`, the one class that owners use: `streams/http2.py` wraps it for asyncio.

The way in:   frame_reader.py (bytes to frames) -> receiver.py (a method a frame type) -> data_in.py (the hot path),
              messages_in.py (header sections) with header_codec.py (HPACK) and header_rules.py (what is malformed).
The way out:  sender.py (may we?) -> outbox.py (in which order) -> frame_writer.py (frames to bytes).
The books:    stream_states.py (the state table: read this one), stream.py, streams.py, settings.py, closing.py (GOAWAY),
              limits.py (every bound on a peer, with its reason) and allowance.py (its counters).
The words:    codes.py (numbers of the RFC), events.py (what an owner is told), faults.py (whose fault it is).
Beside:       grpc_messages.py (the 5-byte prefixes of gRPC), bdp.py (how large a window is worth it).
"""

from pyopenshell.http2.bdp import WindowGrowth
from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.connection import Connection
from pyopenshell.http2.events import (
    ConnectionTerminated,
    DataReceived,
    Drained,
    Event,
    GoAwayReceived,
    Header,
    HeadersReceived,
    PingAcked,
    StreamReset,
    StreamsAllowed,
)
from pyopenshell.http2.faults import Draining, LocalError, StreamGone, TooManyStreams
from pyopenshell.http2.grpc_messages import (
    Compressed,
    MessageError,
    MessageReader,
    Oversized,
    PrefixFollower,
    Truncated,
    encode_prefix,
)
from pyopenshell.http2.limits import Limits, Rate
from pyopenshell.http2.outbox import Buffer

__all__ = [
    "Buffer",
    "Compressed",
    "Connection",
    "ConnectionTerminated",
    "DataReceived",
    "Drained",
    "Draining",
    "ErrorCode",
    "Event",
    "GoAwayReceived",
    "Header",
    "HeadersReceived",
    "Limits",
    "LocalError",
    "MessageError",
    "MessageReader",
    "Oversized",
    "PingAcked",
    "PrefixFollower",
    "Rate",
    "Role",
    "StreamGone",
    "StreamReset",
    "StreamsAllowed",
    "TooManyStreams",
    "Truncated",
    "WindowGrowth",
    "encode_prefix",
]
