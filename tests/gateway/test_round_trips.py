"""What an operation costs in round trips between client and gateway, counted and not timed: the cost of distance.

The client's real side, the real gateway behind its real TLS door, and a supervisor that answers at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pyopenshell.gateway.settings import Settings
from pyopenshell.model import ExecSpec, SshTarget, TcpTarget
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.gateways import AUTH_MTLS, Endpoint, Registry
from pyopenshell.sdk.paths import Paths
from pyopenshell.streams import DataLeg
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.wire.exec_frames import Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_supervisor import echo
from tests.support.gateway_kit import Kit
from tests.support.lockstep import LockstepLoop, lockstep, long_way

TRUE = ExecSpec(("true",))


Asks = Callable[[LockstepLoop, Client], Coroutine[Any, Any, list[float]]]


async def succeed(leg: DataLeg) -> None:
    """The far side of `true`, as a supervisor does it."""
    channel = ExecChannel(leg)
    frame = await channel.receive()
    assert frame is not None and frame.kind is Kind.START
    await channel.started()
    await channel.exit(pb.ExecExit(code=0))
    await leg.end()
    while await leg.read():
        pass
    await leg.close()


@asynccontextmanager
async def far_client(tmp_path: Path, serve: Callable[[DataLeg], Coroutine[Any, Any, None]]) -> AsyncIterator[Client]:
    """A client that has said nothing yet, one round trip away from a gateway with the sandbox `web`."""
    kit = Kit(Settings("test", tmp_path / "state", tmp_path / "run", "tester", "1", drain_timeout=0.1))
    kit.prepare = lambda supervisor: setattr(supervisor, "serve", serve)
    await kit.start()
    try:
        await kit.ready("web")
        pki = tmp_path / "state/pki"
        files = {"ca.crt": "ca.crt", "tls.crt": "client.crt", "tls.key": "client.key"}
        content = {ours: (pki / its).read_bytes() for ours, its in files.items()}
        async with long_way(("127.0.0.1", kit.gateway.port)) as (host, port):
            registry = Registry(Paths(tmp_path / "config", tmp_path / "data", tmp_path / "sockets"))
            where = Endpoint("https", host, port)
            found = registry.save("far", where, is_remote=True, auth_mode=AUTH_MTLS, credentials=content)
            async with Client(found) as client:
                yield client
    finally:
        await kit.stop()


def counted(tmp_path: Path, serve: Callable[[DataLeg], Coroutine[Any, Any, None]], ask: Asks) -> list[float]:
    """What `ask` counted with a client that is far away."""

    async def main(loop: LockstepLoop) -> list[float]:
        async with far_client(tmp_path, serve) as client:
            return await ask(loop, client)

    with lockstep() as loop:
        return loop.run_until_complete(main(loop))


def test_a_call_is_one_and_two_more_make_the_connection(tmp_path: Path) -> None:
    async def ask(loop: LockstepLoop, client: Client) -> list[float]:
        return [(await loop.count(client.health()))[1] for _ in range(2)]

    assert counted(tmp_path, succeed, ask) == [3, 1], "TCP, TLS and the call; then the call alone"


def test_an_exec_on_a_warm_connection_is_one(tmp_path: Path) -> None:
    async def ask(loop: LockstepLoop, client: Client) -> list[float]:
        await client.health()
        one = (await loop.count(client.run("web", TRUE)))[1]
        again = (await loop.count(client.run("web", TRUE, b"input")))[1]
        ten = (await loop.count(asyncio.gather(*(client.run("web", TRUE) for _ in range(10)))))[1]
        return [one, again, ten]

    assert counted(tmp_path, succeed, ask) == [1, 1, 1], "and so are ten at once"


def test_ssh_is_one_and_what_makes_the_connection(tmp_path: Path) -> None:
    async def first_byte(client: Client) -> None:
        relay = await client.open("web", SshTarget())
        await relay.leg.write(b"SSH-2.0-x\r\n")
        assert bytes(await relay.leg.read()) == b"SSH-2.0-x\r\n"
        relay.leg.abort()

    async def ask(loop: LockstepLoop, client: Client) -> list[float]:
        return [(await loop.count(first_byte(client)))[1] for _ in range(2)]

    assert counted(tmp_path, echo, ask) == [3, 1], "a plain ssh has TCP's and this one: TLS is the one more"


def test_the_end_of_an_exec_is_waited_for_when_the_client_closes(tmp_path: Path) -> None:
    async def ask(loop: LockstepLoop, client: Client) -> list[float]:
        await client.run("web", TRUE)
        return [(await loop.count(client.close()))[1]]

    assert counted(tmp_path, succeed, ask)[0] <= 2, "the end of the call, and TLS's close_notify"


def test_a_forwarded_connections_first_byte_is_one(tmp_path: Path) -> None:
    async def first_byte(address: tuple[str, int]) -> None:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        writer.close()

    async def ask(loop: LockstepLoop, client: Client) -> list[float]:
        async with client.forward("web", TcpTarget("127.0.0.1", 80)) as forward:
            return [(await loop.count(first_byte(forward.address)))[1] for _ in range(2)]

    assert counted(tmp_path, echo, ask) == [1, 1]
