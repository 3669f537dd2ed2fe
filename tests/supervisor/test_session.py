"""The control stream against a gateway in this process: hello, heartbeats, loss, and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Target
from pyopenshell.streams import Channel, Endpoint
from pyopenshell.streams.backoff import Backoff
from pyopenshell.supervisor.dial import Dialled
from pyopenshell.supervisor.session import BACKOFF_FIRST, BACKOFF_MAX, Session
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_gateway import FakeGateway


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[FakeGateway]:
    async with FakeGateway(tmp_path) as made:
        yield made


async def _no_target(target: Target) -> Dialled:
    raise OpenShellError(Code.UNAVAILABLE, f"nothing at {target}")


class Kept:
    """A session that runs; `waits` are the pauses it made, and none takes time."""

    def __init__(self, gateway: FakeGateway, **more: object) -> None:
        self.waits: list[float] = []
        self.waited = asyncio.Event()  # three times
        self.channels: list[Channel] = []
        self.gateway = gateway
        given: dict[str, object] = {
            "sandbox_id": "id-1",
            "instance_id": "run-1",
            "metadata": (("authorization", "Bearer secret"),),
            "connect": self.connect,
            "dial": _no_target,
            "main_state": lambda: pb.MainProcessState(state=pb.MainProcessState.STATE_RUNNING),
            "backoff": Backoff(BACKOFF_FIRST, BACKOFF_MAX, lambda: 1.0),
            "sleep": self.sleep,
        }
        self.session = Session(**{**given, **more})  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.session.run())

    async def connect(self) -> Channel:
        self.channels.append(await Channel.connect(Endpoint(unix=str(self.gateway.path))))
        return self.channels[-1]

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == 3:
            self.waited.set()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Kept:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        for channel in self.channels:
            await channel.close()


async def test_hello_says_who_and_what_runs(gateway: FakeGateway) -> None:
    async with Kept(gateway):
        session = await gateway.connected()
    assert (session.hello.sandbox_id, session.hello.instance_id, session.hello.connection_epoch) == ("id-1", "run-1", 1)
    assert session.hello.main_process.state == pb.MainProcessState.STATE_RUNNING
    assert session.authorization == "Bearer secret"


async def test_heartbeats_go_out(gateway: FakeGateway) -> None:
    gateway.interval = 0.05
    async with Kept(gateway):
        session = await gateway.connected()
        for _ in range(5):  # longer than a silence would be survived
            assert (await session.heard.get()).WhichOneof("payload") == "heartbeat"
        assert gateway.sessions.empty()


async def test_who_asks_is_told_what_is_taken(gateway: FakeGateway) -> None:
    async def usage() -> pb.Usage:
        return pb.Usage(supervisor_sockets=7)

    async with Kept(gateway, usage=usage):
        session = await gateway.connected()
        for _ in range(2):
            await session.call.send(pb.GatewayMessage(heartbeat=pb.GatewayHeartbeat(usage=True)))
            while not (heard := await session.heard.get()).heartbeat.HasField("usage"):
                pass
            assert heard.heartbeat.usage.supervisor_sockets == 7


async def test_a_silent_gateway_is_left_and_found_again(gateway: FakeGateway) -> None:
    gateway.interval, gateway.silent = 0.05, True
    async with Kept(gateway):
        await gateway.connected()
        again = await gateway.connected()
    assert again.hello.connection_epoch == 2


async def test_a_gateway_that_restarts_is_found_again(gateway: FakeGateway) -> None:
    async with Kept(gateway) as kept:
        await gateway.connected()
        await gateway.stop()
        await gateway.start()
        session = await gateway.connected()
        assert session.hello.connection_epoch >= 2
        assert all(wait <= BACKOFF_MAX for wait in kept.waits)


async def test_a_rejected_session_waits_the_longest(gateway: FakeGateway) -> None:
    gateway.reject = "another supervisor is newer"
    async with Kept(gateway) as kept:
        await gateway.connected()
        await gateway.connected()
        assert kept.waits[0] == BACKOFF_MAX


async def test_a_refused_token_ends_it(gateway: FakeGateway) -> None:
    gateway.known_token = "another"
    async with Kept(gateway) as kept:
        await asyncio.wait([kept.task])
        with pytest.raises(OpenShellError, match="expired"):
            kept.task.result()


async def test_a_refused_relay_says_why(gateway: FakeGateway) -> None:
    async with Kept(gateway):
        await gateway.connected()
        result = await gateway.open_raw(pb.RelayOpen(channel_id="c", tcp=pb.TcpRelayTarget(host="127.0.0.1", port=9)))
    assert (result.channel_id, result.success, result.failure) == ("c", False, 14)
    assert "nothing at tcp 127.0.0.1:9" in result.error


@pytest.mark.parametrize(
    ("host", "port"), [("10.0.0.1", 80), ("169.254.169.254", 80), ("::ffff:10.0.0.1", 80), ("localhost", 0)]
)
async def test_the_gateway_is_not_believed_about_targets(gateway: FakeGateway, host: str, port: int) -> None:
    async with Kept(gateway):
        await gateway.connected()
        result = await gateway.open_raw(pb.RelayOpen(channel_id="c", tcp=pb.TcpRelayTarget(host=host, port=port)))
        assert (result.success, result.failure) == (False, 3)
        empty = await gateway.open_raw(pb.RelayOpen(channel_id="d"))
        assert (empty.success, empty.failure) == (False, 3)


async def test_companions_live_on_each_connection(gateway: FakeGateway) -> None:
    seen: list[Channel] = []

    async def companion(channel: Channel) -> None:
        seen.append(channel)
        raise OpenShellError(Code.UNAVAILABLE, "it may fail")

    async with Kept(gateway, companions=(companion,)):
        first = await gateway.connected()
        first.call.abort()
        await gateway.connected()
    assert len(seen) >= 1


async def test_something_that_is_no_gateway(tmp_path: Path) -> None:
    server = await asyncio.start_unix_server(_garbage, str(tmp_path / "supervisor.sock"))
    gateway = FakeGateway(tmp_path)
    async with server, Kept(gateway) as kept:
        await kept.waited.wait()
        assert not kept.task.done()


async def _garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
    writer.close()


def test_the_pauses_double_to_a_limit_and_start_again() -> None:
    backoff = Backoff(BACKOFF_FIRST, BACKOFF_MAX, lambda: 1.0)
    waits = [backoff.wait() for _ in range(12)]
    assert waits[:3] == [BACKOFF_FIRST, BACKOFF_FIRST * 2, BACKOFF_FIRST * 4]
    assert waits[-1] == BACKOFF_MAX
    backoff.reset()
    assert backoff.wait() == BACKOFF_FIRST
