"""Main processes that begin only when somebody follows them (CreateSandboxRequest.await_main_process_attachment).

A process that prints and ends at once would be over before its maker could follow it, and the log keeps the last megabyte
alone. So whoever asks for it at the creation has the start wait for the first WatchSandbox that follows the logs; one that
never comes (a lost client) is waited for ATTACH_TIMEOUT and no longer.
"""

from __future__ import annotations

import asyncio

ATTACH_TIMEOUT = 10.0  # seconds; as long as a supervisor has to claim a relay: a client watches one round trip later


class Attachments:
    """Who is waited for, by sandbox id."""

    def __init__(self, timeout: float = ATTACH_TIMEOUT) -> None:
        self._timeout = timeout
        self._awaited: dict[str, asyncio.Event] = {}

    def expect(self, sandbox_id: str, wanted: bool = True) -> None:
        """From now on an attachment counts, where it is wanted."""
        if wanted:
            self._awaited[sandbox_id] = asyncio.Event()

    async def wait(self, sandbox_id: str) -> None:
        """Until somebody follows it, or nobody comes, or it is not expected."""
        expected = self._awaited.get(sandbox_id)
        if expected is None:
            return
        try:
            async with asyncio.timeout(self._timeout):
                await expected.wait()
        except TimeoutError:
            return
        finally:
            self._awaited.pop(sandbox_id, None)

    def came(self, sandbox_id: str) -> None:
        """Somebody follows it, or it is not to be waited for any more."""
        expected = self._awaited.get(sandbox_id)
        if expected is not None:
            expected.set()
