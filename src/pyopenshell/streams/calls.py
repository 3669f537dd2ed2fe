"""What both sides of a gRPC call share: length-prefixed messages on an HTTP/2 stream.

Any number of tasks may write: messages are never mixed. One task reads. A relay takes the raw bytes after its first
messages with `read_raw` and writes with `write_raw`; what came along with the last message read is not lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from struct import Struct
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.grpc_messages import PREFIX_BYTES, encode_prefix
from pyopenshell.streams.contract import Buffer, StreamBroken
from pyopenshell.streams.http2_stream import Http2Stream

M = TypeVar("M", bound=Message)

#: Largest message of a call that is no relay: gRPC's own default for receiving, and the contract's.
MESSAGE_MAX = 4 * 1024 * 1024
#: Seconds for a message to come to its end once it began, and one more for every MESSAGE_RATE bytes. nginx: 60 s.
MESSAGE_SECONDS = 60.0
MESSAGE_RATE = 16 * 1024

_PREFIX = Struct(">BL")


class MessageCall:
    """One side of a call."""

    def __init__(self, stream: Http2Stream, limit: int = MESSAGE_MAX) -> None:
        self.stream = stream
        self.limit = limit
        self._chunks: deque[memoryview] = deque()
        self._have = 0
        self._length: int | None = None  # of the message whose prefix was read
        self._lock = asyncio.Lock()

    # -- reading ----------------------------------------------------------------------------------------------------

    async def read_message(self) -> Buffer | None:
        """The next message, None at the end of the peer's direction.

        Raises StreamBroken, StreamClosed; EXHAUSTED for a message over the limit, INTERNAL for a compressed one:
        its call named no encoding (grpc/doc/compression.md).
        """
        if self._length is None:
            prefix = await self._exactly(PREFIX_BYTES)
            if prefix is None:
                return None
            compressed, length = _PREFIX.unpack(prefix)
            if compressed:
                raise OpenShellError(Code.INTERNAL, "a message is compressed, which was not agreed on")
            if length > self.limit:
                self.stream.connection.hits.count("message_size")
                raise OpenShellError(
                    Code.EXHAUSTED, f"a message of {length} bytes is over the limit of {self.limit} bytes"
                )
            self._length = length
        message = await self._body(self._length)
        self._length = None
        return message

    async def _body(self, n: int) -> memoryview | None:
        if self._have >= n:
            return await self._exactly(n)
        connection = self.stream.connection
        try:
            async with connection.room.place(n), asyncio.timeout(MESSAGE_SECONDS + n / MESSAGE_RATE) as timeout:
                return await self._exactly(n)
        except TimeoutError:
            if not timeout.expired():
                raise
            connection.hits.count("message_time")
            raise OpenShellError(Code.DEADLINE, "a message did not come to its end in time") from None

    async def read_raw(self) -> Buffer:
        """The next bytes as they came, b"" at the end."""
        if self._chunks:
            chunk = self._chunks.popleft()
            self._have -= len(chunk)
            return chunk
        return await self.stream.read()

    def parse(self, kind: type[M], data: Buffer) -> M:
        """`data` as a message of `kind`. Raises INVALID."""
        try:
            return kind.FromString(bytes(data))
        except DecodeError:
            raise OpenShellError(Code.INVALID, f"a message is not a valid {kind.DESCRIPTOR.name}") from None

    async def _exactly(self, n: int) -> memoryview | None:
        """`n` bytes, in one piece; None when the direction ends before the first of a prefix."""
        while self._have < n:
            chunk = await self.stream.read()
            if not chunk:
                if self._length is None and not self._have:
                    return None
                raise StreamBroken(f"{self.stream.connection.hop} ended the call inside a message")
            self._chunks.append(memoryview(chunk))
            self._have += len(chunk)
        self._have -= n
        if not n:
            return memoryview(b"")
        first = self._chunks[0]
        if len(first) > n:
            self._chunks[0] = first[n:]
            return first[:n]
        if len(first) == n:
            return self._chunks.popleft()
        parts: list[memoryview] = []
        while n:
            piece = self._chunks.popleft()
            if len(piece) > n:
                self._chunks.appendleft(piece[n:])
                piece = piece[:n]
            parts.append(piece)
            n -= len(piece)
        return memoryview(b"".join(parts))

    # -- writing ----------------------------------------------------------------------------------------------------

    async def write(self, message: Buffer) -> None:
        """Send one message (its serialized bytes). Raises StreamBroken, StreamClosed."""
        async with self._lock:
            await self.write_raw(encode_prefix(len(message)), message)

    async def send(self, message: Message) -> None:
        """As `write`, serialized here."""
        await self.write(message.SerializeToString())

    async def write_raw(self, *buffers: Buffer) -> None:
        """Send bytes that are framed already."""
        await self.stream.write(*buffers)
