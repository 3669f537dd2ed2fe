"""Sandboxes: create, look, list, start, stop, delete, logs, watch, and waiting until a command can run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import datetime

from google.protobuf.message import Message

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Phase, SandboxSpec, check_label, check_name, new_id
from pyopenshell.sdk.connection import Connection
from pyopenshell.sdk.relays import check_sandbox
from pyopenshell.sdk.types import LogLine, Sandbox, WatchEvent, watch_event
from pyopenshell.wire import sandbox_spec
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

PAGE_SIZE = 100
READY_TIMEOUT = 120.0  # seconds; unpacking a large image tree is the slowest thing that a start waits for
#: Phases that do not change by themselves: waiting for a start is over.
SETTLED = frozenset({Phase.READY, Phase.ERROR, Phase.COMPLETED, Phase.STOPPED, Phase.DELETING})


class Sandboxes:
    """The sandboxes of one gateway. Every `sandbox` argument is a name or an id. All raise what the gateway answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        spec: SandboxSpec | None = None,
        *,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        attached: bool = False,
    ) -> Sandbox:
        """Ask for a sandbox; it is not ready yet (`wait_ready`). An empty `name` lets the gateway choose one.

        `attached`: its main process begins when its logs are followed (`watch`), so that no line of it is missed.
        """
        if name:
            check_name(name, "sandbox name")
        for key, value in (labels or {}).items():
            check_label(key, value)
        spec = spec or SandboxSpec()
        sandbox_spec.check(spec)
        request = pb.CreateSandboxRequest(
            name=name,
            spec=sandbox_spec.to_message(spec),
            labels=dict(labels or {}),
            await_main_process_attachment=attached,
            request_id=new_id(),
        )
        return await self._sandbox("CreateSandbox", request)

    async def get(self, sandbox: str) -> Sandbox:
        """Raises NOT_FOUND."""
        return await self._sandbox("GetSandbox", pb.GetSandboxRequest(name=check_sandbox(sandbox)))

    async def logs(self, sandbox: str, *, lines: int = 0, since: datetime | None = None) -> list[LogLine]:
        """The last `lines` lines that the gateway keeps (0: all), those after `since` where it is given."""
        request = pb.GetSandboxLogsRequest(sandbox=check_sandbox(sandbox), lines=lines)
        if since is not None:
            request.since_time.FromDatetime(since)
        response = await self._connection.call("GetSandboxLogs", request, pb.GetSandboxLogsResponse)
        return [LogLine.of(line) for line in response.logs]

    async def list(self, label_selector: str = "") -> list[Sandbox]:
        """All sandboxes whose labels match `k=v,k2=v2`, page by page."""
        found: list[Sandbox] = []
        page = ""
        while True:
            request = pb.ListSandboxesRequest(page_size=PAGE_SIZE, page_token=page, label_selector=label_selector)
            response = await self._connection.call("ListSandboxes", request, pb.ListSandboxesResponse)
            found += [Sandbox.of(message) for message in response.sandboxes]
            page = response.next_page_token
            if not page:
                return found

    async def start(self, sandbox: str) -> Sandbox:
        """Start a sandbox that stands still; its main process runs again."""
        request = pb.StartSandboxRequest(name=check_sandbox(sandbox), request_id=new_id())
        return await self._sandbox("StartSandbox", request)

    async def stop(self, sandbox: str) -> Sandbox:
        """End every process; the workspace stays."""
        request = pb.StopSandboxRequest(name=check_sandbox(sandbox), request_id=new_id())
        return await self._sandbox("StopSandbox", request)

    async def delete(self, sandbox: str, *, allow_missing: bool = False) -> bool:
        """Delete it and its workspace. Returns whether there was one; raises NOT_FOUND unless `allow_missing`."""
        request = pb.DeleteSandboxRequest(name=check_sandbox(sandbox), allow_missing=allow_missing, request_id=new_id())
        response = await self._connection.call("DeleteSandbox", request, pb.DeleteSandboxResponse)
        return response.outcome != pb.DELETION_OUTCOME_ALREADY_ABSENT

    async def watch(
        self,
        sandbox: str,
        *,
        status: bool = True,
        logs: bool = False,
        events: bool = False,
        tail: int = 0,
        stop_on_terminal: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        """A snapshot first, then every change, until the sandbox is gone (or at rest, with `stop_on_terminal`)."""
        request = pb.WatchSandboxRequest(
            sandbox=check_sandbox(sandbox),
            follow_status=status,
            follow_logs=logs,
            follow_events=events,
            log_tail_lines=tail,
            stop_on_terminal=stop_on_terminal,
        )
        async with aclosing(self._connection.stream("WatchSandbox", request, pb.SandboxStreamEvent)) as messages:
            async for message in messages:
                event = watch_event(message)
                if event is not None:
                    yield event

    async def wait_ready(
        self,
        sandbox: str,
        *,
        timeout: float = READY_TIMEOUT,
        progress: Callable[[Sandbox], None] = lambda _: None,
    ) -> Sandbox:
        """Wait until a command can run, or until that cannot happen; `progress` is told of each change.

        Returns the sandbox in phase READY, or at rest after its main process ran. Raises PRECONDITION with the reason where
        it could not be started or was stopped, DEADLINE after `timeout` seconds.
        """
        last: Sandbox | None = None
        try:
            async with asyncio.timeout(timeout), aclosing(self.watch(sandbox, status=True)) as events:
                async for event in events:
                    if isinstance(event, Sandbox):
                        last = event
                        progress(event)
                        if event.phase in SETTLED:
                            return _usable(event)
        except TimeoutError as error:
            phase = last.phase.label if last else "unknown"
            raise OpenShellError(
                Code.DEADLINE, f"sandbox {sandbox!r} was not ready within {timeout:.0f} s", hint=f"phase: {phase}"
            ) from error
        raise OpenShellError(Code.BROKEN, f"the gateway stopped telling about sandbox {sandbox!r} before it was ready")

    async def _sandbox(self, rpc: str, request: Message) -> Sandbox:
        response = await self._connection.call(rpc, request, pb.SandboxResponse)
        return Sandbox.of(response.sandbox)


def _usable(sandbox: Sandbox) -> Sandbox:
    """READY, or a main process that ran already; anything else is an error with its reason."""
    ran = sandbox.phase in (Phase.ERROR, Phase.COMPLETED) and sandbox.exit_code is not None
    if sandbox.phase in (Phase.READY, Phase.COMPLETED) or ran:
        return sandbox
    reason = f": {sandbox.reason}" if sandbox.reason else ""
    raise OpenShellError(
        Code.PRECONDITION,
        f"sandbox {sandbox.name!r} did not start, phase {sandbox.phase.label}{reason}",
        hint=f"see 'openshell sandbox logs {sandbox.name}'",
    )
