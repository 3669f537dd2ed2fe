"""Pipes and terminals of a process, read and written without blocking and without a thread.

A descriptor that came from init is hostile: it is made non-blocking here, every read is bounded, and an error of it is the
end of that direction and nothing more. A read is tried at once and the event loop is asked only where nothing was there,
so a full pipe is emptied with one system call a chunk. Where a chunk was handed on, the next one is a new object: whoever
took it may keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Callable

from pyopenshell.model import TerminalSize

CHUNK = 128 * 1024  # bytes of one read: two frames of an exec stream; 256 KiB measured no faster
PIPE_SIZE = 1024 * 1024  # F_SETPIPE_SZ; the unprivileged ceiling of pipe(7) (/proc/sys/fs/pipe-max-size)
BURST = 1024 * 1024  # bytes read without asking the event loop, so that one busy pipe starves nobody
_GONE = frozenset({errno.EIO, errno.EBADF, errno.EPIPE, errno.ECONNRESET, errno.ENXIO})


def widen(fd: int) -> None:
    """Give the pipe room for a megabyte where the system allows it; anything else keeps what it has."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE)


def resize(fd: int, size: TerminalSize) -> None:
    """Set the size of the terminal behind master `fd` (TIOCSWINSZ, ioctl_tty(2)); a terminal that is gone is ignored."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows & 0xFFFF, size.cols & 0xFFFF, 0, 0))


class PipeReader:
    """The reading end. Owns `fd`; one reader at a time."""

    def __init__(self, fd: int, chunk: int = CHUNK) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._chunk = chunk
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[bool] | None = None
        self._burst = 0
        self._quiet: float | None = None
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def read(self) -> bytes:
        """The next chunk, b"" at the end: also of a terminal that nobody holds any more, and of a closed reader."""
        if self._burst >= BURST:
            self._burst = 0
            await asyncio.sleep(0)
        while self._fd >= 0 and not self._too_late():
            try:
                data = os.read(self._fd, self._chunk)
            except BlockingIOError:
                self._burst = 0
                if await self._readable():
                    continue
                return b""
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                return b""
            self._burst += len(data)
            return data
        return b""

    def linger(self, quiet: float, limit: float) -> None:
        """From now on the end is also when nothing came for `quiet` seconds, and in any case in `limit` seconds."""
        self._quiet = quiet
        self._last = self._loop.time() + limit
        self._arm()

    def _too_late(self) -> bool:
        return self._quiet is not None and self._loop.time() >= self._last

    async def _readable(self) -> bool:
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter = waiter
        self._loop.add_reader(self._fd, _settle, waiter, True)
        self._arm()
        try:
            return await waiter
        finally:
            self._waiter = None
            if self._timer is not None:
                self._timer.cancel()
            if self._fd >= 0:
                self._loop.remove_reader(self._fd)

    def _arm(self) -> None:
        if self._waiter is not None and self._quiet is not None:
            self._timer = self._loop.call_later(self._quiet, _settle, self._waiter, False)

    def close(self) -> None:
        """Give the descriptor up; a reader that waits gets the end. Idempotent."""
        if self._fd < 0:
            return
        if self._waiter is not None:
            self._loop.remove_reader(self._fd)
            _settle(self._waiter, False)
        fd, self._fd = self._fd, -1
        os.close(fd)


class PipeWriter:
    """The writing end. Owns `fd`. What a process no longer reads (EPIPE of write(2)) is dropped.

    `on_close` is called once the descriptor is closed.
    """

    def __init__(self, fd: int, on_close: Callable[[], None] = lambda: None) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[bool] | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._fd < 0

    async def write(self, data: bytes | memoryview) -> bool:
        """Write everything, waiting while the pipe is full; False when the other side no longer reads."""
        view = memoryview(data)
        while view and self._fd >= 0:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                self.close()
        return self._fd >= 0

    async def _writable(self) -> None:
        waiter = self._loop.create_future()
        self._waiter = waiter
        self._loop.add_writer(self._fd, _settle, waiter, True)
        try:
            await waiter
        finally:
            self._waiter = None
            if self._fd >= 0:
                self._loop.remove_writer(self._fd)

    def close(self) -> None:
        """Close the pipe, which is the end of input for its reader. Idempotent."""
        if self._fd < 0:
            return
        if self._waiter is not None:
            self._loop.remove_writer(self._fd)
            _settle(self._waiter, True)
        fd, self._fd = self._fd, -1
        os.close(fd)
        self._on_close()


def _settle(waiter: asyncio.Future[bool], value: bool) -> None:
    if not waiter.done():
        waiter.set_result(value)
