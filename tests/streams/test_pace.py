"""The pace of one connection: what was dear is read in smaller pieces, and calls begin a few in a turn."""

from __future__ import annotations

import asyncio
from typing import Any

from pyopenshell.streams.pace import BEGINS, FIRST, LEAST, MOST, READERS, TURN, Begins, Pace, Turns


def test_cheap_bytes_are_read_in_larger_pieces_up_to_the_most() -> None:
    pace = Pace()
    assert pace.size == FIRST
    for _ in range(10):
        pace.took(pace.size, 0.0)
    assert pace.size == MOST


def test_dear_bytes_are_read_in_smaller_pieces_down_to_the_least() -> None:
    pace = Pace()
    pace.took(pace.size, TURN * 2)
    assert pace.size == FIRST // 2
    pace.took(2_000, TURN * 2)
    assert pace.size == LEAST
    for _ in range(3):
        pace.took(pace.size, 0.0)
    pace.took(3_000, TURN * 2)
    assert pace.size == 1_500
    for _ in range(10):
        pace.took(pace.size, TURN * 2)
    assert pace.size == LEAST


def test_a_small_read_says_nothing_about_larger_ones() -> None:
    pace = Pace()
    pace.took(100, 0.0)
    pace.took(pace.size, TURN / 2)
    assert pace.size == FIRST


async def test_calls_begin_in_order_and_a_few_in_a_turn() -> None:
    begun: list[int] = []
    begins: Begins[int] = Begins(begun.append)
    for call in range(3 * BEGINS - 1):
        begins.add(call)
    seen = [len(begun)]
    begins.add(3 * BEGINS - 1)
    while len(begun) < 3 * BEGINS:
        await asyncio.sleep(0)
        seen.append(len(begun))
    assert begun == list(range(3 * BEGINS))
    assert seen == [BEGINS, 2 * BEGINS, 3 * BEGINS]
    await asyncio.sleep(0)
    begins.add(-1)
    assert begun[-1] == -1


async def test_a_turn_that_is_over_leaves_nothing_behind() -> None:
    begun: list[int] = []
    begins: Begins[int] = Begins(begun.append)
    for turn in range(3):
        for call in range(BEGINS):
            begins.add(call)
        assert len(begun) == (turn + 1) * BEGINS
        await asyncio.sleep(0)


class Reader:
    """A connection and its transport in one, which only take notes."""

    def __init__(self, closing: bool = False) -> None:
        self.transport: Any = self
        self.closing = closing
        self.notes: list[str] = []

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.notes.append("waits")

    def resume_reading(self) -> None:
        self.notes.append("reads")


async def test_a_few_of_many_connections_are_read_in_a_turn() -> None:
    turns: Any = Turns()
    readers = [Reader() for _ in range(2 * READERS + 1)]
    for reader in readers:
        turns.wait(reader)
    seen = []
    while len(seen) < 4:
        seen.append(sum(reader.notes == ["waits", "reads"] for reader in readers))
        await asyncio.sleep(0)
    assert seen == [0, READERS, 2 * READERS, 2 * READERS + 1]
    turns.wait(readers[0])
    await asyncio.sleep(0)
    assert readers[0].notes == 2 * ["waits", "reads"]


async def test_a_connection_that_is_gone_has_no_turn() -> None:
    turns: Any = Turns()
    closing, gone, lost = Reader(closing=True), Reader(), Reader()
    gone.transport = None
    for reader in (closing, gone, lost):
        turns.wait(reader)
    lost.transport = None
    await asyncio.sleep(0)
    assert (closing.notes, gone.notes, lost.notes) == ([], [], ["waits"])
