"""Relays through a real connection: dialled first, claimed, spliced, broken from each side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec, ExecTarget, FilesTarget, Target, TcpTarget
from pyopenshell.streams import Channel, Endpoint, ExecChannel, StreamBroken
from pyopenshell.streams.sockets import adopt
from pyopenshell.supervisor import relay as relay_module
from pyopenshell.supervisor import rest
from pyopenshell.supervisor.dial import Dialled, Dialler
from pyopenshell.supervisor.relay import Relays
from pyopenshell.supervisor.session import Session
from pyopenshell.wire.exec_frames import Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_gateway import FakeGateway
from tests.support.local_init import LocalInit


class Set:
    """A gateway and a supervisor's session with this machine as its sandbox."""

    def __init__(self, gateway: FakeGateway, init: LocalInit) -> None:
        self.gateway, self.init = gateway, init

        async def connect() -> Channel:
            return await Channel.connect(Endpoint(unix=str(gateway.path)))

        async def inside(host: str, port: int) -> object:
            return await adopt(await init.dial(host, port))

        async def no_ssh(_key: str) -> object:
            raise OpenShellError(Code.UNAVAILABLE, "no SSH here")

        dialler = Dialler(init, inside, no_ssh)  # type: ignore[arg-type]
        self.session = Session(
            sandbox_id="id",
            instance_id="run",
            metadata=(),
            connect=connect,
            dial=dialler.dial,
            main_state=pb.MainProcessState,
        )


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Set]:
    async with FakeGateway(tmp_path) as gateway, LocalInit() as init:
        both = Set(gateway, init)
        running = asyncio.create_task(both.session.run())
        await gateway.connected()
        yield both
        running.cancel()
        await asyncio.wait([running])


async def ended(made: Set) -> pb.ExecEnded:
    """What the control stream says next of a command's end; it names the relay by its channel."""
    assert made.gateway.session is not None
    channels = set()
    while True:
        message = await made.gateway.session.heard.get()
        match message.WhichOneof("payload"):
            case "relay_open_result":
                channels.add(message.relay_open_result.channel_id)
            case "exec_ended":
                assert message.exec_ended.channel_id in channels
                return message.exec_ended


async def test_a_command_runs_through_it(made: Set) -> None:
    leg = await made.gateway.relay(ExecTarget())
    channel = ExecChannel(leg)
    await channel.start(ExecSpec(argv=("echo", "hello")))
    kinds = []
    while (frame := await channel.receive()) is not None:
        kinds.append(frame.kind)
    await leg.end()
    await leg.close()
    assert kinds == [Kind.STARTED, Kind.STDOUT, Kind.EXIT]
    assert (await ended(made)).how == pb.ExecExit(code=0)


async def test_the_loss_of_the_near_side_ends_the_command(made: Set) -> None:
    leg = await made.gateway.relay(ExecTarget())
    channel = ExecChannel(leg)
    await channel.start(ExecSpec(argv=("sleep", "1000")))
    assert (await channel.receive()) is not None
    leg.abort()
    assert (await made.init.spawned[0].wait()).signal == 1
    assert (await ended(made)).how == pb.ExecExit(signal=1)


async def test_a_port_is_reached_with_half_close_both_ways(made: Set) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"got " + await reader.read())
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        leg = await made.gateway.relay(TcpTarget("127.0.0.1", listener.sockets[0].getsockname()[1]))
        await leg.write(b"x" * 300_000)
        await leg.end()
        answer = b""
        while chunk := await leg.read():
            answer += chunk
        await leg.close()
    assert answer == b"got " + b"x" * 300_000


async def test_nothing_listening_is_said_before_any_claim(made: Set) -> None:
    leg = await made.gateway.relay(TcpTarget("127.0.0.1", 1))
    with pytest.raises(StreamBroken, match=r"nothing listens on 127\.0\.0\.1:1") as refused:
        await leg.read()
    assert refused.value.code is Code.UNAVAILABLE
    leg.abort()


async def test_a_target_that_is_not_served_is_refused(made: Set) -> None:
    result = await made.gateway.open_raw(pb.RelayOpen(channel_id="f", files=pb.FilesTarget()))
    assert (result.success, result.failure) == (False, 9)
    assert "files" in result.error
    assert str(FilesTarget()) == "files"


async def test_features_are_announced(made: Set) -> None:
    result = await made.gateway.open_raw(pb.RelayOpen(channel_id="e", exec=pb.ExecTarget()))
    assert result.success
    assert list(result.features) == [1]


async def test_a_relay_that_the_gateway_closes_is_ended(made: Set) -> None:
    leg = await made.gateway.relay(ExecTarget())
    channel = ExecChannel(leg)
    await channel.start(ExecSpec(argv=("sleep", "1000")))
    assert (await channel.receive()) is not None
    assert made.gateway.session is not None
    await made.gateway.session.call.send(pb.GatewayMessage(relay_close=pb.RelayClose(channel_id="unknown")))
    await made.gateway.session.call.send(pb.GatewayMessage(relay_close=pb.RelayClose(channel_id="channel-2")))
    assert (await made.init.spawned[0].wait()).signal == 1
    assert (await ended(made)).how == pb.ExecExit(signal=1)
    with pytest.raises(StreamBroken):
        while await channel.receive() is not None:
            continue
    leg.abort()


async def test_there_is_a_limit(made: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "RELAYS_MAX", 0)
    result = await made.gateway.open_raw(pb.RelayOpen(channel_id="e", exec=pb.ExecTarget()))
    assert (result.success, result.failure) == (False, 8)


async def test_many_at_once(made: Set) -> None:
    async def one(number: int) -> bytes:
        leg = await made.gateway.relay(ExecTarget())
        channel = ExecChannel(leg)
        await channel.start(ExecSpec(argv=("echo", str(number))))
        out = b""
        while (frame := await channel.receive()) is not None:
            out += bytes(frame.payload) if frame.kind is Kind.STDOUT else b""
        await leg.end()
        await leg.close()
        return out

    assert await asyncio.gather(*map(one, range(20))) == [f"{number}\n".encode() for number in range(20)]


async def test_memory_is_given_back_after_the_last_relay_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "QUIET", 0.0)
    given: list[int] = []
    quiet, done = asyncio.Event(), asyncio.Event()

    async def dial(_target: Target) -> Dialled:
        await done.wait()
        raise OpenShellError(Code.UNAVAILABLE, "nobody there")

    async def send(_message: pb.SupervisorMessage) -> None:
        pass

    def give_back() -> None:
        given.append(relays.count)
        quiet.set()

    relays = Relays(cast(Channel, None), (), dial, send, give_back)
    for channel_id in ("a", "b"):
        relays.open(pb.RelayOpen(channel_id=channel_id, exec=pb.ExecTarget()))
    done.set()
    await quiet.wait()
    assert given == [0]
    await relays.aclose()
