from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from pyopenshell.drivers.running import Running
from pyopenshell.drivers.watch import watch


class Ends:
    """What a watcher knows of a process: when it ends."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def ended(self) -> None:
        await self.event.wait()


class Sandbox:
    """`replaced` counts; each new supervisor ends at once until `lasting` were made."""

    def __init__(self, short_lived: int, *, fail: int = 0) -> None:
        self.init = Ends()
        self.supervisor: Ends | None = Ends()
        self.short_lived = short_lived
        self.fail = fail
        self.replaced = 0

    async def replace(self, _running: Running) -> None:
        self.replaced += 1
        self.supervisor = None
        if self.replaced <= self.fail:
            return
        self.supervisor = Ends()
        if self.replaced <= self.short_lived:
            self.supervisor.event.set()
        else:
            self.init.event.set()


@pytest.mark.parametrize(("short_lived", "fail"), [(0, 0), (3, 0), (0, 3)])
async def test_a_supervisor_is_replaced_until_one_lasts(short_lived: int, fail: int) -> None:
    box = Sandbox(short_lived, fail=fail)
    assert box.supervisor is not None
    box.supervisor.event.set()
    await watch(cast(Any, box), box.replace, pauses=(0.0, 0.0))
    assert box.replaced == 1 + max(short_lived, fail)


async def test_the_end_of_init_ends_the_watch() -> None:
    box = Sandbox(0)
    watching = asyncio.create_task(watch(cast(Any, box), box.replace))
    await asyncio.sleep(0)
    box.init.event.set()
    await watching
    assert box.replaced == 0


async def test_an_init_that_ends_during_the_pause_gets_no_supervisor() -> None:
    box = Sandbox(0)
    assert box.supervisor is not None
    box.supervisor.event.set()
    box.init.event.set()
    await watch(cast(Any, box), box.replace, pauses=(60.0,))
    assert box.replaced == 0


async def test_a_cancelled_watch_leaves_no_task() -> None:
    box = Sandbox(0)
    watching = asyncio.create_task(watch(cast(Any, box), box.replace))
    await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
