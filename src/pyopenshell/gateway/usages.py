"""What supervisors say that they take: asked for in a heartbeat, answered in one.

    ask ─ heartbeat{usage} ─ the supervisor asks its init ─ heartbeat{Usage} ─ everyone who asked meanwhile has it

A supervisor that does not know the field answers as always, and who asked gives up: nothing is known then. There is at most
one question on a control stream, however many ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

TIMEOUT = (
    2.0  # seconds; an answer takes milliseconds, and a supervisor that is too busy for it has no figure worth a wait
)


class Usages:
    """Questions that are open. `put(sandbox_id, message)` puts a message on a control stream, False where there is none."""

    def __init__(self, put: Callable[[str, pb.GatewayMessage], bool], timeout: float = TIMEOUT) -> None:
        self._put = put
        self._timeout = timeout
        self._asked: dict[str, asyncio.Future[pb.Usage]] = {}

    async def ask(self, sandbox_id: str) -> pb.Usage:
        """What this sandbox's supervisor and init take now; empty where they do not tell."""
        answer = self._asked.get(sandbox_id)
        if answer is None:
            if not self._put(sandbox_id, pb.GatewayMessage(heartbeat=pb.GatewayHeartbeat(usage=True))):
                return pb.Usage()
            answer = self._asked[sandbox_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(answer)
        except TimeoutError:
            if self._asked.get(sandbox_id) is answer:
                del self._asked[sandbox_id]
            return pb.Usage()

    def told(self, sandbox_id: str, usage: pb.Usage) -> None:
        """A supervisor has answered; nothing where nobody asked."""
        answer = self._asked.pop(sandbox_id, None)
        if answer is not None:
            answer.set_result(usage)
