from __future__ import annotations

import asyncio

import pytest

from pyopenshell.streams import StreamBroken, pair


async def test_a_direction_holds_its_capacity_and_no_more() -> None:
    a, b = pair(capacity=4)
    await a.write(b"1234")
    writing = asyncio.create_task(a.write(b"56"))
    await asyncio.sleep(0)
    assert not writing.done()
    assert await b.read() == b"1234"
    await writing
    assert await b.read() == b"56"


async def test_a_large_write_goes_through_in_pieces() -> None:
    a, b = pair(capacity=3)
    writing = asyncio.create_task(a.write(b"abcdefgh"))
    got = b""
    while len(got) < 8:
        got += await b.read()
    await writing
    assert got == b"abcdefgh"


async def test_a_waiting_writer_learns_of_an_abort() -> None:
    a, b = pair(capacity=1)
    writing = asyncio.create_task(a.write(b"xx"))
    await asyncio.sleep(0)
    b.abort("enough")
    with pytest.raises(StreamBroken, match="enough"):
        await writing
