"""Connecting to sockets, and listening on them: `SocketStream`s from addresses."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.sockets import SocketProtocol, SocketStream
from pyopenshell.streams.transports import error_words

#: Seconds to connect to a socket of this machine, or near.
CONNECT_TIMEOUT = 10.0
#: Connections that wait to be accepted, listen(2).
BACKLOG = 512


async def connect_tcp(host: str, port: int, timeout: float = CONNECT_TIMEOUT) -> SocketStream:
    """Connect to a TCP port. Raises UNAVAILABLE with the reason."""
    loop = asyncio.get_running_loop()
    return await _connected(loop.create_connection(SocketProtocol, host, port), f"{host} port {port}", timeout)


async def connect_unix(path: str, timeout: float = CONNECT_TIMEOUT) -> SocketStream:
    """Connect to a Unix socket. Raises UNAVAILABLE with the reason."""
    return await _connected(asyncio.get_running_loop().create_unix_connection(SocketProtocol, path), path, timeout)


async def _connected(
    connecting: Awaitable[tuple[asyncio.Transport, SocketProtocol]], what: str, timeout: float
) -> SocketStream:
    try:
        async with asyncio.timeout(timeout):
            _, protocol = await connecting
    except TimeoutError:
        raise OpenShellError(Code.UNAVAILABLE, f"{what} did not answer in {timeout:g} s") from None
    except OSError as error:
        raise OpenShellError(Code.UNAVAILABLE, f"cannot connect to {what}: {error_words(error)}") from error
    return SocketStream(protocol)


async def serve(sock: socket.socket, on_stream: Callable[[SocketStream], None]) -> asyncio.Server:
    """Accept on the bound socket `sock`; `on_stream` is told of each connection. Close the returned server to stop."""
    loop = asyncio.get_running_loop()
    create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
    return await create(lambda: SocketProtocol(on_stream), sock=sock, backlog=BACKLOG)


def listen_tcp(host: str, port: int) -> socket.socket:
    """A bound, not yet listening TCP socket on an IP literal; port 0 is any.

    Raises CONFLICT for a port in use, PRECONDITION otherwise.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        code = Code.CONFLICT if error.errno == errno.EADDRINUSE else Code.PRECONDITION
        raise OpenShellError(
            code, f"cannot listen on {host} port {port}: {error_words(error)}", hint="choose another port"
        ) from error
    sock.setblocking(False)
    return sock
