"""`DataLeg`: a relay's end at the SDK or the supervisor, a client's gRPC call as a byte stream.

Written bytes become `data` messages whose payload is not copied. Read bytes are handed on as they arrive, also before
their message is complete; reading ends with `end` (field 1001) or with the call itself (status OK). `end` of ours is
END_STREAM of the request (design, decision 2).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pyopenshell.errors import OpenShellError
from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken
from pyopenshell.wire.data_frames import CHUNK, DataScanner, End, Init, data_header

#: Seconds that `close` waits for the gateway's last word, when both directions have ended.
STATUS_TIMEOUT = 10.0


class DataLeg(ByteStream):
    """A call as a byte stream. Send the call's `init` message with `call.send` first, then build this.

    The gateway's own `init` (features, relay id) never shows up among the bytes: `await leg.init()`, or `on_init`, which is
    told of it before any byte behind it is read, and may raise what `read` raises.
    """

    def __init__(self, call: ClientCall) -> None:
        self.call = call
        self._scanner = DataScanner()
        self._pieces: deque[memoryview | Init | End] = deque()
        self._started = False
        self._ended = False
        self._closed = False
        #: The serialized TcpForwardInit that the gateway's first message held, once it was read; None before, or for ever.
        self.greeting: bytes | None = None
        self.on_init: Callable[[bytes], None] = lambda _: None

    def __repr__(self) -> str:
        return f"<DataLeg {self.call.stream!r}>"

    async def init(self) -> bytes | None:
        """The serialized TcpForwardInit of the first response message, waiting for it; None from an old peer.

        To be called before the first `read`, or not at all. Raises as `read`.
        """
        if not await self._more():
            return None
        first = self._pieces[0]
        if not isinstance(first, Init):
            return None
        self._pieces.popleft()
        self.greeting = first.data
        return first.data

    async def read(self) -> Buffer:
        while not self._ended:
            while self._pieces:
                piece = self._pieces.popleft()
                if isinstance(piece, memoryview):
                    return piece
                if isinstance(piece, End):
                    self._ended = True
                    self._pieces.clear()
                    return b""
                self.greeting = piece.data
                self.on_init(piece.data)
            if not await self._more():
                self._ended = True
        return b""

    async def _more(self) -> bool:
        """Wait for at least one piece; False at the end of the call. Raises StreamBroken, StreamClosed, StreamBusy."""
        while not self._pieces:
            try:
                chunk = await self.call.read_raw()
            except StreamBroken as error:
                raise self.call.judged(error) from None
            if not chunk:
                self._end_of_call()
                return False
            try:
                self._pieces += self._scanner.feed(chunk)
            except OpenShellError as error:
                broken = StreamBroken(error.message)
                self.call.stream.fail(broken)
                raise broken from None
        return True

    def _end_of_call(self) -> None:
        error = self.call.error
        if error is not None:
            raise StreamBroken(error.message, code=error.code)
        if not self._scanner.at_boundary:
            raise StreamBroken("the gateway ended the call inside a message")

    async def write(self, *data: Buffer) -> None:
        """As the contract. The bytes of one call are one message, as long as they are no more than CHUNK."""
        if sum(map(len, data)) <= CHUNK:
            await self._write_message(data)
            return
        for buffer in data:
            view = memoryview(buffer)
            for at in range(0, len(view), CHUNK):
                await self._write_message((view[at : at + CHUNK],))

    async def _write_message(self, data: tuple[Buffer, ...]) -> None:
        size = sum(map(len, data))
        if not size:
            return  # an empty `data` never means anything
        try:
            await self.call.write_raw(data_header(size), *data)
        except StreamBroken:
            raise
        except OpenShellError as error:
            raise StreamBroken(error.message, code=error.code) from None

    async def end(self) -> None:
        await self.call.end()

    def abort(self, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self.call.cancel(reason)

    async def close(self) -> None:
        """As the contract: waits for the call's status when both directions have ended, at most STATUS_TIMEOUT seconds."""
        if self._closed:
            return
        if not (self._ended and self.call.stream.end_sent):
            self.abort("closed before both directions had ended")
            return
        try:
            async with asyncio.timeout(STATUS_TIMEOUT):
                await self.call.status()
        except TimeoutError:
            raise StreamBroken("the gateway did not say how the relay ended") from None
        except StreamBroken:
            raise
        except OpenShellError as error:
            raise StreamBroken(error.message, code=error.code) from None
        finally:
            self.abort()

    def on_break(self, tell: Callable[[], None]) -> None:
        stream = self.call.stream
        before = stream.on_over

        def over() -> None:
            if before is not None:
                before()
            tell()

        stream.on_over = over
