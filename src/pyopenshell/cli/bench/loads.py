"""The small programs that a forward's figures need at its far end, and the client that times them.

The server speaks one byte of command per connection: `d` sends `BULK` bytes and closes, `u` reads to the end and answers
with the count in decimal, `e` sends every byte back. It is given to a Python inside the sandbox as an argument.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

BULK = 128 * 1024 * 1024  # bytes; about one second at the reference's rate
CHUNK = 256 * 1024
ROUND_TRIPS = 400
OPENS = 30

SERVER = f"""
import socket, sys, threading
def serve(c):
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with c:
        command = c.recv(1)
        if command == b'd':
            block = bytes({CHUNK})
            for _ in range({BULK} // {CHUNK}):
                c.sendall(block)
        elif command == b'u':
            n = 0
            while True:
                got = len(c.recv({CHUNK}))
                if not got:
                    break
                n += got
            c.sendall(str(n).encode())
        elif command == b'e':
            while True:
                data = c.recv(65536)
                if not data:
                    break
                c.sendall(data)
s = socket.create_server(('127.0.0.1', 0), backlog=128)
print(s.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""

Connect = Callable[[], socket.socket]


def connector(host: str, port: int) -> Connect:
    """A function that opens one connection to `host`:`port` without Nagle's delay."""

    def connect() -> socket.socket:
        connection = socket.create_connection((host, port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    return connect


def down(connect: Connect) -> float:
    """Bytes per second towards the near end; raises OSError when bytes are missing."""
    with connect() as connection:
        started = time.perf_counter()
        connection.sendall(b"d")
        buffer = bytearray(CHUNK)
        total = 0
        while got := connection.recv_into(buffer):
            total += got
        elapsed = time.perf_counter() - started
    if total != BULK:
        raise OSError(f"{total} bytes arrived of {BULK}")
    return total / elapsed


def up(connect: Connect) -> float:
    """Bytes per second towards the far end, until the far end has counted them all."""
    with connect() as connection:
        block = bytes(CHUNK)
        started = time.perf_counter()
        connection.sendall(b"u")
        for _ in range(BULK // CHUNK):
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(64):
            answer += piece
        elapsed = time.perf_counter() - started
    if answer != str(BULK).encode():
        raise OSError(f"the far end counted {answer!r} bytes of {BULK}")
    return BULK / elapsed


def round_trips(connect: Connect) -> list[float]:
    """Seconds of `ROUND_TRIPS` echoes of one byte on one connection."""
    samples = []
    with connect() as connection:
        connection.sendall(b"e")
        for _ in range(ROUND_TRIPS):
            started = time.perf_counter()
            connection.sendall(b"x")
            if connection.recv(1) != b"x":
                raise OSError("the echo ended")
            samples.append(time.perf_counter() - started)
    return samples


def first_bytes(connect: Connect) -> list[float]:
    """Seconds from connect to the first byte back, for `OPENS` connections."""
    samples = []
    for _ in range(OPENS):
        started = time.perf_counter()
        with connect() as connection:
            connection.sendall(b"ex")
            if connection.recv(1) != b"x":
                raise OSError("no first byte")
            samples.append(time.perf_counter() - started)
    return samples
