"""The server's side of connections: who is let in, who is cut, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.codes import PREFACE
from pyopenshell.streams import Call, Channel, Endpoint, GrpcServer, client_context, unary
from pyopenshell.streams.hits import LINES, Hits
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.stream_pairs import Tls, running


async def health(request: pb.HealthRequest, call: Call) -> pb.HealthResponse:
    return pb.HealthResponse(version=f"{call.peer.unix_uid} {bool(call.peer.tls_cert_der)}")


HANDLERS = {"/h": unary(pb.HealthRequest, health)}


async def ask(channel: Channel) -> str:
    return (await channel.unary("/h", pb.HealthRequest(), pb.HealthResponse)).version


async def test_mutual_tls(tls: Tls) -> None:
    async with running(HANDLERS, tls) as (_, endpoint):
        channel = await Channel.connect(endpoint, tls.client)
        assert await ask(channel) == "None True"
        await channel.close()


async def test_a_client_without_a_certificate_gets_nothing(tls: Tls, pki: Path) -> None:
    async with running(HANDLERS, tls) as (server, endpoint):
        with pytest.raises(OpenShellError) as caught:
            channel = await Channel.connect(endpoint, client_context(pki / "ca.crt"))
            await ask(channel)
        assert caught.value.code is Code.UNAVAILABLE
        assert server.calls == 0


async def test_a_unix_peer_is_known_by_its_uid(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    server = GrpcServer(HANDLERS)
    await server.serve(sock)
    channel = await Channel.connect(Endpoint(unix=path))
    assert await ask(channel) == f"{os.getuid()} False"
    await channel.close()
    await server.close()


async def test_a_peer_is_called_by_what_it_is_and_by_its_address_where_it_has_one(tmp_path: Path) -> None:
    async def called(request: pb.HealthRequest, call: Call) -> pb.HealthResponse:
        return pb.HealthResponse(version=call.stream.connection.hop)

    handlers = {"/h": unary(pb.HealthRequest, called)}
    path = str(tmp_path / "s")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    server = GrpcServer(handlers, peers="the supervisor")
    await server.serve(sock)
    channel = await Channel.connect(Endpoint(unix=path))
    assert await ask(channel) == "the supervisor"
    await channel.close()
    await server.close()
    async with running(handlers) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        assert (await ask(channel)).startswith("the client 127.0.0.1:")
        await channel.close()


@pytest.mark.parametrize("field", [(b"grpc-timeout", b"soon"), (b"x-bin", b"!!!")])
async def test_headers_that_mean_nothing_are_invalid(field: tuple[bytes, bytes]) -> None:
    async with running(HANDLERS) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        headers = [*channel._prelude, (b":path", b"/h"), (b"content-type", b"application/grpc"), field]
        stream = await channel._connection.open_stream(headers)
        await stream.wait_headers()
        assert dict(stream.headers)[b"grpc-status"] == b"3"
        stream.reset()
        await channel.close()


async def raw(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(endpoint.host, endpoint.port)


async def test_garbage_is_cut_with_goaway_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with running(HANDLERS) as (_, endpoint):
        reader, writer = await raw(endpoint)
        with caplog.at_level(logging.WARNING):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await reader.read()
        assert b"\x07\x00\x00\x00\x00\x00" in answer  # GOAWAY on stream 0
        writer.close()
        channel = await Channel.connect(endpoint)
        await ask(channel)
        assert caplog.text.count("cut the client") == 1
        await channel.close()


async def test_a_client_that_only_connects_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async with running(HANDLERS) as (_server, endpoint):
        with caplog.at_level(logging.WARNING):
            reader, writer = await raw(endpoint)
            await reader.read(9)
            writer.close()
            await writer.wait_closed()
            channel = await Channel.connect(endpoint)
            await ask(channel)
        assert caplog.text == ""
        await channel.close()


async def test_a_tls_client_that_says_nothing_is_cut(tls: Tls) -> None:
    async with running(HANDLERS, tls, handshake_timeout=0.05) as (server, endpoint):
        reader, writer = await raw(endpoint)
        assert await reader.read() == b""
        writer.close()
        assert server.connections == 0


async def test_a_client_without_a_preface_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyopenshell.streams.liveness.PREFACE_TIMEOUT", 0.05)
    async with running(HANDLERS) as (_, endpoint):
        reader, writer = await raw(endpoint)
        writer.write(PREFACE[:10])
        with pytest.raises(ConnectionResetError):
            while await reader.read(1000):
                pass
            raise ConnectionResetError  # an end is as good
        writer.close()


async def test_a_connection_that_never_asks_is_drained() -> None:
    async with running(HANDLERS, first_request_timeout=0.05) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        await channel.wait_closed()
        assert channel.closed


async def test_drain_lets_open_calls_end_and_takes_no_new_ones() -> None:
    go = asyncio.Event()

    async def slow(call: Call) -> None:
        await call.send(pb.HealthResponse(version="1"))
        await go.wait()
        await call.send(pb.HealthResponse(version="2"))

    async with running({"/s": slow, **HANDLERS}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/s")
        await call.read()
        draining = asyncio.create_task(server.drain(10))
        while not channel.closed:  # noqa: ASYNC110 - one turn of the event loop at a time, until GOAWAY is in
            await asyncio.sleep(0)
        with pytest.raises(OpenShellError) as caught:
            await ask(channel)
        assert caught.value.code is Code.UNAVAILABLE
        go.set()
        assert await call.receive(pb.HealthResponse) == pb.HealthResponse(version="2")
        assert await call.read() is None
        await draining
        assert server.connections == 0
        with pytest.raises(OpenShellError):
            await Channel.connect(endpoint)


async def test_drain_cuts_what_does_not_end() -> None:
    async def stuck(call: Call) -> None:
        await call.send(pb.HealthResponse())
        await asyncio.Event().wait()

    async with running({"/s": stuck}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/s")
        await call.read()
        await server.drain(0.01)
        assert server.connections == server.calls == 0
        with pytest.raises(OpenShellError):
            await call.read()


async def test_an_aborting_client_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    started = asyncio.Event()
    ended = asyncio.Event()

    async def slow(call: Call) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running({"/s": slow}) as (_server, endpoint):
        channel = await Channel.connect(endpoint)
        await channel.open("/s")
        await started.wait()
        transport = channel._connection.transport
        assert transport is not None
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
        await ended.wait()
        assert caplog.text == ""


async def test_a_flood_of_connections_that_are_cut_is_not_a_flood_of_lines(caplog: pytest.LogCaptureFixture) -> None:
    hits = Hits()
    async with running(HANDLERS, hits=hits) as (server, endpoint):
        for _ in range(LINES + 30):
            reader, writer = await raw(endpoint)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.read()
            writer.close()
        while server.connections:  # noqa: ASYNC110 - one turn of the event loop at a time
            await asyncio.sleep(0)
    lines = [line for line in caplog.messages if "(PROTOCOL_ERROR)" in line]
    assert LINES <= len(lines) < LINES + 30
    assert hits["protocol_error"] == LINES + 30


async def test_a_request_that_does_not_come_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyopenshell.streams.grpc_server.MESSAGE_SECONDS", 0.01)
    hits = Hits()
    async with running(HANDLERS, hits=hits) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/h")
        with pytest.raises(OpenShellError) as caught:
            await call.read()
        assert caught.value.code is Code.DEADLINE
        assert hits["message_time"] == 1
        await channel.close()
