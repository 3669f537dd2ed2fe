"""The two ends of a relay on gRPC: `DataLeg` at the SDK and the supervisor, `RawLeg` at the gateway.

After its first message a ForwardTcp call and a RelayStream call have the same encoding (`data = 2`, `end = 1001`).
"""

from __future__ import annotations

from pyopenshell.streams.contract import ByteStream
from pyopenshell.streams.grpc_client import ClientCall
from pyopenshell.streams.grpc_server import Call

FEATURE_END = 1
FEATURE_RESUME = 2
FEATURES = (FEATURE_END,)


class DataLeg(ByteStream):
    """A client's call as a byte stream. Write the call's `init` message with `call.send` first, then build this.

    `init` messages from the gateway are put aside: `await leg.init()`.
    """

    def __init__(self, call: ClientCall) -> None: ...

    async def init(self) -> bytes | None:
        """The serialized `init` (TcpForwardInit) of the first response message, waiting for it; None from an old peer."""
        raise NotImplementedError


class RawLeg(ByteStream):
    """The gateway's side of one call: raw gRPC bytes between two calls.

    `features` are those the peer announced; with FEATURE_END in them `end` puts an `end` message. Without: for the
    `near` side, trailers come when nothing was received for 300 ms; for the far side `end` is the end of the response.
    """

    def __init__(self, call: Call, *, features: frozenset[int], near: bool) -> None: ...
