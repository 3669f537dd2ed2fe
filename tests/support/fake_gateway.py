"""A gateway in this process, for tests of the supervisor: the real gRPC server, streams and splice, and no rules at all.

`relay` opens a relay as a client would through ForwardTcp, and gives its near end as a byte stream.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Target
from pyopenshell.streams import Call, Channel, DataLeg, Endpoint, GrpcServer, RawLeg, Tally, listen_tcp, splice, unary
from pyopenshell.wire.convert import put_target
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

SERVICE = "/openshell.v1.OpenShell/"


@dataclass
class FakeSession:
    hello: pb.SupervisorHello
    call: Call
    authorization: str
    heard: asyncio.Queue[pb.SupervisorMessage] = field(default_factory=asyncio.Queue)


class FakeGateway:
    """`async with FakeGateway(directory)`; listens at `directory/supervisor.sock`, with `tls` at a loopback port."""

    def __init__(self, directory: Path, interval: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        self.path = directory / "supervisor.sock"
        self.tls = tls
        self.port = 0
        self.interval = interval
        self.sessions: asyncio.Queue[FakeSession] = asyncio.Queue()
        self.session: FakeSession | None = None
        self.lines: list[pb.SandboxLogLine] = []
        self.pushed = asyncio.Event()
        self.exits: list[pb.ReportMainProcessExitRequest] = []
        self.final: asyncio.Queue[pb.FinalizeMainProcessExitRequest] = asyncio.Queue()
        self.reject = ""
        self.known_token = ""
        self.silent = False
        self.refused: dict[str, pb.RelayOpenResult] = {}
        self._numbers = itertools.count(1)
        self._results: dict[str, asyncio.Future[pb.RelayOpenResult]] = {}
        self._claims: dict[str, asyncio.Future[tuple[Call, asyncio.Event]]] = {}
        self._server: GrpcServer | None = None
        self._client: Channel | None = None

    async def __aenter__(self) -> FakeGateway:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = GrpcServer(
            {
                f"{SERVICE}ConnectSupervisor": self._connect_supervisor,
                f"{SERVICE}RelayStream": self._relay_stream,
                f"{SERVICE}ForwardTcp": self._forward,
                f"{SERVICE}PushSandboxLogs": unary(pb.PushSandboxLogsRequest, self._push),
                f"{SERVICE}ReportMainProcessExit": unary(pb.ReportMainProcessExitRequest, self._report),
                f"{SERVICE}FinalizeMainProcessExit": unary(pb.FinalizeMainProcessExitRequest, self._finalize),
            }
        )
        if self.tls is not None:
            listener = listen_tcp("127.0.0.1", self.port)
            self.port = listener.getsockname()[1]
            await self._server.serve(listener, self.tls)
            return
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        self.path.chmod(0o666)
        await self._server.serve(listener)

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None
        if self._server is not None:
            await self._server.close()
            self._server = None
        self.path.unlink(missing_ok=True)

    async def connected(self) -> FakeSession:
        """The next session that a supervisor opens."""
        return await self.sessions.get()

    async def relay(self, target: Target) -> DataLeg:
        """The near end of a new relay. Raises RemoteError where the supervisor refuses it."""
        if self._client is None:
            self._client = await Channel.connect(Endpoint(unix=str(self.path)))
        call = await self._client.open(f"{SERVICE}ForwardTcp")
        init = pb.TcpForwardInit(features=[1])
        put_target(init, target)
        await call.send(pb.TcpForwardFrame(init=init))
        return DataLeg(call)

    async def open_raw(self, message: pb.RelayOpen) -> pb.RelayOpenResult:
        """Send a RelayOpen as it is, and wait for its result."""
        assert self.session is not None
        waiting = self._results[message.channel_id] = asyncio.get_running_loop().create_future()
        await self.session.call.send(pb.GatewayMessage(relay_open=message))
        return await waiting

    async def _connect_supervisor(self, call: Call) -> None:
        if self.known_token and call.metadata.get("authorization") != f"Bearer {self.known_token}":
            raise OpenShellError(Code.UNAUTHENTICATED, "the token has expired")
        first = await call.receive(pb.SupervisorMessage)
        assert first is not None
        session = FakeSession(first.hello, call, str(call.metadata.get("authorization", "")))
        if self.reject:
            await call.send(pb.GatewayMessage(session_rejected=pb.SessionRejected(reason=self.reject)))
            self.sessions.put_nowait(session)
            return
        accepted = pb.SessionAccepted(session_id=str(next(self._numbers)))
        accepted.heartbeat_interval.FromNanoseconds(int(self.interval * 1e9))
        await call.send(pb.GatewayMessage(session_accepted=accepted))
        self.session = session
        self.sessions.put_nowait(session)
        while (message := await call.receive(pb.SupervisorMessage)) is not None:
            session.heard.put_nowait(message)
            if message.WhichOneof("payload") == "heartbeat" and not self.silent:
                await call.send(pb.GatewayMessage(heartbeat=pb.GatewayHeartbeat()))
            waiting = self._results.pop(message.relay_open_result.channel_id, None)
            if waiting is not None:
                waiting.set_result(message.relay_open_result)

    async def _forward(self, call: Call) -> None:
        first = await call.receive(pb.TcpForwardFrame)
        assert first is not None
        call.admit()
        channel_id = f"channel-{next(self._numbers)}"
        message = pb.RelayOpen(channel_id=channel_id)
        message.MergeFromString(
            pb.RelayOpen(
                ssh=pb.SshRelayTarget(ssh_authorized_key=first.init.ssh.ssh_authorized_key)
            ).SerializeToString()
            if first.init.HasField("ssh")
            else b""
        )
        if first.init.HasField("tcp"):
            message.tcp.CopyFrom(first.init.tcp)
        elif first.init.HasField("exec"):
            message.exec.SetInParent()
        claimed = self._claims[channel_id] = asyncio.get_running_loop().create_future()
        result = await self.open_raw(message)
        if not result.success:
            self.refused[channel_id] = result
            await call.finish(14, result.error)  # type: ignore[arg-type]
            return
        far, over = await claimed
        far.admit()
        near_leg, far_leg = (
            RawLeg(call, features=frozenset((1,)), near=True),
            RawLeg(far, features=frozenset((1,)), near=False),
        )
        await near_leg.write_message(
            _framed(pb.TcpForwardFrame(init=pb.TcpForwardInit(features=[1], relay_id=channel_id)))
        )
        try:
            await splice(near_leg, far_leg, Tally())
        finally:
            over.set()

    async def _relay_stream(self, call: Call) -> None:
        first = await call.receive(pb.RelayFrame)
        assert first is not None
        over = asyncio.Event()
        claimed = self._claims.pop(first.init.channel_id)
        claimed.set_result((call, over))
        await over.wait()

    async def _push(self, request: pb.PushSandboxLogsRequest, _call: Call) -> pb.PushSandboxLogsResponse:
        self.lines += request.logs
        self.pushed.set()
        return pb.PushSandboxLogsResponse()

    async def _report(self, request: pb.ReportMainProcessExitRequest, _call: Call) -> pb.ReportMainProcessExitResponse:
        self.exits.append(request)
        return pb.ReportMainProcessExitResponse()

    async def _finalize(
        self, request: pb.FinalizeMainProcessExitRequest, _call: Call
    ) -> pb.FinalizeMainProcessExitResponse:
        self.final.put_nowait(request)
        return pb.FinalizeMainProcessExitResponse()


def _framed(message: pb.TcpForwardFrame) -> bytes:
    data = message.SerializeToString()
    return b"\0" + len(data).to_bytes(4, "big") + data
