"""The SSH server against asyncssh's client: who may come in, what opens, in which order things end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncssh
import pytest

from pyopenshell.supervisor import ssh_server
from pyopenshell.supervisor.ssh_server import Connection, Server, options, serve
from tests.support.local_init import LocalInit
from tests.support.waiting import until

Connect = Callable[..., Awaitable[asyncssh.SSHClientConnection]]


@pytest.fixture(scope="module")
def host_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="module")
def user_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


class Pair:
    """A client joined to a server over a socket pair."""

    def __init__(self, init: LocalInit, host_key: asyncssh.SSHKey) -> None:
        self.init = init
        self.host_key = host_key
        self.server: Connection | None = None

    async def connect(
        self, authorized: asyncssh.SSHKey | None = None, **kwargs: object
    ) -> asyncssh.SSHClientConnection:
        near, far = socket.socketpair()
        server = Server(authorized.convert_to_public() if authorized else None, self.init, "/bin/sh")  # type: ignore[arg-type]
        self.server = await serve(far, options(self.host_key), server)
        given: dict[str, object] = {
            "username": "sandbox",
            "known_hosts": ([self.host_key.convert_to_public()], [], []),
            "client_keys": None,
            "config": None,
            "agent_path": None,
        }
        return await asyncssh.connect("sandbox", sock=near, **{**given, **kwargs})


@pytest.fixture
async def pair(host_key: asyncssh.SSHKey) -> AsyncIterator[Pair]:
    async with LocalInit() as init:
        made = Pair(init, host_key)
        yield made
        if made.server is not None:
            made.server.abort()
            await made.server.finished()


async def test_a_command_runs_through_the_shell(pair: Pair) -> None:
    async with await pair.connect() as client:
        done = await client.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.exit_status) == ("out\n", "err\n", 3)


async def test_the_signal_that_killed_it_is_said(pair: Pair) -> None:
    async with await pair.connect() as client:
        done = await client.run("kill -TERM $$")
    assert done.exit_signal is not None
    assert done.exit_signal[0] == "TERM"


async def test_input_goes_in_and_its_end_too(pair: Pair) -> None:
    async with await pair.connect() as client:
        done = await client.run("cat; echo end", input=b"x" * 3_000_000, encoding=None)
    assert done.stdout == b"x" * 3_000_000 + b"end\n"


async def test_a_terminal_has_its_size_and_follows_it(pair: Pair) -> None:
    async with await pair.connect() as client:
        process = await client.create_process(
            "read x; stty size; read x; stty size", term_type="vt100", term_size=(81, 25)
        )
        process.stdin.write("\n")
        assert "25 81" in [(await process.stdout.readline()).strip() for _ in range(2)]
        process.change_terminal_size(100, 50)
        process.stdin.write("\n")
        assert "50 100" in [(await process.stdout.readline()).strip() for _ in range(2)]
        await process.wait()


async def test_a_signal_reaches_the_process(pair: Pair) -> None:
    async with await pair.connect() as client:
        process = await client.create_process("trap 'echo got; exit 5' USR1; echo ready; while :; do read x; done")
        assert await process.stdout.readline() == "ready\n"
        process.send_signal("USR1")
        process.stdin.write("\n")
        done = await process.wait()
    assert (done.stdout, done.exit_status) == ("got\n", 5)


async def test_the_environment_is_an_allow_list(pair: Pair) -> None:
    env = {"LANG": "de_DE", "LC_ALL": "C", "OPENSHELL_X": "1", "LD_PRELOAD": "/evil", "PATH": "/evil"}
    async with await pair.connect() as client:
        done = await client.run("env", env=env)
    lines = str(done.stdout).splitlines()
    assert {"LANG=de_DE", "LC_ALL=C", "OPENSHELL_X=1"} <= set(lines)
    assert not [line for line in lines if "evil" in line]


async def test_only_the_authorized_key_comes_in(pair: Pair, user_key: asyncssh.SSHKey) -> None:
    async with await pair.connect(user_key, client_keys=[user_key]) as client:
        assert (await client.run("true")).exit_status == 0
    other = asyncssh.generate_private_key("ssh-ed25519")
    for given in (None, [other]):
        with pytest.raises(asyncssh.PermissionDenied):
            await pair.connect(user_key, client_keys=given)


async def test_another_user_is_refused_even_where_none_is_enough(pair: Pair, user_key: asyncssh.SSHKey) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await pair.connect(username="root")
    with pytest.raises(asyncssh.PermissionDenied):
        await pair.connect(user_key, username="root", client_keys=[user_key])


async def test_only_aead_ciphers(pair: Pair) -> None:
    with pytest.raises(asyncssh.KeyExchangeFailed):
        await pair.connect(encryption_algs=["aes256-ctr"])
    async with await pair.connect() as client:
        assert str(client.get_extra_info("send_cipher")).startswith(("aes", "chacha20-poly1305"))


async def test_openssh_is_given_gcm(pair: Pair) -> None:
    async with await pair.connect(
        client_version="OpenSSH_9.6", encryption_algs=["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"]
    ) as client:
        assert client.get_extra_info("send_cipher") == "aes128-gcm@openssh.com"


async def test_loopback_alone_is_forwarded(pair: Pair) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())  # the end of input comes first: half-close works
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, await pair.connect() as client:
        for host in ("127.0.0.1", "localhost"):
            reader, writer = await client.open_connection(host, port)
            writer.write(b"hello")
            writer.write_eof()
            assert await reader.read() == b"hello"
            writer.close()
        for host in ("10.0.0.1", "0.0.0.0", "localhost.evil", "::ffff:10.0.0.1"):
            with pytest.raises(asyncssh.ChannelOpenError) as refused:
                await client.open_connection(host, port)
            assert refused.value.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
        listener.close()
        with pytest.raises(asyncssh.ChannelOpenError) as refused:
            await client.open_connection("127.0.0.1", port)
        assert refused.value.code == asyncssh.OPEN_CONNECT_FAILED
        assert (await client.run("true")).exit_status == 0  # a refused target is a refused open, not a close


@pytest.mark.parametrize("far_first", [True, False])
async def test_a_forwarded_connection_is_over_when_both_sides_have_ended(pair: Pair, far_first: bool) -> None:
    ended = asyncio.Event()

    async def target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not far_first:
            await reader.read()
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    listener = await asyncio.start_server(target, "127.0.0.1", 0)
    async with listener, await pair.connect() as client:
        reader, writer = await client.open_connection("127.0.0.1", listener.sockets[0].getsockname()[1])
        if far_first:
            assert await reader.read() == b""
        writer.write_eof()
        await writer.channel.wait_closed()
        await ended.wait()
        server = pair.server
        assert server is not None
        await until(lambda: server.channels == 0)


async def test_files_go_both_ways(pair: Pair, tmp_path: object) -> None:
    async with await pair.connect() as client, client.start_sftp_client() as sftp:
        name = f"{tmp_path}/file"
        async with sftp.open(name, "wb") as file:
            await file.write(b"x" * 1_000_000)
        assert (await sftp.stat(name)).size == 1_000_000
        entries = [entry async for entry in sftp.scandir(str(tmp_path))]
        assert "file" in {entry.filename for entry in entries}
        await sftp.posix_rename(name, name + "2")
        assert await sftp.exists(name + "2")


async def test_no_other_subsystem(pair: Pair) -> None:
    async with await pair.connect() as client:
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.create_process(subsystem="netconf")


async def test_a_client_that_goes_takes_its_process_along(pair: Pair) -> None:
    client = await pair.connect()
    process = await client.create_process("echo ready; exec sleep 1000")
    assert await process.stdout.readline() == "ready\n"
    client.abort()
    assert (await pair.init.spawned[0].wait()).signal == 1


async def test_a_channel_that_is_closed_takes_its_process_along(pair: Pair) -> None:
    async with await pair.connect() as client:
        process = await client.create_process("trap '' HUP; echo ready; while :; do sleep 1000; done")
        assert await process.stdout.readline() == "ready\n"
        process.close()
        assert (await pair.init.spawned[0].wait()).signal == 9


async def test_a_command_that_cannot_start_says_why(pair: Pair) -> None:
    async with await pair.connect() as client:
        pair.init.workdir = None
        process = await client.run("x" * 200_000)  # over the limit of one argument
    assert process.exit_status == 255
    assert "limit" in str(process.stderr)


async def test_a_client_that_stops_reading_holds_its_process_up(pair: Pair) -> None:
    async with await pair.connect() as client:
        process = await client.create_process("yes", encoding=None, window=65536)
        process.channel.pause_reading()
        other = await client.run("echo alive")
        assert other.stdout == "alive\n"
        process.close()


async def test_many_sessions_at_once(pair: Pair) -> None:
    async with await pair.connect() as client:
        results = await asyncio.gather(*(client.run(f"echo {number}") for number in range(30)))
    assert [result.stdout for result in results] == [f"{number}\n" for number in range(30)]


async def test_garbage_is_cut(pair: Pair) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    pair.server = await serve(far, options(pair.host_key), Server(None, pair.init, "/bin/sh"))  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(near, b"GET / HTTP/1.1\r\n\r\n" * 100)
    with contextlib.suppress(ConnectionResetError):
        while await loop.sock_recv(near, 65536):
            continue
    near.close()
    await pair.server.finished()


async def test_a_client_that_never_authenticates_is_cut(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_server, "LOGIN_TIMEOUT", 0.05)
    near, far = socket.socketpair()
    near.setblocking(False)
    pair.server = await serve(far, options(pair.host_key), Server(None, pair.init, "/bin/sh"))  # type: ignore[arg-type]
    while await asyncio.get_running_loop().sock_recv(near, 65536):
        continue
    near.close()
    await pair.server.finished()


async def test_there_is_a_limit_of_channels(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_server, "CHANNELS_MAX", 2)
    async with await pair.connect() as client:
        open_now = [await client.create_process("cat") for _ in range(2)]
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.create_process("cat")
        with pytest.raises(asyncssh.ChannelOpenError):
            await client.open_connection("127.0.0.1", 1)
        for process in open_now:
            process.stdin.write_eof()
            await process.wait()
        assert (await client.run("true")).exit_status == 0


async def test_a_full_socket_holds_every_channel_up(pair: Pair) -> None:
    async with await pair.connect() as client:
        process = await client.create_process("cat", encoding=None)
        assert pair.server is not None
        pair.server.pause_writing()
        assert not pair.server.writable.is_set()
        pair.server.resume_writing()
        process.stdin.write(b"x")
        assert await process.stdout.readexactly(1) == b"x"
        process.stdin.write_eof()
        await process.wait()
