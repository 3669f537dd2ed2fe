"""What is wrong is refused with one clear line, the right status, and nothing half-made left: from the command line, and
from a client that says what ours never would.

Names, ports, hosts, busy ports, garbage and a second gateway are in the files of the commands that meet them.
"""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pyopenshell.gateway.jwt import KEY_FILE, SupervisorTokens
from pyopenshell.gateway.secrets import TokenKind, new_token
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.e2e.foreign import Foreign
from tests.support.waiting import until
from tests.support.world import Ended, World

pytestmark = [pytest.mark.e2e, pytest.mark.keeps_descriptors("grpcio keeps its poller for the life of the process")]

INVALID, UNAUTHENTICATED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED
LIMIT = 1024 * 1024  # bytes of argv and environment together


def refused(ended: Ended, *words: str, status: int = 1) -> None:
    """One line that says why, and nothing on standard output."""
    assert ended.status == status, ended.err
    assert ended.out == b""
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    for word in words:
        assert word in ended.err


async def refuses(awaitable: Any, code: grpc.StatusCode, *words: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await awaitable
    assert error.value.code() is code, error.value
    for word in words:
        assert word in error.value.details()


# --- which gateway, and who calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("sandbox", "list"), ("sandbox", "exec", "-n", "web", "--", "true"), ("whoami",)])
def test_an_unknown_gateway(world: World, command: tuple[str, ...]) -> None:
    refused(world.run("--gateway", "nowhere", *command), "nowhere")


def test_a_gateway_that_is_down(tmp_path: Path) -> None:
    world = World(tmp_path, "down")
    try:
        world.start()
        world.stop()
        for command in (("sandbox", "list"), ("sandbox", "create", "x"), ("ssh-proxy", "x")):
            refused(world.run(*command), "down", "openshell gateway start down")
    finally:
        world.close()


@pytest.fixture
def stranger(world: World, tmp_path: Path) -> World:
    """The same gateway, seen by somebody who has only an address."""
    other = World.__new__(World)
    other.environ = world.environ | {name: str(tmp_path / name) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    return other


def register(stranger: World, world: World, *options: str) -> None:
    endpoint = world.run("gateway", "list", "-o", "json").json[0]["endpoint"]
    stranger.run("gateway", "add", "there", "--endpoint", endpoint, *options).ok()
    stranger.run("gateway", "select", "there").ok()


def test_another_authority(world: World, stranger: World, tmp_path: Path) -> None:
    key, authority = tmp_path / "ca.key", tmp_path / "ca.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=evil"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(authority)], check=True, capture_output=True)
    register(stranger, world, "--ca", str(authority))
    refused(stranger.run("sandbox", "list"), "certificate")


def test_no_certificate(world: World, stranger: World) -> None:
    register(stranger, world, "--ca", str(world.state / "pki" / "ca.crt"))
    refused(stranger.run("sandbox", "list"), "credential")


def test_a_certificate_of_another_authority(world: World, stranger: World, tmp_path: Path) -> None:
    key, certificate = tmp_path / "c.key", tmp_path / "c.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=root"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    files = ("--ca", str(world.state / "pki" / "ca.crt"), "--cert", str(certificate), "--key", str(key))
    register(stranger, world, *files)
    refused(stranger.run("sandbox", "list"), "certificate")


@pytest.mark.parametrize(
    "token",
    [new_token(TokenKind.API), new_token(TokenKind.SSH_SESSION), "nonsense", "a.b.c", "ost_short"],
    ids=["forged", "ssh session", "nonsense", "jwt", "short"],
)
def test_a_forged_api_token(world: World, token: str) -> None:
    ended = world.run("sandbox", "list", environ={"OPENSHELL_TOKEN": token})
    refused(ended)
    assert token not in ended.err, "a secret in a message"


async def test_an_api_token_that_was_revoked_or_expired(world: World) -> None:
    token = world.run("token", "create", "brief", "-o", "json").json["secret"]
    world.run("whoami", environ={"OPENSHELL_TOKEN": token}).ok()
    world.run("token", "revoke", "brief").ok()
    refused(world.run("whoami", environ={"OPENSHELL_TOKEN": token}), "token")
    short = world.run("token", "create", "short", "--ttl", "1", "-o", "json").json["secret"]
    await until(lambda: world.run("whoami", environ={"OPENSHELL_TOKEN": short}).status != 0)
    refused(world.run("whoami", environ={"OPENSHELL_TOKEN": short}), "expired")
    world.run("token", "revoke", "short")


def sandbox_id(world: World, name: str) -> str:
    return str(world.run("sandbox", "get", name, "-o", "json").json["id"])


async def test_a_supervisors_token_that_is_forged_or_another_sandboxs(world: World, web: str, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / KEY_FILE).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / KEY_FILE).chmod(0o600)
    mine, now = sandbox_id(world, web), time.time()
    theirs = "00000000-0000-4000-8000-000000000000"
    forged, _ = SupervisorTokens(tmp_path, world.gateway.name).issue(mine, now)
    expired, _ = SupervisorTokens(world.state / "pki", world.gateway.name, ttl=10).issue(mine, now - 100)
    true, _ = SupervisorTokens(world.state / "pki", world.gateway.name).issue(mine, now)
    report = pb.ReportMainProcessExitRequest(sandbox_id=theirs, instance_id="x")
    for token, code in (
        (forged, UNAUTHENTICATED),
        (expired, UNAUTHENTICATED),
        (true, grpc.StatusCode.PERMISSION_DENIED),
    ):
        async with Foreign.of(world, cert=False, bearer=token) as foreign:
            call = foreign.call("ReportMainProcessExit", report, pb.ReportMainProcessExitResponse)
            await refuses(call, code)
    async with Foreign.of(world, cert=False, bearer=true) as foreign:  # a supervisor is no user
        for rpc, request, response in (
            ("ListSandboxes", pb.ListSandboxesRequest(), pb.ListSandboxesResponse),
            ("DeleteSandbox", pb.DeleteSandboxRequest(name=web), pb.DeleteSandboxResponse),
            ("CreateSshSession", pb.CreateSshSessionRequest(sandbox=web), pb.CreateSshSessionResponse),
        ):
            await refuses(foreign.call(rpc, request, response), grpc.StatusCode.PERMISSION_DENIED)
        relay = foreign.both("RelayStream", pb.RelayFrame, pb.RelayFrame)
        await relay.write(pb.RelayFrame(init=pb.RelayInit(channel_id="unknown")))
        await refuses(relay.read(), grpc.StatusCode.NOT_FOUND)


def ssh_init(sandbox: str, token: str) -> pb.TcpForwardInit:
    return pb.TcpForwardInit(sandbox=sandbox, ssh=pb.SshRelayTarget(), authorization_token=token)


async def test_a_token_of_forward_tcp_that_is_no_good(world: World, web: str) -> None:
    world.run("sandbox", "create", "elsewhere").ok()
    try:
        async with Foreign.of(world) as foreign:
            others, revoked = await foreign.token("elsewhere"), await foreign.token(web)
            revoke = pb.RevokeSshSessionRequest(token=revoked)
            await foreign.call("RevokeSshSession", revoke, pb.RevokeSshSessionResponse)
            for token in ("", "nonsense", new_token(TokenKind.SSH_SESSION), others, revoked):
                call = await foreign.forward(ssh_init(web, token))
                await refuses(call.read(), UNAUTHENTICATED, "token")
    finally:
        world.run("sandbox", "delete", "elsewhere").ok()


async def test_a_token_of_forward_tcp_that_has_expired(tmp_path: Path) -> None:
    world = World(tmp_path, "short")
    world.environ["OPENSHELL_SESSION_TTL"] = "1"
    world.start()
    try:
        world.run("sandbox", "create", "web").ok()
        async with Foreign.of(world) as foreign:
            token = await foreign.token("web")

            async def over() -> bool:
                call = await foreign.forward(ssh_init("web", token))
                try:
                    await call.read()
                except grpc.aio.AioRpcError as error:
                    return error.code() is UNAUTHENTICATED
                call.cancel()
                return False

            await until(over)
    finally:
        world.close()


# --- what is asked ----------------------------------------------------------------------------------------------------


async def test_first_messages_that_are_not_what_opens_a_stream(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        token = await foreign.token(web)
        tcp = pb.TcpRelayTarget
        for first in (
            pb.TcpForwardFrame(data=b"x"),
            pb.TcpForwardFrame(),
            pb.TcpForwardFrame(init=pb.TcpForwardInit(sandbox=web, authorization_token=token)),
            *(
                pb.TcpForwardFrame(init=pb.TcpForwardInit(sandbox=web, tcp=target, authorization_token=token))
                for target in (
                    tcp(host="127.0.0.1", port=0), tcp(host="127.0.0.1", port=65536), tcp(host="0.0.0.0", port=80),
                    tcp(host="169.254.169.254", port=80), tcp(host="::ffff:10.0.0.1", port=80), tcp(host="", port=80),
                    tcp(host="localhost.evil", port=80), tcp(host="0x7f000001", port=80), tcp(host="a\nb", port=80),
                )
            ),
        ):  # fmt: skip
            call = foreign.both("ForwardTcp", pb.TcpForwardFrame, pb.TcpForwardFrame)
            await call.write(first)
            await refuses(call.read(), INVALID)
        call = foreign.both("ForwardTcp", pb.TcpForwardFrame, pb.TcpForwardFrame)
        await call.done_writing()
        await refuses(call.read(), INVALID)
        call = foreign.both("ExecSandboxInteractive", pb.ExecSandboxInput, pb.ExecSandboxEvent)
        await call.write(pb.ExecSandboxInput(stdin=b"x"))
        await refuses(call.read(), INVALID, "start")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.ExecSandboxRequest(command=["a\0b"]), "NUL"),
        (pb.ExecSandboxRequest(command=["true"], environment={"A": "x\0"}), "NUL"),
        (pb.ExecSandboxRequest(command=["true"], workdir="/a\0b"), "NUL"),
        (pb.ExecSandboxRequest(command=[]), "command"),
        (pb.ExecSandboxRequest(command=[""]), "command"),
        (pb.ExecSandboxRequest(command=["true"], environment={"": "x"}), "name"),
        (pb.ExecSandboxRequest(command=["true"], environment={"A=B": "x"}), "name"),
        (pb.ExecSandboxRequest(command=["true"], workdir="relative"), "absolute"),
        (pb.ExecSandboxRequest(command=["x" * (128 * 1024)]), "limit"),
        (pb.ExecSandboxRequest(command=["x"] * 1025), "limit"),
    ],
)
async def test_an_exec_that_cannot_be(world: World, web: str, request_: pb.ExecSandboxRequest, words: str) -> None:
    request_.sandbox = web
    async with Foreign.of(world) as foreign:
        await refuses(foreign.many("ExecSandbox", request_, pb.ExecSandboxEvent).read(), INVALID, words)


def environment_of(size: int) -> dict[str, str]:
    """Variables that, with the command `env`, are `size` bytes, each with its NUL; each under the limit of one."""
    left, made = size - len("env") - 1, {}
    while left:
        piece = min(left, 100_000)
        if 0 < left - piece < 10:
            piece -= 10
        name = f"V{len(made)}"
        made[name] = "x" * (piece - len(name) - 2)
        left -= piece
    return made


async def test_environment_up_to_its_limit_and_over_it(world: World, web: str) -> None:
    async with Foreign.of(world) as foreign:
        for size in (LIMIT - 1, LIMIT):
            wanted = environment_of(size)
            out, _, status = await foreign.exec(web, ["env"], environment=wanted)
            assert status == 0
            assert {f"{name}={value}".encode() for name, value in wanted.items()} <= set(out.split(b"\n"))
        over = pb.ExecSandboxRequest(sandbox=web, command=["env"], environment=environment_of(LIMIT + 1))
        await refuses(
            foreign.many("ExecSandbox", over, pb.ExecSandboxEvent).read(), INVALID, f"{LIMIT + 1}", f"{LIMIT}"
        )
        huge = pb.ExecSandboxRequest(sandbox=web, command=["env"], environment=environment_of(4 * LIMIT))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await foreign.many("ExecSandbox", huge, pb.ExecSandboxEvent).read()
        assert error.value.code() in (INVALID, grpc.StatusCode.RESOURCE_EXHAUSTED)
    options = [word for name, value in environment_of(LIMIT + 1).items() for word in ("--env", f"{name}={value}")]
    refused(world.run("sandbox", "exec", "-n", web, *options, "--", "env"), "limit", status=2)


@pytest.mark.parametrize("name", ["a/b", "a\nb", "A", "-", "..", "a" * 64, "ä", "a\0b"])
async def test_names_that_only_another_client_would_send(world: World, name: str) -> None:
    async with Foreign.of(world) as foreign:
        before = world.run("sandbox", "list", "-o", "json").json
        await refuses(foreign.call("CreateSandbox", pb.CreateSandboxRequest(name=name), pb.SandboxResponse), INVALID)
        assert world.run("sandbox", "list", "-o", "json").json == before


def test_a_sandbox_that_is_not_ready(world: World) -> None:
    world.run("sandbox", "create", "resting").ok()
    try:
        world.run("sandbox", "stop", "resting").ok()
        for command in (
            ("sandbox", "exec", "-n", "resting", "--", "true"),
            ("forward", "service", "resting", "--target-port", "80"),
            ("ssh-proxy", "resting"),
        ):
            refused(world.run(*command), "Stopped")
    finally:
        world.run("sandbox", "delete", "resting").ok()


# --- the machine ------------------------------------------------------------------------------------------------------


def test_a_tls_client_that_sends_nothing_is_cut(world: World, web: str) -> None:
    """One that never begins its handshake; the deadline is the gateway's, ten seconds."""
    endpoint = world.run("gateway", "list", "-o", "json").json[0]["endpoint"]
    port = int(endpoint.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as silent, contextlib.suppress(ConnectionResetError):
        assert silent.recv(1) == b""
    world.run("sandbox", "exec", "-n", web, "--", "true").ok()


def test_a_client_that_speaks_http_1_or_an_older_tls_is_cut(world: World, web: str) -> None:
    port = int(world.run("gateway", "list", "-o", "json").json[0]["endpoint"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(1024):
                pass
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain)
    world.run("sandbox", "exec", "-n", web, "--", "true").ok()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "tiny", str(tmp_path)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"a file system cannot be mounted: {made.stderr.strip()}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_under_the_database(tiny_disk: Path) -> None:
    world = World(tiny_disk, "full")
    world.start()
    try:
        world.run("sandbox", "create", "before").ok()
        filler = tiny_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        big = [
            word for name in "ABC" for word in ("--env", f"{name}={'x' * 100_000}")
        ]  # over the room that the log has
        for _ in range(3):
            refused(world.run("sandbox", "create", "more", *big), "disk")
        assert [found["name"] for found in world.run("sandbox", "list", "-o", "json").json] == ["before"]
        filler.unlink()
        world.run("sandbox", "create", "more").ok()
        fill = "head -c 100000000 /dev/zero > /sandbox/file"
        assert world.run("sandbox", "exec", "-n", "more", "--", "sh", "-c", fill).status == 1
        refused(world.run("sandbox", "create", "third", *big), "disk")
        world.run("sandbox", "delete", "more").ok()
        world.run("sandbox", "create", "third").ok()
    finally:
        world.close()


@pytest.mark.parametrize("before", ["", "restart", "stop"])
def test_a_sandbox_is_deleted_once_on_a_disk_that_is_full_to_the_last_byte(tiny_disk: Path, before: str) -> None:
    world = World(tiny_disk, "full", detached=True)
    world.start()
    try:
        for name in ("one", "two"):
            world.run("sandbox", "create", name).ok()
        if before == "restart":
            world.stop()
            world.start()
        for block in (4096, 1):
            with contextlib.suppress(OSError), (tiny_disk / "filler").open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(block))
        if before == "stop":
            world.run("sandbox", "stop", "one").ok()
        world.run("sandbox", "delete", "one").ok()
        assert [found["name"] for found in world.run("sandbox", "list", "-o", "json").json] == ["two"]
    finally:
        (tiny_disk / "filler").unlink()
        world.close()


def test_a_state_directory_from_a_newer_version(tmp_path: Path) -> None:
    world = World(tmp_path, "newer")
    world.start()
    try:
        world.stop()
        with contextlib.closing(sqlite3.connect(world.state / "gateway.db")) as database:
            database.execute("UPDATE meta SET value = value + 1 WHERE key = 'schema_version'")
            assert database.total_changes == 1
            database.commit()
        ended = world.run("gateway", "start", "newer")
        refused(ended, "newer", "version")
        assert world.gateway.process is None
    finally:
        world.close()


@pytest.mark.parametrize(
    ("line", "words"), [("[gateway]\nprot = 1\n", "port"), ("[gateway]\nport = 'x'\n", "port"), ("[", "TOML")]
)
def test_a_configuration_with_a_mistake(tmp_path: Path, line: str, words: str) -> None:
    world = World(tmp_path / "world", "mistaken")
    try:
        (tmp_path / "config.toml").write_text(line)
        refused(world.run("gateway", "start", "mistaken", "--config", str(tmp_path / "config.toml")), words)
        assert world.gateway.process is None
    finally:
        world.close()
