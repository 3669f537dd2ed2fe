"""Sandboxes over the wire: pages, waiting, and what a start can end in."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Limits, Phase, SandboxSpec
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.types import LogLine, PlatformEvent, Sandbox, WatchWarning
from pyopenshell.wire import sandbox_spec
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway

SPEC = SandboxSpec(
    source="dir:/images/x",
    env={"A": "b"},
    workdir="/w",
    command=("serve", "--now"),
    limits=Limits(1.5, 512 << 20, True),
)


async def test_create_asks_for_all_of_it(client: Client, gateway: FakeGateway) -> None:
    made = await client.sandboxes.create(SPEC, name="new", labels={"team": "web"})
    assert (made.name, made.phase, made.labels) == ("new", Phase.PROVISIONING, {"team": "web"})
    assert sandbox_spec.of_message(gateway.sandboxes["new"].spec) == SPEC
    assert (await client.sandboxes.create()).name == "made-up"
    with pytest.raises(OpenShellError) as caught:
        await client.sandboxes.create(name="new")
    assert caught.value.code is Code.CONFLICT


async def test_bad_names_and_labels_never_leave(client: Client, gateway: FakeGateway) -> None:
    for arguments in ({"name": "a/b"}, {"name": "A"}, {"labels": {"a b": "x"}}, {"labels": {"a": "x\n"}}):
        with pytest.raises(OpenShellError) as caught:
            await client.sandboxes.create(**arguments)
        assert caught.value.code is Code.INVALID
    for act in (client.sandboxes.get, client.sandboxes.start, client.sandboxes.stop, client.sandboxes.delete):
        with pytest.raises(OpenShellError):
            await act("a/b")
    assert list(gateway.sandboxes) == ["web"]


async def test_list_reads_every_page(client: Client, gateway: FakeGateway) -> None:
    for number in range(6):
        gateway.add(f"n{number}")
    assert [one.name for one in await client.sandboxes.list()] == [*(f"n{n}" for n in range(6)), "web"]


async def test_stop_start_delete(client: Client) -> None:
    assert (await client.sandboxes.stop("web")).phase is Phase.STOPPED
    assert (await client.sandboxes.start("web")).phase is Phase.STARTING
    assert await client.sandboxes.delete("web")
    assert not await client.sandboxes.delete("web", allow_missing=True)
    with pytest.raises(OpenShellError) as caught:
        await client.sandboxes.delete("web")
    assert caught.value.code is Code.NOT_FOUND


def status(phase: int, code: int | None = None, reason: str = "") -> pb.SandboxStatus:
    made = pb.SandboxStatus(phase=phase)
    if code is not None:
        made.exit_code = code
    if reason:
        made.conditions.add(message="older").transition_time.FromSeconds(1)
        made.conditions.add(message=reason).transition_time.FromSeconds(2)
    return made


@pytest.mark.parametrize(
    "last",
    [
        status(pb.SANDBOX_PHASE_READY),
        status(pb.SANDBOX_PHASE_COMPLETED, 0),
        status(pb.SANDBOX_PHASE_ERROR, 3),
    ],
)
async def test_waiting_ends_when_a_command_could_run(
    client: Client, gateway: FakeGateway, last: pb.SandboxStatus
) -> None:
    gateway.after_create = [status(pb.SANDBOX_PHASE_STARTING), last]
    await client.sandboxes.create(name="new")
    seen: list[Phase] = []
    found = await client.sandboxes.wait_ready("new", progress=lambda one: seen.append(one.phase))
    assert found.phase == last.phase
    assert seen == [Phase.PROVISIONING, Phase.STARTING, Phase(last.phase)]


@pytest.mark.parametrize("phase", [pb.SANDBOX_PHASE_ERROR, pb.SANDBOX_PHASE_STOPPED, pb.SANDBOX_PHASE_DELETING])
async def test_what_cannot_become_ready_is_told_with_its_reason(
    client: Client, gateway: FakeGateway, phase: int
) -> None:
    gateway.after_create = [status(phase, reason="no such command")]
    await client.sandboxes.create(name="new")
    with pytest.raises(OpenShellError, match=r"did not start, phase .*: no such command") as caught:
        await client.sandboxes.wait_ready("new")
    assert caught.value.code is Code.PRECONDITION


async def test_a_watch_that_ends_too_early_is_broken(client: Client, gateway: FakeGateway) -> None:
    gateway.after_create = [status(pb.SANDBOX_PHASE_STARTING)]
    await client.sandboxes.create(name="new")
    with pytest.raises(OpenShellError, match="stopped telling") as caught:
        await client.sandboxes.wait_ready("new")
    assert caught.value.code is Code.BROKEN


async def test_waiting_has_an_end(client: Client, gateway: FakeGateway) -> None:
    import asyncio

    async def silent(request, call):
        yield pb.SandboxStreamEvent(sandbox=gateway.sandboxes["web"])
        await asyncio.Event().wait()

    gateway.sandboxes["web"].status.phase = pb.SANDBOX_PHASE_STARTING
    gateway._watch = silent  # type: ignore[method-assign]
    await gateway.cut()
    await gateway.start()
    with pytest.raises(OpenShellError, match=r"not ready within 0 s .phase: Starting") as caught:
        await client.sandboxes.wait_ready("web", timeout=0.2)
    assert caught.value.code is Code.DEADLINE


async def test_logs_and_watch(client: Client, gateway: FakeGateway) -> None:
    for number in range(3):
        line = pb.SandboxLogLine(level="INFO", source="sandbox", target="stdout", message=f"line {number}")
        line.event_time.FromSeconds(number)
        gateway.log_lines.append(line)
    assert [one.message for one in await client.sandboxes.logs("web")] == ["line 0", "line 1", "line 2"]
    assert [one.message for one in await client.sandboxes.logs("web", lines=1)] == ["line 2"]
    async with aclosing(client.sandboxes.watch("web", logs=True, events=True, tail=2)) as events:
        kinds = [type(event) async for event in events]
    assert kinds == [Sandbox, LogLine, LogLine, PlatformEvent, WatchWarning]
