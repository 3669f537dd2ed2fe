"""Sandboxes that ended by themselves: kept until the gateway was told, also over a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

#: Sends a message on the stream. Raises OpenShellError or StreamClosed where that is lost.
Send = Callable[[ext.HostMessage], Awaitable[None]]


class Ended:
    """`note` is the driver's `on_exit`; `tell` says what is kept and what comes, for as long as there is a stream."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}
        self._new = asyncio.Event()

    def note(self, sandbox_id: str, reason: str) -> None:
        """It ended."""
        self._kept[sandbox_id] = reason
        self._new.set()

    def forget(self, sandbox_id: str) -> None:
        """It begins again, so an end that was not told is of no interest."""
        self._kept.pop(sandbox_id, None)

    async def tell(self, send: Send) -> None:
        """Say each end once, until cancelled or the stream is lost."""
        while True:
            for sandbox_id, reason in list(self._kept.items()):
                await send(ext.HostMessage(ended=ext.SandboxEnded(sandbox_id=sandbox_id, reason=reason)))
                if self._kept.get(sandbox_id) == reason:
                    del self._kept[sandbox_id]
            if not self._kept:
                self._new.clear()
                await self._new.wait()
