"""The real supervisor, in a real sandbox of this machine, under a gateway in this process: exec, tcp, ssh end to end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from pyopenshell.drivers.base import Birth
from pyopenshell.drivers.local import LocalDriver
from pyopenshell.errors import OpenShellError
from pyopenshell.linux.ids import RANGE_FIRST
from pyopenshell.model import ExecSpec, ExecTarget, SandboxSpec, SshTarget, TcpTarget, TerminalSize, new_id
from pyopenshell.streams import ExecChannel, StreamBroken, Tally, splice
from pyopenshell.streams.sockets import adopt
from pyopenshell.wire.exec_frames import Kind
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.fake_gateway import FakeGateway, FakeSession

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.keeps_descriptors]

MAIN = "trap 'exit 6' TERM; echo started; while :; do sleep 0.05; done"


class Sandbox:
    """One sandbox with its supervisor, and an OpenSSH client for it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        base.chmod(0o755)
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key.write_private_key(str(base / "key"))
        (base / "key").chmod(0o600)
        (base / "gateway").mkdir()
        self.gateway = FakeGateway(base / "gateway")
        self.driver = LocalDriver(base / "sandboxes")
        self.birth = Birth(
            sandbox_id=new_id(),
            name="web",
            spec=SandboxSpec(command=("/bin/sh", "-c", MAIN), env={"GREETING": "hello"}),
            token="token",
            host_key=self.host_key.export_private_key().decode(),
            gateway_socket=str(self.gateway.path),
            id_base=RANGE_FIRST,
            lifetime_gateway=True,
        )
        self.session: FakeSession
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        await self.gateway.start()
        await self.driver.start(self.birth)
        async with asyncio.timeout(30):
            self.session = await self.gateway.connected()
        self._server = await asyncio.start_server(self._proxy, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        line = f"[127.0.0.1]:{self.port} {self.host_key.export_public_key().decode()}"
        (self.base / "known_hosts").write_text(line)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.driver.delete(self.birth.sandbox_id)
        await self.driver.close()
        await self.gateway.stop()

    async def _proxy(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = os.dup(writer.get_extra_info("socket").fileno())
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        near = await adopt(socket.socket(fileno=sock))
        leg = await self.gateway.relay(SshTarget(self.user_key.export_public_key().decode()))
        await splice(near, leg, Tally())
        writer.transport.abort()

    async def run(self, *argv: str, stdin: bytes = b"", **more: object) -> tuple[bytes, bytes, pb.ExecExit]:
        """One command through `exec`."""
        leg = await self.gateway.relay(ExecTarget())
        channel = ExecChannel(leg)
        await channel.start(ExecSpec(argv=argv, **more))  # type: ignore[arg-type]
        writing = asyncio.create_task(_write(channel, stdin))
        out = {Kind.STDOUT: bytearray(), Kind.STDERR: bytearray()}
        how = pb.ExecExit()
        while (frame := await channel.receive()) is not None:
            if frame.kind is Kind.EXIT:
                how = pb.ExecExit.FromString(bytes(frame.payload))
            elif frame.kind in out:
                out[frame.kind] += frame.payload
        await writing
        await leg.end()
        await leg.close()
        return bytes(out[Kind.STDOUT]), bytes(out[Kind.STDERR]), how

    async def command(
        self, program: str, *arguments: str, stdin: bytes = b"", key: str = "key"
    ) -> tuple[bytes, bytes, int]:
        """One OpenSSH program."""
        options = ("-F", "none", "-o", f"UserKnownHostsFile={self.base}/known_hosts", "-o", "StrictHostKeyChecking=yes")
        identity = ("-i", f"{self.base}/{key}", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes")
        process = await asyncio.create_subprocess_exec(
            program,
            *options,
            *identity,
            "-o",
            f"Port={self.port}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return out, err, process.returncode

    async def ssh(self, *arguments: str, stdin: bytes = b"") -> tuple[bytes, bytes, int]:
        return await self.command("ssh", "sandbox@127.0.0.1", *arguments, stdin=stdin)


async def _write(channel: ExecChannel, data: bytes) -> None:
    if data:
        await channel.stdin(data)
    await channel.stdin_end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    base = Path(tempfile.mkdtemp(prefix="supervisor-"))
    made = Sandbox(base)
    try:
        await made.start()
    except OpenShellError as error:
        await made.stop()
        shutil.rmtree(base)
        pytest.skip(f"no sandbox can be made here: {error}")
    yield made
    await made.stop()
    shutil.rmtree(base)


async def test_hello_names_the_running_main_process(sandbox: Sandbox) -> None:
    hello = sandbox.session.hello
    assert hello.sandbox_id == sandbox.birth.sandbox_id
    assert hello.main_process.state == pb.MainProcessState.STATE_RUNNING
    assert hello.instance_id == hello.main_process.instance_id
    assert sandbox.session.authorization == "Bearer token"


async def test_a_command_runs_inside(sandbox: Sandbox) -> None:
    out, err, how = await sandbox.run(
        "sh", "-c", "id -un; pwd; echo $GREETING; cat; echo oops >&2; exit 3", stdin=b"in\n"
    )
    assert (out, err, how) == (b"sandbox\n/sandbox\nhello\nin\n", b"oops\n", pb.ExecExit(code=3))


async def test_a_login_shell_applies_and_argv_stays_verbatim(sandbox: Sandbox) -> None:
    out, _, how = await sandbox.run("printf", "%s|", "a b", "$HOME", "'", login=True)
    assert (out, how) == (b"a b|$HOME|'|", pb.ExecExit(code=0))


async def test_a_terminal(sandbox: Sandbox) -> None:
    out, _, how = await sandbox.run("sh", "-c", "tty; stty size", terminal=TerminalSize(101, 33))
    assert out.split() == [b"/dev/pts/0", b"33", b"101"]
    assert how == pb.ExecExit(code=0)


async def test_ends_of_commands(sandbox: Sandbox) -> None:
    assert (await sandbox.run("sh", "-c", "kill -KILL $$"))[2] == pb.ExecExit(signal=9)
    assert (await sandbox.run("sleep", "1000", timeout=0.1))[2] == pb.ExecExit(timed_out=True)
    assert (await sandbox.run("no-such-command"))[2].start_error == "command not found: no-such-command"


async def test_bytes_are_whole_both_ways(sandbox: Sandbox) -> None:
    data = os.urandom(1024) * 4096
    out, _, how = await sandbox.run("cat", stdin=data)
    assert out == data
    assert how == pb.ExecExit(code=0)


async def test_a_lost_client_takes_its_command_along(sandbox: Sandbox) -> None:
    leg = await sandbox.gateway.relay(ExecTarget())
    channel = ExecChannel(leg)
    await channel.start(
        ExecSpec(argv=("sh", "-c", "trap 'echo hup > /sandbox/mark; exit' HUP; echo up; while :; do sleep 0.01; done"))
    )
    while (frame := await channel.receive()) is not None and frame.kind is not Kind.STDOUT:
        continue
    leg.abort()
    wait = "until grep -q hup /sandbox/mark; do sleep 0.01; done"
    assert (await sandbox.run("sh", "-c", wait, timeout=10.0))[2] == pb.ExecExit(code=0)


async def test_a_port_inside_is_reached(sandbox: Sandbox) -> None:
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); "
        "c, _ = s.accept(); "
        "d = b''.join(iter(lambda: c.recv(65536), b'')); c.sendall(b'got ' + d)"
    )
    leg = await sandbox.gateway.relay(ExecTarget())
    channel = ExecChannel(leg)
    await channel.start(ExecSpec(argv=("python3", "-c", program)))
    port = 0
    while not port:
        frame = await channel.receive()
        assert frame is not None
        assert frame.kind in (Kind.STARTED, Kind.STDOUT), bytes(frame.payload)
        port = int(bytes(frame.payload) or b"0")
    inside = await sandbox.gateway.relay(TcpTarget("localhost", port))
    await inside.write(b"x" * 100_000)
    await inside.end()
    answer = b""
    while chunk := await inside.read():
        answer += chunk
    await inside.close()
    assert answer == b"got " + b"x" * 100_000
    while await channel.receive() is not None:
        continue
    await leg.end()
    await leg.close()


async def test_the_hosts_ports_are_not_there(sandbox: Sandbox) -> None:
    leg = await sandbox.gateway.relay(TcpTarget("127.0.0.1", sandbox.port))
    with pytest.raises(StreamBroken, match=str(sandbox.port)):
        await leg.read()
    leg.abort()


async def test_openssh_runs_a_command(sandbox: Sandbox) -> None:
    out, err, status = await sandbox.ssh("id -un; pwd; cat; echo oops >&2; exit 3", stdin=b"in\n")
    assert (out, err, status) == (b"sandbox\n/sandbox\nin\n", b"oops\n", 3)


async def test_openssh_gets_a_shell_from_its_input(sandbox: Sandbox) -> None:
    assert await sandbox.ssh("-T", stdin=b"echo from a shell; exit 4\n") == (b"from a shell\n", b"", 4)


async def test_openssh_gets_a_terminal(sandbox: Sandbox) -> None:
    out, _, status = await sandbox.command("ssh", "-tt", "sandbox@127.0.0.1", "tty; exit 5")
    assert (out, status) == (b"/dev/pts/0\r\n", 5)


async def test_scp_and_sftp_copy_files(sandbox: Sandbox) -> None:
    data = os.urandom(1024) * 1024
    source, back = sandbox.base / "source", sandbox.base / "back"
    source.write_bytes(data)
    assert (await sandbox.command("scp", "-q", str(source), "sandbox@127.0.0.1:there"))[2] == 0
    assert (await sandbox.command("scp", "-q", "sandbox@127.0.0.1:there", str(back)))[2] == 0
    assert back.read_bytes() == data
    out, _, status = await sandbox.command("sftp", "-q", "-b", "-", "sandbox@127.0.0.1", stdin=b"ls -l\nrm there\n")
    assert status == 0
    assert b"sandbox  sandbox   1048576" in out


async def test_openssh_is_refused_with_another_key_or_name(sandbox: Sandbox) -> None:
    assert (await sandbox.command("ssh", "root@127.0.0.1", "true"))[2] == 255
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(sandbox.base / "other"))
    (sandbox.base / "other").chmod(0o600)
    _, err, status = await sandbox.command("ssh", "sandbox@127.0.0.1", "true", key="other")
    assert status == 255
    assert b"Permission denied" in err


async def test_an_ssh_process_is_a_process_like_any_other(sandbox: Sandbox) -> None:
    facts = (
        "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status; "
        "readlink /proc/self/ns/* | grep -v pid_for; cat /proc/self/cgroup"
    )
    by_exec, _, _ = await sandbox.run("sh", "-c", facts)
    by_ssh, _, _ = await sandbox.ssh(facts)
    assert by_exec == by_ssh
    assert b"CapEff:\t0000000000000000" in by_exec
    assert b"NoNewPrivs:\t1" in by_exec


async def test_a_gateway_that_restarts_gets_its_supervisor_back(sandbox: Sandbox) -> None:
    await sandbox.gateway.stop()
    while not sandbox.gateway.sessions.empty():
        sandbox.gateway.sessions.get_nowait()
    await sandbox.gateway.start()
    async with asyncio.timeout(20):
        session = await sandbox.gateway.connected()
    assert session.hello.instance_id == sandbox.session.hello.instance_id
    assert (await sandbox.run("true"))[2] == pb.ExecExit(code=0)


async def test_a_supervisor_that_was_killed_is_replaced_and_finds_the_main_process(sandbox: Sandbox) -> None:
    (supervisor,) = [
        name for name in await sandbox.driver.processes(sandbox.birth.sandbox_id) if name.kind == "supervisor"
    ]
    os.kill(supervisor.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        session = await sandbox.gateway.connected()
    assert session.hello.main_process == sandbox.session.hello.main_process
    assert (await sandbox.run("true"))[2] == pb.ExecExit(code=0)


async def test_the_end_of_the_main_process_is_reported_after_its_output(sandbox: Sandbox) -> None:
    find = (
        "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' < $p/cmdline) in "
        "*'echo '[s]tarted*) kill ${p#/proc/};; esac; done 2>/dev/null"
    )
    await sandbox.run("sh", "-c", find)
    async with asyncio.timeout(20):
        final = await sandbox.gateway.final.get()
    assert final.instance_id == sandbox.session.hello.instance_id
    assert sandbox.gateway.exits[-1].exit_code == 6
    assert "started" in [line.message for line in sandbox.gateway.lines]
