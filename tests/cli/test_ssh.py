"""ssh-config and ssh-proxy: the host key is in place before the first byte, and every end is passed on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from pyopenshell.cli.app import run
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.ssh_files import SshFiles
from tests.support.client_gateway import HOST_KEY, FakeGateway
from tests.support.command_line import CommandLine


async def test_the_block(line: CommandLine) -> None:
    done = await line("sandbox", "ssh-config", "web")
    assert done.code == 0
    assert done.out.startswith(
        "Host web.openshell\n  HostName web.fake.openshell\n  User sandbox\n  ProxyCommand env XDG_"
    )
    assert "'/opt/open shell/bin/openshell' ssh-proxy --gateway fake -- web\n" in done.out
    assert SshFiles.of(Paths.of(line.environ)).private_key.exists()
    assert (await line("sandbox", "ssh-config")).out == done.out
    assert (await line("sandbox", "ssh-config", "nobody")).code == 1


async def test_bytes_go_through_and_the_key_is_there_first(line: CommandLine, gateway: FakeGateway) -> None:
    ours, theirs = socket.socketpair()
    given = theirs.detach()
    context = line.context(given, os.dup(given), None)
    task = asyncio.create_task(run(["ssh-proxy", "web"], context))
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(b"SSH-2.0-test\r\n")
    assert await reader.readexactly(14) == b"SSH-2.0-test\r\n"
    files = SshFiles.of(Paths.of(line.environ))
    assert files.known_hosts.read_text() == f"web.fake.openshell {HOST_KEY}\n"
    assert gateway.inits[0].ssh_authorized_key == files.public_key.read_text().strip()
    assert gateway.inits[0].by_identity and not gateway.made_sessions
    writer.write_eof()
    assert await reader.read() == b""
    assert await asyncio.wait_for(task, 20) == 0
    writer.close()
    await writer.wait_closed()


async def test_the_hang_up_of_ssh_lets_the_relay_end(line: CommandLine, gateway: FakeGateway) -> None:
    ours, theirs = socket.socketpair()
    given = theirs.detach()
    task = asyncio.create_task(run(["ssh-proxy", "web"], line.context(given, os.dup(given), None)))
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(b"x")
    await reader.readexactly(1)
    line.signals.send(signal.SIGHUP)
    writer.write_eof()
    assert await asyncio.wait_for(task, 20) == 0
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_hang_up_without_an_end_ends_all_the_same(
    line: CommandLine, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyopenshell.cli.ssh.PARTING_TIMEOUT", 0.0)
    ours, theirs = socket.socketpair()
    given = theirs.detach()
    task = asyncio.create_task(run(["ssh-proxy", "web"], line.context(given, os.dup(given), None)))
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(b"x")
    await reader.readexactly(1)
    line.signals.send(signal.SIGHUP)
    assert await asyncio.wait_for(task, 20) == 0
    writer.close()
    await writer.wait_closed()


async def test_a_lost_gateway(line: CommandLine, gateway: FakeGateway) -> None:
    ours, theirs = socket.socketpair()
    given = theirs.detach()
    task = asyncio.create_task(run(["ssh-proxy", "web"], line.context(given, os.dup(given), None)))
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(b"x")
    await reader.readexactly(1)
    await gateway.cut()
    assert await asyncio.wait_for(task, 20) == 255
    writer.close()
    await writer.wait_closed()


@pytest.fixture
def one_byte() -> Iterator[int]:
    """An input that holds one byte and its end."""
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.close(writing)
    yield reading
    os.close(reading)


async def test_refusals(line: CommandLine, gateway: FakeGateway, one_byte: int) -> None:
    assert (await line("ssh-proxy", "nobody", stdin=one_byte)).code == 1
    done = await line("ssh-proxy", "a;b", stdin=one_byte)
    assert done.code == 2 and "is not valid" in done.err
    done = await line("ssh-proxy", "web")
    assert "needs standard input and output" in done.err
    gateway.refuse["ForwardTcp"] = OpenShellError(Code.EXHAUSTED, "too many connections")
    done = await line("ssh-proxy", "web", stdin=one_byte)
    assert (done.code, done.err) == (1, "error: too many connections\n")


async def test_a_gateway_without_host_keys_is_not_trusted(
    line: CommandLine, gateway: FakeGateway, one_byte: int
) -> None:
    gateway.host_key = ""
    done = await line("ssh-proxy", "web", stdin=one_byte)
    assert done.code == 255
    assert "no usable SSH host key" in done.err
    assert done.out == ""
