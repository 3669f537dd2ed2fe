"""One whole SSH connection in the zygote, so that nothing is loaded late in a child that is inside a sandbox.

asyncssh imports some modules and the cryptography library makes some ciphers only when they are first used. So a client of
each kind connects to our server in this process, once: every cipher, a public key signature, a session, SFTP, a refused
channel, a forwarded connection. No process is started and no thread stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any, cast

import asyncssh

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.supervisor.init_client import SpawnClient
from pyopenshell.supervisor.ssh_server import CIPHERS, USER, Server, options, serve


class _NoSpawner:
    """Every session ends with "nothing can be started", which warms the way of errors too."""

    async def spawn(self, *_args: Any, **_kwargs: Any) -> Any:
        raise OpenShellError(Code.UNAVAILABLE, "nothing is started while warming")


def warm() -> None:
    """Run the connections; a few hundred milliseconds, once in the life of a zygote."""
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    asyncio.run(_warm())


async def _warm() -> None:
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    keys = [asyncssh.generate_private_key(kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256")]
    for number, cipher in enumerate(CIPHERS):
        await _connect(host_key, keys[number % len(keys)], cipher)


async def _connect(host_key: asyncssh.SSHKey, user_key: asyncssh.SSHKey, cipher: str) -> None:
    near, far = socket.socketpair()
    server = Server(user_key.convert_to_public(), cast(SpawnClient, _NoSpawner()), "/bin/sh")
    connection = await serve(far, options(host_key), server)
    async with asyncssh.connect(
        "sandbox",
        sock=near,
        config=None,
        username=USER,
        known_hosts=([host_key.convert_to_public()], [], []),
        client_keys=[user_key],
        agent_path=None,
        encryption_algs=[cipher],
    ) as client:
        await client.run("true", env={"LANG": "C"}, term_type="xterm")
        await _files(client)
        await _forward(client)
    await connection.finished()


async def _files(client: asyncssh.SSHClientConnection) -> None:
    async with client.start_sftp_client() as sftp:
        await sftp.realpath(".")
        async with sftp.open("/dev/null", "rb") as file:
            await file.read()
        async for _name in sftp.scandir("/dev/fd"):
            break
        with contextlib.suppress(asyncssh.SFTPError):
            await sftp.stat("/nothing/there")


async def _forward(client: asyncssh.SSHClientConnection) -> None:
    with contextlib.suppress(asyncssh.ChannelOpenError):
        await client.open_connection("192.0.2.1", 1)  # TEST-NET-1 of RFC 5737: refused before it is dialled
    listener = await asyncio.start_server(_close, "127.0.0.1", 0)
    async with listener:
        reader, writer = await client.open_connection("127.0.0.1", listener.sockets[0].getsockname()[1])
        await reader.read()
        writer.close()


async def _close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
