"""A sandbox's record as the wire shows it, and the small words of requests: workspace, times, names."""

from __future__ import annotations

import secrets

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.host_driver import lost_mark
from pyopenshell.model import Phase
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire import convert, sandbox_spec
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.openshell.datamodel.v1 import datamodel_pb2 as meta
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

#: Reason of the `Ready` condition in each phase, in one word as Kubernetes conditions have it.
_REASONS = {
    Phase.READY: "SupervisorConnected",
    Phase.UNKNOWN: "SupervisorLost",
    Phase.COMPLETED: "MainProcessCompleted",
    Phase.ERROR: "Failed",
}
OWN_ANNOTATIONS = "pyopenshell/"  # annotations that the gateway keeps for itself, and shows nobody
_NAME_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"  # no vowels: no words; no look-alikes
_NAME_LENGTH = 6


def sandbox_message(record: SandboxRecord) -> pb.Sandbox:
    """`record` as the wire shows it; secrets, and what the gateway notes for itself, stay out."""
    sandbox = pb.Sandbox(
        metadata=meta.ObjectMeta(
            id=record.id,
            name=record.name,
            labels=record.labels,
            annotations={key: text for key, text in record.annotations.items() if not key.startswith(OWN_ANNOTATIONS)},
            workspace=record.workspace,
            resource_version=record.resource_version,
            created_time=timestamp(record.created_at),
        ),
        spec=sandbox_spec.to_message(record.spec),
        status=pb.SandboxStatus(
            phase=pb.SandboxPhase.Name(record.phase.value),
            main_process_instance_id=record.instance_id,
            restart_count=record.restart_count,
        ),
        host_key=record.host_key,
        host_key_fingerprint=record.host_key_fingerprint,
        facts=record.facts,
        host=record.host,
    )
    if record.deleted_at is not None:
        sandbox.metadata.deletion_time.CopyFrom(timestamp(record.deleted_at))
    if record.exit_code is not None:
        sandbox.status.exit_code = record.exit_code
    if record.started_at is not None:
        sandbox.status.main_process_started_time.CopyFrom(timestamp(record.started_at))
    sandbox.status.conditions.append(
        pb.SandboxCondition(
            type="Ready",
            status="True" if record.phase is Phase.READY else "False",
            reason=_reason(record),
            message=record.reason,
            transition_time=timestamp(record.changed_at or record.created_at),
        )
    )
    return sandbox


def _reason(record: SandboxRecord) -> str:
    if record.phase is Phase.UNKNOWN and record.host and record.reason.startswith(lost_mark(record.host)):
        return "HostLost"
    return _REASONS.get(record.phase, record.phase.label)


def workspace_of(selector: meta.WorkspaceSelector) -> str | None:
    """The workspace that a request selects: `default` where it says nothing, None for all. Raises INVALID, NOT_FOUND."""
    return None if selector.WhichOneof("selection") == "all_workspaces" else convert.workspace_of(selector)


def one_workspace(selector: meta.WorkspaceSelector) -> str:
    """The one workspace that a request selects. Raises INVALID for all of them."""
    workspace = workspace_of(selector)
    if workspace is None:
        raise OpenShellError(Code.INVALID, "this call needs one workspace, not all of them")
    return workspace


def new_name() -> str:
    """A name for a sandbox whose maker chose none."""
    return "sandbox-" + "".join(secrets.choice(_NAME_ALPHABET) for _ in range(_NAME_LENGTH))
