"""Looking after sandboxes whose supervisor is away: after a lost session, and after the gateway's own start.

The driver is asked to look (`adopt`) again and again until the supervisor's session is back: a supervisor that died is
replaced by it, and a sandbox that died is reported to `ended`. A host that is away can tell nothing of its sandboxes: they
are looked after again when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pyopenshell.errors import OpenShellError
from pyopenshell.gateway import phases
from pyopenshell.gateway.births import Births
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.hosts import Hosts
from pyopenshell.gateway.phases import Event
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.work import Work
from pyopenshell.relay.sessions import Link

INTERVAL = 0.5  # seconds between two looks, doubled up to the next: a dying process is seen by the second look
INTERVAL_MAX = 30.0

logger = logging.getLogger("pyopenshell.gateway.lookout")


class Lookout:
    """Looks after sandboxes; `ended(sandbox_id, reason)` is told of one that runs no longer."""

    def __init__(
        self,
        registry: Registry,
        hosts: Hosts,
        board: Board,
        births: Births,
        work: Work,
        ended: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._hosts = hosts
        self._board = board
        self._births = births
        self._work = work
        self._ended = ended
        self._watched: set[str] = set()

    def watch(self, sandbox_id: str) -> None:
        """Look after this sandbox until its supervisor is back, or it runs no longer."""
        if sandbox_id not in self._watched:
            self._watched.add(sandbox_id)
            self._work.beside(self._until_back(sandbox_id), sandbox_id)

    async def _until_back(self, sandbox_id: str) -> None:
        interval = INTERVAL
        try:
            while self._needed(sandbox_id):
                await self._work.on(sandbox_id, self._look(sandbox_id))
                await asyncio.sleep(interval)
                interval = min(2 * interval, INTERVAL_MAX)
        finally:
            self._watched.discard(sandbox_id)

    def _needed(self, sandbox_id: str) -> bool:
        record = self._registry.get(sandbox_id)
        return (
            record is not None
            and phases.allowed(record.phase, Event.UP)
            and not self._hosts.away(record.host)
            and self._board.switchboard.sessions.link(sandbox_id) is not Link.LIVE
        )

    async def _look(self, sandbox_id: str) -> None:
        record = self._registry.get(sandbox_id)
        if record is None or not self._needed(sandbox_id):
            return
        try:
            if not await self._hosts.driver(record.host).adopt(await self._births.of(record)):
                await self._ended(sandbox_id, "it ended while nobody looked after it")
        except OpenShellError as error:
            logger.warning("sandbox %s cannot be looked after: %s", record.name, error)
