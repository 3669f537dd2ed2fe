"""A whole gateway in this process, on loopback and Unix sockets, with a fake driver and fake supervisors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from pyopenshell.drivers.base import Birth
from pyopenshell.gateway.app import Gateway
from pyopenshell.gateway.settings import Settings
from pyopenshell.streams import Channel, DataLeg, Endpoint, client_context
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.fake_driver import FakeDriver
from tests.support.fake_supervisor import SERVICE, FakeSupervisor

M = TypeVar("M", bound=Message)
READY = pb.SANDBOX_PHASE_READY


class Kit:
    """A running gateway and its owner's connection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.driver = FakeDriver()
        self.driver.on_start = self._supervise
        self.supervisors: dict[str, FakeSupervisor] = {}
        self.prepare: Callable[[FakeSupervisor], None] = lambda supervisor: None
        self.gateway: Gateway
        self.channel: Channel
        self._channels: list[Channel] = []

    async def start(self) -> None:
        self.gateway = await Gateway.start(self.settings, self.driver)
        self.channel = await self.connect_tls()

    async def stop(self) -> None:
        await self.gateway.stop()
        for supervisor in self.supervisors.values():
            await supervisor.lose()
        self.supervisors.clear()
        for channel in self._channels:
            await channel.close()
        self._channels.clear()

    async def restart(self) -> None:
        """The gateway ends and another one takes its place; sandboxes run on, their supervisors are not back yet."""
        await self.stop()
        await self.start()

    async def connect_tls(self, *, cert: bool = True) -> Channel:
        pki = self.settings.state / "pki"
        files = (pki / "client.crt", pki / "client.key") if cert else ()
        tls = client_context(pki / "ca.crt", *files)
        return self._kept(await Channel.connect(Endpoint("127.0.0.1", self.gateway.port), tls))

    async def connect_owner(self) -> Channel:
        return self._kept(await Channel.connect(Endpoint(unix=str(self.settings.runtime / "gateway.sock"))))

    async def connect_far(self) -> Channel:
        return self._kept(await Channel.connect(Endpoint(unix=str(self.settings.runtime / "far/supervisor.sock"))))

    def _kept(self, channel: Channel) -> Channel:
        self._channels.append(channel)
        return channel

    async def call(self, rpc: str, request: Message, response: type[M], **more: Any) -> M:
        channel = more.pop("channel", self.channel)
        path = rpc if rpc.startswith("/") else f"{SERVICE}{rpc}"
        return await channel.unary(path, request, response, **more)

    async def extension(self, rpc: str, request: Message, response: type[M], **more: Any) -> M:
        return await self.call(f"/pyopenshell.v1.Extension/{rpc}", request, response, **more)

    async def create(self, name: str = "web", **spec: Any) -> pb.Sandbox:
        request = pb.CreateSandboxRequest(name=name, spec=pb.SandboxSpec(**spec))
        return (await self.call("CreateSandbox", request, pb.SandboxResponse)).sandbox

    async def get(self, name: str = "web") -> pb.Sandbox:
        return (await self.call("GetSandbox", pb.GetSandboxRequest(name=name), pb.SandboxResponse)).sandbox

    async def ready(self, name: str = "web", **spec: Any) -> pb.Sandbox:
        """A sandbox in phase READY, with a fake supervisor."""
        await self.create(name, **spec)
        return await self.until(name, READY)

    async def until(self, name: str, *phases: int) -> pb.Sandbox:
        """Wait until the sandbox is in one of `phases`."""
        events = self.channel.stream(
            f"{SERVICE}WatchSandbox", pb.WatchSandboxRequest(sandbox=name, follow_status=True), pb.SandboxStreamEvent
        )
        try:
            async with asyncio.timeout(10):
                async for event in events:
                    if event.sandbox.status.phase in phases:
                        return event.sandbox
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        raise AssertionError(f"{name} was never in {phases}")

    def supervisor(self, sandbox: pb.Sandbox) -> FakeSupervisor:
        return self.supervisors[sandbox.metadata.id]

    async def token(self, name: str = "web", **more: Any) -> str:
        request = pb.CreateSshSessionRequest(sandbox=name, **more)
        return (await self.call("CreateSshSession", request, pb.CreateSshSessionResponse)).token

    async def forward(self, init: pb.TcpForwardInit, channel: Channel | None = None, **more: Any) -> DataLeg:
        call = await (channel or self.channel).open(f"{SERVICE}ForwardTcp", **more)
        await call.send(pb.TcpForwardFrame(init=init))
        return DataLeg(call)

    async def api_token(self, *scopes: str, name: str = "ci") -> tuple[tuple[str, str], ...]:
        """Metadata of a user with an API token."""
        request = ext.CreateTokenRequest(name=name, scopes=scopes)
        made = await self.extension("CreateToken", request, ext.CreateTokenResponse)
        return (("authorization", f"Bearer {made.secret}"),)

    async def _supervise(self, birth: Birth) -> None:
        supervisor = FakeSupervisor(birth)
        self.prepare(supervisor)
        self.supervisors[birth.sandbox_id] = supervisor
        await supervisor.connect()


def ssh(sandbox: str, token: str, features: tuple[int, ...] = (1,)) -> pb.TcpForwardInit:
    init = pb.TcpForwardInit(sandbox=sandbox, authorization_token=token, features=features)
    init.ssh.SetInParent()
    return init


def tcp(sandbox: str, token: str, host: str = "127.0.0.1", port: int = 80) -> pb.TcpForwardInit:
    init = pb.TcpForwardInit(sandbox=sandbox, authorization_token=token, features=(1,))
    init.tcp.host, init.tcp.port = host, port
    return init


def files(sandbox: str, features: tuple[int, ...] = (1,)) -> pb.TcpForwardInit:
    """A target that needs no token."""
    init = pb.TcpForwardInit(sandbox=sandbox, features=features)
    init.files.SetInParent()
    return init


def exec_(sandbox: str) -> pb.TcpForwardInit:
    init = pb.TcpForwardInit(sandbox=sandbox, features=(1,))
    init.exec.SetInParent()
    return init
