"""A driver without sandboxes: it keeps what it was told, and a test decides what happens.

`on_start(birth)` is awaited by `start`; a test sets it to connect a fake supervisor, to fail, or to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pyopenshell.drivers.base import Birth, Driver, ProcessName
from pyopenshell.errors import OpenShellError
from pyopenshell.model import SandboxSpec


class FakeDriver(Driver):
    name = "fake"

    def __init__(self) -> None:
        self.births: dict[str, Birth] = {}
        self.running: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.facts: dict[str, str] = {"isolation": "single", "system": "read-only"}
        self.refuse: OpenShellError | None = None
        self.on_start: Callable[[Birth], Awaitable[None]] | None = None
        self.on_stop: Callable[[str], Awaitable[None]] | None = None
        self.closed = False

    async def probe(self) -> Mapping[str, str]:
        return self.facts

    def check(self, spec: SandboxSpec) -> None:
        if self.refuse is not None:
            raise self.refuse

    async def start(self, birth: Birth) -> Mapping[str, str]:
        self.calls.append(("start", birth.sandbox_id))
        self.births[birth.sandbox_id] = birth
        if self.on_start is not None:
            await self.on_start(birth)
        self.running.add(birth.sandbox_id)
        return self.facts

    async def adopt(self, birth: Birth) -> bool:
        self.calls.append(("adopt", birth.sandbox_id))
        self.births[birth.sandbox_id] = birth
        return birth.sandbox_id in self.running

    async def stop(self, sandbox_id: str) -> None:
        self.calls.append(("stop", sandbox_id))
        self.running.discard(sandbox_id)
        if self.on_stop is not None:
            await self.on_stop(sandbox_id)

    async def delete(self, sandbox_id: str) -> None:
        self.calls.append(("delete", sandbox_id))
        self.running.discard(sandbox_id)
        self.births.pop(sandbox_id, None)

    async def processes(self, sandbox_id: str = "") -> list[ProcessName]:
        if not sandbox_id:
            return [ProcessName("zygote", 11, 100)]
        return [ProcessName("supervisor", 12, 101), ProcessName("init", 13, 102)]

    async def close(self) -> None:
        self.closed = True

    def dies(self, sandbox_id: str, reason: str) -> None:
        """The sandbox ended by itself."""
        self.running.discard(sandbox_id)
        assert self.on_exit is not None
        self.on_exit(sandbox_id, reason)
