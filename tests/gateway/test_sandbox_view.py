"""Records on the wire: what shows, what stays out, which workspace a request selects."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.sandbox_view import new_name, one_workspace, sandbox_message, workspace_of
from pyopenshell.model import Phase, SandboxSpec, check_name
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire.openshell.datamodel.v1 import datamodel_pb2 as meta
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

RECORD = SandboxRecord(
    id="an-id",
    name="web",
    created_at=1000.25,
    changed_at=2000.5,
    spec=SandboxSpec(command=("job",), workdir="/x"),
    labels={"a": "b"},
    annotations={"c": "d"},
    phase=Phase.ERROR,
    reason="it ended",
    exit_code=3,
    instance_id="run",
    started_at=1500.0,
    deleted_at=3000.0,
    host_key="ssh-ed25519 AAAA",
    host_key_private="SECRET",
    host_key_fingerprint="SHA256:x",
    facts={"isolation": "range"},
    owner="alice",
    resource_version=7,
)


def test_a_record_shows_all_but_its_secrets() -> None:
    sandbox = sandbox_message(RECORD)
    assert (sandbox.metadata.id, sandbox.metadata.name, sandbox.metadata.resource_version) == ("an-id", "web", 7)
    assert sandbox.metadata.created_time.ToMilliseconds() == 1000_250
    assert sandbox.metadata.deletion_time.ToMilliseconds() == 3000_000
    assert (dict(sandbox.metadata.labels), dict(sandbox.metadata.annotations)) == ({"a": "b"}, {"c": "d"})
    assert list(sandbox.spec.command) == ["job"]
    assert sandbox.status.phase == pb.SANDBOX_PHASE_ERROR
    assert sandbox.status.exit_code == 3
    (condition,) = sandbox.status.conditions
    assert (condition.status, condition.reason, condition.message) == ("False", "Failed", "it ended")
    assert condition.transition_time.ToMilliseconds() == 2000_500
    assert "SECRET" not in str(sandbox)


def test_what_is_not_there_is_absent() -> None:
    sandbox = sandbox_message(SandboxRecord(id="i", name="n", created_at=1.0))
    assert not sandbox.status.HasField("exit_code")
    assert not sandbox.status.HasField("main_process_started_time")
    assert not sandbox.metadata.HasField("deletion_time")
    assert sandbox.status.conditions[0].reason == "Provisioning"


@pytest.mark.parametrize(
    ("phase", "host", "reason", "shown"),
    [
        (Phase.UNKNOWN, "lab1", "host lab1 is not connected since 2026-11-23T22:00:00Z", "HostLost"),
        (Phase.UNKNOWN, "lab1", "its supervisor is not connected", "SupervisorLost"),
        (Phase.UNKNOWN, "", "host lab1 is not connected", "SupervisorLost"),
        (Phase.ERROR, "lab1", "host lab1 is not connected", "Failed"),
    ],
)
def test_why_nobody_hears_of_it(phase: Phase, host: str, reason: str, shown: str) -> None:
    sandbox = sandbox_message(SandboxRecord("i", "n", 1.0, phase=phase, host=host, reason=reason))
    assert (sandbox.host, sandbox.status.conditions[0].reason) == (host, shown)
    assert sandbox.status.conditions[0].message == reason


def test_workspaces() -> None:
    everywhere = meta.WorkspaceSelector(all_workspaces=meta.AllWorkspaces())
    assert workspace_of(meta.WorkspaceSelector()) == "default"
    assert workspace_of(meta.WorkspaceSelector(workspace="default")) == "default"
    assert workspace_of(everywhere) is None
    assert one_workspace(meta.WorkspaceSelector()) == "default"
    with pytest.raises(OpenShellError) as caught:
        one_workspace(everywhere)
    assert caught.value.code is Code.INVALID
    with pytest.raises(OpenShellError) as caught:
        workspace_of(meta.WorkspaceSelector(workspace="other"))
    assert caught.value.code is Code.NOT_FOUND


def test_names_for_the_nameless_are_names() -> None:
    names = {new_name() for _ in range(20)}
    assert len(names) > 1
    for name in names:
        check_name(name)
