"""What every stream on an asyncio transport needs: socket options, gathered writes, words for errors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import sys
from collections.abc import Sequence

from pyopenshell.streams.contract import Buffer

#: Above this the transport says stop. Bytes in a socket cannot be overtaken, so it is small (design, decision 1).
WRITE_HIGH = 128 * 1024
#: Unsent bytes that the kernel keeps for a TCP socket, TCP_NOTSENT_LOWAT of tcp(7).
NOTSENT_LOWAT = 128 * 1024
#: Below this, a copy costs less than a system call or a TLS record of its own (one record holds 16 KiB, RFC 8446 5.1).
JOIN_BELOW = 16 * 1024
#: SO_LINGER on, no time: close(2) of a TCP socket sends RST, socket(7).
RESETS = struct.pack("ii", 1, 0)


def gathers(version: tuple[int, int, int]) -> bool:
    """Whether writelines of a socket transport passes its buffers to sendmsg(2), and says stop when too many wait.

    It joins them before 3.12, and forgot to say stop before 3.12.9 and 3.13.2 (CVE-2024-12254): a peer that reads nothing
    could make it hold everything.
    """
    return version >= (3, 13, 2) or (3, 12, 9) <= version < (3, 13)


_GATHERS = gathers(sys.version_info[:3])


def tune(transport: asyncio.Transport) -> None:
    """Socket options for bytes that must neither wait nor pile up: TCP_NODELAY and TCP_NOTSENT_LOWAT, tcp(7)."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT)


def bound_silence(transport: asyncio.Transport, seconds: float) -> bool:
    """Whether `transport` is TCP. Then bytes that stay unacknowledged for `seconds` end it, where a platform can do so."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux and Windows
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
    return True


def write_all(transport: asyncio.Transport, buffers: Sequence[Buffer]) -> None:
    """Hand `buffers` to a plain socket's transport in order, as one write where that needs no large copy."""
    if len(buffers) == 1:
        transport.write(buffers[0])
    elif _GATHERS:
        transport.writelines(buffers)
    else:
        transport.write(b"".join(buffers))


def write_records(transport: asyncio.Transport, buffers: Sequence[Buffer]) -> None:
    """The same for TLS, where each buffer becomes records of its own: small neighbours joined, large ones left alone."""
    grouped: list[Buffer] = []
    small: list[Buffer] = []
    for buffer in buffers:
        if len(buffer) < JOIN_BELOW:
            small.append(buffer)
            continue
        if small:
            grouped.append(b"".join(small))
            small = []
        grouped.append(buffer)
    if small:
        grouped.append(b"".join(small))
    transport.writelines(grouped)


class Waiter:
    """A place where one task waits until another part wakes it."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None

    @property
    def taken(self) -> bool:
        """Whether a task waits here."""
        return self._future is not None

    async def wait(self) -> None:
        """Wait for `wake`. The caller looks again afterwards: it may have been woken for nothing."""
        self._future = asyncio.get_running_loop().create_future()
        try:
            await self._future
        finally:
            self._future = None

    def wake(self) -> None:
        """Let the task that waits, if any, look again."""
        wake(self._future)


def wake(waiter: asyncio.Future[None] | None) -> None:
    """Let the one task that awaits `waiter` look again."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def error_words(error: Exception) -> str:
    """What `error` of a transport says to people, without numbers and Python names."""
    if type(error).__module__ == "ssl":  # asked so, because who speaks no TLS has not loaded it
        reason = getattr(error, "reason", None)
        if reason == "WRONG_VERSION_NUMBER":  # OpenSSL took other bytes for the header of a record
            return "TLS: what answers there does not speak it"
        return f"TLS: {reason or error}"
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)  # asyncio puts a call and an address where the system's words belong
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
