"""Round trips, counted: an event loop whose clock moves only when nobody has anything left to do, and a long way in it.

`LockstepLoop` runs what is ready, and jumps to its next timer when nothing is: computing takes no time, waiting all of it.
`LongWay` passes TCP connections on, half a round trip later in each direction. So what an operation takes on the loop's
clock is the count of its round trips, the same on every machine. The loop does not jump while a thread works for it, nor
while bytes that were written have not reached the kernel's other end.

    with lockstep() as loop:
        loop.run_until_complete(...)
        assert loop.round_trips == 1
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import selectors
import socket
import stat
import struct
import termios
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds on the loop's clock; small against every timer of ours, so that none of them comes into the count.
ROUND_TRIP = 0.001
CHUNK = 65_536
TCP_ESTABLISHED = 1  # include/net/tcp_states.h
TCP_CONNECTING = (2, 3)  # SYN sent, SYN received


class _Selector(selectors.DefaultSelector):
    """Never waits for time: tells the loop to move its clock instead."""

    loop: LockstepLoop

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self.loop.working or timeout is None:
            return super().select(None)  # a thread or another process has the word, and will wake us
        while self._under_way():
            if found := super().select(0):
                return found
        self.loop.now += timeout or 0.0
        return []

    def _under_way(self) -> bool:
        return any(_under_way(key.fd) for key in self.get_map().values())


def _under_way(descriptor: int) -> bool:
    """Whether a connection has bytes that its peer's kernel has not acknowledged (tcp(7), SIOCOUTQ), or is being made."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    if state != TCP_ESTABLISHED:
        return state in TCP_CONNECTING
    (unsent,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
    return bool(unsent)


class LockstepLoop(asyncio.SelectorEventLoop):
    """The loop; `now` is its clock in seconds, `working` what threads do for it."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        self.working = 0
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        self.working += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._worked)
        return future

    def _worked(self, _: object) -> None:
        self.working -= 1

    async def count(self, work: Awaitable[T]) -> tuple[T, float]:
        """The result of `work`, and how many round trips it took, in halves."""
        start = self.now
        result = await work
        return result, round(2 * (self.now - start) / ROUND_TRIP) / 2


class LongWay:
    """Listens on loopback, and passes connections on to `target` over the long way. `connections` counts them."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.connections = 0

    async def start(self) -> tuple[str, int]:
        """Listen; the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """A connection, which took a round trip to make; the client's first bytes come half a one later."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        writers = [back]
        try:
            await asyncio.sleep(ROUND_TRIP)
            far, forth = await asyncio.open_connection(*self._target)
            writers.append(forth)
            await asyncio.gather(self._carry(near, forth), self._carry(far, back))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        pieces: deque[bytes] = deque()  # timers of one moment come in any order, bytes do not

        def arrive() -> None:
            if data := pieces.popleft():
                sink.write(data)
            elif not ended.done():
                ended.set_result(None)

        while True:
            data = await source.read(CHUNK)
            pieces.append(data)
            loop.call_later(ROUND_TRIP / 2, arrive)
            if not data:
                break
        await ended
        if sink.can_write_eof():
            sink.write_eof()


@contextlib.asynccontextmanager
async def long_way(target: tuple[str, int]) -> AsyncIterator[tuple[str, int]]:
    """The address of a long way to `target`, for the time of the block."""
    way = LongWay(target)
    address = await way.start()
    try:
        yield address
    finally:
        await way.close()


@contextlib.contextmanager
def lockstep() -> Iterator[LockstepLoop]:
    """A loop for the block; everything that still runs on it is cancelled at the end, as asyncio.run does."""
    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, LockstepLoop)
        yield loop
