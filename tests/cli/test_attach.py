"""Attach: leaving, losing sight, and a process that never ran."""

from __future__ import annotations

import asyncio
import signal

from pyopenshell.cli.app import run
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_ctrl_c_leaves_and_the_process_goes_on(line: CommandLine, gateway: FakeGateway) -> None:
    watched = asyncio.Event()

    async def endless(request, call):
        watched.set()
        yield pb.SandboxStreamEvent(sandbox=gateway.sandboxes["new"])
        await asyncio.Event().wait()

    gateway._watch = endless  # type: ignore[method-assign]
    await gateway.cut()
    await gateway.start()
    said: list[str] = []
    context = line.context(None, None, None)
    context.err = said.append  # type: ignore[method-assign]
    task = asyncio.create_task(run(["sandbox", "create", "new", "--attach", "--", "work"], context))
    await watched.wait()
    line.signals.send(signal.SIGINT)
    assert await task == 130
    assert said == ["left; sandbox new goes on, see 'openshell sandbox logs --follow new'"]


async def test_losing_sight_is_never_a_status(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.after_create = [pb.SandboxStatus(phase=pb.SANDBOX_PHASE_READY)]
    done = await line("sandbox", "create", "new", "--attach", "--", "work")
    assert done.code == 255
    assert "lost sight of sandbox 'new'" in done.err


async def test_a_process_that_never_ran(line: CommandLine, gateway: FakeGateway) -> None:
    failed = pb.SandboxStatus(phase=pb.SANDBOX_PHASE_ERROR)
    failed.conditions.add(message="no such file")
    gateway.after_create = [failed]
    done = await line("sandbox", "create", "new", "--attach", "--", "work")
    assert done.code == 1
    assert "did not run, phase Error: no such file" in done.err


async def test_success(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.after_create = [pb.SandboxStatus(phase=pb.SANDBOX_PHASE_COMPLETED, exit_code=0)]
    assert (await line("sandbox", "create", "new", "--attach", "--", "work")).code == 0


async def test_lines_that_were_dropped_are_said(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.log_lines.append(pb.SandboxLogLine(source="sandbox", level="WARN", message="7 lines were dropped"))
    gateway.after_create = [pb.SandboxStatus(phase=pb.SANDBOX_PHASE_COMPLETED, exit_code=0)]
    done = await line("sandbox", "create", "new", "--attach", "--", "work")
    assert (done.code, done.out, done.err) == (0, "", "warning: 7 lines were dropped\n")
