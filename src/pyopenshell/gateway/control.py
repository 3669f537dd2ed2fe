"""What the gateway has to say on one supervisor's control stream: a queue with one writer, heartbeats in its silences."""

from __future__ import annotations

import asyncio
from collections import deque

from pyopenshell.errors import OpenShellError
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


class Control:
    """What the gateway has to say on one control stream, in order; `next` is for its one writer."""

    def __init__(self) -> None:
        self._messages: deque[pb.GatewayMessage] = deque()
        self._changed = asyncio.Event()
        self.ended: OpenShellError | None = None

    def put(self, message: pb.GatewayMessage) -> None:
        """Say `message`. Bounded by the places of relay/limits.py (an open and a close for each relay) and `Usages`."""
        self._messages.append(message)
        self._changed.set()

    def end(self, reason: OpenShellError) -> None:
        """Nothing more: the stream ends, for this reason, after what was said."""
        self.ended = reason
        self._changed.set()

    async def next(self, timeout: float) -> pb.GatewayMessage | None:
        """The next message; a heartbeat after `timeout` seconds of silence; None at the end."""
        while not self._messages:
            if self.ended is not None:
                return None
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                return pb.GatewayMessage(heartbeat=pb.GatewayHeartbeat())
        return self._messages.popleft()
