"""Handlers and what a client sees of them, over real connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import Call, Channel, StreamBroken, StreamClosed, server_stream, unary
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.support.stream_pairs import running


async def version(request: pb.HealthResponse, call: Call) -> pb.HealthResponse:
    return pb.HealthResponse(version=request.version + "!")


async def three(request: pb.HealthResponse, call: Call) -> AsyncIterator[pb.HealthResponse]:
    for number in range(3):
        yield pb.HealthResponse(version=f"{request.version}{number}")


async def ask(channel: Channel, path: str, text: str = "x") -> str:
    return (await channel.unary(path, pb.HealthResponse(version=text), pb.HealthResponse)).version


async def test_unary() -> None:
    async with running({"/v": unary(pb.HealthResponse, version)}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        assert await ask(channel, "/v") == "x!"
        big = "y" * 4_000_000
        assert await ask(channel, "/v", big) == big + "!"
        await channel.close()


async def test_a_stream_of_responses() -> None:
    async with running({"/s": server_stream(pb.HealthResponse, three)}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        request = pb.HealthResponse(version="n")
        got = [item.version async for item in channel.stream("/s", request, pb.HealthResponse)]
        assert got == ["n0", "n1", "n2"]
        await channel.close()


@pytest.mark.parametrize("code", list(Code))
async def test_an_error_of_ours_arrives_with_its_code_and_hint(code: Code) -> None:
    async def fails(call: Call) -> None:
        raise OpenShellError(code, "it is näh 100%", hint="do\nthat")

    async with running({"/f": fails}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(RemoteError) as caught:
            await ask(channel, "/f")
        assert (caught.value.code, caught.value.message) == (code, "it is näh 100% (do\\x0athat)")
        await channel.close()


async def test_any_other_error_says_nothing_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(call: Call) -> None:
        raise ZeroDivisionError("secret")

    async with running({"/f": fails}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with caplog.at_level(logging.ERROR), pytest.raises(RemoteError) as caught:
            await ask(channel, "/f")
        assert (caught.value.status, caught.value.message) == (GrpcStatus.INTERNAL, "internal error")
        assert "secret" in caplog.text
        await channel.close()


async def test_after_messages_the_status_comes_in_trailers() -> None:
    async def fails(call: Call) -> None:
        await call.send(pb.HealthResponse(version="first"))
        await call.finish(GrpcStatus.NOT_FOUND, "then not", [("detail-bin", b"\x00\x01")])
        await call.finish(GrpcStatus.OK)

    async with running({"/f": fails}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/f")
        assert await call.receive(pb.HealthResponse) == pb.HealthResponse(version="first")
        with pytest.raises(RemoteError, match="then not"):
            await call.read()
        assert call.trailers["detail-bin"] == b"\x00\x01"
        call.cancel()
        await channel.close()


async def test_metadata_goes_before_the_messages_and_details_with_the_status() -> None:
    async def answers(call: Call) -> None:
        call.start([("first", "1"), ("x-bin", b"\x00")])
        call.start([("first", "2")])
        await call.send(pb.HealthResponse())
        await call.finish(GrpcStatus.ABORTED, "why", [("last", "3")], details=b"\x08\x0a")

    async with running({"/a": answers}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/a")
        assert await call.headers() == {"first": "1", "x-bin": b"\x00"}
        with pytest.raises(RemoteError, match="why"):
            await call.status()
        assert call.trailers == {"last": "3"}
        assert call.details == b"\x08\x0a"
        call.cancel()
        await channel.close()


@pytest.mark.parametrize("where", ["headers", "trailers"])
async def test_metadata_that_cannot_travel_is_an_error_that_the_client_sees(where: str) -> None:
    async def answers(call: Call) -> None:
        if where == "headers":
            call.start([("first", "a\n")])
        await call.finish(trailers=[("last", "b\n")])

    async with running({"/a": answers}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(RemoteError, match="not printable") as caught:
            await ask(channel, "/a")
        assert caught.value.code is Code.INVALID
        await channel.close()


@pytest.mark.parametrize("handler", ["unary", "stream"])
async def test_a_request_must_come(handler: str) -> None:
    make = unary(pb.HealthResponse, version) if handler == "unary" else server_stream(pb.HealthResponse, three)
    async with running({"/v": make}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/v")
        await call.end()
        with pytest.raises(RemoteError, match="no request message") as caught:
            await call.read()
        assert caught.value.code is Code.INVALID
        call.cancel()
        call = await channel.open("/v")
        await call.write(b"\xff\xff\xff")
        with pytest.raises(RemoteError, match="not a valid HealthResponse"):
            await call.read()
        call.cancel()
        await channel.close()


async def test_a_message_over_the_limit_is_exhausted() -> None:
    async with running({"/v": unary(pb.HealthResponse, version)}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(RemoteError, match="over the limit") as caught:
            await ask(channel, "/v", "x" * (4 * 1024 * 1024))
        assert caught.value.code is Code.EXHAUSTED
        await channel.close()


async def test_a_peers_reset_cancels_the_handler() -> None:
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def waits(call: Call) -> None:
        await call.send(pb.HealthResponse())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.put_nowait("cancelled")
            raise

    async with running({"/w": waits}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/w")
        await call.read()
        assert server.calls == 1
        call.cancel()
        assert await ends.get() == "cancelled"
        call = await channel.open("/w")
        await call.read()
        await channel.close()
        assert await ends.get() == "cancelled"


async def test_a_detached_call_learns_of_a_reset_by_reading() -> None:
    seen: asyncio.Queue[Exception] = asyncio.Queue()

    async def relays(call: Call) -> None:
        call.detach()
        await call.send(pb.HealthResponse())
        try:
            await call.read_raw()
        except StreamBroken as error:
            seen.put_nowait(error)

    async with running({"/r": relays}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/r")
        await call.read()
        call.cancel()
        assert "reset the stream (CANCEL)" in str(await seen.get())
        await channel.close()


async def test_the_callers_deadline_ends_the_handler() -> None:
    ended = asyncio.Event()

    async def waits(call: Call) -> None:
        assert call.deadline is not None
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running({"/w": waits}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/w", timeout=0.05)
        call.stop_timer()  # the server's own clock is on trial
        with pytest.raises(RemoteError) as caught:
            await call.read()
        assert caught.value.status is GrpcStatus.DEADLINE_EXCEEDED
        await ended.wait()
        await channel.close()


async def test_a_handlers_own_timeout_is_a_bug_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def times_out(call: Call) -> None:
        raise TimeoutError

    async with running({"/t": times_out}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(RemoteError) as caught:
            await ask(channel, "/t")
        assert caught.value.status is GrpcStatus.INTERNAL
        await channel.close()


async def test_abort_is_a_status_where_it_can_be_one() -> None:
    async def aborts(call: Call) -> None:
        call.start()
        call.abort("the other leg broke")

    async def aborts_full(call: Call) -> None:
        writing = asyncio.create_task(call.write(bytes(3 * 1024 * 1024)))
        await asyncio.sleep(0)
        call.abort("nobody reads")
        with pytest.raises(StreamClosed):
            await writing

    async with running({"/a": aborts, "/b": aborts_full}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/a")
        with pytest.raises(RemoteError, match="the other leg broke") as caught:
            await call.read()
        assert caught.value.code is Code.BROKEN
        call.cancel()
        call = await channel.open("/b")
        with pytest.raises(StreamBroken, match="CANCEL"):
            await call.read()
        call.cancel()
        await channel.close()


async def test_metadata_and_peer_are_the_calls() -> None:
    seen: list[Call] = []

    async def looks(call: Call) -> None:
        seen.append(call)
        await call.send(pb.HealthResponse())

    async with running({"/l": looks}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        metadata = [("authorization", "Bearer t"), ("k-bin", b"\xff")]
        await channel.unary("/l", pb.HealthResponse(), pb.HealthResponse, metadata=metadata)
        (call,) = seen
        assert call.metadata == {"authorization": "Bearer t", "k-bin": b"\xff"}
        assert call.peer.address.startswith("127.0.0.1:")
        assert call.peer.tls_cert_der is None
        assert call.finished
        assert "/l" in repr(call)
        await channel.close()
