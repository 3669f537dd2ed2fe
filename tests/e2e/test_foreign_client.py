"""Another client of the service, made with grpcio, works unchanged: it announces no feature and sets no field of ours."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.duration_pb2 import Duration

from pyopenshell.wire.grpc.health.v1 import health_pb2
from pyopenshell.wire.grpc.reflection.v1 import reflection_pb2
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.e2e.foreign import SERVICE, Foreign, collected, received
from tests.e2e.test_forward import FAR_FIRST, HASHER, inside
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.keeps_descriptors("grpcio keeps its poller for the life of the process")]

#: Ends its own direction first, then says on its standard output how many bytes it has, after each piece.
FAR_FIRST_COUNTING = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
c, _ = server.accept()
c.sendall(b"bye")
c.shutdown(socket.SHUT_WR)
n = 0
while got := len(c.recv(65536)):
    n += got
    print(n, flush=True)
print("end", flush=True)
"""
#: Resets the connection as soon as a byte has come.
RESETTER = """
import socket, struct
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    c, _ = server.accept()
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
"""
QUIET = 0.3  # seconds without a byte after which a client without features gets its trailers: the contract


def line_of(server: Any) -> bytes:
    line: bytes = server.stdout.readline()
    return line


def data(payload: bytes) -> pb.TcpForwardFrame:
    return pb.TcpForwardFrame(data=payload)


async def test_near_first_half_close(world: World, web: str) -> None:
    sent = os.urandom(4_000_000)
    with inside(world, web, HASHER) as server:
        port = int(line_of(server))
        async with Foreign.of(world) as foreign:
            call = await foreign.forward_tcp(web, port)
            for at in range(0, len(sent), 200_000):
                await call.write(data(sent[at : at + 200_000]))
            await call.done_writing()
            assert (await received(call)).decode() == hashlib.sha256(sent).hexdigest()
            assert await call.code() is grpc.StatusCode.OK


async def test_far_first_and_a_quiet_client_gets_its_trailers(world: World, web: str) -> None:
    with inside(world, web, FAR_FIRST) as server:
        port = int(line_of(server))
        async with Foreign.of(world) as foreign:
            call = await foreign.forward_tcp(web, port)
            assert (await call.read()).data == b"bye"
            heard = time.monotonic()
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            assert time.monotonic() - heard > QUIET / 2


async def test_far_first_and_a_client_that_still_sends_is_waited_for(world: World, web: str) -> None:
    """Each piece leaves when the one before has arrived, for longer than a quiet client would be given."""
    with inside(world, web, FAR_FIRST_COUNTING) as server:
        port = int(line_of(server))
        async with Foreign.of(world) as foreign:
            call = await foreign.forward_tcp(web, port)
            assert (await call.read()).data == b"bye"
            began, total = time.monotonic(), 0
            while time.monotonic() - began < 3 * QUIET:
                await call.write(data(b"x" * 1000))
                total += 1000
                while int(line_of(server)) < total:
                    pass
            await call.done_writing()
            assert await received(call) == b""
            assert await call.code() is grpc.StatusCode.OK
            assert line_of(server) == b"end\n"


async def test_empty_data_in_the_middle_means_nothing(world: World, web: str) -> None:
    with inside(world, web, HASHER) as server:
        port = int(line_of(server))
        async with Foreign.of(world) as foreign:
            call = await foreign.forward_tcp(web, port)
            for payload in (b"", b"a", b"", b"b", b""):
                await call.write(data(payload))
            await call.done_writing()
            assert (await received(call)).decode() == hashlib.sha256(b"ab").hexdigest()


async def test_bytes_that_could_not_be_delivered_are_never_ok(world: World, web: str) -> None:
    with inside(world, web, RESETTER) as server:
        port = int(line_of(server))
        async with Foreign.of(world) as foreign:
            call = await foreign.forward_tcp(web, port)
            await call.write(data(bytes(900_000)))
            with pytest.raises(grpc.aio.AioRpcError) as broken:
                await call.read()
            assert broken.value.code() is grpc.StatusCode.ABORTED, broken.value


async def test_an_ssh_target(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        token = await foreign.token(web)
        call = await foreign.forward(pb.TcpForwardInit(sandbox=web, ssh=pb.SshRelayTarget(), authorization_token=token))
        assert (await call.read()).data.startswith(b"SSH-2.0-")
        call.cancel()


async def test_nothing_listening_is_unavailable_with_the_reason(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        call = await foreign.forward_tcp(web, 9)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "nothing listens on 127.0.0.1:9" in refused.value.details()


async def test_exec(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        script = "cat; echo err >&2; exit 5"
        assert await foreign.exec(web, ["sh", "-c", script], stdin=b"in") == (b"in", b"err\n", 5)
        assert (await foreign.exec(web, ["sh", "-c", "kill -9 $$"]))[2] == 137
        assert (await foreign.exec(web, ["printf", "%s", "a b$HOME"]))[0] == b"a b$HOME"
        limited = Duration(nanos=300_000_000)
        assert (await foreign.exec(web, ["sleep", "765"], execution_timeout=limited))[2] == 124
        out, _, _ = await foreign.exec(web, ["sh", "-c", "pwd; echo $A"], workdir="/tmp", environment={"A": "1"})
        assert out == b"/tmp\n1\n"


async def test_exec_through_the_login_shell_keeps_argv(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        request = pb.ExecSandboxRequest(sandbox=web, command=["printf", "[%s]", "a b", "$HOME", "*"])
        events = foreign.many("ExecSandbox", request, pb.ExecSandboxEvent)
        assert (await collected(events))[0] == b"[a b][$HOME][*]"


async def test_interactive_exec(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        call = foreign.both("ExecSandboxInteractive", pb.ExecSandboxInput, pb.ExecSandboxEvent)
        start = pb.ExecSandboxRequest(sandbox=web, command=["sh", "-c", "cat; exit 3"], no_login_shell=True)
        await call.write(pb.ExecSandboxInput(start=start))
        await call.write(pb.ExecSandboxInput(stdin=b"one"))
        assert (await call.read()).stdout.data == b"one"
        await call.write(pb.ExecSandboxInput(stdin=b"two"))
        await call.done_writing()
        assert await collected(call) == (b"two", b"", 3)


async def test_interactive_exec_with_a_terminal_follows_its_size(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        call = foreign.both("ExecSandboxInteractive", pb.ExecSandboxInput, pb.ExecSandboxEvent)
        command = ["sh", "-c", "stty size; read x; stty size"]
        start = pb.ExecSandboxRequest(sandbox=web, command=command, no_login_shell=True, tty=True, cols=80, rows=24)
        await call.write(pb.ExecSandboxInput(start=start))
        assert b"24 80" in (await call.read()).stdout.data
        await call.write(pb.ExecSandboxInput(resize=pb.ExecSandboxWindowResize(cols=101, rows=41)))
        await call.write(pb.ExecSandboxInput(stdin=b"\n"))
        out, _, status = await collected(call)
        assert (b"41 101" in out, status) == (True, 0)


async def test_watch_sends_a_snapshot_and_then_changes(world: World) -> None:
    async with Foreign.of(world) as foreign:
        created = await foreign.call(
            "CreateSandbox", pb.CreateSandboxRequest(name="watched", labels={"of": "foreign"}), pb.SandboxResponse
        )
        assert created.sandbox.metadata.name == "watched"
        request = pb.WatchSandboxRequest(sandbox="watched", follow_status=True)
        events = foreign.many("WatchSandbox", request, pb.SandboxStreamEvent)
        phases = []
        async for event in events:
            if event.WhichOneof("payload") == "sandbox":
                phases.append(event.sandbox.status.phase)
            if phases[-1] == pb.SANDBOX_PHASE_READY:
                break
        await foreign.call("StopSandbox", pb.StopSandboxRequest(name="watched"), pb.SandboxResponse)
        async for event in events:
            if event.sandbox.status.phase == pb.SANDBOX_PHASE_STOPPED:
                break
        events.cancel()
        listed = await foreign.call(
            "ListSandboxes", pb.ListSandboxesRequest(label_selector="of=foreign"), pb.ListSandboxesResponse
        )
        assert [sandbox.metadata.name for sandbox in listed.sandboxes] == ["watched"]
        await foreign.call("DeleteSandbox", pb.DeleteSandboxRequest(name="watched"), pb.DeleteSandboxResponse)
        again = pb.DeleteSandboxRequest(name="watched", allow_missing=True)
        answer = await foreign.call("DeleteSandbox", again, pb.DeleteSandboxResponse)
        assert answer.outcome == pb.DELETION_OUTCOME_ALREADY_ABSENT


async def test_health(world: World) -> None:
    async with Foreign.of(world, cert=False) as foreign:  # a load balancer has no certificate
        for service in ("", SERVICE):
            request = health_pb2.HealthCheckRequest(service=service)
            answer = await foreign.call("Check", request, health_pb2.HealthCheckResponse, "grpc.health.v1.Health")
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watched = foreign.many("Watch", request, health_pb2.HealthCheckResponse, "grpc.health.v1.Health")
        assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
        watched.cancel()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_describes_the_service(world: World, version: str) -> None:
    async with Foreign.of(world) as foreign:
        call = foreign.both(
            "ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest,
            reflection_pb2.ServerReflectionResponse,
            f"grpc.reflection.{version}.ServerReflection",
        )
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        names = {service.name for service in (await call.read()).list_services_response.service}
        assert {SERVICE, "grpc.health.v1.Health"} <= names
        await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE))
        answer = (await call.read()).file_descriptor_response
        files = [FileDescriptorProto.FromString(content) for content in answer.file_descriptor_proto]
        methods = {method.name for file in files for service in file.service for method in service.method}
        assert {"ForwardTcp", "ExecSandbox", "RelayStream"} <= methods
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


@pytest.mark.parametrize("rpc", ["PeerRelay", "NoSuchCall", "ExposeService"])
async def test_what_is_not_spoken_is_unimplemented(world: World, rpc: str) -> None:
    async with Foreign.of(world) as foreign:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await foreign.call(rpc, pb.HealthRequest(), pb.HealthResponse)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
