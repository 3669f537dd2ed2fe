"""Messages between processes of this machine: one JSON object and its descriptors in one SEQPACKET message.

The object's `fds` says how many descriptors come with it; more, fewer, or a cut message (MSG_CTRUNC, MSG_TRUNC) is an
error and every descriptor that came is closed, so that a hostile peer can neither smuggle nor leak one (unix(7)).
Everything here is synchronous; the asyncio callers wait for readability first and use non-blocking sockets.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyopenshell.errors import OpenShellError
from pyopenshell.linux import descriptors
from pyopenshell.linux.descriptors import close_all

__all__ = [
    "DESCRIPTORS_MAX",
    "MESSAGE_MAX",
    "BadMessageError",
    "Message",
    "close_all",
    "pair",
    "readable",
    "receive_message",
    "send_message",
    "wait_message",
    "writable",
]

#: Below net.core.wmem_default (212,992), so that one message always fits into an empty socket buffer.
MESSAGE_MAX = 192 * 1024
#: Namespaces (7) and a few more: far below SCM_MAX_FD (253).
DESCRIPTORS_MAX = 16

Message = dict[str, Any]


class BadMessageError(Exception):
    """The peer sent what this protocol does not allow."""


def pair() -> tuple[socket.socket, socket.socket]:
    """A connected pair of SEQPACKET sockets, both close-on-exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_message(sock: socket.socket, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message. Raises OSError (the peer is gone, or BlockingIOError), ValueError over the size limit."""
    data = json.dumps({**message, "fds": len(fds)}, separators=(",", ":")).encode()
    if len(data) > MESSAGE_MAX or len(fds) > DESCRIPTORS_MAX:
        raise ValueError(f"a message of {len(data)} bytes and {len(fds)} descriptors is over the limit")
    descriptors.send(sock, data, fds)


def receive_message(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """Take one message and its descriptors (close-on-exec, the caller's to close); None at end of file.

    Raises BadMessageError (nothing of it is kept), OSError.
    """
    try:
        data, fds = descriptors.receive(sock, MESSAGE_MAX, DESCRIPTORS_MAX)
    except OpenShellError as error:
        raise BadMessageError(error.message) from error
    if not data and not fds:
        return None
    try:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadMessageError("a message is no JSON") from error
        if not isinstance(message, dict):
            raise BadMessageError("a message is no JSON object")
        announced = message.pop("fds", None)
        if type(announced) is not int or announced != len(fds):
            raise BadMessageError(f"a message announced {announced!r} descriptors and carried {len(fds)}")
    except BadMessageError:
        close_all(fds)
        raise
    return message, fds


async def wait_message(sock: socket.socket) -> tuple[Message, list[int]] | None:
    """`receive_message` on a non-blocking socket, waiting in the event loop. Raises as it does."""
    while True:
        try:
            return receive_message(sock)
        except BlockingIOError:
            await readable(sock.fileno())


async def readable(fd: int) -> None:
    """Wait in the event loop until `fd` is readable; a pidfd is when its process ended (pidfd_open(2))."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    loop.add_reader(fd, _once(done))
    try:
        await done
    finally:
        loop.remove_reader(fd)


async def writable(fd: int) -> None:
    """Wait in the event loop until `fd` takes more."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    loop.add_writer(fd, _once(done))
    try:
        await done
    finally:
        loop.remove_writer(fd)


def _once(done: asyncio.Future[None]) -> Callable[[], None]:
    """What an event loop may call many times."""

    def ready() -> None:
        if not done.done():
            done.set_result(None)

    return ready
