"""The SSH child: one connection's server, forked from the zygote, inside the sandbox.

    receive ─ keys and options made ─ enter ─ /etc/passwd read as text ─ {"ready"} ─ wait for {"authorized_key"} ─ serve

Whatever can be made outside is made before it enters; afterwards nothing is imported, loaded or looked up (`warm` had whole
connections in the zygote, so that every module and cipher that asyncssh loads late is there). It holds the relay's socket,
the socket to init on which user processes are asked for, and its config socket, on which it says that it is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket

import asyncssh

from pyopenshell.drivers.configs import ids_of
from pyopenshell.drivers.messages import send_message, wait_message
from pyopenshell.linux import passwd
from pyopenshell.linux.enter import Door, enter
from pyopenshell.linux.title import set_title
from pyopenshell.supervisor.birth import SshBirth, receive_ssh
from pyopenshell.supervisor.init_client import SpawnClient
from pyopenshell.supervisor.ssh_files import Files, seal_names
from pyopenshell.supervisor.ssh_server import USER, Server, options, serve
from pyopenshell.supervisor.ssh_warm import warm

__all__ = ["born", "warm"]

HOME = "/sandbox"
FALLBACK_SHELL = "/bin/sh"
UMASK = 0o022


def born(config: socket.socket, trusted: list[int]) -> int:
    """Entry of the zygote's fork. Returns the exit status, in the process that entered."""
    birth = receive_ssh(config, trusted)
    host_key = asyncssh.import_private_key(birth.values["host_key"])
    settings = options(host_key)
    ids = ids_of(**birth.values["ids"])
    keep = frozenset((0, 1, 2, config.fileno(), birth.relay.fileno(), birth.spawn.fileno()))
    door = Door(ids, ids.sandbox_uid, ids.sandbox_gid, keep, birth.namespaces, birth.cgroup)
    try:
        enter(door)
    except OSError as error:
        send_message(config, {"failed": f"the sandbox could not be entered: {error}"})
        return 1
    set_title(f"openshell-ssh: {birth.values['name']}")
    asyncio.run(_serve(config, birth, settings))
    return 0


async def _serve(
    config: socket.socket,
    birth: SshBirth,
    settings: asyncssh.SSHServerConnectionOptions,
) -> None:
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # what a client does wrong is no news, and holds its words
    shell = settle()
    spawner = SpawnClient(birth.spawn)
    try:
        config.setblocking(False)
        send_message(config, {"ready": True})
        got = None
        with contextlib.suppress(ConnectionResetError):
            got = await wait_message(config)
        if got is None:  # it was a spare that nobody needed
            return
        line = got[0]["authorized_key"]
        authorized = asyncssh.import_public_key(line) if line else None
        connection = await serve(birth.relay, settings, Server(authorized, spawner, shell))
        await connection.finished()
    finally:
        spawner.close()


def settle(home: str = HOME, etc: str = "/etc") -> str:
    """Make this process the user's: working directory, file mode mask, names for SFTP; the login shell is the answer."""
    os.umask(UMASK)
    with contextlib.suppress(OSError):
        os.chdir(home)
    seal_names()
    users = passwd.read_users(f"{etc}/passwd")
    Files.users = {user.uid: user.name for user in reversed(users)}
    Files.groups = {gid: name for name, gid in passwd.parse_groups(passwd.read_text(f"{etc}/group")).items()}
    user = passwd.find_user(users, USER)
    shell = user.shell if user is not None else FALLBACK_SHELL
    return shell if os.access(shell, os.X_OK) else FALLBACK_SHELL
