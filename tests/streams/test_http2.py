"""The asyncio shell: keepalive, places for streams, fairness, and memory that a slow reader can hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pyopenshell.errors import OpenShellError
from pyopenshell.http2.limits import Limits
from pyopenshell.streams import Call, Channel, DataLeg, Endpoint, listen_tcp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.stream_pairs import Tls, running


async def echo(call: Call) -> None:
    while (message := await call.read()) is not None:
        await call.write(message)


async def flood(call: Call) -> None:
    block = pb.TcpForwardFrame(data=bytes(64 * 1024)).SerializeToString()
    while True:
        await call.write(block)


async def swallow_nothing(call: Call) -> None:
    call.admit()
    await asyncio.Event().wait()


@pytest.mark.parametrize("secure", [True, False])
async def test_fifty_stopped_readers_hold_up_nobody_else(tls: Tls, secure: bool) -> None:
    """Fifty streams full both ways on one connection; an echo beside them still goes through, again and again."""
    async with running({"/e": echo, "/f": flood, "/n": swallow_nothing}, tls if secure else None) as (_, endpoint):
        channel = await Channel.connect(endpoint, tls.client if secure else None)
        stopped = [DataLeg(await channel.open("/f")) for _ in range(50)]
        for leg in stopped:
            await leg.read()
        stuck = [DataLeg(await channel.open("/n")) for _ in range(50)]
        writers = [asyncio.create_task(leg.write(bytes(4 * 1024 * 1024))) for leg in stuck]
        async with asyncio.timeout(20):
            for turn in range(20):
                call = await channel.open("/e")
                for step in range(5):
                    await call.send(pb.HealthResponse(version=f"{turn} {step}"))
                    answer = await call.receive(pb.HealthResponse)
                    assert answer is not None
                    assert answer.version == f"{turn} {step}"
                call.cancel()
                await channel.ping()
        assert not any(writer.done() for writer in writers)
        for leg in stopped + stuck:
            leg.abort()
        await asyncio.gather(*writers, return_exceptions=True)
        await channel.close()


async def test_what_a_stopped_reader_holds_is_bounded_by_its_window() -> None:
    async with running({"/f": flood}) as (_server, endpoint):
        channel = await Channel.connect(endpoint)
        leg = DataLeg(await channel.open("/f"))
        await leg.read()
        for _ in range(50):
            await channel.ping()
        held = leg.call.stream._chunks.size
        assert 0 < held <= 1024 * 1024 + 65_535
        leg.abort()
        await channel.close()


async def test_a_call_waits_for_a_place() -> None:
    limits = replace(Limits(), max_concurrent_streams=2)
    async with running({"/e": echo}, limits=limits) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        await channel.ping()
        first, second = await channel.open("/e"), await channel.open("/e")
        waiting = asyncio.create_task(channel.open("/e"))
        await channel.ping()
        assert not waiting.done()
        first.cancel()
        third = await waiting
        await third.write(b"x")
        assert await third.read() == b"x"
        more = asyncio.create_task(channel.open("/e"))
        await channel.ping()
        await channel.close()
        with pytest.raises(OpenShellError, match="is gone"):
            await more
        second.cancel()


async def test_a_peer_that_is_silent_is_asked_and_then_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFACE_TIMEOUT", "KEEPALIVE_IDLE", "KEEPALIVE_TIMEOUT"):
        monkeypatch.setattr(f"pyopenshell.streams.liveness.{name}", 0.05)
    called = asyncio.Event()

    async def stuck(call: Call) -> None:
        called.set()
        await asyncio.Event().wait()

    async with running({"/s": stuck}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/s")
        await called.wait()
        connection = channel._connection
        heard = connection.liveness.heard
        while connection.liveness.heard == heard:  # noqa: ASYNC110 - the answer to a keepalive has come
            await asyncio.sleep(0)
        assert not channel.closed
        connection.buffer_updated = lambda nbytes: None  # type: ignore[method-assign] # the network swallows all from here on
        with pytest.raises(OpenShellError, match="no answer for"):
            await call.read()
        assert channel.closed


async def test_a_server_that_never_speaks_http2() -> None:
    sock = listen_tcp("127.0.0.1", 0)
    sock.listen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyopenshell.streams.liveness.PREFACE_TIMEOUT", 0.02)
        channel = await Channel.connect(Endpoint("127.0.0.1", sock.getsockname()[1]))
        assert await channel.wait_closed() == "no HTTP/2 preface in time"
    sock.close()


async def test_goaway_with_open_calls_keeps_them() -> None:
    async with running({"/e": echo}) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/e")
        await call.write(b"x")
        await call.read()
        for connection in server._connections:
            connection.drain()
        await channel.ping()
        assert channel.closed
        await call.write(b"y")
        assert await call.read() == b"y"
        await call.end()
        assert await call.read() is None
        await channel.wait_closed()


async def test_its_repr_tells_its_state() -> None:
    async with running({"/e": echo}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        assert repr(channel._connection) == "<Http2Connection to the gateway streams=0 up>"
        await channel.close()
        assert repr(channel._connection).endswith("lost>")
