"""An HTTP/2 client by hand on a real socket: it sends any bytes, as fast as they are taken, and keeps the frames it gets.

It has no transport of asyncio's, for that would throw away what the server said last when a later write fails.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
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

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost") if tls else None
        self._lock = asyncio.Lock()
        self._part = bytearray()
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.frames: list[Sent] = []
        self.came: Counter[int] = Counter()  # frames by kind
        self.sent = 0
        self.answers = True  # PINGs of the server are answered
        self.over = asyncio.Event()  # the server closed
        self._came = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def connect(
        cls, address: Address, tls: ssl.SSLContext | None = None, *parameters: tuple[int, int]
    ) -> RawClient:
        """Connect and say hello."""
        client = await cls.bare(address, tls)
        client.listen()
        await client.send([PREFACE, settings(*parameters), frame(SETTINGS, ACK), window_update(0, 2**30)])
        return client

    @classmethod
    async def bare(cls, address: Address, tls: ssl.SSLContext | None = None) -> RawClient:
        """Connect, say nothing and read nothing, not even into a large buffer of the kernel."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.setblocking(False)
        client = cls(sock, tls)
        await client._loop.sock_connect(sock, address)
        while client._tls is not None:
            try:
                client._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await client._loop.sock_sendall(sock, client._outgoing.read())
                client._incoming.write(await client._loop.sock_recv(sock, BATCH))
        if tls:
            await client._loop.sock_sendall(sock, client._outgoing.read())
        return client

    def listen(self) -> None:
        """Read from now on."""
        self._tasks.append(self._loop.create_task(self._listen()))

    async def _listen(self) -> None:
        try:
            while not self.over.is_set() and (data := await self._loop.sock_recv(self._sock, BATCH)):
                self._take(data if self._tls is None else self._decrypted(self._tls, data))
        except OSError:
            pass
        self.over.set()
        self._came.set()

    def _decrypted(self, tls: ssl.SSLObject, data: bytes) -> bytes:
        self._incoming.write(data)
        clear = bytearray()
        try:
            while piece := tls.read(BATCH):
                clear += piece
            self.over.set()  # close_notify
        except ssl.SSLWantReadError:
            pass
        return bytes(clear)

    def _take(self, data: bytes) -> None:
        self._part += data
        while len(self._part) >= 9 and len(self._part) >= (end := 9 + int.from_bytes(self._part[:3], "big")):
            whole = bytes(self._part[:end])
            del self._part[:end]
            sent = Sent(whole[3], whole[4], int.from_bytes(whole[5:9], "big"), whole[9:])
            self.frames.append(sent)
            self.came[sent.kind] += 1
            if sent.kind == PING and not sent.flags and self.answers:
                self._tasks.append(self._loop.create_task(self.send([ping(sent.payload, ack=True)])))
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
        async with self._lock:
            data: bytes | bytearray = batch
            if self._tls is not None:
                self._tls.write(batch)
                data = self._outgoing.read()
            await self._loop.sock_sendall(self._sock, data)
        self.sent += len(batch)
        await asyncio.sleep(0)

    async def more(self, kind: int, n: int) -> None:
        """Wait until `n` frames of a kind have come, or the server closed."""
        while self.came[kind] < n and not self.over.is_set():
            self._came.clear()
            await self._came.wait()

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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sock.close()
