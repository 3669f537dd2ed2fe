"""The way to a gateway: directly, through a fake proxy, and with handshakes that get stuck."""

from __future__ import annotations

import socket

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import (
    Call,
    Channel,
    Endpoint,
    SocketStream,
    Tally,
    connect_tcp,
    listen_tcp,
    segments,
    splice,
)
from pyopenshell.streams.proxies import Proxy
from pyopenshell.streams.segments import SMALL_SEGMENT, Segments
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.proxy_server import FakeProxy, accepting, proxying
from tests.support.stream_pairs import Tls, running


async def echo(call: Call) -> None:
    while (message := await call.read()) is not None:
        await call.write(message)


async def said(channel: Channel) -> str:
    answer = await channel.unary("/e", pb.HealthResponse(version="v" * 100_000), pb.HealthResponse)
    await channel.close()
    return answer.version


@pytest.mark.parametrize("secure", [True, False])
async def test_through_a_proxy_that_alone_knows_the_name(tls: Tls, secure: bool) -> None:
    proxy = FakeProxy()
    async with running({"/e": echo}, tls if secure else None) as (_, endpoint), proxying(proxy):
        proxy.to = (endpoint.host, endpoint.port)
        there = Endpoint("gw.invalid", 8443, server_name="localhost")
        way = Proxy("127.0.0.1", proxy.port, "me:hunter2")
        channel = await Channel.connect(there, tls.client if secure else None, proxy=way)
        assert await said(channel) == "v" * 100_000
    assert proxy.requests[0].startswith(b"CONNECT gw.invalid:8443 HTTP/1.1\r\n")


async def test_through_a_proxy_to_an_ipv6_address(tls: Tls) -> None:
    proxy = FakeProxy()
    async with running({"/e": echo}, tls) as (_, endpoint), proxying(proxy):
        proxy.to = (endpoint.host, endpoint.port)
        there = Endpoint("fd00::7", 8443, server_name="localhost")
        await said(await Channel.connect(there, tls.client, proxy=Proxy("127.0.0.1", proxy.port)))
    assert proxy.requests[0].startswith(b"CONNECT [fd00::7]:8443 HTTP/1.1\r\n")


async def failure(endpoint: Endpoint, tls: Tls, proxy: Proxy, timeout: float = 10.0) -> OpenShellError:
    with pytest.raises(OpenShellError) as caught:
        await Channel.connect(endpoint, tls.client, proxy=proxy, timeout=timeout)
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert caught.value.code is Code.UNAVAILABLE
    return caught.value


async def test_a_proxy_that_is_not_there(tls: Tls) -> None:
    with listen_tcp("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    error = await failure(Endpoint("gw.invalid", 1), tls, Proxy("127.0.0.1", port, "me:hunter2"))
    assert str(error).startswith(f"cannot connect to the proxy at 127.0.0.1:{port} on the way to the gateway")


async def test_a_proxy_that_refuses(tls: Tls) -> None:
    refusing = FakeProxy(answer=b"HTTP/1.1 407 who are you\r\nContent-Length: 0\r\n\r\n", joins=False)
    async with proxying(refusing) as proxy:
        error = await failure(Endpoint("gw.invalid", 1), tls, Proxy("127.0.0.1", proxy.port, "me:hunter2"))
    assert "refused its user name or password" in str(error)


async def test_a_proxy_that_says_nothing(tls: Tls) -> None:
    with listen_tcp("127.0.0.1", 0) as sock:
        sock.listen()
        port = sock.getsockname()[1]
        error = await failure(Endpoint("gw.invalid", 1), tls, Proxy("127.0.0.1", port, "me:hunter2"), timeout=0.05)
    assert str(error).startswith(f"the proxy at 127.0.0.1:{port} did not answer in 0.05 s")


async def test_what_is_behind_the_proxy_says_nothing(tls: Tls) -> None:
    with listen_tcp("127.0.0.1", 0) as sock:
        sock.listen()
        async with proxying(FakeProxy(to=sock.getsockname())) as proxy:
            error = await failure(Endpoint("gw.invalid", 1), tls, Proxy("127.0.0.1", proxy.port), timeout=0.2)
            assert f"the gateway at gw.invalid:1 through the proxy at 127.0.0.1:{proxy.port} did not answer" in str(
                error
            )


async def test_a_handshake_that_is_stuck_is_made_again_with_small_segments(
    tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first connection is swallowed, as by a path that drops what is large; the second one is let through."""
    monkeypatch.setattr(segments, "HANDSHAKE_PATIENCE", 0.05)
    sizes: list[int] = []

    async with running({"/e": echo}, tls) as (_, endpoint):

        async def arrives(stream: SocketStream) -> None:
            transport = stream._protocol.transport
            assert transport is not None
            sizes.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
            if len(sizes) == 1:
                while await stream.read():
                    pass
            else:
                await splice(stream, await connect_tcp(endpoint.host, endpoint.port), Tally())

        async with accepting(arrives) as port:
            path = Segments()
            there = Endpoint("127.0.0.1", port, server_name="localhost")
            assert await said(await Channel.connect(there, tls.client, path=path)) == "v" * 100_000
            assert path.small
            await (await Channel.connect(there, tls.client, path=path)).close()
    assert sizes[0] > SMALL_SEGMENT >= max(sizes[1:])


async def test_a_handshake_that_small_segments_do_not_help(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "HANDSHAKE_PATIENCE", 0.05)
    path = Segments()
    with listen_tcp("127.0.0.1", 0) as sock:
        sock.listen()
        with pytest.raises(OpenShellError, match=r"did not answer in 0\.3 s"):
            await Channel.connect(Endpoint("127.0.0.1", sock.getsockname()[1]), tls.client, path=path, timeout=0.3)
    assert not path.small
