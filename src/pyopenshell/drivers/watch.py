"""Keeps a supervisor alive for as long as the sandbox's init lives.

supervisor ended, init lives ──pause──> replace ──> watch on         init ended ──> done
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pyopenshell.drivers.running import Running

#: Seconds before a supervisor is started again; the last repeats. One that lived longer than it counts as well again.
RESTART_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


async def watch(
    running: Running, replace: Callable[[Running], Awaitable[None]], pauses: Sequence[float] = RESTART_PAUSES
) -> None:
    """Wait until the init ended; whenever its supervisor ends before, call `replace` after a growing pause.

    `replace` sets `running.supervisor`, or leaves it None where that failed: then it is called again.
    """
    clock = asyncio.get_running_loop().time
    init_ended = asyncio.ensure_future(running.init.ended())
    failures = 0
    try:
        while True:
            born = clock()
            if running.supervisor is not None:
                supervisor_ended = asyncio.ensure_future(running.supervisor.ended())
                try:
                    await asyncio.wait((init_ended, supervisor_ended), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    supervisor_ended.cancel()
            if clock() - born > pauses[-1]:
                failures = 0
            await asyncio.wait((init_ended,), timeout=pauses[min(failures, len(pauses) - 1)])
            if init_ended.done():
                return
            failures += 1
            await replace(running)
    finally:
        init_ended.cancel()
