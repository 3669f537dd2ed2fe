"""One direction of a descriptor of any kind, read or written without ever touching the flags of its shared description.

O_NONBLOCK belongs to the open file description, which other processes share (fcntl(2)); a shell whose terminal was left
non-blocking breaks. So:

| kind                       | how                                                                            |
|----------------------------|--------------------------------------------------------------------------------|
| socket                     | MSG_DONTWAIT on each call, the event loop tells when (recv(2))                 |
| pipe, terminal             | opened anew through /proc/self/fd with O_NONBLOCK: a description of its own    |
| regular file, all the rest | blocking calls, each in a thread that dies with the process                    |

What cannot be opened anew (another system, another owner, a path that is gone) is of the last kind too.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from pyopenshell.streams.transports import wake

T = TypeVar("T")

#: Most bytes of one read: what a pipe can be made to hold without privilege is 1 MiB, by default 64 KiB (pipe(7)).
READ_MAX = 256 * 1024


class Port(ABC):
    """One direction. The methods raise OSError."""

    @abstractmethod
    async def read(self) -> bytes:
        """Up to READ_MAX bytes, b"" at the end. Cancelling it loses none."""

    @abstractmethod
    async def write(self, data: memoryview) -> int:
        """Write some of `data`, at least one byte."""

    @abstractmethod
    def close(self) -> None:
        """Close the descriptor; a pending call ends with EOF or never."""


class _PolledPort(Port):
    """The event loop says when the descriptor is ready; the call itself never blocks."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    async def read(self) -> bytes:
        while not self._closed:
            try:
                return self._read_now()
            except (BlockingIOError, InterruptedError):
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
        return b""

    async def write(self, data: memoryview) -> int:
        while not self._closed:
            try:
                return self._write_now(data)
            except (BlockingIOError, InterruptedError):
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
        raise BrokenPipeError

    def _read_now(self) -> bytes:
        return os.read(self._fd, READ_MAX)

    def _write_now(self, data: memoryview) -> int:
        return os.write(self._fd, data)

    async def _ready(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        self._waiter = self._loop.create_future()
        add(self._fd, wake, self._waiter)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if not self._closed:
                remove(self._fd)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._close_now()
        wake(self._waiter)

    def _close_now(self) -> None:
        os.close(self._fd)


class _ReopenedPort(_PolledPort):
    """A pipe or terminal with a description of our own; the original is closed with it."""

    def __init__(self, original: int, fd: int) -> None:
        super().__init__(fd)
        self._original = original

    def _close_now(self) -> None:
        os.close(self._fd)
        os.close(self._original)


class _SocketPort(_PolledPort):
    """One direction of a socket. With `half_close`, closing it ends our direction for the peer."""

    def __init__(self, fd: int, *, half_close: bool) -> None:
        super().__init__(fd)
        self._sock = socket.socket(fileno=fd)
        self._half_close = half_close

    def _read_now(self) -> bytes:
        return self._sock.recv(READ_MAX, socket.MSG_DONTWAIT)

    def _write_now(self, data: memoryview) -> int:
        return self._sock.send(data, socket.MSG_DONTWAIT)

    def _close_now(self) -> None:
        if self._half_close:
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the peer is gone: there is nobody to tell
        self._sock.close()


class _ThreadPort(Port):
    """Blocking calls, one at a time, each in a daemon thread; a call that never ends does not keep the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._busy = False
        self._closed = False
        self._reading: asyncio.Future[bytes] | None = None
        self._ended = self._loop.create_future()

    async def read(self) -> bytes:
        if self._reading is None:
            self._reading = self._call(lambda: os.read(self._fd, READ_MAX))
        await asyncio.wait((self._reading, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if self._closed:
            return b""
        done, self._reading = self._reading, None
        return done.result()

    async def write(self, data: memoryview) -> int:
        writing = self._call(lambda: os.write(self._fd, data))
        await asyncio.wait((writing, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if self._closed:
            raise BrokenPipeError
        return writing.result()

    def _call(self, act: Callable[[], T]) -> asyncio.Future[T]:
        """Run `act` in a thread. The descriptor stays open until it is back: its number must not become another's."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._busy = True

        def run() -> None:
            result: T | None = None
            error: OSError | None = None
            try:
                result = act()
            except OSError as caught:
                error = caught
            with self._lock:
                self._busy = False
                if self._closed:
                    os.close(self._fd)
                    return
            try:
                self._loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more

        threading.Thread(target=run, name=f"descriptor {self._fd}", daemon=True).start()
        return future

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if not self._busy:
                os.close(self._fd)
        wake(self._ended)


def _settle(future: asyncio.Future[Any], result: object, error: OSError | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def reading(fd: int) -> Port:
    """A port that reads `fd`, and owns it."""
    return _port(fd, os.O_RDONLY, half_close=False)


def writing(fd: int, *, half_close: bool = True) -> Port:
    """A port that writes `fd`, and owns it. Without `half_close` a socket can go on being written by others who hold it."""
    return _port(fd, os.O_WRONLY, half_close=half_close)


def _port(fd: int, mode: int, *, half_close: bool) -> Port:
    kind = os.fstat(fd).st_mode
    if stat.S_ISSOCK(kind):
        return _SocketPort(fd, half_close=half_close)
    if sys.platform == "linux" and (stat.S_ISFIFO(kind) or (stat.S_ISCHR(kind) and os.isatty(fd))):
        try:
            again = os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return _ThreadPort(fd)
        return _ReopenedPort(fd, again)
    return _ThreadPort(fd)
