"""A supervisor's RelayStream as a byte stream, for the gateway's own use of a relay (ExecSandbox).

Where two calls are spliced the gateway passes raw gRPC bytes on (`streams.raw_leg`); here it is the near end itself, so it
writes `data` messages and reads their payload.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from pyopenshell.errors import OpenShellError
from pyopenshell.streams.contract import Buffer, ByteStream, StreamBroken, StreamClosed
from pyopenshell.streams.grpc_server import Call
from pyopenshell.streams.raw_leg import FEATURE_END
from pyopenshell.wire.data_frames import CHUNK, END_MESSAGE, DataScanner, End, data_header


class FarStream(ByteStream):
    """The far end of a relay. `features` are those that the supervisor announced."""

    def __init__(self, call: Call, features: frozenset[int]) -> None:
        self.call = call
        self._told = FEATURE_END in features
        self._scanner = DataScanner()
        self._pieces: deque[memoryview] = deque()
        self._ended_in = False
        self._ended_out = False
        self._closed = False
        call.detach()
        call.start()

    async def read(self) -> Buffer:
        while not self._pieces and not self._ended_in:
            chunk = await self.call.read_raw()
            if not chunk:
                if not self._scanner.at_boundary:
                    raise StreamBroken("the supervisor ended the relay inside a message")
                self._ended_in = True
                break
            try:
                for piece in self._scanner.feed(chunk):
                    if isinstance(piece, memoryview):
                        self._pieces.append(piece)
                    elif isinstance(piece, End):
                        self._ended_in = True
            except OpenShellError as error:
                raise StreamBroken(error.message) from None
        return self._pieces.popleft() if self._pieces else b""

    async def write(self, *data: Buffer) -> None:
        if self._ended_out:
            raise StreamClosed("write after end")
        for buffer in data:
            view = memoryview(buffer)
            for at in range(0, len(view), CHUNK):
                piece = view[at : at + CHUNK]
                await self.call.write_raw(data_header(len(piece)), piece)

    async def end(self) -> None:
        if self._ended_out:
            return
        self._ended_out = True
        if self._told:
            await self.call.write_raw(END_MESSAGE)
        else:
            self.call.finish_now()

    def abort(self, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self.call.abort(reason)

    async def close(self) -> None:
        if self._closed:
            return
        if not (self._ended_in and self._ended_out):
            self.abort("the relay was closed before both directions had ended")
            return
        self._closed = True
        await self.call.finish()

    def on_break(self, tell: Callable[[], None]) -> None:
        self.call.stream.on_over = tell
