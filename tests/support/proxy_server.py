"""A small HTTP proxy for CONNECT, on a loopback port: joins, refuses, or says what a test has it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pyopenshell.streams import SocketStream, StreamBroken, Tally, connect_tcp, listen_tcp, serve, splice

JOINED = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"


@dataclass
class FakeProxy:
    """`requests` are the heads that came. With `joins` false it says `answer` and closes; `to` is where all tunnels lead."""

    answer: bytes = JOINED
    joins: bool = True
    to: tuple[str, int] | None = None
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    async def handle(self, near: SocketStream) -> None:
        """One connection to the proxy."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (chunk := bytes(await near.read())):
                return
            head += chunk
        self.requests.append(head)
        if not self.joins:
            await near.write(self.answer)
            await near.end()
            await near.read()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        far = await connect_tcp(*(self.to or (host.strip("[]"), int(port))))
        await near.write(self.answer)
        await splice(near, far, Tally())


@asynccontextmanager
async def accepting(handle: Callable[[SocketStream], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    """The loopback port on which each connection is given to `handle`; all are cut at the end of the block."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(stream: SocketStream) -> None:
        try:
            await handle(stream)
        except StreamBroken:
            pass
        finally:
            stream.abort()

    def arrived(stream: SocketStream) -> None:
        tasks.add(asyncio.create_task(one(stream)))

    sock = listen_tcp("127.0.0.1", 0)
    server = await serve(sock, arrived)
    try:
        yield sock.getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close in the next turn


@asynccontextmanager
async def proxying(proxy: FakeProxy) -> AsyncIterator[FakeProxy]:
    """`proxy` on a port of its own for the time of the block."""
    async with accepting(proxy.handle) as port:
        proxy.port = port
        yield proxy
