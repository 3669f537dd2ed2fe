"""Floor 3, bytes: the only folder that moves payload. A tour, from the bottom up.

- `contract`     what a `ByteStream` promises; the three errors that say whose fault it is.
- `memory`, `sockets`, `stdio`   streams over memory, TCP and Unix sockets, and descriptors of any kind.
- `splice`       the one splice of two streams; half-closes, aborts, counts.
- `dialling`     connects and listens.
- `windows`      how large a receive window is.   `liveness`  whether the other end is there.
- `pace`, `rooms`  how much one connection does in a turn, and holds of messages in parts.   `hits`  counts.
- `http2`        the asyncio shell of the engine in `pyopenshell.http2`: one connection, many `Http2Stream`s.
- `calls`        gRPC messages on a stream; what the two sides of a call share.
- `grpc_server`  `Call`, `unary`, `server_stream`.   `serving`  one call from headers to status.   `listener`  `GrpcServer`.
  `accepting`  who gets a connection.   `strangers`  what peers get that nobody vouched for.
- `approach`     the way to a gateway: `racing` (Happy Eyeballs), `proxies`, `exemptions` (NO_PROXY), TLS, `segments`.
- `grpc_client`  `Channel`.   `client_call`  `ClientCall`.
- `data_leg`, `raw_leg`   the ends of a relay: `DataLeg` (SDK, supervisor) and `RawLeg` (gateway).
- `exec`         exec frames over any stream.   `tls`  the TLS contexts of both sides.

Import the names from here; the files' own docstrings say how each works. `tls` alone is loaded when a name of it is first
asked for: a supervisor's memory has no room for a library that it does not use.
"""

from typing import TYPE_CHECKING, Any

from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamBusy, StreamClosed
from pyopenshell.streams.data_leg import DataLeg
from pyopenshell.streams.dialling import connect_tcp, connect_unix, listen_tcp, serve
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.streams.grpc_client import Channel, Endpoint
from pyopenshell.streams.grpc_server import Call, Handler, server_stream, unary
from pyopenshell.streams.listener import GrpcServer
from pyopenshell.streams.memory import pair
from pyopenshell.streams.peers import Peer
from pyopenshell.streams.raw_leg import FEATURE_END, FEATURE_RESUME, FEATURES, RawLeg
from pyopenshell.streams.sockets import SocketStream, adopt
from pyopenshell.streams.splice import Tally, splice
from pyopenshell.streams.stdio import FdStream

if TYPE_CHECKING:
    from pyopenshell.streams.tls import client_context, server_context

__all__ = [
    "FEATURES",
    "FEATURE_END",
    "FEATURE_RESUME",
    "Buffer",
    "ByteStream",
    "Call",
    "Channel",
    "ClientCall",
    "DataLeg",
    "Endpoint",
    "ExecChannel",
    "FdStream",
    "GrpcServer",
    "Handler",
    "Peer",
    "RawLeg",
    "SocketStream",
    "StreamBroken",
    "StreamBusy",
    "StreamClosed",
    "Tally",
    "adopt",
    "client_context",
    "connect_tcp",
    "connect_unix",
    "listen_tcp",
    "pair",
    "serve",
    "server_context",
    "server_stream",
    "splice",
    "unary",
]


def __getattr__(name: str) -> Any:
    if name not in ("client_context", "server_context"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pyopenshell.streams import tls

    return getattr(tls, name)
