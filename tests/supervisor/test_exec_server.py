"""One exec stream, over memory, with real processes of this machine behind it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec, Outcome, TerminalSize
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.streams.memory import MemoryStream, pair
from pyopenshell.supervisor import command, exec_server
from pyopenshell.supervisor.exec_server import BACKLOG_MAX, serve_exec
from pyopenshell.wire.exec_frames import Kind, encode
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit
from tests.support.local_init import LocalInit


class Near:
    """The near side of one stream, and the server's task."""

    def __init__(self, init: LocalInit) -> None:
        self.init = init
        self.stream: MemoryStream
        self.stream, far = pair()
        self.told: list[Callable[[], None]] = []  # memory cannot know of a break: the test says it
        far.on_break = self.told.append  # type: ignore[method-assign]
        self.channel = ExecChannel(self.stream)
        self.said: list[ExecExit] = []  # to the audit
        self.outcome = asyncio.create_task(serve_exec(far, init, self.said.append))  # type: ignore[arg-type]

    async def gather(self) -> tuple[bytes, bytes, ExecExit]:
        """Everything until the exit, which must be the last frame; then ends our direction."""
        out: dict[Kind, bytearray] = {Kind.STDOUT: bytearray(), Kind.STDERR: bytearray()}
        how = None
        while (frame := await self.channel.receive()) is not None:
            assert how is None, "a frame came after the exit"
            if frame.kind is Kind.EXIT:
                how = ExecExit.FromString(bytes(frame.payload))
            elif frame.kind in out:
                out[frame.kind] += frame.payload
        assert how is not None
        assert self.said == [how], "the audit is told the same, once"
        await self.stream.end()
        return bytes(out[Kind.STDOUT]), bytes(out[Kind.STDERR]), how


@pytest.fixture
async def near() -> AsyncIterator[Near]:
    async with LocalInit() as init:
        made = Near(init)
        yield made
        made.stream.abort()
        await asyncio.wait([made.outcome])


def sh(script: str, **more: object) -> ExecSpec:
    return ExecSpec(argv=("/bin/sh", "-c", script), **more)  # type: ignore[arg-type]


async def test_output_comes_apart_and_the_exit_last(near: Near) -> None:
    await near.channel.start(sh("echo out; echo err >&2; exit 7"))
    assert await near.gather() == (b"out\n", b"err\n", ExecExit(code=7))
    assert await near.outcome is Outcome.COMPLETED


async def test_a_success_is_said(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("true",)))
    _out, _err, how = await near.gather()
    assert how.WhichOneof("how") == "code"
    assert how.code == 0


async def test_a_signal_is_said(near: Near) -> None:
    await near.channel.start(sh("kill -SEGV $$"))
    assert (await near.gather())[2] == ExecExit(signal=signal.SIGSEGV)


async def test_input_streams_through(near: Near) -> None:
    data = b"0123456789abcdef" * 100_000
    await near.channel.start(ExecSpec(argv=("cat",)))
    reading = asyncio.create_task(near.gather())
    await near.channel.stdin(data)
    await near.channel.stdin_end()
    assert (await reading)[0] == data


async def test_the_end_of_the_direction_is_the_end_of_input(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("cat",)))
    await near.channel.stdin(b"x")
    await near.stream.end()
    assert (await near.gather())[0] == b"x"


async def test_a_command_that_ended_waits_for_no_input(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("true",)))

    async def endless() -> None:
        while True:
            await near.channel.stdin(b"y" * 65536)

    writing = asyncio.create_task(endless())
    while (frame := await near.channel.receive()) is not None:
        last = frame
    assert last.kind is Kind.EXIT
    writing.cancel()
    await asyncio.wait([writing])


async def test_a_terminal_is_one_stream_with_a_size(near: Near) -> None:
    await near.channel.start(sh("stty size; read x; stty size; tty >&2", terminal=TerminalSize(81, 25)))
    seen = b""
    while b"25 81" not in seen:
        frame = await near.channel.receive()
        assert frame is not None
        seen += bytes(frame.payload)
    await near.channel.resize(TerminalSize(100, 50))
    await near.channel.stdin(b"\n")
    out, err, how = await near.gather()
    assert b"50 100" in out
    assert b"/dev/pts/" in out
    assert (err, how) == (b"", ExecExit(code=0))


async def test_the_end_of_input_reaches_a_terminal(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("cat",), terminal=TerminalSize()))
    await near.channel.stdin(b"x\n")
    await near.channel.stdin_end()
    assert b"x" in (await near.gather())[0]


async def test_a_signal_goes_to_the_whole_group(near: Near) -> None:
    await near.channel.start(
        sh("trap 'exit 9' TERM; (trap 'echo child; exit' TERM; echo up; while :; do sleep 0.01; done) & wait; wait")
    )
    assert (await _started(near)) is not None
    seen = b""
    while b"up" not in seen:
        frame = await near.channel.receive()
        assert frame is not None
        seen += bytes(frame.payload)
    await near.channel.signal(signal.SIGTERM)
    out, _err, how = await near.gather()
    assert (out, how) == (b"child\n", ExecExit(code=9))


async def _started(near: Near) -> object:
    frame = await near.channel.receive()
    assert frame is not None
    assert frame.kind is Kind.STARTED
    return frame


async def test_the_timeout_ends_the_whole_group(near: Near, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"  # a child of the group holds it open for writing: its end is the child's end
    await near.channel.start(sh(f"mkfifo {fifo}; (sleep 1000 > {fifo}) & exec sleep 1000", timeout=0.2))
    await _started(near)
    out, _err, how = await near.gather()
    assert (out, how) == (b"", ExecExit(timed_out=True))
    assert (await near.init.spawned[0].wait()).signal == signal.SIGTERM


async def test_a_command_that_ignores_the_polite_signal_is_killed(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "KILL_GRACE", 0.05)
    await near.channel.start(sh("trap '' TERM; while :; do sleep 1; done", timeout=0.1))
    assert (await near.gather())[2] == ExecExit(timed_out=True)
    assert (await near.init.spawned[0].wait()).signal == signal.SIGKILL


async def test_a_child_in_the_background_does_not_hold_the_exit(near: Near) -> None:
    await near.channel.start(sh("(trap '' HUP; sleep 1000) & echo done"))
    async with asyncio.timeout(5):
        out, _err, how = await near.gather()
    assert (out, how) == (b"done\n", ExecExit(code=0))


async def test_the_tail_of_a_pipeline_has_its_last_word(near: Near) -> None:
    await near.channel.start(sh("(sleep 0.1; echo tail) & exit 4"))
    assert await near.gather() == (b"tail\n", b"", ExecExit(code=4))


async def test_a_child_that_never_stops_writing_is_cut(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LINGER_MAX", 0.2)
    await near.channel.start(sh("yes & exit 0"))
    assert (await near.gather())[2] == ExecExit(code=0)


async def test_the_loss_of_the_near_side_ends_the_command(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("sleep", "1000")))
    await _started(near)
    near.stream.abort("gone")
    assert await near.outcome is Outcome.BROKEN_NEAR
    assert (await near.init.spawned[0].wait()).signal == signal.SIGHUP


async def test_it_is_seen_also_while_input_is_stuck(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("sleep", "1000")))
    await _started(near)
    stuck = asyncio.create_task(near.channel.stdin(b"x" * (2 * BACKLOG_MAX + 2 * 1024 * 1024)))
    await asyncio.wait([stuck], timeout=0.3)
    assert not stuck.done()
    near.stream.abort("gone")
    near.told[0]()
    await asyncio.wait([stuck])
    async with asyncio.timeout(5):
        assert await near.outcome is Outcome.BROKEN_NEAR
    assert (await near.init.spawned[0].wait()).signal == signal.SIGHUP
    assert near.said == [ExecExit(signal=signal.SIGHUP)], "nobody hears of it on the stream, but the audit does"


async def test_a_signal_overtakes_input_that_waits(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("sleep", "1000")))
    await near.channel.stdin(b"x" * (1024 * 1024 + BACKLOG_MAX // 2))
    await near.channel.signal(signal.SIGINT)
    assert (await near.gather())[2] == ExecExit(signal=signal.SIGINT)


async def test_a_cancelled_server_ends_its_command(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("sleep", "1000")))
    await _started(near)
    near.outcome.cancel()
    await asyncio.wait([near.outcome])
    assert near.outcome.cancelled()
    assert (await near.init.spawned[0].wait()).signal == signal.SIGHUP
    with pytest.raises(StreamBroken):
        await near.stream.read()


async def test_what_cannot_start_has_an_exit_with_the_reason(near: Near) -> None:
    await near.channel.start(ExecSpec(argv=("no-such-command",)))
    assert (await near.gather())[2] == ExecExit(start_error="command not found: no-such-command")
    assert await near.outcome is Outcome.COMPLETED


async def test_a_lost_sandbox_is_said(near: Near) -> None:
    near.init.fail = OpenShellError(Code.UNAVAILABLE, "the sandbox's init is gone")
    await near.channel.start(ExecSpec(argv=("true",)))
    assert (await near.gather())[2] == ExecExit(start_error="the sandbox's init is gone")
    assert await near.outcome is Outcome.BROKEN_FAR


@pytest.mark.parametrize("first", [encode(Kind.STDIN, b"x"), encode(Kind.START, b"\xff\xff"), encode(Kind.START, b"")])
async def test_a_wrong_first_frame_is_refused(near: Near, first: bytes) -> None:
    await near.stream.write(first)
    how = (await near.gather())[2]
    assert how.start_error
    assert await near.outcome is Outcome.REFUSED


async def test_a_first_frame_that_never_comes(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    near.outcome.cancel()
    await asyncio.wait([near.outcome])
    monkeypatch.setattr(exec_server, "START_TIMEOUT", 0.01)
    late = Near(near.init)
    assert (await late.gather())[2].start_error.startswith("no command came")
    assert await late.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("bad", [encode(Kind.RESIZE, b"x"), encode(Kind.SIGNAL, b"\0"), encode(Kind.STARTED)])
async def test_a_frame_that_cannot_be_obeyed_breaks_the_stream(near: Near, bad: bytes) -> None:
    await near.channel.start(ExecSpec(argv=("sleep", "1000")))
    await near.stream.write(bad)
    assert await near.outcome is Outcome.BROKEN_NEAR


async def test_a_near_side_that_never_says_goodbye(near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_server, "GOODBYE_TIMEOUT", 0.01)
    await near.channel.start(ExecSpec(argv=("true",)))
    assert await near.outcome is Outcome.BROKEN_NEAR


async def test_a_slow_reader_holds_the_command_up_and_loses_nothing(near: Near) -> None:
    await near.channel.start(sh("head -c 3000000 /dev/zero; echo end"))
    out, _err, how = await near.gather()
    assert (len(out), out[-4:], how.code) == (3_000_004, b"end\n", 0)
