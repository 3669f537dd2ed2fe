"""The end of a command, decided once. What needs a stream is proved in test_exec_server.py."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.supervisor import command as module
from pyopenshell.supervisor.command import Command
from pyopenshell.supervisor.init_client import Exit
from tests.support.local_init import LocalInit, LocalProcess
from tests.support.waiting import until


@pytest.fixture
async def init() -> AsyncIterator[LocalInit]:
    async with LocalInit() as made:
        yield made


class Out:
    def __init__(self) -> None:
        self.data = b""
        self.first = asyncio.Event()

    async def __call__(self, data: bytes) -> None:
        self.data += data
        self.first.set()


async def start(init: LocalInit, script: str, **more: object) -> tuple[Command, Out, Out, LocalProcess]:
    spec = ExecSpec(argv=("/bin/sh", "-c", script), terminal=more.pop("terminal", None))  # type: ignore[arg-type]
    process = await init.spawn(spec)
    out, err = Out(), Out()
    return Command(process, out, err, **more), out, err, process  # type: ignore[arg-type]


async def test_it_returns_how_it_ended_with_all_output_given(init: LocalInit) -> None:
    command, out, err, _ = await start(init, "echo a; echo b >&2; exit 3")
    assert await command.run() == Exit(code=3)
    assert (out.data, err.data) == (b"a\n", b"b\n")
    assert command.stdin.closed


async def test_what_is_in_the_pipe_when_it_ends_is_given_to_a_sink_that_is_slow(init: LocalInit) -> None:
    process = await init.spawn(ExecSpec(argv=("/bin/sh", "-c", "head -c 180000 /dev/zero")))
    out = Out()

    async def slow(data: bytes) -> None:
        await process.wait()
        await until(lambda: command.stdin.closed)  # the command has met the end, too
        await out(data)

    command = Command(process, slow, slow)  # type: ignore[arg-type]
    assert await command.run() == Exit()
    assert len(out.data) == 180_000  # more than one read, less than the pipe holds


async def test_a_terminal_has_one_output(init: LocalInit) -> None:
    command, out, err, _ = await start(init, "echo a; echo b >&2", terminal=TerminalSize())
    assert await command.run() == Exit()
    assert (out.data, err.data) == (b"a\r\nb\r\n", b"")
    command.resize(TerminalSize(1, 1))  # after the end: nothing


async def test_a_sink_that_fails_ends_it(init: LocalInit) -> None:
    process = await init.spawn(ExecSpec(argv=("/bin/sh", "-c", "echo a; exec sleep 1000")))

    async def broken(_data: bytes) -> None:
        raise BrokenPipeError("nobody listens")

    with pytest.raises(BrokenPipeError):
        await Command(process, broken, broken).run()  # type: ignore[arg-type]
    assert (await process.wait()).signal == signal.SIGHUP


async def test_cancelled_twice_it_still_ends_its_process(init: LocalInit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KILL_GRACE", 0.05)
    command, out, _, process = await start(init, "trap '' HUP; echo a; while :; do sleep 1; done")
    running = asyncio.create_task(command.run())
    await out.first.wait()
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert (await process.wait()).signal == signal.SIGKILL
    assert process.signals == [signal.SIGHUP, signal.SIGKILL]


async def test_a_polite_end_ends_what_is_left_of_the_group(init: LocalInit) -> None:
    command, out, _, process = await start(init, "(trap '' HUP; echo up; sleep 1000) & wait")
    running = asyncio.create_task(command.run())
    await out.first.wait()
    running.cancel()
    await asyncio.wait([running])
    assert process.signals == [signal.SIGHUP, signal.SIGKILL]


async def test_the_time_is_over(init: LocalInit) -> None:
    command, _, _, _ = await start(init, "exec sleep 1000", timeout=0.05)
    assert await command.run() == Exit(signal=signal.SIGTERM)
    assert command.timed_out


async def test_in_time_nothing_is_over(init: LocalInit) -> None:
    command, _, _, process = await start(init, "exit 0", timeout=60)
    assert await command.run() == Exit()
    assert not command.timed_out
    assert process.signals == []


async def test_a_signal_is_passed_on(init: LocalInit) -> None:
    command, out, _, _ = await start(init, "trap 'exit 8' USR1; echo up; while :; do sleep 0.01; done")
    running = asyncio.create_task(command.run())
    await out.first.wait()
    await command.signal(signal.SIGUSR1)
    assert await running == Exit(code=8)


async def test_a_lost_sandbox_is_an_error_and_no_hang(init: LocalInit) -> None:
    command, _, _, process = await start(init, "exec sleep 1000")

    async def lost(*_: object, **__: object) -> None:
        raise OpenShellError(Code.UNAVAILABLE, "the sandbox is gone")

    real = process.signal
    process.wait = process.signal = lost  # type: ignore[method-assign,assignment]
    with pytest.raises(OpenShellError, match="gone"):
        await command.run()
    process.signal = real  # type: ignore[method-assign]
    del process.wait
