"""The pace of one connection: what was dear is read in smaller pieces, and calls begin a few in a turn."""

from __future__ import annotations

import asyncio

from pyopenshell.streams.pace import BEGINS, FIRST, LEAST, MOST, TURN, Begins, Pace


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
