"""The wiring, with a fake init behind it and a gateway in this process. The real one is in test_integration.py."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from pyopenshell.drivers.presence import END_SANDBOX
from pyopenshell.errors import EXIT_ERROR, EXIT_OK, Code, OpenShellError
from pyopenshell.linux.ids import range_ids
from pyopenshell.model import SandboxSpec, new_id
from pyopenshell.supervisor import main as module
from pyopenshell.supervisor.birth import SupervisorBirth
from pyopenshell.supervisor.main import run_supervisor, supervise
from pyopenshell.supervisor.reaching import connector
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_gateway import FakeGateway
from tests.support.local_init import LocalInit


class Init(LocalInit):
    def __init__(self) -> None:
        super().__init__()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Born:
    """A birth whose descriptors this test closes."""

    def __init__(self, directory: Path, *, command: tuple[str, ...] = (), lifetime: int = -1) -> None:
        self.gateway = os.open(directory, os.O_PATH)
        self.orders = socket.socketpair()
        self.birth = SupervisorBirth(
            sandbox_id=new_id(),
            name="web",
            spec=SandboxSpec(command=command),
            token="secret",
            host_key="PEM",
            ids=range_ids(0x80000),
            gateway_socket="supervisor.sock",
            gateway_directory=self.gateway,
            run_directory=-1,
            orders=self.orders[0],
            lifetime=lifetime,
            presence=-1,
            config=self.orders[0],
        )

    def close(self) -> None:
        os.close(self.gateway)
        for end in self.orders:
            end.close()


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> list[Init]:
    made: list[Init] = []

    async def connect(_directory: int) -> Init:
        made.append(Init())
        return made[-1]

    monkeypatch.setattr(module.InitClient, "connect", connect)
    return made


async def test_it_serves_until_init_is_gone(tmp_path: Path, init: list[Init]) -> None:
    born = Born(tmp_path, command=("/bin/sh", "-c", "echo hello; exit 3"))
    async with FakeGateway(tmp_path) as gateway:
        running = asyncio.create_task(supervise(born.birth, connector(born.birth)))
        session = await gateway.connected()
        assert session.authorization == "Bearer secret"
        assert session.hello.sandbox_id == born.birth.sandbox_id
        final = await gateway.final.get()
        assert (final.instance_id, gateway.exits[0].exit_code) == (session.hello.instance_id, 3)
        assert [line.message for line in gateway.lines] == ["hello"]
        init[0].lost.set_result("init is gone")
        await running
    assert init[0].closed
    born.close()


async def test_its_lifetime_can_be_the_gateways(tmp_path: Path, init: list[Init]) -> None:
    lifetime, gateways = os.pipe()
    born = Born(tmp_path, lifetime=lifetime)
    async with FakeGateway(tmp_path) as gateway:
        running = asyncio.create_task(supervise(born.birth, connector(born.birth)))
        session = await gateway.connected()
        assert session.hello.main_process.state == pb.MainProcessState.STATE_UNSPECIFIED
        os.close(gateways)
        await running
    os.close(lifetime)
    born.close()


async def test_asked_to_end_it_ends_the_main_process_first(tmp_path: Path, init: list[Init]) -> None:
    born = Born(
        tmp_path, command=("/bin/sh", "-c", "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.01; done")
    )
    async with FakeGateway(tmp_path) as gateway:
        running = asyncio.create_task(supervise(born.birth, connector(born.birth)))
        session = await gateway.connected()
        await gateway.pushed.wait()
        gateway.reject = "it is stopped"
        session.call.abort()
        os.kill(os.getpid(), END_SANDBOX)
        await running
        assert (await init[0].spawned[0].wait()).code == 9
        assert (gateway.lines[0].message, gateway.lines[-1].message) == ("up", "bye")  # between: what the shell says
    born.close()


def test_without_init_it_ends_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_directory: int) -> None:
        raise OpenShellError(Code.UNAVAILABLE, "the sandbox's init is gone")

    monkeypatch.setattr(module.InitClient, "connect", nothing)
    born = Born(tmp_path)
    assert run_supervisor(born.birth, connector(born.birth)) == EXIT_ERROR
    monkeypatch.setattr(module, "supervise", lambda _birth, _connect: asyncio.sleep(0))
    assert run_supervisor(born.birth, connector(born.birth)) == EXIT_OK
    born.close()
