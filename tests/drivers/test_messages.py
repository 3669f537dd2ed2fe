from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator

import pytest

from pyopenshell.drivers.messages import (
    DESCRIPTORS_MAX,
    MESSAGE_MAX,
    BadMessageError,
    pair,
    readable,
    receive_message,
    send_message,
    wait_message,
    writable,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = pair()
    with near, far:
        yield near, far


def test_a_message_and_its_descriptors_arrive(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    send_message(near, {"a": [1, "ä\udcff"]}, [0, 1])
    got = receive_message(far)
    assert got is not None
    message, fds = got
    assert (message, len(fds)) == ({"a": [1, "ä\udcff"]}, 2)
    for fd in fds:
        assert not os.get_inheritable(fd)
        os.close(fd)


def test_the_end_is_none(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.close()
    assert receive_message(far) is None


@pytest.mark.parametrize(
    ("data", "fds"),
    [
        (b"", 1),
        (b"no json", 0),
        (b"[1]", 0),
        (b"[" * 100_000, 0),
        (b"{}", 0),
        (b'{"fds":0}', 1),
        (b'{"fds":2}', 1),
        (b'{"fds":true}', 0),
        (b'{"fds":17}', DESCRIPTORS_MAX + 1),
        (b"x" * (MESSAGE_MAX + 1), 0),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_stays_open(
    ends: tuple[socket.socket, socket.socket], data: bytes, fds: int
) -> None:
    near, far = ends
    socket.send_fds(near, [data], [0] * fds) if fds else near.send(data)
    with pytest.raises(BadMessageError):
        receive_message(far)


def test_limits_hold_for_the_sender(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    room = MESSAGE_MAX - len(json.dumps({"a": "", "fds": 0}, separators=(",", ":")))
    send_message(near, {"a": "x" * room})
    assert receive_message(far) == ({"a": "x" * room}, [])
    with pytest.raises(ValueError, match="over the limit"):
        send_message(near, {"a": "x" * (room + 1)})
    with pytest.raises(ValueError, match="over the limit"):
        send_message(near, {}, [0] * (DESCRIPTORS_MAX + 1))


def test_a_gone_peer_is_an_error(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.close()
    with pytest.raises(BrokenPipeError):
        send_message(near, {})


async def test_a_message_is_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.setblocking(False)
    waiting = asyncio.create_task(wait_message(far))
    await asyncio.sleep(0)
    send_message(near, {"late": True})
    assert await waiting == ({"late": True}, [])


async def test_readiness_is_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            near.send(b"x" * 4096)
    waiting = asyncio.create_task(writable(near.fileno()))
    await asyncio.sleep(0)
    assert not waiting.done()
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            far.recv(4096)
    await waiting
    near.close()
    await readable(far.fileno())
