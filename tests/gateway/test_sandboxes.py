"""The RPCs about sandboxes on the wire: create, get, list, delete, stop, start, and every bad request."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.drivers.base import Birth
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.openshell.datamodel.v1 import datamodel_pb2 as meta
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.gateway_kit import Kit


async def code_of(work: object) -> Code:
    with pytest.raises(OpenShellError) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


async def create(kit: Kit, **fields: object) -> pb.Sandbox:
    request = pb.CreateSandboxRequest(**fields)  # type: ignore[arg-type]
    return (await kit.call("CreateSandbox", request, pb.SandboxResponse)).sandbox


async def listed(kit: Kit, **fields: object) -> pb.ListSandboxesResponse:
    request = pb.ListSandboxesRequest(**fields)  # type: ignore[arg-type]
    return await kit.call("ListSandboxes", request, pb.ListSandboxesResponse)


async def test_a_new_sandbox_is_provisioning_then_ready(kit: Kit) -> None:
    made = await kit.create(command=["job"], environment={"A": "b"})
    assert made.status.phase == pb.SANDBOX_PHASE_PROVISIONING
    assert made.metadata.workspace == "default"
    assert made.host_key.startswith("ssh-ed25519 ")
    assert made.host_key_fingerprint.startswith("SHA256:")
    ready = await kit.until("web", pb.SANDBOX_PHASE_READY)
    assert dict(ready.facts) == kit.driver.facts
    assert list(ready.spec.command) == ["job"]
    assert ready.status.HasField("main_process_started_time")
    assert ready.metadata.resource_version > made.metadata.resource_version
    assert ready.status.conditions[0].status == "True"
    birth = kit.driver.births[made.metadata.id]
    assert birth.spec.command == ("job",)
    assert birth.host_key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert birth.host_key not in str(ready)


async def test_a_sandbox_without_a_name_gets_one(kit: Kit) -> None:
    made = await create(kit)
    assert made.metadata.name.startswith("sandbox-")


@pytest.mark.parametrize("name", ["a/b", "a\n", "A", "-a", "a-", "a" * 64, "a.b", "ä", "a b", "..", "\x1b[31m"])
async def test_names_that_are_none(kit: Kit, name: str) -> None:
    assert await code_of(create(kit, name=name)) is Code.INVALID
    assert not kit.driver.births


async def test_a_name_of_63_letters(kit: Kit) -> None:
    assert (await create(kit, name="a" * 63)).metadata.name == "a" * 63


async def test_a_name_that_is_taken(kit: Kit) -> None:
    await kit.create()
    assert await code_of(kit.create()) is Code.CONFLICT


@pytest.mark.parametrize(
    "fields",
    [
        {"spec": pb.SandboxSpec(command=["a\0b"])},
        {"spec": pb.SandboxSpec(environment={"A": "x" * 200_000})},
        {"spec": pb.SandboxSpec(template=pb.SandboxTemplate(image="docker.io/x"))},
        {"labels": {"a b": "c"}},
        {"labels": {f"k{n}": "v" for n in range(65)}},
        {"annotations": {"a\n": "c"}},
        {"annotations": {"a": "c" * 5000}},
        {"service_exposures": [pb.SandboxServiceExposure(service="web", target_port=80)]},
        {"workload_template": "x"},
        {"request_id": "x" * 129},
        {"annotations": {"pyopenshell/request-id": "token:1 r1"}},
        {"workspace_scope": meta.WorkspaceSelector(all_workspaces=meta.AllWorkspaces())},
        {"workspace_scope": meta.WorkspaceSelector(workspace="Not A Name")},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_requests_that_cannot_be_served(kit: Kit, fields: dict[str, object]) -> None:
    assert await code_of(create(kit, name="web", **fields)) is Code.INVALID
    assert len((await listed(kit)).sandboxes) == 0


async def test_what_the_machine_cannot_hold_leaves_nothing_behind(kit: Kit) -> None:
    kit.driver.refuse = OpenShellError(Code.PRECONDITION, "memory 1 TiB cannot be held")
    assert await code_of(kit.create()) is Code.PRECONDITION
    assert len((await listed(kit)).sandboxes) == 0


async def test_environment_of_four_mebibytes(kit: Kit) -> None:
    spec = pb.SandboxSpec(environment={f"K{n}": "x" * 100_000 for n in range(42)})
    assert await code_of(create(kit, name="web", spec=spec)) is Code.EXHAUSTED


async def test_create_is_idempotent_by_request_id(kit: Kit) -> None:
    both = await asyncio.gather(create(kit, name="web", request_id="r1"), create(kit, name="web", request_id="r1"))
    assert both[0].metadata.id == both[1].metadata.id
    assert len(kit.driver.calls) <= 1
    assert dict(both[0].metadata.annotations) == {}, "the gateway's own notes are nobody else's"
    await kit.restart()
    again = await create(kit, name="web", request_id="r1")
    assert again.metadata.id == both[0].metadata.id
    assert await code_of(create(kit, name="web", request_id="r2")) is Code.CONFLICT


async def test_request_ids_are_each_callers_own(kit: Kit) -> None:
    mine = await create(kit, request_id="r1")
    other = await kit.connect_tls(cert=False)
    metadata = await kit.api_token()
    request = pb.CreateSandboxRequest(request_id="r1")
    made = await kit.call("CreateSandbox", request, pb.SandboxResponse, channel=other, metadata=metadata)
    assert made.sandbox.metadata.id != mine.metadata.id


async def test_get_by_name_and_by_id(kit: Kit) -> None:
    made = await kit.create()
    assert (await kit.get("web")).metadata.id == made.metadata.id
    assert (await kit.get(made.metadata.id)).metadata.name == "web"
    assert await code_of(kit.get("nobody")) is Code.NOT_FOUND
    assert await code_of(kit.get("")) is Code.INVALID


async def test_list_in_pages(kit: Kit) -> None:
    for n in range(5):
        await kit.create(f"s{n}")
    names, token = [], ""
    while True:
        page = await listed(kit, page_size=2, page_token=token)
        assert len(page.sandboxes) <= 2
        names += [sandbox.metadata.name for sandbox in page.sandboxes]
        token = page.next_page_token
        if not token:
            break
    assert names == ["s0", "s1", "s2", "s3", "s4"]


async def test_list_by_labels(kit: Kit) -> None:
    await create(kit, name="a", labels={"team": "x", "tier": "web"})
    await create(kit, name="b", labels={"team": "x"})
    await create(kit, name="c", labels={"team": "y"})
    found = await listed(kit, label_selector="team=x,tier=web")
    assert [sandbox.metadata.name for sandbox in found.sandboxes] == ["a"]
    everywhere = meta.WorkspaceSelector(all_workspaces=meta.AllWorkspaces())
    found = await listed(kit, label_selector="team=x", workspace_scope=everywhere)
    assert [sandbox.metadata.name for sandbox in found.sandboxes] == ["a", "b"]


@pytest.mark.parametrize("fields", [{"page_size": -1}, {"page_token": "x"}, {"label_selector": "="}])
async def test_lists_that_make_no_sense(kit: Kit, fields: dict[str, object]) -> None:
    assert await code_of(listed(kit, **fields)) is Code.INVALID


async def test_delete(kit: Kit) -> None:
    made = await kit.ready()
    request = pb.DeleteSandboxRequest(name="web")
    response = await kit.call("DeleteSandbox", request, pb.DeleteSandboxResponse)
    assert response.outcome == pb.DELETION_OUTCOME_COMPLETED
    assert response.sandbox_id == made.metadata.id
    assert ("delete", made.metadata.id) in kit.driver.calls
    assert await code_of(kit.get()) is Code.NOT_FOUND
    assert await code_of(kit.call("DeleteSandbox", request, pb.DeleteSandboxResponse)) is Code.NOT_FOUND
    request.allow_missing = True
    response = await kit.call("DeleteSandbox", request, pb.DeleteSandboxResponse)
    assert response.outcome == pb.DELETION_OUTCOME_ALREADY_ABSENT
    await kit.ready()


async def test_stop_and_start(kit: Kit) -> None:
    await kit.ready()
    stopped = await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    assert stopped.sandbox.status.phase == pb.SANDBOX_PHASE_STOPPED
    again = await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    assert again.sandbox.status.phase == pb.SANDBOX_PHASE_STOPPED
    started = await kit.call("StartSandbox", pb.StartSandboxRequest(name="web"), pb.SandboxResponse)
    assert started.sandbox.status.phase == pb.SANDBOX_PHASE_STARTING
    await kit.until("web", pb.SANDBOX_PHASE_READY)
    assert await code_of(kit.call("StartSandbox", pb.StartSandboxRequest(name="web"), pb.SandboxResponse)) is (
        Code.PRECONDITION
    )


async def test_a_start_that_fails_is_an_error_with_its_reason(kit: Kit) -> None:
    async def fail(birth: Birth) -> None:
        raise OpenShellError(Code.PRECONDITION, "unshare: EPERM", hint="sysctl x=1")

    kit.driver.on_start = fail
    await kit.create()
    sandbox = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert sandbox.status.conditions[0].message == "unshare: EPERM (sysctl x=1)"


async def test_delete_while_it_starts(kit: Kit) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(birth: Birth) -> None:
        begun.set()
        await go.wait()

    kit.driver.on_start = wait
    made = await kit.create()
    await begun.wait()
    request = pb.DeleteSandboxRequest(name="web")
    deleting = asyncio.ensure_future(kit.call("DeleteSandbox", request, pb.DeleteSandboxResponse))
    await kit.until("web", pb.SANDBOX_PHASE_DELETING)
    go.set()
    await deleting
    assert [what for what, _ in kit.driver.calls] == ["start", "delete"]
    assert await code_of(kit.get(made.metadata.id)) is Code.NOT_FOUND


async def test_stop_while_its_supervisor_is_waited_for(kit: Kit) -> None:
    begun = asyncio.Event()

    async def no_supervisor(birth: Birth) -> None:
        begun.set()

    kit.driver.on_start = no_supervisor
    await kit.create()
    await begun.wait()
    stopped = await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    assert stopped.sandbox.status.phase == pb.SANDBOX_PHASE_STOPPED


async def test_a_caller_that_leaves_does_not_stop_a_delete(kit: Kit) -> None:
    await kit.ready()
    stopping, go = asyncio.Event(), asyncio.Event()
    delete = kit.driver.delete

    async def slow(sandbox_id: str) -> None:
        stopping.set()
        await go.wait()
        await delete(sandbox_id)

    kit.driver.delete = slow  # type: ignore[method-assign]
    leaving = asyncio.ensure_future(
        kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    )
    await stopping.wait()
    leaving.cancel()
    go.set()
    with pytest.raises(OpenShellError, match="does not exist"):
        while True:
            await kit.get()
