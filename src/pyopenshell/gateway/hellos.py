"""Starts that wait for a supervisor's first word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pyopenshell.errors import Code, OpenShellError


class Hellos:
    """At most one for each sandbox; what is awaited is the instance id of its main process."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[str]] = {}

    @contextmanager
    def awaiting(self, sandbox_id: str) -> Iterator[asyncio.Future[str]]:
        """A start waits, for the time of the block. The future raises PRECONDITION where the start is given up."""
        hello = self._awaited[sandbox_id] = asyncio.get_running_loop().create_future()
        try:
            yield hello
        finally:
            hello.cancel()
            del self._awaited[sandbox_id]

    def came(self, sandbox_id: str, instance_id: str) -> bool:
        """Its supervisor is here. Whether a start waited for it."""
        hello = self._open(sandbox_id)
        if hello is not None:
            hello.set_result(instance_id)
        return hello is not None

    def give_up(self, sandbox_id: str, reason: str) -> bool:
        """It is not to be waited for any more. Whether a start waited."""
        hello = self._open(sandbox_id)
        if hello is not None:
            hello.set_exception(OpenShellError(Code.PRECONDITION, reason))
            hello.exception()  # looked at: the driver may fail first
        return hello is not None

    def _open(self, sandbox_id: str) -> asyncio.Future[str] | None:
        hello = self._awaited.get(sandbox_id)
        return None if hello is None or hello.done() else hello
