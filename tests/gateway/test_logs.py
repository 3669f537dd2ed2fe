"""PushSandboxLogs and GetSandboxLogs on the wire."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_supervisor import FakeSupervisor
from tests.support.gateway_kit import Kit


def line(message: str, *, level: str = "INFO", source: str = "sandbox", at: float = 1000.0) -> pb.SandboxLogLine:
    return pb.SandboxLogLine(message=message, level=level, source=source, target="stdout", event_time=timestamp(at))


async def push(kit: Kit, supervisor: FakeSupervisor, *lines: pb.SandboxLogLine, sandbox_id: str = "") -> None:
    request = pb.PushSandboxLogsRequest(sandbox_id=sandbox_id or supervisor.birth.sandbox_id, logs=lines)
    await kit.call(
        "PushSandboxLogs",
        request,
        pb.PushSandboxLogsResponse,
        channel=supervisor.channel,
        metadata=supervisor.metadata,
    )


async def logs(kit: Kit, **fields: object) -> list[str]:
    request = pb.GetSandboxLogsRequest(**{"sandbox": "web", **fields})  # type: ignore[arg-type]
    response = await kit.call("GetSandboxLogs", request, pb.GetSandboxLogsResponse)
    return [found.message for found in response.logs]


async def test_what_is_pushed_can_be_read(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    await push(kit, supervisor, line("one"), line("two", level="ERROR", at=2000.5), line("three", source="gateway"))
    assert await logs(kit) == ["one", "two", "three"]
    assert await logs(kit, lines=2) == ["two", "three"]
    assert await logs(kit, min_level="warn") == ["two"]
    assert await logs(kit, sources=["gateway"]) == ["three"]
    assert await logs(kit, since_time=timestamp(1500.0)) == ["two"]
    response = await kit.call(
        "GetSandboxLogs", pb.GetSandboxLogsRequest(sandbox="web", lines=1), pb.GetSandboxLogsResponse
    )
    assert response.buffer_total == 3
    assert response.logs[0].sandbox_id == supervisor.birth.sandbox_id


async def test_another_sandboxes_logs(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    other = await kit.ready("db")
    with pytest.raises(OpenShellError) as caught:
        await push(kit, supervisor, line("x"), sandbox_id=other.metadata.id)
    assert caught.value.code is Code.FORBIDDEN
    assert await logs(kit, sandbox="db") == []


async def test_lines_cannot_claim_another_sandbox(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    forged = line("x")
    forged.sandbox_id = "another"
    await push(kit, supervisor, forged)
    response = await kit.call("GetSandboxLogs", pb.GetSandboxLogsRequest(sandbox="web"), pb.GetSandboxLogsResponse)
    assert response.logs[0].sandbox_id == supervisor.birth.sandbox_id


async def test_logs_of_a_deleted_sandbox_are_refused(kit: Kit) -> None:
    sandbox = await kit.ready()
    supervisor = FakeSupervisor(kit.driver.births[sandbox.metadata.id])
    await supervisor.dial()
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
    with pytest.raises(OpenShellError) as caught:
        await push(kit, supervisor, line("x"))
    assert caught.value.code is Code.NOT_FOUND
    await supervisor.lose()


@pytest.mark.parametrize(
    ("fields", "code"), [({"sandbox": "nobody"}, Code.NOT_FOUND), ({"min_level": "x"}, Code.INVALID)]
)
async def test_reads_that_make_no_sense(kit: Kit, fields: dict[str, object], code: Code) -> None:
    await kit.ready()
    with pytest.raises(OpenShellError) as caught:
        await logs(kit, **fields)
    assert caught.value.code is code


async def test_a_person_may_not_push(kit: Kit) -> None:
    sandbox = await kit.ready()
    request = pb.PushSandboxLogsRequest(sandbox_id=sandbox.metadata.id, logs=[line("x")])
    with pytest.raises(OpenShellError) as caught:
        await kit.call("PushSandboxLogs", request, pb.PushSandboxLogsResponse)
    assert caught.value.code is Code.FORBIDDEN
