"""Background work: order under one name, independence of names, errors, closing."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pyopenshell.gateway.work import Work


async def test_one_at_a_time_under_a_name_and_names_beside_each_other() -> None:
    work, go, seen = Work(), asyncio.Event(), []

    async def step(name: str, wait: bool = False) -> None:
        seen.append(f"{name} begins")
        if wait:
            await go.wait()
        seen.append(f"{name} ends")

    first = work.on("a", step("one", wait=True))
    second = work.on("a", step("two"))
    await work.on("b", step("other"))
    assert seen == ["one begins", "other begins", "other ends"]
    go.set()
    await asyncio.gather(first, second)
    assert seen[3:] == ["one ends", "two begins", "two ends"]
    await work.idle()


async def test_what_fails_is_logged_told_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    work = Work()

    async def fail() -> None:
        raise RuntimeError("no")

    async def fine() -> None:
        return

    failing = work.on("a", fail())
    await work.on("a", fine())
    with pytest.raises(RuntimeError):
        await failing
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(logging.ERROR, "a: no")]


async def test_closing_cancels_what_runs_what_waits_and_what_comes() -> None:
    work, begun, seen = Work(), asyncio.Event(), []

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    async def never() -> None:
        seen.append("never")

    running, waiting = work.on("a", forever()), work.on("a", never())
    await begun.wait()
    await work.close()
    late = work.on("b", never())
    await asyncio.gather(late, return_exceptions=True)
    assert running.cancelled()
    assert waiting.cancelled()
    assert late.cancelled()
    assert seen == ["cancelled"]
