"""Every ByteStream keeps the contract (streams/contract.py): each kind, from both ends."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from pyopenshell.streams import ByteStream, StreamBroken, StreamBusy, StreamClosed
from tests.support.stream_pairs import MEDIA, Medium, Pair, Tls

BULK = 6 * 1024 * 1024
#: More than all buffers between two ends of any medium hold.
FLOOD = 64 * 1024 * 1024


@pytest.fixture(params=sorted(MEDIA))
def medium(request: pytest.FixtureRequest) -> Medium:
    return MEDIA[request.param]


@pytest.fixture(params=["as-made", "swapped"])
async def ends(request: pytest.FixtureRequest, medium: Medium, tls: Tls) -> AsyncIterator[Pair]:
    async with medium.make(tls) as (one, two):
        a, b = (one, two) if request.param == "as-made" else (two, one)
        yield a, b
        a.abort()
        b.abort()


async def read_all(stream: ByteStream) -> bytes:
    chunks = []
    while chunk := await stream.read():
        chunks.append(chunk)
    return b"".join(chunks)


async def read_exactly(stream: ByteStream, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        chunk = await stream.read()
        assert chunk
        got += chunk
    assert len(got) == size
    return bytes(got)


async def test_carries_bytes_both_ways(ends: Pair) -> None:
    a, b = ends
    for _ in range(3):
        await a.write(b"ping")
        assert await read_exactly(b, 4) == b"ping"
        await b.write(b"pong!")
        assert await read_exactly(a, 5) == b"pong!"


async def test_buffers_of_one_write_stay_in_order(ends: Pair) -> None:
    a, b = ends
    await a.write(b"a", bytearray(b"bc"), b"", memoryview(b"def"))
    assert await read_exactly(b, 6) == b"abcdef"


async def test_an_empty_write_is_nothing(ends: Pair) -> None:
    a, b = ends
    await a.write(b"")
    await a.write()
    await a.write(b"x")
    assert await read_exactly(b, 1) == b"x"


@pytest.mark.parametrize("first", ["a", "b"])
async def test_each_direction_ends_by_itself(ends: Pair, first: str) -> None:
    a, b = ends if first == "a" else ends[::-1]
    await a.write(b"request")
    await a.end()
    assert await read_all(b) == b"request"
    assert await b.read() == b""
    await b.write(b"answer")
    await b.write(b" later")
    await b.end()
    assert await read_all(a) == b"answer later"
    assert await a.read() == b""
    await asyncio.gather(a.close(), b.close())


async def test_both_may_end_at_once(ends: Pair) -> None:
    a, b = ends
    await asyncio.gather(a.end(), b.end())
    assert await asyncio.gather(read_all(a), read_all(b)) == [b"", b""]
    await asyncio.gather(a.close(), b.close())


async def test_bulk_arrives_whole_through_a_reader_that_stops(ends: Pair) -> None:
    """Chunks are kept until the end: none of them may change under us after it was read."""
    a, b = ends
    data = random.Random(1).randbytes(BULK)

    async def send() -> None:
        sizes = random.Random(2)
        at = 0
        while at < len(data):
            size = sizes.choice((1, 100, 5_000, 70_000, 300_000))
            await a.write(memoryview(data)[at : at + size])
            at += size
        await a.end()

    sender = asyncio.create_task(send())
    chunks = [await b.read()]
    await quiet(ends)
    while chunk := await b.read():
        chunks.append(chunk)
    await sender
    assert hashlib.sha256(b"".join(chunks)).digest() == hashlib.sha256(data).digest()


async def quiet(ends: Pair) -> None:
    """Let the event loop run through 50 round trips the other way: what can move without the reader, has moved."""
    a, b = ends
    for _ in range(50):
        await asyncio.sleep(0)  # in memory a round trip needs no turn of the event loop
        await b.write(b"?")
        await read_exactly(a, 1)


async def test_a_reader_that_stops_stops_the_writer(ends: Pair) -> None:
    a, _b = ends
    block = bytes(64 * 1024)
    written = 0

    async def flood() -> None:
        nonlocal written
        while written < FLOOD:
            await a.write(block)
            written += len(block)

    task = asyncio.create_task(flood())
    before = -1
    while before != written:
        before = written
        await quiet(ends)
    assert written < FLOOD
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_abort_is_never_an_end(ends: Pair, medium: Medium) -> None:
    a, b = ends
    await a.write(b"before")
    await read_exactly(b, 6)
    a.abort("for the test")
    a.abort()
    with pytest.raises(StreamBroken) if medium.tells_abort else maybe_broken():
        assert await read_all(b) == b""
        assert not medium.tells_abort
    with pytest.raises(StreamBroken):
        while True:
            await b.write(bytes(64 * 1024))


class maybe_broken:
    """The medium cannot tell an abort from an end: either is right."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, StreamBroken)


async def test_close_before_both_ends_is_an_abort(ends: Pair, medium: Medium) -> None:
    a, b = ends
    await a.end()
    assert await read_all(b) == b""
    await a.close()
    with pytest.raises(StreamBroken):
        while True:
            await b.write(bytes(64 * 1024))


async def test_after_abort_every_use_says_closed(ends: Pair) -> None:
    a, _ = ends
    reading = asyncio.create_task(a.read())
    await asyncio.sleep(0)
    a.abort("we are done")
    with pytest.raises(StreamClosed):
        await reading
    with pytest.raises(StreamClosed):
        await a.read()
    with pytest.raises(StreamClosed):
        await a.write(b"x")
    with pytest.raises(StreamClosed):
        await a.end()
    await a.close()


async def test_after_end_no_write(ends: Pair) -> None:
    a, b = ends
    await a.end()
    await a.end()
    with pytest.raises(StreamClosed):
        await a.write(b"x")
    assert await read_all(b) == b""


async def test_one_reader_at_a_time(ends: Pair) -> None:
    a, b = ends
    reading = asyncio.create_task(a.read())
    await asyncio.sleep(0)
    with pytest.raises(StreamBusy):
        await a.read()
    await b.write(b"x")
    assert await reading == b"x"


async def test_one_writer_at_a_time(ends: Pair) -> None:
    a, _ = ends

    async def flood() -> None:
        while True:
            await a.write(bytes(64 * 1024))

    task = asyncio.create_task(flood())
    await quiet(ends)
    with pytest.raises(StreamBusy):
        await a.write(b"x")
    with pytest.raises(StreamBusy):
        await a.end()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_read_loses_nothing(ends: Pair) -> None:
    a, b = ends
    for _ in range(3):
        reading = asyncio.create_task(b.read())
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await a.write(b"kept")
        assert await read_exactly(b, 4) == b"kept"


async def test_leaving_its_context_closes_it(ends: Pair) -> None:
    a, b = ends
    async with a, b:
        await asyncio.gather(a.end(), b.end())
        await asyncio.gather(read_all(a), read_all(b))
    with pytest.raises(StreamClosed):
        await a.write(b"x")
    c, _ = ends
    with pytest.raises(ZeroDivisionError):
        async with c:
            raise ZeroDivisionError
