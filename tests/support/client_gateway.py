"""A gateway for tests of clients: the real gRPC server and the real wire, with commands run as local processes.

It has no sandboxes of its own: `exec` runs argv here, `tcp` dials this machine, `ssh` echoes. What a test wants to
go wrong is said in `refuse` (rpc name -> error) or done to the server itself (`await gateway.cut()`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import socket
import struct
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ProbeTarget
from pyopenshell.sdk.gateways import AUTH_PLAINTEXT, Endpoint, Gateway, Registry
from pyopenshell.sdk.paths import Paths
from pyopenshell.streams import (
    Buffer,
    ByteStream,
    Call,
    GrpcServer,
    StreamBroken,
    StreamClosed,
    Tally,
    server_stream,
    splice,
    unary,
)
from pyopenshell.streams.dialling import connect_tcp
from pyopenshell.streams.exec import ExecChannel
from pyopenshell.supervisor.probe import serve_probe
from pyopenshell.wire.convert import target_of
from pyopenshell.wire.exec_frames import SIZE, Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.client_hosts import FakeHosts

SERVICE = "/openshell.v1.OpenShell/"
EXTENSION = "/pyopenshell.v1.Extension/"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLBNYHvFhJ9yxGxN8mXzSqVfSzG4rHPSm0iNCNmJXfa"


class CallStream(ByteStream):
    """The server side of a ForwardTcp call as bytes, message by message."""

    def __init__(self, call: Call) -> None:
        self.call = call

    async def read(self) -> Buffer:
        while (frame := await self.call.receive(pb.TcpForwardFrame)) is not None:
            if frame.data:
                return frame.data
        return b""

    async def write(self, *data: Buffer) -> None:
        for buffer in data:
            await self.call.send(pb.TcpForwardFrame(data=bytes(buffer)))

    async def end(self) -> None:
        await self.call.send(pb.TcpForwardFrame(end=True))

    def abort(self, reason: str = "") -> None:
        self.call.abort(reason)

    async def close(self) -> None:
        await self.call.finish()


@dataclass
class FakeGateway:
    """State that tests look at and change."""

    sandboxes: dict[str, pb.Sandbox] = field(default_factory=dict)
    tokens: dict[str, ext.Token] = field(default_factory=dict)
    hosts: FakeHosts = field(default_factory=FakeHosts)
    sessions: list[str] = field(default_factory=list)
    made_sessions: list[pb.CreateSshSessionRequest] = field(default_factory=list)
    snapshots: list[pb.PortsSnapshot] = field(default_factory=list)  # what each look and watch is told
    inits: list[pb.TcpForwardInit] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    refuse: dict[str, OpenShellError] = field(default_factory=dict)
    log_lines: list[pb.SandboxLogLine] = field(default_factory=list)
    after_create: list[pb.SandboxStatus] = field(default_factory=list)
    host_key: str = HOST_KEY
    port: int = 0
    server: GrpcServer | None = None
    invited: list[ext.CreateInvitationRequest] = field(default_factory=list)
    members: list[ext.Principal] = field(default_factory=list)
    reached_at: list[str] = field(default_factory=lambda: ["lab.example:17670", "[2001:db8::1]:17670"])
    relays: int = 0
    completed: int = 0  # commands whose stream both sides ended

    # -- life ------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        self.server = GrpcServer(self._handlers())
        await self.server.serve(sock)

    async def cut(self) -> None:
        """As kill -9: every connection breaks at once."""
        if self.server is not None:
            await self.server.close()
            self.server = None

    def register(self, paths: Paths, name: str = "fake") -> Gateway:
        endpoint = Endpoint("http", "127.0.0.1", self.port)
        return Registry(paths).save(name, endpoint, is_remote=True, auth_mode=AUTH_PLAINTEXT)

    def add(self, name: str, phase: int = pb.SANDBOX_PHASE_READY, **labels: str) -> pb.Sandbox:
        sandbox = pb.Sandbox(host_key=self.host_key, host_key_fingerprint="SHA256:fake")
        sandbox.metadata.id = f"id-of-{name}"
        sandbox.metadata.name = name
        sandbox.metadata.labels.update(labels)
        sandbox.metadata.created_time.FromSeconds(1_700_000_000)
        sandbox.status.phase = phase
        self.sandboxes[name] = sandbox
        return sandbox

    # -- handlers --------------------------------------------------------------------------------------------------------

    def _handlers(self):
        unaries = {
            "Health": (pb.HealthRequest, self._health),
            "GetCurrentUser": (pb.GetCurrentUserRequest, self._user),
            "GetGatewayInfo": (pb.GetGatewayInfoRequest, self._info),
            "CreateSandbox": (pb.CreateSandboxRequest, self._create),
            "GetSandbox": (pb.GetSandboxRequest, self._get),
            "ListSandboxes": (pb.ListSandboxesRequest, self._list),
            "DeleteSandbox": (pb.DeleteSandboxRequest, self._delete),
            "StopSandbox": (pb.StopSandboxRequest, self._stop),
            "StartSandbox": (pb.StartSandboxRequest, self._start),
            "CreateSshSession": (pb.CreateSshSessionRequest, self._session),
            "RevokeSshSession": (pb.RevokeSshSessionRequest, self._revoke),
            "GetSandboxLogs": (pb.GetSandboxLogsRequest, self._logs),
        }
        handlers = {SERVICE + rpc: unary(kind, self._guarded(rpc, fn)) for rpc, (kind, fn) in unaries.items()}
        tokens = {
            "CreateToken": (ext.CreateTokenRequest, self._token_create),
            "ListTokens": (ext.ListTokensRequest, self._token_list),
            "RevokeToken": (ext.RevokeTokenRequest, self._token_revoke),
        }
        tokens |= {
            "CreateInvitation": (ext.CreateInvitationRequest, self._invite),
            "ListPrincipals": (ext.ListPrincipalsRequest, self._members),
            "RevokePrincipal": (ext.RevokePrincipalRequest, self._member_revoke),
        }
        ours = tokens | self.hosts.rpcs()
        handlers |= {EXTENSION + rpc: unary(kind, self._guarded(rpc, fn)) for rpc, (kind, fn) in ours.items()}
        handlers[SERVICE + "WatchSandbox"] = server_stream(pb.WatchSandboxRequest, self._watch)
        handlers[SERVICE + "ForwardTcp"] = self._forward
        return handlers

    def _guarded(self, rpc, fn):
        async def handler(request, call):
            self.authorizations.append(str(call.metadata.get("authorization", "")))
            if rpc in self.refuse:
                raise self.refuse[rpc]
            return fn(request)

        return handler

    def _found(self, name: str) -> pb.Sandbox:
        if name not in self.sandboxes:
            raise OpenShellError(Code.NOT_FOUND, f"sandbox {name!r} does not exist")
        return self.sandboxes[name]

    def _health(self, request):
        return pb.HealthResponse(status=pb.SERVICE_STATUS_HEALTHY, version="9.9")

    def _user(self, request):
        return pb.GetCurrentUserResponse(subject="ada", display_name="Ada", roles=["admin"], identity_provider="fake")

    def _info(self, request):
        driver = pb.ComputeDriverInfo(name="local")
        return pb.GetGatewayInfoResponse(
            status=pb.SERVICE_STATUS_HEALTHY, gateway_version="9.9", compute_drivers=[driver]
        )

    def _create(self, request):
        name = request.name or "made-up"
        if name in self.sandboxes:
            raise OpenShellError(Code.CONFLICT, f"sandbox {name!r} exists already")
        sandbox = self.add(name, pb.SANDBOX_PHASE_PROVISIONING, **request.labels)
        sandbox.spec.CopyFrom(request.spec)
        return pb.SandboxResponse(sandbox=sandbox)

    def _get(self, request):
        return pb.SandboxResponse(sandbox=self._found(request.name))

    def _list(self, request):
        names = sorted(self.sandboxes)
        start = int(request.page_token or 0)
        page = names[start : start + min(request.page_size or 2, 2)]
        following = str(start + 2) if start + 2 < len(names) else ""
        return pb.ListSandboxesResponse(sandboxes=[self.sandboxes[n] for n in page], next_page_token=following)

    def _delete(self, request):
        if request.name not in self.sandboxes and request.allow_missing:
            return pb.DeleteSandboxResponse(outcome=pb.DELETION_OUTCOME_ALREADY_ABSENT)
        self._found(request.name)
        del self.sandboxes[request.name]
        return pb.DeleteSandboxResponse(outcome=pb.DELETION_OUTCOME_COMPLETED)

    def _stop(self, request):
        self._found(request.name).status.phase = pb.SANDBOX_PHASE_STOPPED
        return pb.SandboxResponse(sandbox=self.sandboxes[request.name])

    def _start(self, request):
        self._found(request.name).status.phase = pb.SANDBOX_PHASE_STARTING
        return pb.SandboxResponse(sandbox=self.sandboxes[request.name])

    def _session(self, request):
        self._found(request.sandbox)
        self.made_sessions.append(request)
        token = f"token-{len(self.made_sessions)}"
        self.sessions.append(token)
        return pb.CreateSshSessionResponse(
            sandbox_id=f"id-of-{request.sandbox}",
            token=token,
            host_key=self.host_key,
            host_key_fingerprint="SHA256:fake",
            max_connections=request.max_connections,
        )

    def _revoke(self, request):
        if request.token in self.sessions:
            self.sessions.remove(request.token)
        return pb.RevokeSshSessionResponse(outcome=pb.DELETION_OUTCOME_COMPLETED)

    def _logs(self, request):
        self._found(request.sandbox)
        return pb.GetSandboxLogsResponse(logs=self.log_lines[-request.lines :], buffer_total=len(self.log_lines))

    def _token_create(self, request):
        token = ext.Token(id=f"t{len(self.tokens)}", name=request.name, scopes=request.scopes, subject="ada")
        if not request.HasField("ttl") or request.ttl.seconds:
            token.expiration_time.FromSeconds(2_000_000_000)
        self.tokens[request.name] = token
        return ext.CreateTokenResponse(token=token, secret="s3cret")

    def _token_list(self, request):
        return ext.ListTokensResponse(tokens=self.tokens.values())

    def _token_revoke(self, request):
        if request.id not in self.tokens:
            raise OpenShellError(Code.NOT_FOUND, f"token {request.id!r} does not exist")
        self.tokens[request.id].revoked_time.FromSeconds(1_700_000_000)
        return ext.RevokeTokenResponse(token=self.tokens[request.id])

    def _invite(self, request):
        self.invited.append(request)
        made = ext.CreateInvitationResponse(code="osi_" + "a2" * 16, fingerprint=b"f" * 32, addresses=self.reached_at)
        made.expiration_time.FromSeconds(2_000_000_000)
        return made

    def _members(self, request):
        found = [*self.members]
        for one in self.invited:
            member = ext.Principal(role=one.role, name=one.name, scopes=one.scopes, invited=True)
            member.expiration_time.FromSeconds(2_000_000_000)
            found.append(member)
        return ext.ListPrincipalsResponse(principals=found)

    def _member_revoke(self, request):
        for one in self._members(request).principals:
            if one.name == request.name and request.role in (0, one.role):
                one.revoked_time.FromSeconds(1_700_000_000)
                return ext.RevokePrincipalResponse(principal=one)
        raise OpenShellError(Code.NOT_FOUND, f"{request.name!r} does not exist")

    async def _watch(self, request: pb.WatchSandboxRequest, call: Call) -> AsyncIterator[pb.SandboxStreamEvent]:
        if "WatchSandbox" in self.refuse:
            raise self.refuse["WatchSandbox"]
        sandbox = self._found(request.sandbox)
        yield pb.SandboxStreamEvent(sandbox=sandbox)
        if request.follow_logs:
            for line in self.log_lines[-request.log_tail_lines :] if request.log_tail_lines else ():
                yield pb.SandboxStreamEvent(log=line)
        statuses = self.after_create
        if not statuses and sandbox.status.phase in (pb.SANDBOX_PHASE_PROVISIONING, pb.SANDBOX_PHASE_STARTING):
            statuses = [pb.SandboxStatus(phase=pb.SANDBOX_PHASE_READY)]
        for status in statuses:
            sandbox.status.CopyFrom(status)
            yield pb.SandboxStreamEvent(sandbox=sandbox)
        if request.follow_events:
            yield pb.SandboxStreamEvent(event=pb.PlatformEvent(reason="Started", message="it runs"))
            yield pb.SandboxStreamEvent(warning=pb.SandboxStreamWarning(message="missed 3 events"))

    # -- relays ----------------------------------------------------------------------------------------------------------

    async def _forward(self, call: Call) -> None:
        first = await call.receive(pb.TcpForwardFrame)
        assert first is not None
        init = first.init
        self.inits.append(init)
        self.authorizations.append(str(call.metadata.get("authorization", "")))
        if "ForwardTcp" in self.refuse:
            raise self.refuse["ForwardTcp"]
        self._found(init.sandbox)
        kind = init.WhichOneof("target")
        if kind != "exec" and not init.by_identity and init.authorization_token not in self.sessions:
            raise OpenShellError(Code.UNAUTHENTICATED, "the token is not known")
        call.admit()
        self.relays += 1
        greeting = pb.TcpForwardInit(features=[1], relay_id=f"relay-{self.relays}")
        if kind == "ssh":
            greeting.host_key = self.host_key
        stream = CallStream(call)
        if kind == "tcp":
            far = await connect_tcp(init.tcp.host, init.tcp.port)
            await call.send(pb.TcpForwardFrame(init=greeting))
            await splice(stream, far, Tally())
            return
        await call.send(pb.TcpForwardFrame(init=greeting))
        if kind == "ports":
            for snapshot in self.snapshots:
                message = snapshot.SerializeToString()
                await stream.write(len(message).to_bytes(4, "big") + message)
            if not init.ports.watch:
                await stream.end()
            while await stream.read():
                pass
            await stream.end()
        elif kind == "probe":
            target = target_of(init)
            assert isinstance(target, ProbeTarget)
            await serve_probe(stream, target)
        elif kind == "ssh":
            while data := await stream.read():
                await stream.write(data)
            await stream.end()
        else:
            await run_command(ExecChannel(stream), stream)
            self.completed += 1


async def run_command(channel: ExecChannel, stream: CallStream) -> None:
    """The supervisor's part of an exec: a local process in a session of its own, with pipes or a PTY."""
    frame = await channel.receive()
    assert frame is not None and frame.kind is Kind.START
    start = pb.ExecStart.FromString(bytes(frame.payload))
    env = {"PATH": os.environ["PATH"]} | {key: os.fsdecode(value) for key, value in start.environment.items()}
    master = slave = -1
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    if start.tty:
        master, slave = pty.openpty()
        _resize(master, start.cols, start.rows)
        pipes = dict.fromkeys(pipes, slave)
    argv = [os.fsdecode(argument) for argument in start.argv]
    if start.tty:
        argv = ["setsid", "-c", "-w", *argv]  # a controlling terminal, so that Ctrl-C becomes SIGINT
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, **pipes, env=env, cwd=os.fsdecode(start.workdir) or None, start_new_session=True
        )
    except OSError as error:
        await channel.exit(pb.ExecExit(start_error=error.strerror))
        await _part(stream)
        return
    if slave >= 0:
        os.close(slave)
    await channel.started()
    shows = [asyncio.create_task(_show_terminal(master, channel))] if start.tty else []
    if not start.tty:
        assert process.stdout is not None and process.stderr is not None
        shows = [
            asyncio.create_task(_show(process.stdout, channel.stdout)),
            asyncio.create_task(_show(process.stderr, channel.stderr)),
        ]
    listening = asyncio.create_task(_listen(channel, process, master))
    timed_out = False
    try:
        try:
            async with asyncio.timeout(start.timeout_ms / 1000 or None):
                await asyncio.gather(*shows)
                code = await process.wait()
        except TimeoutError:
            timed_out = True
            code = 0
        how = pb.ExecExit(signal=-code) if code < 0 else pb.ExecExit(code=code)
        await channel.exit(pb.ExecExit(timed_out=True) if timed_out else how)
    finally:
        # A test that cuts the gateway cancels this task a second time: so everything is freed before anything is awaited.
        tasks = (listening, *shows)
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process._transport.get_extra_info("subprocess").wait()  # type: ignore[attr-defined]
        for task in tasks:
            task.cancel()
        if master >= 0:
            asyncio.get_running_loop().remove_reader(master)
            os.close(master)
        process._transport.close()  # type: ignore[attr-defined]
        await asyncio.gather(*tasks, return_exceptions=True)
    await _part(stream)


async def _part(stream: CallStream) -> None:
    """As the real one: the call ends once the near side has ended its direction too."""
    while await stream.read():
        continue
    await stream.close()


async def _show(pipe: asyncio.StreamReader, send) -> None:
    while data := await pipe.read(65536):
        await send(data)


async def _show_terminal(master: int, channel: ExecChannel) -> None:
    loop = asyncio.get_running_loop()
    os.set_blocking(master, False)
    readable = asyncio.Event()
    loop.add_reader(master, readable.set)
    while True:
        await readable.wait()
        readable.clear()
        try:
            data = os.read(master, 65536)
        except BlockingIOError:
            continue
        except OSError:
            return  # EIO: every slave is closed
        await channel.stdout(data)


async def _listen(channel: ExecChannel, process: asyncio.subprocess.Process, master: int) -> None:
    try:
        while (frame := await channel.receive()) is not None:
            match frame.kind:
                case Kind.STDIN if master >= 0:
                    os.write(master, frame.payload)
                case Kind.STDIN:
                    assert process.stdin is not None
                    process.stdin.write(bytes(frame.payload))
                    await process.stdin.drain()
                case Kind.STDIN_END:
                    if process.stdin is not None:
                        process.stdin.close()
                case Kind.RESIZE:
                    cols, rows = SIZE.unpack(frame.payload)
                    _resize(master, cols, rows)
                case Kind.SIGNAL:
                    os.killpg(process.pid, frame.payload[0])
                case _:
                    raise AssertionError(frame)
    except (BrokenPipeError, ConnectionResetError, ProcessLookupError, StreamBroken, StreamClosed):
        pass


def _resize(master: int, cols: int, rows: int) -> None:
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def paths_in(directory: Path) -> Paths:
    """The three roots below a temporary directory."""
    return Paths(directory / "config", directory / "state", directory / "run")
