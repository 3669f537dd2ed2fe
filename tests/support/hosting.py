"""The gateway's end of a host's control stream, for tests of the agent: the real gRPC server on a Unix socket, no rules."""

from __future__ import annotations

import asyncio
import itertools
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyopenshell.errors import OpenShellError
from pyopenshell.model import new_id
from pyopenshell.streams import Call, Channel, Endpoint, GrpcServer, unary
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

EXTENSION = "/pyopenshell.v1.Extension/"


@dataclass
class HostedSession:
    """One stream of a host."""

    hello: ext.HostHello
    call: Call
    heartbeats: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    answers: asyncio.Queue[ext.HostAnswer] = field(default_factory=asyncio.Queue)
    ended: asyncio.Queue[ext.SandboxEnded] = field(default_factory=asyncio.Queue)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def order(self, **order: Any) -> int:
        number = next(self.numbers)
        await self.call.send(ext.GatewayOrder(order=ext.Order(id=number, **order)))
        return number

    async def ask(self, **order: Any) -> ext.HostAnswer:
        """Order, and wait for the next answer."""
        number = await self.order(**order)
        answer = await self.answers.get()
        assert answer.order == number
        return answer


class HostingGateway:
    """`async with HostingGateway(directory)`; what is in `refuse` and `join` is answered in place of success."""

    def __init__(self, directory: Path, interval: float = 30.0) -> None:
        self.path = directory / "gateway.sock"
        self.interval = interval
        self.sessions: asyncio.Queue[HostedSession] = asyncio.Queue()
        self.refuse: OpenShellError | None = None
        self.first: ext.GatewayOrder | None = None
        self.joins: list[str] = []
        self.join: OpenShellError | pb.Sandbox | None = None
        self._server: GrpcServer | None = None

    async def __aenter__(self) -> HostingGateway:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = GrpcServer(
            {
                f"{EXTENSION}ServeHost": self._serve_host,
                f"{EXTENSION}JoinSandbox": unary(ext.JoinSandboxRequest, self._join),
            }
        )
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        await self._server.serve(listener)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None
        self.path.unlink(missing_ok=True)

    async def connect(self) -> Channel:
        """What an agent under test connects with."""
        return await Channel.connect(Endpoint(unix=str(self.path)))

    async def _serve_host(self, call: Call) -> None:
        first = await call.receive(ext.HostMessage)
        assert first is not None
        if self.refuse is not None:
            raise self.refuse
        session = HostedSession(first.hello, call)
        accepted = ext.GatewayOrder(accepted=ext.HostAccepted(session_id=new_id(), name="lab1"))
        accepted.accepted.heartbeat_interval.FromNanoseconds(int(self.interval * 1e9))
        await call.send(accepted if self.first is None else self.first)
        self.sessions.put_nowait(session)
        while (message := await call.receive(ext.HostMessage)) is not None:
            match message.WhichOneof("payload"):
                case "heartbeat":
                    session.heartbeats.put_nowait(None)
                case "answer":
                    session.answers.put_nowait(message.answer)
                case "ended":
                    session.ended.put_nowait(message.ended)

    async def _join(self, request: ext.JoinSandboxRequest, _call: Call) -> ext.JoinSandboxResponse:
        self.joins.append(request.name)
        if isinstance(self.join, OpenShellError):
            raise self.join
        return ext.JoinSandboxResponse(sandbox=self.join)


def hosted(**changes: Any) -> ext.HostedBirth:
    """A birth as a gateway tells it."""
    values: dict[str, Any] = {"sandbox_id": new_id(), "name": "web", "token": "token", "host_key": "PEM"}
    return ext.HostedBirth(**(values | changes))
