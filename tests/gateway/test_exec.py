"""ExecSandbox and ExecSandboxInteractive on the wire, against a supervisor that plays the command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import DataLeg, ExecChannel
from pyopenshell.wire.exec_frames import SIZE, Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.fake_supervisor import SERVICE
from tests.support.gateway_kit import Kit

Command = Callable[[ExecChannel, pb.ExecStart], Awaitable[None]]


def plays(kit: Kit, command: Command) -> None:
    async def serve(leg: DataLeg) -> None:
        channel = ExecChannel(leg)
        frame = await channel.receive()
        assert frame is not None
        assert frame.kind is Kind.START
        await command(channel, pb.ExecStart.FromString(bytes(frame.payload)))

    kit.prepare = lambda supervisor: setattr(supervisor, "serve", serve)


async def run(kit: Kit, **fields: object) -> list[pb.ExecSandboxEvent]:
    request = pb.ExecSandboxRequest(sandbox="web", **{"command": ["job"], **fields})  # type: ignore[arg-type]
    stream = kit.channel.stream(f"{SERVICE}ExecSandbox", request, pb.ExecSandboxEvent)
    return [event async for event in stream]


async def cat(channel: ExecChannel, start: pb.ExecStart) -> None:
    """Give stdin back, in both outputs, until its end."""
    while (frame := await channel.receive()) is not None and frame.kind is not Kind.STDIN_END:
        if frame.kind is Kind.STDIN:
            await channel.stdout(frame.payload)
        elif frame.kind is Kind.RESIZE:
            await channel.stderr(repr(SIZE.unpack(frame.payload)).encode())
    await channel.exit(pb.ExecExit(code=len(start.argv)))


async def test_events_come_in_order_and_exit_is_the_last(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.started()
        await channel.stdout(b"one")
        await channel.stderr(b"two")
        await channel.stdout(b"three")
        await channel.exit(pb.ExecExit(code=7))

    plays(kit, job)
    await kit.ready()
    events = await run(kit)
    assert [event.WhichOneof("payload") for event in events] == ["stdout", "stderr", "stdout", "exit"]
    assert events[-1].exit.exit_code == 7
    assert [event.stdout.data for event in events if event.HasField("stdout")] == [b"one", b"three"]


@pytest.mark.parametrize(
    ("how", "code"),
    [(pb.ExecExit(code=0), 0), (pb.ExecExit(signal=9), 137), (pb.ExecExit(timed_out=True), 124)],
    ids=["zero", "signal", "timeout"],
)
async def test_exit_codes(kit: Kit, how: pb.ExecExit, code: int) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.exit(how)

    plays(kit, job)
    await kit.ready()
    assert (await run(kit))[-1].exit.exit_code == code


async def test_the_command_is_passed_on_whole(kit: Kit) -> None:
    asked: list[pb.ExecStart] = []

    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        asked.append(start)
        await channel.exit(pb.ExecExit(code=0))

    plays(kit, job)
    await kit.ready()
    request = {"command": ["a", "b c", ""], "workdir": "/x", "environment": {"K": "v"}, "tty": True, "cols": 90}
    stream = pb.ExecSandboxRequest(sandbox="web", rows=30, **request)
    stream.execution_timeout.FromMilliseconds(1500)
    events = kit.channel.stream(f"{SERVICE}ExecSandbox", stream, pb.ExecSandboxEvent)
    assert [event async for event in events]
    await run(kit, no_login_shell=True)
    first, second = asked
    assert list(first.argv) == [b"a", b"b c", b""]
    assert (first.workdir, dict(first.environment)) == (b"/x", {"K": b"v"})
    assert (first.tty, first.cols, first.rows) == (True, 90, 30)
    assert first.timeout_ms == 1500
    assert first.login
    assert not second.login


async def test_stdin_of_the_request_and_its_end(kit: Kit) -> None:
    plays(kit, cat)
    await kit.ready()
    data = bytes(range(256)) * 10_000
    events = await run(kit, stdin=data)
    assert b"".join(event.stdout.data for event in events) == data
    assert events[-1].exit.exit_code == 1


async def test_a_command_that_ends_without_reading_its_stdin(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.exit(pb.ExecExit(code=0))

    plays(kit, job)
    await kit.ready()
    assert (await run(kit, stdin=bytes(3_000_000)))[-1].exit.exit_code == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"command": []},
        {"command": [""]},
        {"command": ["a\0b"]},
        {"command": ["x"] * 1025},
        {"command": ["x" * 131072]},
        {"environment": {f"K{n}": "x" * 100_000 for n in range(11)}},
        {"environment": {"A=B": "x"}},
        {"workdir": "relative"},
    ],
    ids=["none", "empty", "NUL", "many", "long", "1 MiB", "name", "workdir"],
)
async def test_commands_that_cannot_run(kit: Kit, fields: dict[str, object]) -> None:
    sandbox = await kit.ready()
    with pytest.raises(OpenShellError) as caught:
        await run(kit, **fields)
    assert caught.value.code is Code.INVALID
    assert kit.supervisor(sandbox).opens.empty()


async def test_one_byte_below_the_limit_of_argv_and_environment(kit: Kit) -> None:
    plays(kit, cat)
    await kit.ready()
    left = 1024 * 1024 - len("job\0")
    environment = {}
    while left:
        name = f"K{len(environment):02}"
        size = min(left, 100_000)
        environment[name] = "x" * (size - len(name) - len("=\0"))
        left -= size
    assert (await run(kit, environment=environment))[-1].exit.exit_code == 1
    environment[name] += "x"
    with pytest.raises(OpenShellError, match="1048577"):
        await run(kit, environment=environment)


async def test_a_command_that_never_ran(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.exit(pb.ExecExit(start_error="no such file: /nope"))

    plays(kit, job)
    await kit.ready()
    with pytest.raises(OpenShellError, match="no such file: /nope") as caught:
        await run(kit)
    assert caught.value.code is Code.PRECONDITION


async def test_a_supervisor_that_is_lost_in_the_middle(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.stdout(b"half")
        channel.stream.abort("crash")

    plays(kit, job)
    await kit.ready()
    with pytest.raises(OpenShellError) as caught:
        await run(kit)
    assert caught.value.code is Code.UNAVAILABLE


async def test_a_stream_that_ends_without_an_exit(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.stdout(b"half")
        await channel.stream.end()

    plays(kit, job)
    await kit.ready()
    with pytest.raises(OpenShellError, match="before the command's exit"):
        await run(kit)


async def test_a_caller_that_goes_away_ends_the_command(kit: Kit) -> None:
    broken = asyncio.get_running_loop().create_future()

    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.stdout(b"begun")
        try:
            while await channel.receive() is not None:
                continue
        except OpenShellError as error:
            broken.set_result(error)

    plays(kit, job)
    await kit.ready()
    stream = kit.channel.stream(
        f"{SERVICE}ExecSandbox", pb.ExecSandboxRequest(sandbox="web", command=["job"]), pb.ExecSandboxEvent
    )
    assert (await anext(stream)).stdout.data == b"begun"
    await stream.aclose()  # type: ignore[attr-defined]
    await broken


async def test_a_sandbox_that_is_stopped_ends_the_command(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.stdout(b"begun")
        await channel.receive()
        await channel.receive()

    plays(kit, job)
    await kit.ready()
    stream = kit.channel.stream(
        f"{SERVICE}ExecSandbox", pb.ExecSandboxRequest(sandbox="web", command=["job"]), pb.ExecSandboxEvent
    )
    assert (await anext(stream)).stdout.data == b"begun"
    await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    with pytest.raises(OpenShellError) as caught:
        await anext(stream)
    assert caught.value.code is Code.UNAVAILABLE


async def test_nothing_is_left_of_a_command_that_ended(kit: Kit) -> None:
    plays(kit, cat)
    await kit.ready()
    await run(kit)
    while (await kit.extension("ListRelays", ext.ListRelaysRequest(), ext.ListRelaysResponse)).relays:
        pass


async def test_unknown_sandbox(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await run(kit)
    assert caught.value.code is Code.NOT_FOUND


# --- interactive ------------------------------------------------------------------------------------------------------


def start(**fields: object) -> pb.ExecSandboxInput:
    request = pb.ExecSandboxRequest(sandbox="web", **{"command": ["job"], **fields})  # type: ignore[arg-type]
    return pb.ExecSandboxInput(start=request)


async def test_stdin_and_resize_then_half_close_and_still_an_exit(kit: Kit) -> None:
    plays(kit, cat)
    await kit.ready()
    call = await kit.channel.open(f"{SERVICE}ExecSandboxInteractive")
    await call.send(start(tty=True, stdin=b"first "))
    await call.send(pb.ExecSandboxInput(stdin=b"second"))
    await call.send(pb.ExecSandboxInput())
    await call.send(pb.ExecSandboxInput(resize=pb.ExecSandboxWindowResize(cols=100, rows=70_000)))
    await call.end()
    out, err, codes = b"", b"", []
    while (event := await call.receive(pb.ExecSandboxEvent)) is not None:
        assert not codes
        out += event.stdout.data
        err += event.stderr.data
        if event.HasField("exit"):
            codes.append(event.exit.exit_code)
    assert (out, err, codes) == (b"first second", b"(100, 65535)", [1])


async def test_an_exit_does_not_wait_for_the_end_of_stdin(kit: Kit) -> None:
    async def job(channel: ExecChannel, start: pb.ExecStart) -> None:
        await channel.exit(pb.ExecExit(code=0))

    plays(kit, job)
    await kit.ready()
    call = await kit.channel.open(f"{SERVICE}ExecSandboxInteractive")
    await call.send(start())
    event = await call.receive(pb.ExecSandboxEvent)
    assert event is not None
    assert event.HasField("exit")
    assert await call.receive(pb.ExecSandboxEvent) is None


@pytest.mark.parametrize("second", [False, True])
async def test_start_comes_first_and_once(kit: Kit, second: bool) -> None:
    plays(kit, cat)
    await kit.ready()
    call = await kit.channel.open(f"{SERVICE}ExecSandboxInteractive")
    if second:
        await call.send(start())
        await call.send(start())
    else:
        await call.send(pb.ExecSandboxInput(stdin=b"x"))
    with pytest.raises(OpenShellError) as caught:
        await call.status()
    assert caught.value.code is Code.INVALID
