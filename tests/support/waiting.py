"""Waits for what another process does and tells nobody: polled, without a limit of its own (the test has one)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

PAUSE = 0.005


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return once `condition` holds."""
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return
        await asyncio.sleep(PAUSE)
