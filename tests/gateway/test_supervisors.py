"""The supervisors' RPCs on the wire: hello, heartbeats, supersession, claims, exits, tokens."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import ClientCall, DataLeg
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.gateway.conftest import MakeKit
from tests.support.fake_supervisor import SERVICE, FakeSupervisor
from tests.support.gateway_kit import Kit, files


async def status_of(call: ClientCall) -> GrpcStatus:
    with pytest.raises(RemoteError) as caught:
        await call.status()
    return caught.value.status


async def another(kit: Kit, sandbox: pb.Sandbox, instance: str = "instance") -> FakeSupervisor:
    supervisor = FakeSupervisor(kit.driver.births[sandbox.metadata.id], instance=instance)
    await supervisor.dial()
    return supervisor


# --- hello ------------------------------------------------------------------------------------------------------------


async def test_hello_is_answered_with_a_session_and_the_heartbeat_interval(make_kit: MakeKit) -> None:
    kit = await make_kit(heartbeat_interval=7.0)
    supervisor = kit.supervisor(await kit.ready())
    assert supervisor.accepted.session_id
    assert supervisor.accepted.heartbeat_interval.ToTimedelta().total_seconds() == 7.0


@pytest.mark.parametrize("first", [pb.SupervisorMessage(), pb.SupervisorMessage(heartbeat=pb.SupervisorHeartbeat())])
async def test_the_first_message_is_hello(kit: Kit, first: pb.SupervisorMessage) -> None:
    supervisor = await another(kit, await kit.ready())
    call = await supervisor.channel.open(f"{SERVICE}ConnectSupervisor", metadata=supervisor.metadata)
    await call.send(first)
    assert await status_of(call) is GrpcStatus.INVALID_ARGUMENT
    await supervisor.lose()


async def test_hello_has_to_come_in_time(make_kit: MakeKit) -> None:
    kit = await make_kit(first_message_timeout=0.5)
    supervisor = await another(kit, await kit.ready())
    call = await supervisor.channel.open(f"{SERVICE}ConnectSupervisor", metadata=supervisor.metadata)
    assert await status_of(call) is GrpcStatus.DEADLINE_EXCEEDED
    await supervisor.lose()


async def test_hello_of_another_sandbox(kit: Kit) -> None:
    supervisor = await another(kit, await kit.ready())
    other = await kit.ready("db")
    with pytest.raises(RemoteError) as caught:
        await supervisor.hello(other.metadata.id)
    assert caught.value.status is GrpcStatus.PERMISSION_DENIED
    await supervisor.lose()


@pytest.mark.parametrize("token", ["garbage", "oss_" + "A" * 43, "ost_" + "A" * 43, "a.b.c"])
async def test_supervisors_with_no_token_of_ours(kit: Kit, token: str) -> None:
    supervisor = await another(kit, await kit.ready())
    supervisor.birth = replace(supervisor.birth, token=token)
    with pytest.raises(RemoteError) as caught:
        await supervisor.hello()
    assert caught.value.status is GrpcStatus.UNAUTHENTICATED
    await supervisor.lose()


async def test_a_person_is_no_supervisor(kit: Kit) -> None:
    await kit.ready()
    call = await kit.channel.open(f"{SERVICE}ConnectSupervisor")
    assert await status_of(call) is GrpcStatus.PERMISSION_DENIED


async def test_a_supervisor_of_a_stopped_sandbox_is_rejected(kit: Kit) -> None:
    sandbox = await kit.ready()
    supervisor = await another(kit, sandbox)
    await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    assert "Stopped" in (await supervisor.hello()).session_rejected.reason
    await supervisor.lose()


async def test_a_supervisor_of_a_deleted_sandbox_is_rejected(kit: Kit) -> None:
    supervisor = await another(kit, await kit.ready())
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    assert "exist" in (await supervisor.hello()).session_rejected.reason
    await supervisor.lose()


async def test_hello_comes_once(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    await supervisor.send(hello=pb.SupervisorHello(sandbox_id=supervisor.birth.sandbox_id))
    failure = await supervisor.ended
    assert isinstance(failure, OpenShellError)
    assert failure.code is Code.INVALID


# --- life of a session ------------------------------------------------------------------------------------------------


async def test_a_newer_session_supersedes_and_takes_the_pending_opens(kit: Kit) -> None:
    kit.prepare = lambda supervisor: setattr(supervisor, "answer", False)
    sandbox = await kit.ready()
    older = kit.supervisor(sandbox)
    leg = await kit.forward(files("web"))
    asked = await older.opens.get()
    newer = await FakeSupervisor(older.birth, instance="newer").connect()
    assert (await newer.opens.get()).channel_id == asked.channel_id
    await leg.write(b"x")
    assert bytes(await leg.read()) == b"x"
    failure = await older.ended
    assert isinstance(failure, OpenShellError)
    assert failure.code is Code.CONFLICT
    leg.abort()
    await newer.lose()


async def test_an_older_connection_of_the_same_process_is_rejected(kit: Kit) -> None:
    sandbox = await kit.ready()
    supervisor = await another(kit, sandbox)
    supervisor.epoch = -1 + kit.supervisor(sandbox).epoch - 1
    supervisor.epoch = 0
    kit.supervisor(sandbox).epoch = 5
    newer = await another(kit, sandbox)
    newer.epoch = 5
    assert (await newer.hello()).WhichOneof("payload") == "session_accepted"
    assert "newer" in (await supervisor.hello()).session_rejected.reason
    await supervisor.lose()
    await newer.lose()


async def test_heartbeats_go_both_ways_and_keep_the_session(make_kit: MakeKit) -> None:
    kit = await make_kit(heartbeat_interval=0.2)
    supervisor = await another(kit, await kit.ready())
    assert (await supervisor.hello()).WhichOneof("payload") == "session_accepted"
    for _ in range(5):
        message = await supervisor.call.receive(pb.GatewayMessage)
        assert message is not None
        assert message.WhichOneof("payload") == "heartbeat"
        await supervisor.send(heartbeat=pb.SupervisorHeartbeat())
    await supervisor.lose()


async def test_a_silent_supervisor_loses_its_session(make_kit: MakeKit) -> None:
    kit = await make_kit(heartbeat_interval=0.05)
    supervisor = await another(kit, await kit.ready())
    await supervisor.hello()
    assert await status_of(supervisor.call) is GrpcStatus.UNAVAILABLE
    await supervisor.lose()


async def test_a_supervisor_may_end_its_session(kit: Kit) -> None:
    supervisor = await another(kit, await kit.ready())
    await supervisor.hello()
    await supervisor.call.end()
    await supervisor.call.status()
    await supervisor.lose()


async def test_a_lost_session_has_the_driver_look_after_the_sandbox(kit: Kit) -> None:
    sandbox = await kit.ready()
    looked = asyncio.get_running_loop().create_future()
    adopt = kit.driver.adopt

    async def watch(birth: object) -> bool:
        if not looked.done():
            looked.set_result(None)
        return await adopt(birth)  # type: ignore[arg-type]

    kit.driver.adopt = watch  # type: ignore[method-assign]
    await kit.supervisor(sandbox).lose()
    await looked
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_READY


async def test_unknown_results_and_closes_are_ignored(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    await supervisor.send(relay_open_result=pb.RelayOpenResult(channel_id="nobody", success=True))
    await supervisor.send(relay_close=pb.RelayClose(channel_id="nobody"))
    leg = await kit.forward(files("web"))
    await leg.write(b"x")
    assert bytes(await leg.read()) == b"x"
    leg.abort()


# --- RelayStream ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_id", ["", "unknown", "../x"])
async def test_a_relay_that_is_unknown(kit: Kit, channel_id: str) -> None:
    supervisor = kit.supervisor(await kit.ready())
    assert await status_of(await supervisor.open_relay_stream(channel_id)) is GrpcStatus.NOT_FOUND


async def test_a_relay_stream_begins_with_init(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    call = await supervisor.channel.open(f"{SERVICE}RelayStream", metadata=supervisor.metadata)
    await call.send(pb.RelayFrame(data=b"x"))
    assert await status_of(call) is GrpcStatus.INVALID_ARGUMENT


async def test_another_sandboxes_relay(kit: Kit) -> None:
    kit.prepare = lambda supervisor: setattr(supervisor, "claim", False)
    web = kit.supervisor(await kit.ready())
    other = kit.supervisor(await kit.ready("db"))
    leg = await kit.forward(files("web"))
    channel_id = (await web.opens.get()).channel_id
    assert await status_of(await other.open_relay_stream(channel_id)) is GrpcStatus.PERMISSION_DENIED
    claimed = DataLeg(await web.open_relay_stream(channel_id))
    await leg.write(b"x")
    assert bytes(await claimed.read()) == b"x"
    leg.abort()


async def test_a_relay_is_claimed_once(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    leg = await kit.forward(files("web"))
    await leg.init()
    channel_id = (await supervisor.opens.get()).channel_id
    assert await status_of(await supervisor.open_relay_stream(channel_id)) is GrpcStatus.NOT_FOUND
    await leg.write(b"x")
    assert bytes(await leg.read()) == b"x"
    leg.abort()


async def test_an_expired_relay(make_kit: MakeKit) -> None:
    kit = await make_kit(claim_timeout=0.05)
    kit.prepare = lambda supervisor: setattr(supervisor, "claim", False)
    supervisor = kit.supervisor(await kit.ready())
    leg = await kit.forward(files("web"))
    channel_id = (await supervisor.opens.get()).channel_id
    await supervisor.closes.get()
    assert await status_of(await supervisor.open_relay_stream(channel_id)) is GrpcStatus.NOT_FOUND
    leg.abort()


# --- the main process -------------------------------------------------------------------------------------------------


async def exits(kit: Kit, supervisor: FakeSupervisor, code: int, instance: str = "main-1") -> None:
    ids = {"sandbox_id": supervisor.birth.sandbox_id, "instance_id": instance}
    report = pb.ReportMainProcessExitRequest(exit_code=code, **ids)
    more = {"channel": supervisor.channel, "metadata": supervisor.metadata}
    await kit.call("ReportMainProcessExit", report, pb.ReportMainProcessExitResponse, **more)
    final = pb.FinalizeMainProcessExitRequest(**ids)
    await kit.call("FinalizeMainProcessExit", final, pb.FinalizeMainProcessExitResponse, **more)


@pytest.mark.parametrize(("code", "phase"), [(0, pb.SANDBOX_PHASE_COMPLETED), (3, pb.SANDBOX_PHASE_ERROR)])
async def test_the_exit_of_the_main_process(kit: Kit, code: int, phase: int) -> None:
    sandbox = await kit.ready(command=["job"])
    assert sandbox.status.main_process_instance_id == "main-1"
    await exits(kit, kit.supervisor(sandbox), code)
    ended = await kit.until("web", phase)
    assert ended.status.exit_code == code
    leg = await kit.forward(files("web"))
    with pytest.raises(OpenShellError) as caught:
        await leg.read()
    assert caught.value.code is Code.PRECONDITION
    assert f"exit code {code}" in caught.value.message
    await kit.call("StartSandbox", pb.StartSandboxRequest(name="web"), pb.SandboxResponse)
    again = await kit.until("web", pb.SANDBOX_PHASE_READY)
    assert not again.status.HasField("exit_code")


async def test_an_exit_of_an_earlier_run(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready(command=["job"]))
    with pytest.raises(RemoteError) as caught:
        await exits(kit, supervisor, 0, "main-0")
    assert caught.value.status is GrpcStatus.FAILED_PRECONDITION
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_READY


async def test_an_exit_that_was_not_reported_cannot_be_final(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready(command=["job"]))
    final = pb.FinalizeMainProcessExitRequest(sandbox_id=supervisor.birth.sandbox_id, instance_id="main-1")
    with pytest.raises(RemoteError) as caught:
        await kit.call(
            "FinalizeMainProcessExit",
            final,
            pb.FinalizeMainProcessExitResponse,
            channel=supervisor.channel,
            metadata=supervisor.metadata,
        )
    assert caught.value.status is GrpcStatus.FAILED_PRECONDITION


async def test_another_sandboxes_exit(kit: Kit) -> None:
    web = kit.supervisor(await kit.ready())
    other = await kit.ready("db")
    report = pb.ReportMainProcessExitRequest(sandbox_id=other.metadata.id, instance_id="main-1")
    with pytest.raises(RemoteError) as caught:
        await kit.call(
            "ReportMainProcessExit",
            report,
            pb.ReportMainProcessExitResponse,
            channel=web.channel,
            metadata=web.metadata,
        )
    assert caught.value.status is GrpcStatus.PERMISSION_DENIED


async def test_a_main_process_that_cannot_start(kit: Kit) -> None:
    failed = pb.MainProcessState(state=pb.MainProcessState.STATE_FAILED, error="no such file: /nope", instance_id="m")
    kit.prepare = lambda supervisor: setattr(supervisor, "main", failed)
    await kit.create(command=["/nope"])
    sandbox = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert "no such file: /nope" in sandbox.status.conditions[0].message
    assert not sandbox.status.HasField("exit_code")


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_tokens_are_issued_for_the_own_sandbox(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    more = {"channel": supervisor.channel, "metadata": supervisor.metadata}
    issued = await kit.call("IssueSandboxToken", pb.IssueSandboxTokenRequest(), pb.IssueSandboxTokenResponse, **more)
    assert issued.HasField("expiration_time")
    refreshed = await kit.call(
        "RefreshSandboxToken", pb.RefreshSandboxTokenRequest(), pb.RefreshSandboxTokenResponse, **more
    )
    assert refreshed.token == refreshed.sandbox_token
    assert refreshed.session_id == supervisor.accepted.session_id
    newer = FakeSupervisor(replace(supervisor.birth, token=refreshed.token), instance="newer")
    await (await newer.connect()).lose()


async def test_a_deleted_sandboxes_token_is_not_refreshed(kit: Kit) -> None:
    supervisor = await another(kit, await kit.ready())
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    with pytest.raises(RemoteError) as caught:
        await kit.call(
            "RefreshSandboxToken",
            pb.RefreshSandboxTokenRequest(),
            pb.RefreshSandboxTokenResponse,
            channel=supervisor.channel,
            metadata=supervisor.metadata,
        )
    assert caught.value.status is GrpcStatus.NOT_FOUND
    await supervisor.lose()


async def test_an_expired_supervisor_token(make_kit: MakeKit) -> None:
    kit = await make_kit(supervisor_token_ttl=-3600.0)
    await kit.create()
    await kit.until("web", pb.SANDBOX_PHASE_ERROR)
