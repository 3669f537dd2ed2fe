"""HTTP/2 (RFC 9113) and gRPC message framing without I/O: told bytes and time, answering with events and bytes.

Start with `connection.py`, the one class that owners use: `streams/http2.py` wraps it for asyncio.

    codes.py          the numbers of the RFC             limits.py         every bound on a peer, with its reason
    events.py         what an owner is told              faults.py         whose fault it is
    grpc_messages.py  the 5-byte prefixes of gRPC
"""

from pyopenshell.http2.codes import ErrorCode, Role
from pyopenshell.http2.connection import Buffer, Connection
from pyopenshell.http2.events import (
    ConnectionTerminated,
    DataReceived,
    Drained,
    Event,
    GoAwayReceived,
    Header,
    HeadersReceived,
    PingAcked,
    SendWindowOpened,
    StreamReset,
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
    "SendWindowOpened",
    "StreamGone",
    "StreamReset",
    "TooManyStreams",
    "Truncated",
    "encode_prefix",
]
