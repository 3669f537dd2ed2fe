"""A gateway behind nginx and HAProxy: what works directly works there too, and their own certificate is nobody's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.openssh import OpenSsh
from tests.e2e.test_forward import HASHER, forwarded, inside
from tests.support import proxy_programs
from tests.support.world import OPENSHELL, Ended, World

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(proxy_programs.missing()), reason=proxy_programs.missing()),
]

BULK = os.urandom(8 * 1024 * 1024)
#: Seconds of silence on a stream: longer than ours before a question (liveness.KEEPALIVE_IDLE), which then passes the proxy.
IDLE = 17
MARK = 98_765


@dataclass(frozen=True)
class Front:
    """One way to the gateway, registered under a name; commands run as in a `World`."""

    world: World
    environ: Mapping[str, str] = field(repr=False)

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None, **options: Any) -> Ended:
        return self.world.run(*arguments, environ=dict(self.environ) | dict(environ or {}), **options)

    def command(self, argv: list[str], **options: Any) -> Ended:
        return self.world.command(argv, environ=self.environ, **options)

    def popen(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*OPENSHELL, *arguments], env=self.world.environ | dict(self.environ), **options)


@pytest.fixture(scope="module")
def fronts() -> Iterator[dict[str, Front]]:
    with tempfile.TemporaryDirectory(prefix="openshell-proxies-") as folder, contextlib.ExitStack() as stack:
        base = Path(folder)
        world = World(base, "behind")
        world.start()
        stack.callback(world.close)
        world.run("sandbox", "create", "web").ok()
        line = world.run("gateway", "invite", "edge", "--role", "proxy").ok().text
        world.run("gateway", "add", "-", "--certificate-to", str(base / "proxy"), stdin=line.encode()).ok()
        endpoint = world.run("gateway", "list", "--output", "json").json[0]["endpoint"].removeprefix("https://")
        token = {"OPENSHELL_TOKEN": world.run("token", "create", "ci").ok().text.strip()}
        mine = base / "config" / "openshell" / "gateways" / "behind" / "mtls"
        files = (endpoint, world.state / "pki", base / "proxy")
        nginx = stack.enter_context(proxy_programs.nginx(base / "nginx", *files))
        haproxy = stack.enter_context(proxy_programs.haproxy(base / "haproxy", *files))

        def front(name: str, port: int, environ: Mapping[str, str], *certificate: str) -> Front:
            where = ("--endpoint", f"https://localhost:{port}", "--ca", str(mine / "ca.crt"))
            world.run("gateway", "add", name, *where, *certificate).ok()
            return Front(world, {"OPENSHELL_GATEWAY": name, **environ})

        certificate = ("--cert", str(mine / "tls.crt"), "--key", str(mine / "tls.key"))
        yield {
            "nginx": front("nginx", nginx, token),
            "haproxy-http": front("haproxy-http", haproxy["terminating"], token),
            "haproxy-tcp": front("haproxy-tcp", haproxy["through"], {}, *certificate),
        }


@pytest.fixture(params=["nginx", "haproxy-http", "haproxy-tcp"])
def front(request: pytest.FixtureRequest, fronts: dict[str, Front]) -> Front:
    return fronts[request.param]


@pytest.mark.parametrize("name", ["nginx", "haproxy-tcp"])
def test_bulk_both_ways_at_once(fronts: dict[str, Front], name: str) -> None:
    """Not HAProxy that speaks HTTP: 2.6 reads nothing of a connection while one stream's buffer is full."""
    back = fronts[name].run("sandbox", "exec", "-n", "web", "--", "cat", stdin=BULK).ok()
    assert hashlib.sha256(back.out).digest() == hashlib.sha256(BULK).digest()


def test_bulk_to_the_user(front: Front) -> None:
    script = f"head -c {len(BULK)} /dev/zero"
    assert front.run("sandbox", "exec", "-n", "web", "--", "sh", "-c", script).ok().out == bytes(len(BULK))


def test_half_close_of_an_exec(front: Front) -> None:
    """The command hears the end of its input, and speaks after it."""
    told = front.run("sandbox", "exec", "-n", "web", "--", "sh", "-c", "sha256sum; exit 7", stdin=BULK)
    assert told.text.split()[0] == hashlib.sha256(BULK).hexdigest()
    assert told.status == 7


def test_a_stream_that_is_silent_for_a_while(front: Front) -> None:
    script = f"read one; sleep {IDLE}; echo got $one; read two; echo got $two"
    command = ("sandbox", "exec", "-n", "web", "--", "sh", "-c", script)
    with front.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"a\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got a\n"
        process.stdin.write(b"b\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got b\n"
    assert process.returncode == 0


def test_a_forward_and_its_half_close(front: Front) -> None:
    with inside(front, "web", HASHER) as server:  # type: ignore[arg-type]
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with forwarded(front, "web", port) as address:  # type: ignore[arg-type]
            for size in (0, 1, len(BULK)):
                with socket.create_connection(address, 60) as connection:
                    connection.sendall(BULK[:size])
                    connection.shutdown(socket.SHUT_WR)
                    assert connection.recv(100).decode() == hashlib.sha256(BULK[:size]).hexdigest()


def test_ssh(front: Front, tmp_path: Path) -> None:
    ssh = OpenSsh.of(front, "web", tmp_path)  # type: ignore[arg-type]
    told = front.command(ssh.ssh("sha256sum; exit 3"), stdin=BULK)
    assert told.text.split()[0] == hashlib.sha256(BULK).hexdigest()
    assert told.status == 3


def test_a_command_that_is_left_ends_inside(front: Front) -> None:
    command = ("sandbox", "exec", "-n", "web", "--", "sh", "-c", f"echo here; exec sleep {MARK}")
    with front.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()
    pattern = f"grep -lz {MARK // 10}[{MARK % 10}] /proc/[0-9]*/cmdline || :"

    def gone() -> bool:
        return not front.run("sandbox", "exec", "-n", "web", "--", "sh", "-c", pattern).ok().out

    proxy_programs.wait(gone)


def test_many_calls_at_once(front: Front) -> None:
    command = ("sandbox", "exec", "-n", "web", "--", "echo")
    processes = [front.popen(*command, str(n), stdout=subprocess.PIPE) for n in range(8)]
    assert [process.communicate()[0] for process in processes] == [f"{n}\n".encode() for n in range(8)]


@pytest.mark.parametrize("name", ["nginx", "haproxy-http"])
def test_behind_a_terminating_proxy_nobody_is_somebody_without_a_token(fronts: dict[str, Front], name: str) -> None:
    refused = fronts[name].run("sandbox", "list", environ={"OPENSHELL_TOKEN": ""})
    assert refused.status != 0
    assert "proxy" in refused.err
    assert "OPENSHELL_TOKEN" in refused.err
    assert fronts[name].run("whoami", "--output", "json").json["subject"].startswith("token:")


def test_through_a_tcp_proxy_the_client_certificate_counts(fronts: dict[str, Front]) -> None:
    assert fronts["haproxy-tcp"].run("whoami", "--output", "json").json["identity_provider"] == "mtls"
