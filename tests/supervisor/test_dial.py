"""What each target becomes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec, ExecTarget, FilesTarget, Outcome, Probe, ProbeTarget, SshTarget, TcpTarget
from pyopenshell.streams import ExecChannel, StreamBroken, pair
from pyopenshell.supervisor.dial import Dialler
from pyopenshell.wire.exec_frames import Kind
from pyopenshell.wire.openshell.v1.openshell_pb2 import ExecExit
from tests.support.local_init import LocalInit


class Targets:
    """Hands out memory streams and remembers what was dialled."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.inside, self.far = pair()

    async def connect(self, host: str, port: int) -> Any:
        self.asked.append((host, port))
        return self.far

    async def ssh(self, key: str) -> Any:
        self.asked.append(key)
        return self.far


@pytest.mark.parametrize(
    ("target", "asked"),
    [(TcpTarget("localhost", 80), ("127.0.0.1", 80)), (SshTarget("ssh-ed25519 AAAA"), "ssh-ed25519 AAAA")],
)
async def test_tcp_and_ssh_are_spliced(target: TcpTarget | SshTarget, asked: object) -> None:
    targets = Targets()
    dialled = await Dialler(LocalInit(), targets.connect, targets.ssh).dial(target)  # type: ignore[arg-type]
    near, lent = pair()
    said: list[ExecExit] = []
    running = asyncio.create_task(dialled.run(lent, said.append))
    await near.write(b"in")
    assert bytes(await targets.inside.read()) == b"in"
    await near.end()
    assert await targets.inside.read() == b""
    await targets.inside.write(b"out")
    await targets.inside.end()
    assert bytes(await near.read()) == b"out"
    assert await near.read() == b""
    assert await running is Outcome.COMPLETED
    assert targets.asked == [asked]
    assert said == []


async def test_a_target_that_is_given_up_is_aborted() -> None:
    targets = Targets()
    dialled = await Dialler(LocalInit(), targets.connect, targets.ssh).dial(TcpTarget("::1", 80))  # type: ignore[arg-type]
    dialled.abort("no")
    dialled.abort("no")
    with pytest.raises(StreamBroken):
        await targets.inside.read()


async def test_exec_is_served_from_its_first_frame() -> None:
    targets = Targets()
    async with LocalInit() as init:
        dialled = await Dialler(init, targets.connect, targets.ssh).dial(ExecTarget())  # type: ignore[arg-type]
        dialled.abort("there is nothing to give up")
        near, lent = pair()
        said: list[ExecExit] = []
        running = asyncio.create_task(dialled.run(lent, said.append))
        channel = ExecChannel(near)
        await channel.start(ExecSpec(argv=("true",)))
        kinds = [frame.kind async for frame in _frames(channel)]
        await near.end()
        assert kinds == [Kind.STARTED, Kind.EXIT]
        assert said == [ExecExit(code=0)]
        assert await running is Outcome.COMPLETED


async def _frames(channel: ExecChannel) -> Any:
    while (frame := await channel.receive()) is not None:
        yield frame


async def test_a_probe_is_the_supervisor_itself() -> None:
    targets = Targets()
    dialled = await Dialler(LocalInit(), targets.connect, targets.ssh).dial(ProbeTarget(Probe.ECHO))  # type: ignore[arg-type]
    dialled.abort("there is nothing to give up")
    near, lent = pair()
    running = asyncio.create_task(dialled.run(lent, lambda _: None))
    await near.write(b"hello")
    assert bytes(await near.read()) == b"hello"
    await near.end()
    assert await near.read() == b""
    assert await running is Outcome.COMPLETED
    assert targets.asked == []


async def test_files_are_not_served() -> None:
    targets = Targets()
    with pytest.raises(OpenShellError, match="does not serve") as refused:
        await Dialler(LocalInit(), targets.connect, targets.ssh).dial(FilesTarget())  # type: ignore[arg-type]
    assert refused.value.code is Code.PRECONDITION
