from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import (
    SocketStream,
    StreamBroken,
    adopt,
    connect_tcp,
    connect_unix,
    listen_tcp,
    serve,
)


async def test_an_abort_is_rst_on_tcp() -> None:
    listener = listen_tcp("127.0.0.1", 0)
    accepted: asyncio.Future[SocketStream] = asyncio.get_running_loop().create_future()
    server = await serve(listener, accepted.set_result)
    raw = socket.create_connection(listener.getsockname())
    stream = await accepted
    assert stream.peername.startswith("127.0.0.1:")
    stream.abort()
    await stream._protocol.lost
    raw.settimeout(5)
    with pytest.raises(ConnectionResetError):
        raw.recv(1)
    raw.close()
    server.close()


async def test_a_peers_rst_is_a_break_and_is_told_without_a_reader() -> None:
    listener = listen_tcp("127.0.0.1", 0)
    accepted: asyncio.Future[SocketStream] = asyncio.get_running_loop().create_future()
    server = await serve(listener, accepted.set_result)
    raw = socket.create_connection(listener.getsockname())
    stream = await accepted
    told = asyncio.Event()
    stream.on_break(told.set)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()
    await told.wait()
    with pytest.raises(StreamBroken, match="reset"):
        await stream.read()
    with pytest.raises(StreamBroken):
        await stream.write(b"x")
    with pytest.raises(StreamBroken):
        await stream.end()
    await stream.close()
    server.close()


async def test_what_came_before_a_break_is_read_first() -> None:
    one, two = socket.socketpair()
    stream = await adopt(one)
    two.sendall(b"last words")
    two.close()
    assert await stream.read() == b"last words"
    stream.abort()


async def test_a_unix_abort_with_unread_bytes_is_seen_by_the_peer() -> None:
    one, two = socket.socketpair()
    stream = await adopt(one)
    stream._protocol.transport.pause_reading()  # type: ignore[union-attr]
    two.sendall(b"unread")
    stream.abort()
    await stream._protocol.lost
    with pytest.raises(ConnectionResetError):
        two.recv(1)
    two.close()


async def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    accepted: asyncio.Future[SocketStream] = asyncio.get_running_loop().create_future()
    server = await serve(listener, accepted.set_result)
    near = await connect_unix(path)
    far = await accepted
    assert near.peername == ""
    await near.write(b"x")
    assert await far.read() == b"x"
    near.abort()
    far.abort()
    server.close()


async def test_close_delivers_what_was_written() -> None:
    one, two = socket.socketpair()
    stream = await adopt(one)
    data = bytes(100_000)
    await stream.write(data)
    await stream.end()
    peer = await adopt(two)
    await peer.end()
    got = 0
    while chunk := await peer.read():
        got += len(chunk)
    assert got == len(data)
    assert await stream.read() == b""
    await stream.close()
    await peer.close()


async def test_nobody_listens() -> None:
    listener = listen_tcp("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(OpenShellError, match=f"127.0.0.1 port {port}") as caught:
        await connect_tcp("127.0.0.1", port)
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(OpenShellError, match="/nowhere") as caught:
        await connect_unix("/nowhere")
    assert caught.value.code is Code.UNAVAILABLE


async def test_nobody_answers_in_time() -> None:
    with pytest.raises(OpenShellError, match="did not answer") as caught:
        await connect_tcp("127.0.0.1", 1, timeout=-1)
    assert caught.value.code is Code.UNAVAILABLE


async def test_a_port_in_use_is_a_conflict() -> None:
    taken = listen_tcp("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(OpenShellError, match=str(port)) as caught:
        listen_tcp("127.0.0.1", port)
    assert caught.value.code is Code.CONFLICT
    with pytest.raises(OpenShellError) as caught:
        listen_tcp("192.0.2.1", 0)
    assert caught.value.code is Code.PRECONDITION
    taken.close()


async def test_ipv6_where_there_is_one() -> None:
    sock = listen_tcp("::1", 0)
    assert sock.family is socket.AF_INET6
    sock.close()


async def test_its_state_is_in_its_repr() -> None:
    one, two = socket.socketpair()
    stream = await adopt(one)
    assert repr(stream) == "<SocketStream open unread=0 end_sent=False>"
    stream.abort()
    assert "closed" in repr(stream)
    two.close()
