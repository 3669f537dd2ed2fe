"""Commands through the real wire: streams, statuses, refusals, and every way to lose the connection."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.exec import ExitStatus, exit_of
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit
from tests.support.client_gateway import FakeGateway


def sh(script: str, **more) -> ExecSpec:
    return ExecSpec(("sh", "-c", script), **more)


async def test_streams_are_apart_and_the_status_is_the_command_s(client: Client) -> None:
    done = await client.run("web", sh("echo out; echo err >&2; exit 7"))
    assert (done.stdout, done.stderr, done.exit) == (b"out\n", b"err\n", ExitStatus(code=7))
    assert done.relay_id == "relay-1"


async def test_death_by_signal_is_128_and_its_number(client: Client) -> None:
    done = await client.run("web", sh("kill -9 $$"))
    assert done.exit == ExitStatus(signal=9)
    assert done.exit.status == 137


async def test_stdin_goes_in_and_ends(client: Client) -> None:
    data = bytes(range(256)) * 4096
    done = await client.run("web", ExecSpec(("cat",)), stdin=data)
    assert done.stdout == data


async def test_input_that_the_command_does_not_read_is_no_error(client: Client) -> None:
    done = await client.run("web", ExecSpec(("true",)), stdin=b"x" * (8 << 20))
    assert done.exit == ExitStatus(code=0)


async def test_after_the_exit_both_sides_end_the_stream(client: Client, gateway: FakeGateway) -> None:
    for stdin in (b"", b"x" * (8 << 20)):
        await client.run("web", ExecSpec(("true",)), stdin=stdin)
    await client.run("web", ExecSpec(("no-such-command",)))
    await client.close()
    assert gateway.completed == 3


async def test_a_gateway_that_does_not_end_the_call_is_not_waited_for(
    client: Client, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyopenshell.sdk.exec.PARTING_TIMEOUT", 0.0)
    forever = asyncio.Event()

    async def stuck(*_: object) -> None:
        await forever.wait()

    monkeypatch.setattr("tests.support.client_gateway._part", stuck)
    assert (await client.run("web", ExecSpec(("true",)))).exit == ExitStatus(code=0)
    assert gateway.completed == 0


async def test_environment_and_directory_arrive(client: Client) -> None:
    done = await client.run("web", sh('echo "$A $(pwd)"', env={"A": "a b"}, workdir="/tmp"))
    assert done.stdout == b"a b /tmp\n"


async def test_a_command_that_is_not_there_never_started(client: Client) -> None:
    done = await client.run("web", ExecSpec(("no-such-command",)))
    assert done.exit.start_error == "No such file or directory"
    assert done.exit.status == 127


async def test_timeout(client: Client) -> None:
    done = await client.run("web", sh("echo before; sleep 60", timeout=0.2))
    assert done.exit == ExitStatus(timed_out=True)
    assert done.exit.status == 124
    assert done.stdout == b"before\n"


async def test_a_far_side_that_forgets_the_timeout_is_not_waited_for(
    client: Client, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyopenshell.sdk.exec.TIMEOUT_GRACE", 0.0)

    async def silent(call) -> None:
        while await call.read() is not None:
            pass

    gateway._forward = silent  # type: ignore[method-assign]
    await gateway.cut()
    await gateway.start()
    with pytest.raises(OpenShellError, match="did not end") as caught:
        await client.run("web", sh("sleep 60", timeout=0.05))
    assert caught.value.code is Code.BROKEN


async def test_a_terminal_has_its_size_and_new_sizes(client: Client) -> None:
    spec = sh("stty size; read go; stty size; read go", terminal=TerminalSize(100, 40))
    seen = bytearray()
    async with client.exec("web", spec) as running:
        async for piece in running:
            seen += piece.data
            if b"40 100" in seen and b"50 132" not in seen:
                await running.resize(TerminalSize(132, 50))
                await running.stdin(b"go\r")
            if b"50 132" in seen:
                await running.stdin(b"go\r")
    assert running.exit == ExitStatus(code=0)


async def test_a_signal_reaches_the_command(client: Client) -> None:
    async with client.exec("web", sh("trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done")) as running:
        async for piece in running:
            if bytes(piece.data) == b"up\n":
                await running.signal(signal.SIGTERM)
    assert running.exit == ExitStatus(code=3)


async def test_refusals_keep_their_code(client: Client, gateway: FakeGateway) -> None:
    with pytest.raises(OpenShellError, match="does not exist") as caught:
        await client.run("nobody", sh("true"))
    assert caught.value.code is Code.NOT_FOUND
    gateway.refuse["ForwardTcp"] = OpenShellError(Code.PRECONDITION, "sandbox is Completed, exit 0")
    with pytest.raises(OpenShellError, match="Completed") as caught:
        await client.run("web", sh("true"), stdin=b"x" * 100_000)
    assert caught.value.code is Code.PRECONDITION


async def test_bad_names_never_leave(client: Client, gateway: FakeGateway) -> None:
    for name in ("a/b", "a\nb", "a" * 64, "", "A", "-a"):
        with pytest.raises(OpenShellError) as caught:
            await client.run(name, sh("true"))
        assert caught.value.code is Code.INVALID
    assert not gateway.inits


async def test_a_lost_gateway_is_broken_and_never_a_status(client: Client, gateway: FakeGateway) -> None:
    with pytest.raises(OpenShellError, match="before the command's status") as caught:
        async with client.exec("web", sh("echo up; sleep 60")) as running:
            async for _ in running:
                await gateway.cut()
    assert caught.value.code is Code.BROKEN
    assert running.exit is None


async def test_leaving_early_ends_the_command(client: Client, tmp_path) -> None:
    pid_file = tmp_path / "pid"
    async with client.exec("web", sh(f"echo $$ > {pid_file}; echo up; exec sleep 60")) as running:
        async for _ in running:
            break
    pid = int(pid_file.read_text())
    await gone(pid)


async def gone(pid: int) -> None:
    """Wait until the process has ended; the event is the kernel's own."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, over.set)
    await asyncio.wait_for(over.wait(), 10)
    loop.remove_reader(descriptor)
    os.close(descriptor)


async def test_sends_after_the_end_tell_so(client: Client) -> None:
    async with client.exec("web", sh("true")) as running:
        async for _ in running:
            pass
    assert not await running.stdin(b"late")
    assert not await running.stdin_end()
    assert not await running.signal(15)
    assert not await running.resize(TerminalSize())


def test_an_exit_that_says_nothing_is_broken() -> None:
    with pytest.raises(OpenShellError) as caught:
        exit_of(ExecExit())
    assert caught.value.code is Code.BROKEN
    assert exit_of(ExecExit(code=0)) == ExitStatus(code=0)
    assert exit_of(ExecExit(signal=2)).status == 130


async def test_parallel_commands_share_one_connection(client: Client, gateway: FakeGateway) -> None:
    done = await asyncio.gather(*(client.run("web", sh(f"echo {n}; exit {n}")) for n in range(20)))
    assert [(d.stdout, d.exit.code) for d in done] == [(f"{n}\n".encode(), n) for n in range(20)]
    assert gateway.server is not None and gateway.server.connections == 1
