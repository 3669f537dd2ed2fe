"""The RPCs about logs: a supervisor pushes its sandbox's lines, a person reads them."""

from __future__ import annotations

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.log_book import LogBook, LogFilter
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.sandbox_view import one_workspace
from pyopenshell.wire.convert import seconds_of_timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


class LogService:
    """Serves PushSandboxLogs and GetSandboxLogs."""

    def __init__(self, registry: Registry, book: LogBook) -> None:
        self._registry = registry
        self._book = book

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.PUSH_SANDBOX_LOGS, raw=self.push),
            Rpc(Action.GET_SANDBOX_LOGS, pb.GetSandboxLogsRequest, one=self.get),
        ]

    async def push(self, caller: Caller) -> None:
        """Keep what a supervisor pushes; the answer says that all of it is kept. Raises FORBIDDEN, NOT_FOUND."""
        while (request := await caller.call.receive(pb.PushSandboxLogsRequest)) is not None:
            caller.may(Action.PUSH_SANDBOX_LOGS, request.sandbox_id)
            sandbox_id = caller.principal.sandbox_id
            if self._registry.get(sandbox_id) is None:
                raise OpenShellError(Code.NOT_FOUND, "this sandbox does not exist any more")
            await self._book.append(sandbox_id, request.logs)
        await caller.call.send(pb.PushSandboxLogsResponse())

    async def get(self, request: pb.GetSandboxLogsRequest, caller: Caller) -> pb.GetSandboxLogsResponse:
        """The last lines that are wanted, oldest first."""
        record = self._registry.resolve(request.sandbox, one_workspace(request.workspace_scope))
        caller.may(Action.GET_SANDBOX_LOGS, record.id)
        wanted = LogFilter(
            since=seconds_of_timestamp(request.since_time),
            sources=frozenset(request.sources),
            min_level=request.min_level,
        )
        lines = await self._book.tail(record.id, wanted, request.lines)
        return pb.GetSandboxLogsResponse(
            logs=[line for _, line in lines], buffer_total=await self._book.total(record.id)
        )
