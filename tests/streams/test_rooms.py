"""Places for messages in parts: in order, given back, never lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from pyopenshell.streams.rooms import FREE, Room

BIG = FREE * 4


async def holding(room: Room, n: int, order: list[int], go: asyncio.Event) -> None:
    async with room.place(n):
        order.append(n)
        await go.wait()


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_small_messages_need_no_place() -> None:
    room = Room(0)
    async with room.place(FREE):
        pass


async def test_first_come_first_served() -> None:
    room, order = Room(BIG), []
    gates = [asyncio.Event() for _ in range(3)]
    sizes = [BIG, BIG - 1, FREE + 1]
    tasks = [asyncio.create_task(holding(room, n, order, gate)) for n, gate in zip(sizes, gates, strict=True)]
    await turn()
    assert order == [BIG]
    gates[0].set()
    await turn()
    assert order == sizes[:2], "the third would fit, but comes after the second"
    gates[1].set()
    gates[2].set()
    await asyncio.gather(*tasks)
    assert order == sizes
    assert repr(room) == f"<Room {BIG} bytes left, 0 wait>"


async def test_who_gives_up_waiting_holds_nothing_and_lets_the_next_in() -> None:
    room, order = Room(BIG), []
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(room.place(FREE + 1))
        first = asyncio.create_task(holding(room, BIG, order, gate))
        second = asyncio.create_task(holding(room, FREE + 2, order, gate))
        await turn()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await turn()
        assert order == [FREE + 2]
        gate.set()
        await second
    assert repr(room) == f"<Room {BIG} bytes left, 0 wait>"


async def test_a_place_that_came_too_late_is_given_back() -> None:
    room, order = Room(BIG), []
    holder = asyncio.Event()
    task = asyncio.create_task(holding(room, BIG, order, holder))
    await turn()
    waiting = asyncio.create_task(holding(room, BIG, order, asyncio.Event()))
    await turn()
    holder.set()
    await task  # hands its place on
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert repr(room) == f"<Room {BIG} bytes left, 0 wait>"
