from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import SocketStream, connect_tcp, connect_unix, listen_tcp, serve


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
