"""Memory and sockets of the gateway, and of a supervisor with all that it needs, as the gateway tells them.

The gateway reads its own and the zygote's; supervisor and init, which only root may look into, speak for themselves. PSS is
the honest sum over processes that share pages: a page shared by N counts 1/N in each.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from pyopenshell.errors import OpenShellError
from pyopenshell.sdk.types import Process

Ask = Callable[[], Awaitable[Sequence[Process]]]
#: Connects to the gateway for as long as it is entered.
Connect = Callable[[], AbstractAsyncContextManager[Ask]]

#: What makes up each row: a supervisor's share of one zygote is all of it where there is one sandbox.
PARTS = {"gateway": ("gateway",), "supervisor": ("supervisor", "init", "zygote")}


def memory(processes: Sequence[Process], name: str) -> tuple[float, float] | None:
    """PSS and RSS in MB of the row `name`, None where not all of its parts are known. RSS counts no zygote: it is shared."""
    parts = [process for process in processes if process.kind in PARTS[name]]
    if {process.kind for process in parts} != set(PARTS[name]) or not all(process.pss for process in parts):
        return None
    resident = sum(process.rss for process in parts if process.kind != "zygote")
    return sum(process.pss for process in parts) / 1e6, resident / 1e6


def sockets(processes: Sequence[Process]) -> int | None:
    """The supervisor's sockets, None where it does not tell (it has one at least: to the gateway)."""
    return sum(process.sockets for process in processes if process.kind == "supervisor") or None


async def look(connect: Connect) -> Sequence[Process]:
    """What there is now; nothing where the gateway does not tell."""
    try:
        async with connect() as ask:
            return await ask()
    except OpenShellError:
        return []


class SocketWatcher(threading.Thread):
    """Samples the supervisor's sockets until stopped; `growth` is the peak less the first count, None where unknown."""

    def __init__(self, connect: Connect, every: float) -> None:
        super().__init__(daemon=True)
        self.growth: int | None = None
        self._connect = connect
        self._every = every
        self._stopped = threading.Event()
        self._begun = threading.Event()

    def begin(self) -> None:
        """Start, and wait for the first count."""
        self.start()
        self._begun.wait()

    def run(self) -> None:
        try:
            asyncio.run(self._sample())
        except OpenShellError:
            self.growth = None
        finally:
            self._begun.set()

    async def _sample(self) -> None:
        async with self._connect() as ask:
            first = sockets(await ask())
            self._begun.set()
            while first is not None:
                self.growth = max(self.growth or 0, (sockets(await ask()) or first) - first)
                if self._stopped.is_set():
                    return
                await asyncio.sleep(self._every)

    def stop(self) -> None:
        """End the sampling and wait for it."""
        self._stopped.set()
        self.join()
