"""An HTTP/2 client by hand on a real socket: it sends any bytes, as fast as they are taken, and keeps the frames it gets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable

from hpack import Decoder, Encoder

from pyopenshell.http2 import Header
from tests.support.http2_peer import (
    ACK,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    Sent,
    frame,
    ping,
    settings,
    window_update,
)

#: Bytes handed to the socket at once.
BATCH = 64 * 1024
Address = tuple[str, int]


class RawClient:
    """One connection. `frames` are those that came so far."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.frames: list[Sent] = []
        self.sent = 0
        self.answers = True  # PINGs of the server are answered
        self.over = asyncio.Event()  # the server closed
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls, address: Address, tls: ssl.SSLContext | None = None, *parameters: tuple[int, int]
    ) -> RawClient:
        """Connect and say hello."""
        client = await cls.bare(address, tls)
        await client.send([PREFACE, settings(*parameters), frame(SETTINGS, ACK), window_update(0, 2**30)])
        client.listen()
        return client

    @classmethod
    async def bare(cls, address: Address, tls: ssl.SSLContext | None = None) -> RawClient:
        """Connect, say nothing and read nothing."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection(*address, ssl=tls, server_hostname=name, limit=2**20))

    def listen(self) -> None:
        """Read from now on."""
        self._task = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                self.frames.append(Sent(head[3], head[4], int.from_bytes(head[5:9], "big"), payload))
                if head[3] == PING and not head[4] and self.answers:
                    self.writer.write(ping(payload, ack=True))
                self._came.set()
        except (asyncio.IncompleteReadError, OSError):
            self.over.set()
            self._came.set()

    async def send(self, pieces: Iterable[bytes]) -> None:
        """Send all of `pieces`, or as many as the server takes."""
        batch = bytearray()
        try:
            for piece in pieces:
                batch += piece
                if len(batch) >= BATCH:
                    await self._push(batch)
                    batch = bytearray()
                if self.over.is_set():
                    return
            await self._push(batch)
        except OSError:
            return

    async def _push(self, batch: bytearray) -> None:
        self.writer.write(batch)
        await self.writer.drain()
        self.sent += len(batch)
        await asyncio.sleep(0)

    async def until(self, kind: int, stream_id: int = 0) -> Sent:
        """The first frame of a kind on a stream. Raises ConnectionError when the server closes without one."""
        while True:
            for sent in self.frames:
                if (sent.kind, sent.stream_id) == (kind, stream_id):
                    return sent
            if self.over.is_set():
                raise ConnectionError(f"closed after {len(self.frames)} frames, without one of kind {kind}")
            self._came.clear()
            await self._came.wait()

    def headers(self, stream_id: int, path: bytes, end: bool = False, extra: Iterable[Header] = ()) -> bytes:
        """A request."""
        fields = [(name, path if name == b":path" else value) for name, value in REQUEST]
        block = self.encoder.encode([*fields, *extra])
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream_id, block)

    async def status(self, stream_id: int) -> int:
        """grpc-status of a call. Answers on other streams must not have come before on this connection."""
        while True:
            for sent in [sent for sent in self.frames if sent.kind == HEADERS]:
                self.frames.remove(sent)
                fields = dict(self.decoder.decode(sent.payload, raw=True))
                if sent.stream_id == stream_id and b"grpc-status" in fields:
                    return int(fields[b"grpc-status"])
            if self.over.is_set():
                raise ConnectionError("closed without a status")
            self._came.clear()
            await self._came.wait()

    @property
    def goaway(self) -> int | None:
        """The code of the last GOAWAY."""
        return next((sent.code for sent in reversed(self.frames) if sent.kind == GOAWAY), None)

    @property
    def resets(self) -> dict[int, int]:
        """The code of each stream that was reset."""
        return {sent.stream_id: sent.code for sent in self.frames if sent.kind == RST_STREAM}

    async def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass
