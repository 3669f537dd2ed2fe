"""Who is accepted: places in all and of one peer, handshakes that fail, and a process without descriptors."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pyopenshell.streams import Channel, Endpoint, accepting, listen_tcp
from pyopenshell.streams.accepting import Acceptor, Places
from pyopenshell.streams.arrivals import Arrivals
from pyopenshell.streams.hits import Hits
from pyopenshell.streams.transports import RESETS
from tests.streams.test_listener import HANDLERS, ask, raw
from tests.support.stream_pairs import Tls, running


async def cut(reader: asyncio.StreamReader) -> None:
    """Wait until the server is gone."""
    try:
        while await reader.read(1000):
            pass
    except ConnectionResetError:
        pass


async def turned_away(address: tuple[str, int]) -> None:
    """Connect, and wait for the reset."""
    with socket.create_connection(address) as sock:
        sock.setblocking(False)
        with pytest.raises(ConnectionResetError):
            await asyncio.get_running_loop().sock_recv(sock, 1)


@pytest.mark.parametrize(
    ("places", "kind"),
    [(Places(total=2, per_peer=3), "connections"), (Places(total=3, per_peer=2), "peer_connections")],
)
async def test_over_its_places_a_peer_is_reset_and_a_place_is_free_again(
    places: Places, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    hits = Hits()
    with caplog.at_level(logging.WARNING):
        async with running(HANDLERS, places=places, hits=hits) as (server, endpoint):
            channels = [await Channel.connect(endpoint) for _ in range(2)]
            for channel in channels:
                await ask(channel)
            await turned_away((endpoint.host, endpoint.port))
            assert (server.connections, hits[kind]) == (2, 1)
            assert "cut the client 127.0.0.1:" in caplog.text
            await channels[0].close()
            while server.connections > 1:  # noqa: ASYNC110 - one turn of the event loop at a time
                await asyncio.sleep(0)
            channels[0] = await Channel.connect(endpoint)
            await ask(channels[0])
            assert hits[kind] == 1
            for channel in channels:
                await channel.close()


async def test_half_open_tls_has_its_place_until_it_is_cut(tls: Tls, caplog: pytest.LogCaptureFixture) -> None:
    hits = Hits()
    options: dict[str, Any] = {"places": Places(per_peer=1), "hits": hits, "handshake_timeout": 0.2}
    async with running(HANDLERS, tls, **options) as (server, endpoint):
        reader, writer = await raw(endpoint)
        await turned_away((endpoint.host, endpoint.port))
        assert (hits["peer_connections"], hits["handshake"]) == (1, 0)
        await cut(reader)
        writer.close()
        assert (hits["handshake"], server.connections) == (1, 0)
        channel = await Channel.connect(endpoint, tls.client)
        await ask(channel)
        await channel.close()
    assert "no TLS handshake" in caplog.text


async def test_what_is_no_tls_is_counted_and_who_leaves_is_no_news(tls: Tls, caplog: pytest.LogCaptureFixture) -> None:
    hits = Hits()
    async with running(HANDLERS, tls, hits=hits) as (_, endpoint):
        reader, writer = await raw(endpoint)
        writer.close()
        await writer.wait_closed()
        channel = await Channel.connect(endpoint, tls.client)
        assert (hits["handshake"], caplog.text) == (0, "")
        reader, writer = await raw(endpoint)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await cut(reader)
        writer.close()
        await ask(channel)
        assert hits["handshake"] == 1
        await channel.close()


async def test_a_server_that_closes_gives_up_handshakes(tls: Tls) -> None:
    async with running(HANDLERS, tls) as (server, endpoint):
        reader, writer = await raw(endpoint)
        while not server._listeners[0]._welcoming:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await server.close()
        await cut(reader)
        writer.close()


async def test_a_peer_of_a_unix_socket_is_counted_by_its_uid(tmp_path: Path) -> None:
    from pyopenshell.streams import GrpcServer

    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "s"))
    hits = Hits()
    server = GrpcServer(HANDLERS, places=Places(per_peer=1), hits=hits)
    await server.serve(sock)
    channel = await Channel.connect(Endpoint(unix=str(tmp_path / "s")))
    await ask(channel)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(tmp_path / "s"))
        other.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(other, 1) == b""
    assert hits["peer_connections"] == 1
    await channel.close()
    await server.close()


async def test_who_is_never_let_in_comes_too_often_at_last() -> None:
    hits = Hits()
    async with running(HANDLERS, hits=hits, doorkeeper=True) as (server, endpoint):
        server._listeners[0]._arrivals = Arrivals(burst=2, rate=1e-9)
        for _ in range(2):
            channel = await Channel.connect(endpoint)
            await ask(channel)
            await channel.close()
        await turned_away((endpoint.host, endpoint.port))
        assert hits["arrivals"] == 1


async def test_who_is_let_in_may_come_as_often_as_it_likes() -> None:
    hits = Hits()
    async with running(HANDLERS, hits=hits) as (server, endpoint):
        server._listeners[0]._arrivals = Arrivals(burst=1, rate=1e-9)
        for _ in range(3):
            channel = await Channel.connect(endpoint)
            await ask(channel)
            await channel.close()
            while server.connections:  # noqa: ASYNC110 - one turn of the event loop at a time
                await asyncio.sleep(0)
        assert hits["arrivals"] == 0


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
    ],
)
def test_a_peer_of_ipv6_is_a_subnet(host: str, key: str) -> None:
    sock: Any = SimpleNamespace(family=socket.AF_INET6)
    assert accepting._names(sock, (host, 9, 0, 0)) == (f"[{host}]:9", key)


class Loop:
    """An event loop that only takes notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def add_reader(self, sock: object, act: Any) -> None:
        self.notes.append("reads")

    def remove_reader(self, sock: object) -> None:
        self.notes.append("waits")

    def call_later(self, seconds: float, act: Any, *args: Any) -> Any:
        assert seconds == accepting.RETRY
        act(*args)
        return SimpleNamespace(cancel=lambda: self.notes.append("given up"))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
async def test_without_descriptors_it_waits_a_moment(number: int) -> None:
    def accept() -> None:
        raise OSError(number, "no")

    loop: Any = Loop()
    sock: Any = SimpleNamespace(
        accept=accept, fileno=lambda: 3, setblocking=print, listen=print, close=lambda: loop.notes.append("closed")
    )
    acceptor = Acceptor(sock, None, print, places=Places())  # type: ignore[arg-type]
    acceptor._loop = loop
    acceptor.start()
    acceptor._ready()
    await acceptor.close()
    assert loop.notes == ["reads", "waits", "reads", "given up", "waits", "closed"]
    assert repr(acceptor) == "<Acceptor 0 connections of 0 peers>"


async def test_another_failure_is_not_hidden() -> None:
    def accept() -> None:
        raise OSError(errno.EBADF, "no")

    sock: Any = SimpleNamespace(accept=accept)
    acceptor = Acceptor(sock, None, print, places=Places())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no"):
        acceptor._ready()


async def test_a_peer_that_is_turned_away_gets_a_reset() -> None:
    sock = listen_tcp("127.0.0.1", 0)
    refused: list[tuple[str, ...]] = []
    acceptor = Acceptor(sock, None, lambda *what: refused.append(what), places=Places(total=0))  # type: ignore[arg-type]
    acceptor.start()
    await turned_away(sock.getsockname())
    assert [(kind, reason) for kind, _, reason in refused] == [("connections", "over 0 connections at once")]
    assert struct.unpack("ii", RESETS) == (1, 0)
    await acceptor.close()
    await acceptor.close()
