"""Connects to a loopback port of the sandbox without blocking, and hands the connected socket over."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from pyopenshell.supervisor.init_loop import WRITE, Loop

#: A full listen queue drops the SYN and Linux repeats it after 1, 3 and 7 s; the relay's own deadline is 10 s.
DIAL_TIMEOUT = 10.0

#: Called with the connected, non-blocking socket and 0, or with None and an errno of connect(2).
Answer = Callable[[socket.socket | None, int], None]


def dial(loop: Loop, host: str, port: int, answer: Answer) -> None:
    """Connect to a numeric address. `answer` is called once, possibly before this returns."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        answer(None, error.errno or errno.EMFILE)
        return
    number = _start(sock, host, port)
    if number != errno.EINPROGRESS:
        _finish(sock, number, answer)
        return
    waiting = True

    def connected() -> None:
        end(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def late() -> None:
        if waiting:
            end(errno.ETIMEDOUT)

    def end(how: int) -> None:
        nonlocal waiting
        waiting = False
        loop.forget(sock.fileno())
        _finish(sock, how, answer)

    loop.watch(sock.fileno(), WRITE, connected)
    loop.later(DIAL_TIMEOUT, late)


def _start(sock: socket.socket, host: str, port: int) -> int:
    try:
        return sock.connect_ex((host, port))
    except (OSError, ValueError, OverflowError) as error:
        return getattr(error, "errno", None) or errno.EINVAL


def _finish(sock: socket.socket, number: int, answer: Answer) -> None:
    if number:
        sock.close()
        answer(None, number)
    else:
        answer(sock, 0)


def explain(host: str, port: int, number: int) -> str:
    """What to tell about a failed dial."""
    if number == errno.ECONNREFUSED:
        return f"nothing listens on {host}:{port} in the sandbox"
    if number == errno.ETIMEDOUT:
        return f"{host}:{port} in the sandbox did not answer within {DIAL_TIMEOUT:.0f} s"
    return f"{host}:{port} in the sandbox cannot be reached: {os.strerror(number).lower()}"
