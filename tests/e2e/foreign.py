"""A client of the service that is not ours: grpcio, with nothing but the contract's calls and fields."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.world import World

SERVICE = "openshell.v1.OpenShell"


@dataclass(frozen=True)
class Foreign:
    """One channel. `metadata` goes with every call."""

    channel: grpc.aio.Channel
    metadata: tuple[tuple[str, str], ...] = ()

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, world: World, *, cert: bool = True, bearer: str = "") -> AsyncIterator[Foreign]:
        """Connected over TLS with the owner's certificate, a bearer token, both or neither."""
        pki = world.state / "pki"
        key, chain = ((pki / "client.key").read_bytes(), (pki / "client.crt").read_bytes()) if cert else (None, None)
        credentials = grpc.ssl_channel_credentials((pki / "ca.crt").read_bytes(), key, chain)
        port = world.run("gateway", "list", "-o", "json").json[0]["endpoint"].rpartition(":")[2]
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            yield cls(channel, (("authorization", f"Bearer {bearer}"),) if bearer else ())

    async def call(self, rpc: str, request: Message, response: type[Message], service: str = SERVICE) -> Any:
        """One request, one answer. Raises grpc.aio.AioRpcError."""
        make = self.channel.unary_unary(f"/{service}/{rpc}", type(request).SerializeToString, response.FromString)
        return await make(request, metadata=self.metadata, timeout=60)

    def many(self, rpc: str, request: Message, response: type[Message], service: str = SERVICE) -> Any:
        """One request, a stream of answers."""
        make = self.channel.unary_stream(f"/{service}/{rpc}", type(request).SerializeToString, response.FromString)
        return make(request, metadata=self.metadata, timeout=60)

    def both(self, rpc: str, request: type[Message], response: type[Message], service: str = SERVICE) -> Any:
        """A stream both ways."""
        make = self.channel.stream_stream(f"/{service}/{rpc}", request.SerializeToString, response.FromString)
        return make(metadata=self.metadata, timeout=60)

    async def token(self, sandbox: str) -> str:
        """A token of ForwardTcp."""
        answer = await self.call(
            "CreateSshSession", pb.CreateSshSessionRequest(sandbox=sandbox), pb.CreateSshSessionResponse
        )
        return str(answer.token)

    async def forward(self, init: pb.TcpForwardInit) -> Any:
        """A ForwardTcp call whose init is sent."""
        call = self.both("ForwardTcp", pb.TcpForwardFrame, pb.TcpForwardFrame)
        await call.write(pb.TcpForwardFrame(init=init))
        return call

    async def forward_tcp(self, sandbox: str, port: int) -> Any:
        """A ForwardTcp call to a port of the sandbox's loopback."""
        token = await self.token(sandbox)
        target = pb.TcpRelayTarget(host="127.0.0.1", port=port)
        return await self.forward(pb.TcpForwardInit(sandbox=sandbox, tcp=target, authorization_token=token))

    async def exec(self, sandbox: str, command: Sequence[str], **more: Any) -> tuple[bytes, bytes, int]:
        """ExecSandbox to its end: standard output, standard error, status; `exit` has to be the last event."""
        request = pb.ExecSandboxRequest(sandbox=sandbox, command=command, no_login_shell=True, **more)
        return await collected(self.many("ExecSandbox", request, pb.ExecSandboxEvent))


async def collected(events: Any) -> tuple[bytes, bytes, int]:
    """What the events of an exec say."""
    out, err, status = b"", b"", None
    while (event := await events.read()) is not grpc.aio.EOF:
        assert status is None, "an event behind exit"
        match event.WhichOneof("payload"):
            case "stdout":
                out += event.stdout.data
            case "stderr":
                err += event.stderr.data
            case "exit":
                status = event.exit.exit_code
    assert status is not None, "no exit event"
    return out, err, status


async def received(call: Any) -> bytes:
    """All data of a ForwardTcp call, to the end of its answers."""
    data = b""
    while (frame := await call.read()) is not grpc.aio.EOF:
        assert frame.WhichOneof("payload") == "data", "a frame that the contract does not know"
        data += frame.data
    return data
