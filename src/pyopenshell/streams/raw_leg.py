"""`RawLeg`: the gateway's side of one call of a relay, raw gRPC bytes, so that two of them can be spliced uncopied.

Reading follows the message prefixes: a compressed flag, a length over the limit or an end inside a message breaks the
leg. The peer says "no more from me" by END_STREAM of its request. Told to it is the other side's end (design, decision 2):

| peer                       | `end` sends                                                                 |
|----------------------------|-----------------------------------------------------------------------------|
| announced FEATURE_END      | an `end` message; trailers when both directions have ended                  |
| near, announced nothing    | trailers, when nothing came from it for QUIET seconds: that is its end too  |
| far, announced nothing     | trailers at once: the near end is the end of its response                   |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyopenshell.http2.grpc_messages import MessageError, PrefixFollower
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamClosed
from pyopenshell.streams.grpc_server import Call
from pyopenshell.wire.data_frames import END_MESSAGE
from pyopenshell.wire.status import GrpcStatus

FEATURE_END = 1
FEATURE_RESUME = 2
#: What this version can do. Resume is not built.
FEATURES = (FEATURE_END,)

#: Largest message that a relay passes on (design, decision 1).
RELAYED_MAX = 1024 * 1024
#: Silence of a near peer that cannot be told the far end, after which its call ends: seconds (design, decision 2).
QUIET = 0.3


class RawLeg(ByteStream):
    """One call of a relay. `features` are those that the peer announced; `near` tells which side it is.

    From here on a peer's reset breaks this stream and does not cancel the call's handler.
    """

    def __init__(self, call: Call, *, features: frozenset[int], near: bool) -> None:
        self.call = call
        self._told = FEATURE_END in features
        self._near = near
        self._follower = PrefixFollower(RELAYED_MAX)
        self._ended_in = False
        self._ended_out = False
        self._closed = False
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        call.detach()
        call.start()

    def __repr__(self) -> str:
        return f"<RawLeg {'near' if self._near else 'far'} {self.call.stream!r}>"

    async def read(self) -> Buffer:
        chunk = await self.call.read_raw()
        self._heard = asyncio.get_running_loop().time()
        try:
            if chunk:
                self._follower.feed(chunk if isinstance(chunk, memoryview) else memoryview(chunk))
            else:
                self._follower.end()
                self._ended_in = True
        except MessageError as error:
            raise StreamBroken(f"{self.call.stream.connection.hop} broke the message framing: {error}") from None
        return chunk

    async def write(self, *data: Buffer) -> None:
        if self._ended_out:
            raise StreamClosed("write after end")
        await self.call.write_raw(*data)

    async def write_message(self, framed: bytes) -> None:
        """Put a message of the gateway's own (with its prefix) between two of the other side's, before any relaying."""
        await self.call.write_raw(framed)

    async def end(self) -> None:
        if self._ended_out:
            return
        if self._told:
            await self.call.write_raw(END_MESSAGE)
        elif self._near:
            self._heard = asyncio.get_running_loop().time()
            self._timer = asyncio.get_running_loop().call_later(QUIET, self._quiet)
        else:
            self.call.finish_now()
        self._ended_out = True

    def _quiet(self) -> None:
        """Nothing more may come from the near peer: take its direction as ended, unless something came."""
        loop = asyncio.get_running_loop()
        stream = self.call.stream
        silent = loop.time() - self._heard
        if stream.unread or silent < QUIET:
            self._timer = loop.call_later(max(QUIET - silent, QUIET / 10), self._quiet)
        else:
            self._timer = None
            stream.stop_reading()

    def abort(self, reason: str = "") -> None:
        """As the contract: ABORTED with `reason` where the peer can get it now, RST_STREAM otherwise."""
        if not self._closed:
            self._release()
            self.call.abort(reason)

    async def close(self) -> None:
        if self._closed:
            return
        if not (self._ended_in and self._ended_out):
            self.abort("the relay was closed before both directions had ended")
            return
        self._release()
        dropped = self.call.stream.dropped
        if dropped:
            await self.call.finish(GrpcStatus.ABORTED, f"{dropped} bytes not delivered")
        else:
            await self.call.finish()

    def on_break(self, tell: Callable[[], None]) -> None:
        self.call.stream.on_over = tell

    def _release(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
