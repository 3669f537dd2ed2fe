"""The RPCs about sandboxes as such: create, get, list, delete, stop, start.

Create is idempotent by `request_id`: who asks again, after a lost answer, gets the sandbox that the first request made. The
id is kept with the record, as an annotation, so that this holds over a restart of the gateway too.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pyopenshell.audit import entities
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.gateway.host_keys import new_host_key
from pyopenshell.gateway.lifecycle import Lifecycle
from pyopenshell.gateway.log_book import LogBook
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.sandbox_view import OWN_ANNOTATIONS, new_name, one_workspace, sandbox_message, workspace_of
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import SandboxSpec, check_label, check_name, new_id
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire import sandbox_spec
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

REQUEST_ID = f"{OWN_ANNOTATIONS}request-id"  # annotation: who asked for it, in which request
REQUEST_ID_MAX = 128  # a UUID is 36
LABELS_MAX = 64  # labels, and annotations, of one sandbox
ANNOTATION_MAX = 4096  # bytes of one annotation


class SandboxService:
    """Serves the RPCs about sandboxes."""

    def __init__(self, registry: Registry, lifecycle: Lifecycle, logs: LogBook, trail: Trail) -> None:
        self._registry = registry
        self._lifecycle = lifecycle
        self._logs = logs
        self._trail = trail
        self._creating: dict[str, asyncio.Lock] = {}

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.CREATE_SANDBOX, pb.CreateSandboxRequest, one=self.create),
            Rpc(Action.GET_SANDBOX, pb.GetSandboxRequest, one=self.get),
            Rpc(Action.LIST_SANDBOXES, pb.ListSandboxesRequest, one=self.list),
            Rpc(Action.DELETE_SANDBOX, pb.DeleteSandboxRequest, one=self.delete),
            Rpc(Action.STOP_SANDBOX, pb.StopSandboxRequest, one=self.stop),
            Rpc(Action.START_SANDBOX, pb.StartSandboxRequest, one=self.start),
        ]

    async def create(self, request: pb.CreateSandboxRequest, caller: Caller) -> pb.SandboxResponse:
        """Begin to make a sandbox; the answer has it in phase PROVISIONING."""
        request_id = request.request_id
        if not request_id:
            return self._response(await self._create(request, caller))
        if len(request_id) > REQUEST_ID_MAX:
            raise OpenShellError(Code.INVALID, f"the request id is over {REQUEST_ID_MAX} characters")
        mark = f"{caller.principal.subject} {request_id}"
        lock = self._creating.setdefault(mark, asyncio.Lock())
        try:
            async with lock:
                made = self._registry.find_annotated(REQUEST_ID, mark)
                return self._response(made or await self._create(request, caller, mark))
        finally:
            if not lock.locked():
                self._creating.pop(mark, None)

    async def _create(self, request: pb.CreateSandboxRequest, caller: Caller, mark: str = "") -> SandboxRecord:
        workspace = one_workspace(request.workspace_scope)
        name = check_name(request.name, "sandbox name") if request.name else new_name()
        spec = sandbox_spec.of_message(request.spec)
        _check_marks(request)
        record = await self._lifecycle.create(
            new_record(
                name,
                spec,
                caller.principal.subject,
                self._trail.wall(),
                workspace=workspace,
                labels=dict(request.labels),
                annotations={**request.annotations, **({REQUEST_ID: mark} if mark else {})},
            ),
            attached=request.await_main_process_attachment and bool(spec.command),
        )
        self._trail.note(entities.sandbox_created, caller.principal, record.id, record.name)
        return record

    async def get(self, request: pb.GetSandboxRequest, caller: Caller) -> pb.SandboxResponse:
        """One sandbox by name or id."""
        record = self._registry.resolve(request.name, one_workspace(request.workspace_scope))
        caller.may(Action.GET_SANDBOX, record.id)
        return self._response(record)

    async def list(self, request: pb.ListSandboxesRequest, _caller: Caller) -> pb.ListSandboxesResponse:
        """A page of sandboxes in order of their names."""
        page = await self._registry.table.list(
            workspace=workspace_of(request.workspace_scope),
            selector=request.label_selector,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListSandboxesResponse(
            sandboxes=[sandbox_message(record) for record in page.items], next_page_token=page.next_token
        )

    async def delete(self, request: pb.DeleteSandboxRequest, caller: Caller) -> pb.DeleteSandboxResponse:
        """End a sandbox and remove all that it has; answered when that is done."""
        try:
            record = self._registry.resolve(request.name, one_workspace(request.workspace_scope))
        except OpenShellError as error:
            if error.code is Code.NOT_FOUND and request.allow_missing:
                return pb.DeleteSandboxResponse(outcome=pb.DELETION_OUTCOME_ALREADY_ABSENT)
            raise
        caller.may(Action.DELETE_SANDBOX, record.id)
        await self._lifecycle.delete(record.id)
        self._logs.forget(record.id)
        self._trail.note(entities.sandbox_deleted, caller.principal, record.id, record.name)
        return pb.DeleteSandboxResponse(outcome=pb.DELETION_OUTCOME_COMPLETED, sandbox_id=record.id)

    async def stop(self, request: pb.StopSandboxRequest, caller: Caller) -> pb.SandboxResponse:
        """End every process of a sandbox; answered when that is done."""
        record = self._registry.resolve(request.name, one_workspace(request.workspace_scope))
        caller.may(Action.STOP_SANDBOX, record.id)
        return self._response(await self._lifecycle.stop(record.id))

    async def start(self, request: pb.StartSandboxRequest, caller: Caller) -> pb.SandboxResponse:
        """Begin to start a sandbox that is at rest; the answer has it in phase STARTING."""
        record = self._registry.resolve(request.name, one_workspace(request.workspace_scope))
        caller.may(Action.START_SANDBOX, record.id)
        return self._response(await self._lifecycle.start(record.id))

    def _response(self, record: SandboxRecord) -> pb.SandboxResponse:
        return pb.SandboxResponse(sandbox=sandbox_message(record))


def new_record(name: str, spec: SandboxSpec, owner: str, now: float, **fields: Any) -> SandboxRecord:
    """The record of a new sandbox, with a key of its own; `fields` are those of `SandboxRecord`."""
    key = new_host_key()
    return SandboxRecord(
        id=new_id(),
        name=name,
        created_at=now,
        changed_at=now,
        spec=spec,
        owner=owner,
        host_key=key.public,
        host_key_private=key.private,
        host_key_fingerprint=key.fingerprint,
        **fields,
    )


def _check_marks(request: pb.CreateSandboxRequest) -> None:
    """Raise INVALID unless labels and annotations are few, short and well formed; refuse what we cannot do."""
    for what, marks in (("labels", request.labels), ("annotations", request.annotations)):
        if len(marks) > LABELS_MAX:
            raise OpenShellError(Code.INVALID, f"{len(marks)} {what} are over the limit of {LABELS_MAX}")
    for key, value in request.labels.items():
        check_label(key, value)
    for key, value in request.annotations.items():
        check_label(key, "")
        if key.startswith(OWN_ANNOTATIONS):
            raise OpenShellError(Code.INVALID, f"annotations with {OWN_ANNOTATIONS!r} in front are the gateway's own")
        if len(value.encode()) > ANNOTATION_MAX:
            raise OpenShellError(Code.INVALID, f"annotation {key[:80]!r} is over {ANNOTATION_MAX} bytes")
    if request.service_exposures:
        raise OpenShellError(Code.INVALID, "this gateway does not expose services yet")
    if request.workload_template:
        raise OpenShellError(Code.INVALID, "this gateway has no workload templates")
