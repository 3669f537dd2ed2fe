"""Serves the target `ports`: what listens in the sandbox, told once, or at each change to whoever watches.

Nobody is told of a port that opens, so init is asked once a second, and only while somebody watches; several who watch
share one look. What init says is the sandbox's own words: checked, cut and cleaned here, on the first step outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import PORT_MAX, Outcome
from pyopenshell.streams.contract import ByteStream, StreamClosed
from pyopenshell.text import clean
from pyopenshell.wire.framed import framed
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

POLL = 1.0  # seconds between two looks: what a person takes for at once (top(1) and watch(1) take 3 and 2)
PORTS_MAX = 256  # of one snapshot: what an honest init says at most
TEXT_MAX = 64  # characters of an address (45, INET6_ADDRSTRLEN) or a name
PID_MAX = 2**22  # PID_MAX_LIMIT, proc_sys_kernel(5)


def snapshot(said: dict[str, Any]) -> pb.PortsSnapshot:
    """What init said, as a message. Raises UNAVAILABLE where it makes no sense."""
    try:
        rows = said["ports"]
        found = pb.PortsSnapshot(truncated=bool(said["truncated"]) or len(rows) > PORTS_MAX)
        for row in rows[:PORTS_MAX]:
            port, pid = int(row["port"]), int(row["pid"])
            if not (0 <= port <= PORT_MAX and 0 <= pid <= PID_MAX):
                raise ValueError(f"port {port} of process {pid}")
            address, process = (clean(str(row[key]), TEXT_MAX) for key in ("address", "process"))
            found.ports.add(port=port, address=address, pid=pid, process=process, udp=bool(row["udp"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OpenShellError(Code.UNAVAILABLE, "init told of ports in a way unknown here") from error
    return found


class Radar:
    """One look for all who want one at the same time. `ask` is `SpawnClient.ports`."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[dict[str, Any]]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ask = ask
        self._looking: asyncio.Task[pb.PortsSnapshot] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._sleep = sleep

    async def look(self) -> pb.PortsSnapshot:
        """What listens now. Raises what `ask` raises, UNAVAILABLE."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        return await asyncio.shield(self._looking)

    async def tick(self) -> None:
        """Wait for the next look of all who watch."""
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        await asyncio.shield(self._ticking)

    async def _look(self) -> pb.PortsSnapshot:
        return snapshot(await self._ask())

    async def _tick(self) -> None:
        await self._sleep(POLL)

    def _looked(self, task: asyncio.Task[pb.PortsSnapshot]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()


async def serve_ports(near: ByteStream, radar: Radar, *, watch: bool) -> Outcome:
    """Tell `near` what listens, with `watch` each change until it has ended, and close it. Cancelled, it aborts it."""
    telling = asyncio.create_task(_tell(near, radar, watch=watch))
    reading = asyncio.create_task(_until_end(near))
    try:
        if watch:
            await asyncio.wait((telling, reading), return_when=asyncio.FIRST_COMPLETED)
        if not watch or telling.done():
            await telling
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        await near.end()
        await reading
        await near.close()
    except _LookFailed as failed:
        near.abort(str(failed))
        return Outcome.BROKEN_FAR
    except (OpenShellError, StreamClosed) as error:
        near.abort(str(error))
        return Outcome.BROKEN_NEAR
    except BaseException:
        near.abort("the relay was cancelled")
        raise
    finally:
        telling.cancel()
        reading.cancel()
        await asyncio.gather(telling, reading, return_exceptions=True)
    return Outcome.COMPLETED


class _LookFailed(Exception):
    """The sandbox did not answer."""


async def _tell(near: ByteStream, radar: Radar, *, watch: bool) -> None:
    told: pb.PortsSnapshot | None = None
    while True:
        try:
            found = await radar.look()
        except OpenShellError as error:
            raise _LookFailed(error.message) from error
        if found != told:
            await near.write(framed(found.SerializeToString()))
            told = found
        if not watch:
            return
        await radar.tick()


async def _until_end(near: ByteStream) -> None:
    """Nothing that comes has a meaning; its end has."""
    while await near.read():
        pass
