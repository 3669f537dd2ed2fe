"""Background work: one task at a time for each name, all of it tracked, none of it lost in silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger("pyopenshell.gateway.work")


class Work:
    """Tasks of one owner. What fails is logged; whoever awaits the returned task gets the error too."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def on(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do `work` after all that was asked for under `name` before, whether that went well or not."""
        before = self._last.get(name)

        async def after() -> None:
            if before is not None:
                await asyncio.wait([before])
            await work

        def done(task: asyncio.Task[None]) -> None:
            work.close()  # where it never came to its turn
            if self._last.get(name) is task:
                del self._last[name]

        task = self.beside(after(), name)
        self._last[name] = task
        task.add_done_callback(done)
        return task

    def beside(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do `work` now, beside everything else; `name` is for the log."""

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("%s: %s", name, error, exc_info=error)

        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(done)
        if self._closed:
            task.cancel()
        return task

    async def idle(self) -> None:
        """Wait until nothing is left to do."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Cancel what is left, now and later."""
        self._closed = True
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.wait(self._tasks)
