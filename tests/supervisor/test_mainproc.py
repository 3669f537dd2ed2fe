"""The main process: started, found again, watched, its end reported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.supervisor import logs, mainproc
from pyopenshell.supervisor.init_client import Exit
from pyopenshell.supervisor.logs import LogRing
from pyopenshell.supervisor.mainproc import FINALIZE_EXIT, REPORT_EXIT, STATUS_LOST, MainProcess
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.local_init import LocalInit, LocalProcess

State = pb.MainProcessState


class Keeping(LocalInit):
    """A local init that remembers, as the real one does."""

    async def attach(self, pid: int) -> LocalProcess:
        if pid not in self.processes:
            raise OpenShellError(Code.NOT_FOUND, "gone")
        return self.processes[pid]


class Gateway:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int | None]] = []
        self.fail = 0
        self.called = asyncio.Event()

    async def unary(self, path: str, request: pb.ReportMainProcessExitRequest, kind: type, **_: object) -> object:
        if self.fail:
            self.fail -= 1
            raise OpenShellError(Code.UNAVAILABLE, "lost")
        self.called.set()
        self.calls.append((path, request.instance_id, getattr(request, "exit_code", None)))
        return kind()


@pytest.fixture
async def init() -> AsyncIterator[Keeping]:
    async with Keeping() as made:
        yield made


def main(init: LocalInit, *argv: str, ring: LogRing | None = None) -> MainProcess:
    return MainProcess(init, argv, ring or LogRing(), "id", ())  # type: ignore[arg-type]


async def test_without_a_command_there_is_none(init: Keeping) -> None:
    process = main(init)
    await process.start()
    await process.run()
    assert process.state().state == State.STATE_UNSPECIFIED
    assert process.state().instance_id == process.instance_id


async def test_it_runs_and_its_output_becomes_lines(init: Keeping) -> None:
    ring = LogRing()
    process = main(init, "/bin/sh", "-c", "echo out; echo err >&2; cat; printf tail; exit 3", ring=ring)
    await process.start()
    assert process.state().state == State.STATE_RUNNING
    assert init.spawned[0].label == f"main:{process.instance_id}"
    await process.run()  # its input is at the end: cat does not hang
    assert (process.state().state, process.state().exit_code) == (State.STATE_EXITED, 3)
    assert sorted((line.stream, line.text) for line in await ring.batch()) == [
        ("stderr", b"err"),
        ("stdout", b"out"),
        ("stdout", b"tail"),
    ]


async def test_a_signal_is_128_and_its_number(init: Keeping) -> None:
    process = main(init, "/bin/sh", "-c", "kill -9 $$")
    await process.start()
    await process.run()
    assert process.state().exit_code == 137


async def test_one_that_cannot_start_is_a_state(init: Keeping) -> None:
    process = main(init, "no-such-command")
    await process.start()
    await process.run()
    assert (process.state().state, process.state().error) == (State.STATE_FAILED, "command not found: no-such-command")


async def test_a_process_that_prints_without_end_is_held_up(init: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mainproc, "LINES_PER_SECOND", 1)
    ring = LogRing()
    process = main(init, "yes", ring=ring)
    await process.start()
    running = asyncio.create_task(process.run())
    assert len(await ring.batch()) <= mainproc.LOG_CHUNK
    await init.spawned[0].signal(9)
    running.cancel()
    await asyncio.wait([running])


async def test_what_is_left_at_the_end_is_taken_at_once(init: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mainproc, "BYTES_PER_SECOND", 4 * mainproc.LOG_CHUNK)
    ring = LogRing(limit=10**9)
    process = main(init, "/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo; echo last", ring=ring)
    await process.start()
    await process.run()
    monkeypatch.setattr(logs, "BATCH_MAX", 10**9)
    assert (await ring.batch())[-1].text == b"last"


async def test_the_next_supervisor_finds_it_again(init: Keeping) -> None:
    first = main(init, "/bin/sh", "-c", "read x; exit 5")
    await first.start()
    (spawned,) = init.spawned
    init.processes = {spawned.pid: spawned}
    second = main(init, "/bin/sh", "-c", "exit 99")
    await second.start()
    assert second.instance_id == first.instance_id
    assert second.state().state == State.STATE_RUNNING
    assert len(init.spawned) == 1
    await second.run()
    assert second.state().exit_code == 5


async def test_an_end_that_nobody_told_is_still_an_end(init: Keeping) -> None:
    init.ran = frozenset({"main:run-0"})
    process = main(init, "true")
    await process.start()
    assert (process.state().state, process.state().exit_code) == (State.STATE_EXITED, STATUS_LOST)
    assert process.instance_id == "run-0"


async def test_the_end_is_told_once_and_after_the_lines(init: Keeping) -> None:
    ring, gateway = LogRing(), Gateway()
    process = main(init, "/bin/sh", "-c", "echo last; exit 4", ring=ring)
    await process.start()
    telling = asyncio.create_task(process(gateway))  # type: ignore[arg-type]
    await process.run()
    await gateway.called.wait()
    assert gateway.calls == [(REPORT_EXIT, process.instance_id, 4)]
    ring.acknowledge(await ring.batch(), 0)
    await telling
    assert gateway.calls[1:] == [(FINALIZE_EXIT, process.instance_id, None)]
    await process(gateway)  # type: ignore[arg-type]
    assert len(gateway.calls) == 2


async def test_a_lost_gateway_is_told_over_the_next_connection(init: Keeping) -> None:
    gateway = Gateway()
    gateway.fail = 1
    process = main(init, "true")
    await process.start()
    await process.run()
    with pytest.raises(OpenShellError):
        await process(gateway)  # type: ignore[arg-type]
    await process(gateway)  # type: ignore[arg-type]
    assert [path for path, *_ in gateway.calls] == [REPORT_EXIT, FINALIZE_EXIT]


async def test_the_end_of_a_supervisor_is_not_its_end(init: Keeping) -> None:
    process = main(init, "sleep", "1000")
    await process.start()
    running = asyncio.create_task(process.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert init.spawned[0].signals == []
    await init.spawned[0].signal(15)
    assert await init.spawned[0].wait() == Exit(signal=15)


async def test_it_is_asked_to_end_and_waited_for(init: Keeping) -> None:
    ring = LogRing()
    process = main(
        init, "/bin/sh", "-c", "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.01; done", ring=ring
    )
    await process.end()  # it was not started
    await process.start()
    running = asyncio.create_task(process.run())
    assert [line.text for line in await ring.batch()] == [b"up"]
    await process.end()
    await running
    assert process.state().exit_code == 9
    assert (await ring.batch())[-1].text == b"bye"
    await process.end()
    assert init.spawned[0].signals == [15]
