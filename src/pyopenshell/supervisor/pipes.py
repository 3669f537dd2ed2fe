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

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._burst = 0

    @property
    def closed(self) -> bool:
        """Whether the descriptor was given up."""
        return self._fd < 0

    async def read(self, quiet: float | None = None) -> bytes | None:
        """The next chunk, b"" at the end, or None when nothing came for `quiet` seconds."""
        if self._burst >= BURST:
            self._burst = 0
            await asyncio.sleep(0)
        while self._fd >= 0:
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                self._burst = 0
                if not await self._readable(quiet):
                    return None
                continue
            except OSError as error:
                if error.errno not in _GONE:  # EIO is how a terminal says that its last holder closed it
                    raise
                data = b""
            self._burst += len(data)
            return data
        return b""

    async def _readable(self, quiet: float | None) -> bool:
        waiter = self._loop.create_future()
        self._waiter = waiter
        self._loop.add_reader(self._fd, _settle, waiter, True)
        timer = None if quiet is None else self._loop.call_later(quiet, _settle, waiter, False)
        try:
            return await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            if self._fd >= 0:
                self._loop.remove_reader(self._fd)

    def close(self) -> None:
        """Give the descriptor up; a reader that waits gets the end. Idempotent."""
        if self._fd < 0:
            return
        if self._waiter is not None:
            self._loop.remove_reader(self._fd)
            _settle(self._waiter, True)
        fd, self._fd = self._fd, -1
        os.close(fd)


class PipeWriter:
    """The writing end. Owns `fd`. What is written to a process that closed its input is dropped, as write(2) would say EPIPE."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
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


def _settle(waiter: asyncio.Future[bool], value: bool) -> None:
    if not waiter.done():
        waiter.set_result(value)
