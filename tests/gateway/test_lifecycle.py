"""What becomes of sandboxes where nobody asks: deaths, lost supervisors, exits without a last word, restarts."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.drivers.base import Birth
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.lifecycle import Lifecycle
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.gateway.conftest import MakeKit
from tests.gateway.test_supervisors import exits
from tests.support.fake_supervisor import FakeSupervisor
from tests.support.gateway_kit import Kit, files


def with_timeouts(monkeypatch: pytest.MonkeyPatch, **timeouts: float) -> None:
    original = Lifecycle.__init__

    def init(self: Lifecycle, *args: object, **more: object) -> None:
        original(self, *args, **{**more, **timeouts})  # type: ignore[arg-type]

    monkeypatch.setattr(Lifecycle, "__init__", init)


async def report(kit: Kit, supervisor: FakeSupervisor, code: int) -> None:
    request = pb.ReportMainProcessExitRequest(
        sandbox_id=supervisor.birth.sandbox_id, instance_id="main-1", exit_code=code
    )
    await kit.call(
        "ReportMainProcessExit",
        request,
        pb.ReportMainProcessExitResponse,
        channel=supervisor.channel,
        metadata=supervisor.metadata,
    )


async def test_a_sandbox_that_dies_is_an_error_with_the_reason(kit: Kit) -> None:
    sandbox = await kit.ready()
    leg = await kit.forward(files("web"))
    await leg.init()
    kit.driver.dies(sandbox.metadata.id, "init was killed by signal 9")
    ended = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert ended.status.conditions[0].message == "init was killed by signal 9"
    with pytest.raises(OpenShellError, match="init was killed"):
        await leg.read()


@pytest.mark.parametrize(("code", "phase"), [(0, pb.SANDBOX_PHASE_COMPLETED), (9, pb.SANDBOX_PHASE_ERROR)])
async def test_a_reported_exit_counts_when_the_last_word_never_comes(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch, code: int, phase: int
) -> None:
    with_timeouts(monkeypatch, finalize_timeout=0.01)
    kit = await make_kit()
    supervisor = kit.supervisor(await kit.ready(command=["job"]))
    await report(kit, supervisor, code)
    assert (await kit.until("web", phase)).status.exit_code == code


async def test_a_reported_exit_counts_when_the_sandbox_dies_with_it(kit: Kit) -> None:
    sandbox = await kit.ready(command=["job"])
    await report(kit, kit.supervisor(sandbox), 0)
    kit.driver.dies(sandbox.metadata.id, "init ended")
    await kit.until("web", pb.SANDBOX_PHASE_COMPLETED)


async def test_a_late_finalize_of_an_earlier_run_does_no_harm(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_timeouts(monkeypatch, finalize_timeout=0.05)
    kit = await make_kit()
    supervisor = kit.supervisor(await kit.ready(command=["job"]))
    await exits(kit, supervisor, 0)
    await kit.until("web", pb.SANDBOX_PHASE_COMPLETED)
    main = pb.MainProcessState(instance_id="main-2")
    kit.prepare = lambda fresh: setattr(fresh, "main", main)
    await kit.call("StartSandbox", pb.StartSandboxRequest(name="web"), pb.SandboxResponse)
    again = await kit.until("web", pb.SANDBOX_PHASE_READY)
    assert again.status.main_process_instance_id == "main-2"
    await kit.gateway.services.lifecycle._finalize_later(again.metadata.id, "main-1")
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_READY


async def test_a_supervisor_that_never_comes(make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch) -> None:
    with_timeouts(monkeypatch, hello_timeout=0.01)
    kit = await make_kit()
    kit.driver.on_start = None
    await kit.create()
    sandbox = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert "did not connect" in sandbox.status.conditions[0].message
    assert ("stop", sandbox.metadata.id) in kit.driver.calls


async def test_a_supervisor_that_returns_after_the_grace_makes_it_ready_again(make_kit: MakeKit) -> None:
    kit = await make_kit(grace=0.01)
    sandbox = await kit.ready()
    await kit.supervisor(sandbox).lose()
    lost = await kit.until("web", pb.SANDBOX_PHASE_UNKNOWN)
    assert "not connected" in lost.status.conditions[0].message
    supervisor = await FakeSupervisor(kit.driver.births[sandbox.metadata.id]).connect()
    back = await kit.until("web", pb.SANDBOX_PHASE_READY)
    assert back.status.conditions[0].message == ""
    await supervisor.lose()


async def test_a_sandbox_that_died_with_its_supervisor(kit: Kit) -> None:
    sandbox = await kit.ready()
    kit.driver.running.clear()
    await kit.supervisor(sandbox).lose()
    await kit.until("web", pb.SANDBOX_PHASE_ERROR)


async def test_a_restart_in_the_middle_of_a_start(kit: Kit) -> None:
    begun = asyncio.Event()

    async def hang(birth: Birth) -> None:
        kit.driver.running.add(birth.sandbox_id)
        begun.set()
        await asyncio.Event().wait()

    kit.driver.on_start = hang
    sandbox = await kit.create()
    await begun.wait()
    birth = kit.driver.births[sandbox.metadata.id]
    await kit.restart()
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_PROVISIONING
    supervisor = await FakeSupervisor(birth).connect()
    await kit.until("web", pb.SANDBOX_PHASE_READY)
    await supervisor.lose()


async def test_a_stop_that_fails_can_be_asked_for_again(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    await kit.ready()
    failures = [OpenShellError(Code.UNAVAILABLE, "the zygote is gone")]

    async def fail_once(sandbox_id: str) -> None:
        if failures:
            raise failures.pop()

    kit.driver.on_stop = fail_once
    request = pb.StopSandboxRequest(name="web")
    with pytest.raises(OpenShellError, match="zygote"):
        await kit.call("StopSandbox", request, pb.SandboxResponse)
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_STOPPING
    stopped = await kit.call("StopSandbox", request, pb.SandboxResponse)
    assert stopped.sandbox.status.phase == pb.SANDBOX_PHASE_STOPPED


async def test_a_full_disk_under_the_database_leaves_nothing_running(kit: Kit) -> None:
    stopped, full = asyncio.Event(), OpenShellError(Code.EXHAUSTED, "the database's disk is full")
    table = kit.gateway.services.registry.table
    create, edit = table.create, table.edit

    async def refuse(*args: object) -> None:
        raise full

    async def note(sandbox_id: str) -> None:
        stopped.set()

    kit.driver.on_stop = note
    table.create = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(OpenShellError) as caught:
        await kit.create()
    assert caught.value.code is Code.EXHAUSTED
    assert kit.driver.calls == []
    table.create, table.edit = create, refuse  # type: ignore[method-assign, assignment]
    await kit.create()
    await stopped.wait()
    assert not kit.driver.running
    # What cannot be noted is deleted all the same: its files may be what fills the disk.
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    assert kit.driver.calls[-1][0] == "delete"
    table.edit = edit  # type: ignore[method-assign]


async def test_a_report_for_what_is_deleted_is_nothing(kit: Kit) -> None:
    sandbox = await kit.ready()
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    lifecycle = kit.gateway.services.lifecycle
    lifecycle.failed(sandbox.metadata.id, "late")
    lifecycle.main_process_is_over(sandbox.metadata.id)
    await lifecycle.supervisor_is_here(sandbox.metadata.id, "late")
    await lifecycle._work.idle()
