"""The line that measurements go over: its bucket to the byte, and what passes through it."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.wan import QUEUE, Bucket, Wan
from pyopenshell.streams.transports import RESETS


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    bucket = Bucket(rate=100, burst=50, now=0)
    assert [bucket.leave(25, 0) for _ in range(4)] == [0, 0, 0.25, 0.5]
    assert bucket.leave(10, 0.55) == pytest.approx(0.6), "who waited has emptied it"
    assert bucket.leave(50, 10) == 10, "it is full again"
    assert bucket.leave(1, 10) == pytest.approx(10.01), "and never fuller"


def test_no_rate_is_no_limit() -> None:
    bucket = Bucket(rate=0, burst=1, now=0)
    assert bucket.leave(10**9, 3) == 3


@contextmanager
def line(rtt: float = 0.001, rate: float = 0) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection over a line: near end, far end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wan = Wan(server.getsockname(), rtt, rate)
        with socket.create_connection(wan.address) as near, server.accept()[0] as far:
            yield near, far
        wan.close()


@pytest.mark.parametrize("rate", [0, 200e6])
def test_bytes_pass_whole_and_in_order_and_halves_end_apart(rate: float) -> None:
    data = os.urandom(4 * QUEUE)
    with line(rate=rate) as (near, far):

        def send() -> None:
            near.sendall(data)
            near.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        thread.start()
        got = hashlib.sha256()
        while chunk := far.recv(65_536):
            got.update(chunk)
        thread.join()
        assert got.digest() == hashlib.sha256(data).digest()
        far.sendall(b"still here")
        far.close()
        assert near.makefile("rb").read() == b"still here"


def test_a_reset_passes() -> None:
    with line() as (near, far):
        near.sendall(b"x")
        assert far.recv(1) == b"x"
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
        near.close()
        with pytest.raises(ConnectionResetError):
            far.recv(1)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = server.getsockname()
    wan = Wan(nobody, 0, 0)
    with socket.create_connection(wan.address) as near, pytest.raises(ConnectionResetError):
        near.recv(1)
    wan.close()
