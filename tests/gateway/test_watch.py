"""WatchSandbox on the wire: snapshot first, changes after it, logs, events, cursors, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.gateway.test_logs import line, push
from tests.support.fake_supervisor import SERVICE
from tests.support.gateway_kit import Kit


def watch(kit: Kit, **fields: object) -> AsyncIterator[pb.SandboxStreamEvent]:
    request = pb.WatchSandboxRequest(**{"sandbox": "web", **fields})  # type: ignore[arg-type]
    return kit.channel.stream(f"{SERVICE}WatchSandbox", request, pb.SandboxStreamEvent)


async def stop(kit: Kit) -> None:
    await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)


async def start(kit: Kit) -> None:
    await kit.call("StartSandbox", pb.StartSandboxRequest(name="web"), pb.SandboxResponse)


async def delete(kit: Kit) -> None:
    await kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)


async def test_one_snapshot_then_every_change_until_it_is_gone(kit: Kit) -> None:
    await kit.ready()
    events = watch(kit, follow_status=True)
    assert (await anext(events)).sandbox.status.phase == pb.SANDBOX_PHASE_READY
    await stop(kit)
    await start(kit)
    await kit.until("web", pb.SANDBOX_PHASE_READY)
    await delete(kit)
    phases = [event.sandbox.status.phase async for event in events]
    assert phases == [
        pb.SANDBOX_PHASE_STOPPING,
        pb.SANDBOX_PHASE_STOPPED,
        pb.SANDBOX_PHASE_STARTING,
        pb.SANDBOX_PHASE_READY,
        pb.SANDBOX_PHASE_DELETING,
    ]


async def test_a_request_that_names_nothing_follows_the_status(kit: Kit) -> None:
    await kit.ready()
    events = watch(kit)
    await anext(events)
    await stop(kit)
    assert (await anext(events)).sandbox.status.phase == pb.SANDBOX_PHASE_STOPPING
    await events.aclose()  # type: ignore[attr-defined]


async def test_stop_on_terminal_of_an_idle_sandbox_ends_when_it_is_ready(kit: Kit) -> None:
    await kit.create()
    events = [event async for event in watch(kit, follow_status=True, stop_on_terminal=True)]
    assert events[-1].sandbox.status.phase == pb.SANDBOX_PHASE_READY


async def test_stop_on_terminal_of_a_command_ends_with_it_after_its_last_line(kit: Kit) -> None:
    sandbox = await kit.ready(command=["job"])
    supervisor = kit.supervisor(sandbox)
    events = watch(kit, follow_status=True, follow_logs=True, stop_on_terminal=True)
    await anext(events)
    await push(kit, supervisor, line("last words"))
    ids = {"sandbox_id": sandbox.metadata.id, "instance_id": "main-1"}
    more = {"channel": supervisor.channel, "metadata": supervisor.metadata}
    report = pb.ReportMainProcessExitRequest(exit_code=3, **ids)
    await kit.call("ReportMainProcessExit", report, pb.ReportMainProcessExitResponse, **more)
    final = pb.FinalizeMainProcessExitRequest(**ids)
    await kit.call("FinalizeMainProcessExit", final, pb.FinalizeMainProcessExitResponse, **more)
    rest = [event async for event in events]
    assert rest[0].log.message == "last words"
    assert rest[-1].sandbox.status.phase == pb.SANDBOX_PHASE_ERROR
    assert rest[-1].sandbox.status.exit_code == 3


async def test_logs_are_followed_after_a_tail(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    await push(kit, supervisor, line("one"), line("two"), line("three", level="DEBUG"))
    events = watch(kit, follow_logs=True, log_tail_lines=1, log_min_level="info")
    assert (await anext(events)).HasField("sandbox")
    assert (await anext(events)).log.message == "two"
    await push(kit, supervisor, line("four", level="DEBUG"), line("five"))
    assert (await anext(events)).log.message == "five"
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_cursor_leaves_out_what_was_seen(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    await push(kit, supervisor, line("one"), line("two"))
    events = watch(kit, follow_logs=True, log_tail_lines=10)
    await anext(events)
    cursor = (await anext(events)).cursor
    await events.aclose()  # type: ignore[attr-defined]
    events = watch(kit, follow_logs=True, resume_after_cursor=cursor)
    assert (await anext(events)).HasField("sandbox")
    assert (await anext(events)).log.message == "two"
    await push(kit, supervisor, line("three"))
    assert (await anext(events)).log.message == "three"
    await events.aclose()  # type: ignore[attr-defined]


async def test_events_tell_of_phases(kit: Kit) -> None:
    await kit.ready()
    events = watch(kit, follow_events=True, event_tail=1)
    assert (await anext(events)).HasField("sandbox")
    past = (await anext(events)).event
    assert (past.reason, past.type, past.source) == ("Ready", "Normal", "gateway")
    kit.driver.dies((await kit.get()).metadata.id, "init was killed")
    now = (await anext(events)).event
    assert (now.reason, now.type, now.message) == ("Error", "Warning", "init was killed")
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_slow_watcher_gets_a_warning_and_a_fresh_snapshot(kit: Kit) -> None:
    supervisor = kit.supervisor(await kit.ready())
    call = await kit.channel.open(f"{SERVICE}WatchSandbox")
    await call.send(pb.WatchSandboxRequest(sandbox="web", follow_status=True, follow_logs=True))
    await call.end()
    first = await call.receive(pb.SandboxStreamEvent)
    assert first is not None
    for _ in range(12):  # far over the stream's window and the watcher's queue, while nobody reads
        await push(kit, supervisor, *(line("x" * 60_000) for _ in range(16)))
    await stop(kit)
    kinds = []
    while "warning" not in kinds:
        event = await call.receive(pb.SandboxStreamEvent)
        assert event is not None
        kinds.append(event.WhichOneof("payload"))
    event = await call.receive(pb.SandboxStreamEvent)
    assert event is not None
    assert event.HasField("sandbox")
    while event.sandbox.status.phase != pb.SANDBOX_PHASE_STOPPED:
        event = await call.receive(pb.SandboxStreamEvent)
        assert event is not None
    call.cancel()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sandbox": "nobody"}, Code.NOT_FOUND),
        ({"sandbox": ""}, Code.INVALID),
        ({"resume_after_cursor": "x"}, Code.INVALID),
        ({"log_min_level": "loud"}, Code.INVALID),
    ],
)
async def test_watches_that_make_no_sense(kit: Kit, fields: dict[str, object], code: Code) -> None:
    await kit.ready()
    with pytest.raises(OpenShellError) as caught:
        await anext(watch(kit, **fields))
    assert caught.value.code is code


async def test_a_burst_is_told_whole_to_a_watcher_that_reads(kit: Kit) -> None:
    sandbox = await kit.ready(command=["job"])
    events = watch(kit, follow_logs=True)
    await anext(events)
    pushing = asyncio.ensure_future(push(kit, kit.supervisor(sandbox), *(line(str(n)) for n in range(5000))))
    told = [(await anext(events)).log.message for _ in range(5000)]
    assert told == [str(n) for n in range(5000)]
    await pushing
    await events.aclose()  # type: ignore[attr-defined]
