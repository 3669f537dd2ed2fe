"""A driver for tests of the gateway: it keeps every promise of `drivers.base.Driver` in memory and makes no process.

A test that wants a supervisor sets `on_start`, which gets the birth (token, socket, spec) and plays the supervisor. Faults are
put into `fail` by the method's name and raised once; `crash` ends a sandbox as if its init had died.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pyopenshell.drivers.base import Birth, Driver, ProcessName
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import SandboxSpec

FACTS = {"isolation": "range", "system": "read-only"}


class FakeDriver(Driver):
    """`calls` tells what was asked, `running` which sandboxes run, `births` what each was told last."""

    name = "fake"

    def __init__(self, facts: Mapping[str, str] = FACTS) -> None:
        self.facts = dict(facts)
        self.calls: list[tuple[str, str]] = []
        self.births: dict[str, Birth] = {}
        self.running: dict[str, int] = {}
        self.fail: dict[str, OpenShellError] = {}
        self.on_start: Callable[[Birth], Awaitable[None]] | None = None
        self.closed = False
        self._next_pid = 1000

    async def probe(self) -> Mapping[str, str]:
        self._called("probe")
        return self.facts

    def check(self, spec: SandboxSpec) -> None:
        self._called("check")

    async def start(self, birth: Birth) -> Mapping[str, str]:
        self._called("start", birth.sandbox_id)
        if birth.sandbox_id in self.running:
            raise OpenShellError(Code.CONFLICT, f"sandbox {birth.name!r} runs already")
        self.births[birth.sandbox_id] = birth
        self._next_pid += 2
        self.running[birth.sandbox_id] = self._next_pid
        if self.on_start is not None:
            await self.on_start(birth)
        return self.facts

    async def adopt(self, birth: Birth) -> bool:
        self._called("adopt", birth.sandbox_id)
        if birth.sandbox_id not in self.running:
            return False
        self.births[birth.sandbox_id] = birth
        return True

    async def stop(self, sandbox_id: str) -> None:
        self._called("stop", sandbox_id)
        self.running.pop(sandbox_id, None)

    async def delete(self, sandbox_id: str) -> None:
        self._called("delete", sandbox_id)
        self.running.pop(sandbox_id, None)
        self.births.pop(sandbox_id, None)

    async def processes(self, sandbox_id: str = "") -> list[ProcessName]:
        if not sandbox_id:
            return [ProcessName("zygote", 1000, 1)]
        pid = self.running.get(sandbox_id)
        return [] if pid is None else [ProcessName("supervisor", pid, 1), ProcessName("init", pid + 1, 1)]

    async def close(self) -> None:
        self._called("close")
        self.closed = True

    def crash(self, sandbox_id: str, reason: str = "init died") -> None:
        """End a running sandbox and tell the gateway, as a real driver would."""
        del self.running[sandbox_id]
        if self.on_exit is not None:
            self.on_exit(sandbox_id, reason)

    def _called(self, method: str, sandbox_id: str = "") -> None:
        self.calls.append((method, sandbox_id))
        failure = self.fail.pop(method, None)
        if failure is not None:
            raise failure
