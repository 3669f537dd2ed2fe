from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from pyopenshell.streams import (
    SocketStream,
    StreamBroken,
    adopt,
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


async def test_its_state_is_in_its_repr() -> None:
    one, two = socket.socketpair()
    stream = await adopt(one)
    assert repr(stream) == "<SocketStream open unread=0 end_sent=False>"
    stream.abort()
    assert "closed" in repr(stream)
    two.close()


async def test_tcp_is_reset_with_the_process_until_its_orderly_close() -> None:
    listener = listen_tcp("127.0.0.1", 0)
    accepted: asyncio.Future[SocketStream] = asyncio.get_running_loop().create_future()
    server = await serve(listener, accepted.set_result)
    raw = socket.create_connection(listener.getsockname(), timeout=5)
    stream = await accepted
    kept = stream._protocol.transport.get_extra_info("socket").dup()  # type: ignore[union-attr]
    assert struct.unpack("ii", kept.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
    await stream.write(b"all")
    await stream.end()
    raw.shutdown(socket.SHUT_WR)
    assert await stream.read() == b""
    await stream.close()
    assert not struct.unpack("ii", kept.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0]
    kept.close()
    assert raw.recv(10) == b"all"
    assert raw.recv(10) == b""
    raw.close()
    server.close()
