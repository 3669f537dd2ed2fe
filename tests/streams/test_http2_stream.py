"""One stream over a real connection: what reading, writing, ending and breaking it mean to its user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pyopenshell.errors import Code
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.streams import Call, Channel, StreamBroken, StreamBusy, StreamClosed
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.windows import ADMITTED, WindowBudget
from tests.support.stream_pairs import running


@asynccontextmanager
async def two_ends(budget: WindowBudget | None = None) -> AsyncIterator[tuple[Http2Stream, Http2Stream]]:
    """A client's and a server's end of one stream."""
    accepted: asyncio.Future[Http2Stream] = asyncio.get_running_loop().create_future()

    async def take(call: Call) -> None:
        call.detach()
        call.start()
        accepted.set_result(call.stream)
        await asyncio.Event().wait()

    options = {} if budget is None else {"budget": budget}
    async with running({"/t": take}, **options) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        call = await channel.open("/t")
        yield call.stream, await accepted
        await channel.close()


async def test_padding_alone_is_no_end() -> None:
    async with two_ends() as (client, server):
        assert not server.data_received(memoryview(b""), 0)
        assert not server.unread
        await client.write(b"x")
        assert await server.read() == b"x"


async def test_the_window_comes_back_when_the_next_chunk_is_asked_for() -> None:
    async with two_ends() as (client, server):
        writing = asyncio.create_task(client.write(bytes(400_000)))
        total = len(await server.read())
        for _ in range(10):
            await client.connection.ping()
        assert total + server._chunks.size == 65_536
        assert not writing.done()
        while total < 400_000:
            total += len(await server.read())
        await writing
        assert total == 400_000


async def test_what_comes_after_stop_reading_is_counted() -> None:
    async with two_ends() as (client, server):
        reading = asyncio.create_task(server.read())
        await asyncio.sleep(0)
        server.stop_reading()
        assert await reading == b""
        await client.write(b"12345")
        await client.connection.ping()
        assert server.dropped == 5
        await client.write(bytes(200_000))  # its window is given back all the same
        await client.end()
        await client.connection.ping()
        assert server.dropped == 200_005


async def test_what_came_before_a_reset_is_read_first() -> None:
    async with two_ends() as (client, server):
        await client.write(b"last words")
        await client.connection.ping()
        client.reset(ErrorCode.INTERNAL_ERROR)
        assert await server.read() == b"last words"
        for _ in range(2):
            with pytest.raises(StreamBroken, match="INTERNAL_ERROR"):
                await server.read()
        with pytest.raises(StreamBroken):
            await server.write(b"x")
        with pytest.raises(StreamBroken):
            await server.end()
        with pytest.raises(StreamBroken):
            server.send_headers([(b"grpc-status", b"0")], end_stream=True)


async def test_fail_makes_every_use_raise_its_error() -> None:
    async with two_ends() as (client, server):
        told: list[str] = []
        client.on_over = lambda: told.append("over")
        client.fail(StreamBroken("too late", code=Code.DEADLINE))
        client.fail(StreamBroken("again"))
        with pytest.raises(StreamBroken, match="too late"):
            await client.read()
        with pytest.raises(StreamBroken, match="CANCEL"):
            await server.read()
        assert told == ["over"]


async def test_reset_wakes_all_who_wait() -> None:
    async with two_ends() as (client, _):
        waiting = [asyncio.create_task(client.read()), asyncio.create_task(client.write(bytes(3_000_000)))]
        await client.connection.ping()
        assert not any(task.done() for task in waiting)
        with pytest.raises(StreamBusy):
            await client.write(b"x")
        with pytest.raises(StreamBusy):
            await client.end()
        client.reset(reason="enough")
        for task in waiting:
            with pytest.raises(StreamClosed, match="enough"):
                await task


async def test_headers_are_waited_for_by_one_task() -> None:
    async with two_ends() as (client, _):
        await client.wait_headers()
        client.headers = []
        waiting = asyncio.create_task(client.wait_headers())
        await asyncio.sleep(0)
        with pytest.raises(StreamBusy):
            await client.wait_headers()
        client.reset()
        with pytest.raises(StreamClosed):
            await waiting
        with pytest.raises(StreamClosed):
            await client.wait_headers()


async def test_a_window_is_paid_for_as_long_as_the_stream_lives() -> None:
    budget = WindowBudget()
    async with two_ends(budget) as (client, server):
        assert budget.used == 65_536
        server.admit()
        assert budget.used == ADMITTED
        client.reset()
        with pytest.raises(StreamBroken):
            await server.read()
        assert budget.used == 0


async def test_its_state_is_in_its_repr() -> None:
    async with two_ends() as (client, _):
        assert repr(client) == "<Http2Stream 1 open chunks=0 ended=False end_sent=False>"
        client.reset()
        assert "closed" in repr(client)
