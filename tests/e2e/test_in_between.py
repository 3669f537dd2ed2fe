"""Between a user's or a host's machine and a gateway's: a proxy that alone is let through, a router that swallows."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import proxy_programs
from tests.support.machines import Machines, missing

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(missing()), reason=missing())]

PORT = 17670  # the gateway's
ROUTER = "10.77.1.1"  # on the user's cable
PROXY_PORT = 3128  # squid's
SECRET = "hunter2"
BULK = os.urandom(4 * 1024 * 1024)
#: The user's machine reaches the router, and nothing behind it.
CLOSED = "table inet between { chain forward { type filter hook forward priority 0; policy drop;\n }\n}"
#: Packets over 1,280 bytes do not pass, and the router's word of it (ICMP, RFC 1191) does not come out.
NARROW = 1280
SILENT = """
table inet between { chain output { type filter hook output priority 0
 icmp type destination-unreachable drop
 }
}"""


@pytest.fixture(scope="module")
def joined(machines: Machines) -> Iterator[Machines]:
    """A gateway with a sandbox, and a user who was invited."""
    machines.gateway.run("gateway", "start", "lab", "--bind", f"0.0.0.0:{PORT}", "--san", "gateway.test").ok()
    machines.gateway.run("sandbox", "create", "web").ok()
    line = machines.gateway.run("gateway", "invite", "ada", "--address", f"gateway.test:{PORT}").ok().text
    machines.user.run("gateway", "add", "-", stdin=line.encode()).ok()
    yield machines
    machines.gateway.run("sandbox", "delete", "--all", "--yes").ok()
    machines.gateway.run("gateway", "stop", "lab").ok()


@pytest.fixture
def closed(joined: Machines) -> Iterator[Machines]:
    joined.router.command(["nft", "-f", "-"], stdin=CLOSED.encode()).ok()
    yield joined
    joined.router.command(["nft", "flush", "ruleset"]).ok()


@pytest.fixture
def narrow(joined: Machines) -> Iterator[Machines]:
    joined.router.command(["nft", "-f", "-"], stdin=SILENT.encode()).ok()
    for size in (NARROW, 1500):
        for cable in ("user", "gateway"):
            joined.router.command(["ip", "link", "set", cable, "mtu", str(size)]).ok()
        if size == NARROW:
            yield joined
    joined.router.command(["nft", "flush", "ruleset"]).ok()


def echoed(machines: Machines, proxy: str = "") -> None:
    """An exec carries bulk both ways."""
    environ = {"HTTPS_PROXY": proxy} if proxy else {}
    told = machines.user.run("sandbox", "exec", "-n", "web", "--", "cat", stdin=BULK, environ=environ).ok()
    assert hashlib.sha256(told.out).digest() == hashlib.sha256(BULK).digest()


@pytest.fixture
def proxy(closed: Machines, tmp_path: Path) -> Iterator[str]:
    """Where tinyproxy listens on the router; it alone is let through, and wants to know who asks."""
    text = proxy_programs.TINYPROXY.format(
        port=PROXY_PORT, address=ROUTER, folder=tmp_path, user="me", password=SECRET, gateway_port=PORT
    )
    (tmp_path / "tinyproxy.conf").write_text(text)

    def listens() -> bool:
        return f"{ROUTER}:{PROXY_PORT}" in closed.router.command(["ss", "-Htln"]).ok().text

    def start(argv: list[str], *, env: dict[str, str], **options: object) -> object:
        return closed.router.start(argv, environ=env, **options)

    argv = [proxy_programs.program("tinyproxy"), "-d", "-c", str(tmp_path / "tinyproxy.conf")]
    with proxy_programs.running(argv, listens, tmp_path / "out", start):  # type: ignore[arg-type]
        yield f"{ROUTER}:{PROXY_PORT}"


@pytest.mark.skipif(bool(proxy_programs.missing()), reason=proxy_programs.missing())
def test_a_user_behind_a_proxy_that_alone_is_let_through(closed: Machines, proxy: str) -> None:
    echoed(closed, f"http://me:{SECRET}@{proxy}")
    for wrong, told in (
        (f"http://me:{SECRET}x@", "refused its user name"),
        ("http://", "asks for a user name and password"),
    ):
        refused = closed.user.run("sandbox", "list", environ={"HTTPS_PROXY": wrong + proxy})
        assert refused.status != 0
        assert told in refused.err
        assert SECRET not in refused.err
    line = closed.gateway.run("gateway", "invite", "bob", "--address", f"gateway.test:{PORT}").ok().text
    environ = {"HTTPS_PROXY": f"http://me:{SECRET}@{proxy}"}
    closed.user.run("gateway", "add", "-", "--name", "again", stdin=line.encode(), environ=environ).ok()
    gone = closed.user.run("sandbox", "list", environ={"HTTPS_PROXY": f"http://me:{SECRET}@{ROUTER}:1"})
    assert f"cannot connect to the proxy at {ROUTER}:1" in gone.err
    assert SECRET not in gone.err


@pytest.mark.skipif(bool(proxy_programs.missing()), reason=proxy_programs.missing())
def test_a_host_behind_a_proxy_that_alone_is_let_through(closed: Machines, proxy: str) -> None:
    """Its enrolment, its control stream, and its sandbox's supervisor."""
    line = closed.gateway.run("gateway", "invite", "--role", "host", "--address", f"gateway.test:{PORT}").ok().text
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environ = {"HTTPS_PROXY": f"http://me:{SECRET}@{proxy}"}
    with closed.host.start(["openshell-supervisor", "join", "-", "--name", "far"], environ=environ, **pipes) as agent:
        assert agent.stdin is not None and agent.stdout is not None and agent.stderr is not None
        agent.stdin.write(line.encode())
        agent.stdin.close()
        agent.stdin = None
        try:
            assert b"far" in agent.stdout.readline()
            told = closed.gateway.run("sandbox", "exec", "-n", "far", "--", "cat", stdin=BULK).ok()
            assert hashlib.sha256(told.out).digest() == hashlib.sha256(BULK).digest()
            assert {peer.split()[1] for peer in closed.host.tcp_connections()} == {proxy}
            assert SECRET not in closed.host.command(["ps", "axo", "args"]).text
            closed.gateway.run("sandbox", "delete", "far").ok()
        finally:
            agent.terminate()
            _, words = agent.communicate()
    assert SECRET.encode() not in words


def test_a_way_that_is_gone_is_noticed(joined: Machines) -> None:
    """Not a packet passes any more and nobody says so, as after a router that translates addresses was started anew."""
    command = ("sandbox", "exec", "-n", "web", "--", "sh", "-c", "echo here; exec cat")
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with joined.user.popen(*command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        joined.router.command(["nft", "-f", "-"], stdin=CLOSED.encode()).ok()
        try:
            _, told = process.communicate()
        finally:
            joined.router.command(["nft", "flush", "ruleset"]).ok()
    assert process.returncode == 255
    assert b"no answer for" in told
    assert joined.user.run("sandbox", "list").ok()


def test_a_path_that_swallows_large_packets(narrow: Machines) -> None:
    echoed(narrow)
