"""How a child of the zygote comes to itself: reads its config and descriptors, and gives up root.

A child starts with nothing but its own SEQPACKET socket. The zygote calls, in the fork and as root where it is root:

- `main.born(config: socket.socket) -> int` for a supervisor, which calls `receive` and at once `give_up_root(birth)`;
- `ssh_child.born(config: socket.socket, trusted: list[int]) -> int` for an SSH child, which calls `receive_ssh` and
  enters (`linux.enter`). The supervisor sent it everything with `send_ssh` over the other end of `config`.

The answer is the exit status. Standard input is /dev/null, standard error the log that the process was given.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyopenshell.drivers import presence
from pyopenshell.drivers.configs import ids_of, receive_config, spec_from_json
from pyopenshell.drivers.messages import BadMessageError, close_all, receive_message, send_message
from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.linux.confine import give_root_up
from pyopenshell.linux.descriptors import check_stream_socket
from pyopenshell.linux.ids import Ids, Shape
from pyopenshell.linux.namespaces import NAMES, Namespaces
from pyopenshell.linux.process import own_start_time
from pyopenshell.linux.title import set_title
from pyopenshell.model import SandboxSpec

PRESENCE = "supervisor.lock"  #: in the run directory


@dataclass(frozen=True, slots=True)
class SupervisorBirth:
    """What a supervisor is born with. The descriptors are its own to close; `lifetime` is -1 where it outlives the
    gateway.

    Dial the gateway at `remote` where that is set, else at `/proc/self/fd/<gateway_directory>/<gateway_socket>`. `orders`
    takes SSH orders for this sandbox alone (`drivers.orders.send_order`). `run_directory` is what `InitClient.connect`
    wants. The process holds its presence (`drivers/presence.py`), by which a driver finds it, for as long as it lives.
    """

    sandbox_id: str
    name: str
    spec: SandboxSpec
    token: str = field(repr=False)
    host_key: str = field(repr=False)
    ids: Ids
    gateway_socket: str  #: the socket's file name inside `gateway_directory`
    gateway_directory: int  #: -1 where the gateway is remote
    run_directory: int
    orders: socket.socket
    lifetime: int
    presence: int  #: locked for as long as it stays open: never close it
    config: socket.socket | None = None  #: where the driver waits to be told; spent by `give_up_root`
    remote: RemoteGateway | None = None


@dataclass(frozen=True, slots=True)
class SshBirth:
    """What an SSH child is born with: `values` as the supervisor sent them, the relay's end, and what it needs to
    enter.

    `cgroup` is for `Door.cgroup`.
    """

    values: Mapping[str, Any] = field(repr=False)
    relay: socket.socket
    spawn: socket.socket
    namespaces: Namespaces
    cgroup: tuple[int, ...]


def receive(config: socket.socket) -> SupervisorBirth:
    """Read a supervisor's config from its own socket.

    Raises BadMessageError, OSError (BlockingIOError: another supervisor of the sandbox lives), EOFError where the asker
    is gone.
    """
    raw, fds = receive_config(config)
    lifetime = bool(raw["lifetime"])
    remote = None if raw["remote"] is None else RemoteGateway(**raw["remote"])
    near = remote is None
    if len(fds) != 3 + near + lifetime:
        close_all(fds)
        raise BadMessageError("a supervisor's descriptors are not complete")
    run_directory, orders, log = fds[:3]
    os.dup2(log, 2)
    os.close(log)
    set_title(f"openshell-supervisor: {raw['name']}")
    lock = os.open(PRESENCE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=run_directory)
    presence.hold(lock)
    return SupervisorBirth(
        sandbox_id=raw["sandbox_id"],
        name=raw["name"],
        spec=spec_from_json(raw["spec"]),
        token=raw["token"],
        host_key=raw["host_key"],
        ids=ids_of(**raw["ids"]),
        gateway_socket=raw["gateway_socket"],
        gateway_directory=fds[3] if near else -1,
        run_directory=run_directory,
        orders=socket.socket(fileno=orders),
        lifetime=fds[-1] if lifetime else -1,
        presence=lock,
        config=config,
        remote=remote,
    )


def give_up_root(birth: SupervisorBirth) -> None:
    """Become the sandbox's supervisor id for ever where this is root: no groups, no capability, no_new_privs.

    As an ordinary user the ids stay and the rest holds too. Not dumpable afterwards. Then the driver is told that the
    supervisor was born. Raises OSError.
    """
    if birth.ids.shape is Shape.RANGE:
        give_root_up(birth.ids.supervisor, birth.ids.supervisor)
    else:
        give_root_up(os.geteuid(), os.getegid())
    if birth.config is None:
        return
    me = os.pidfd_open(os.getpid())
    try:
        send_message(birth.config, {"born": os.getpid(), "start_time": own_start_time()}, [me])
    finally:
        os.close(me)
        birth.config.close()


def send_ssh(
    config: socket.socket, values: Mapping[str, Any], relay: int, spawn: int, namespaces: Mapping[str, int]
) -> None:
    """Tell an SSH child everything; the descriptors stay the caller's. Raises OSError, ValueError over 192 KiB."""
    send_message(config, {**values, "namespaces": list(namespaces)}, [relay, spawn, *namespaces.values()])


def receive_ssh(config: socket.socket, trusted: list[int]) -> SshBirth:
    """Read what `send_ssh` sent; `trusted` came with the zygote's order socket: the user namespace, then the cgroup.

    A supervisor could be taken over by its sandbox; so a user namespace that is not the one that came so is refused:
    joining the rest needs capabilities in it, so that nothing outside of the sandbox can be entered (setns(2)).

    Raises BadMessageError, EOFError, OSError.
    """
    got = receive_message(config)
    if got is None:
        raise EOFError("nobody told this child what to do")
    values, fds = got
    names = values.pop("namespaces", None)
    if names != list(NAMES) or len(fds) != 2 + len(NAMES):
        close_all(fds)
        raise BadMessageError("an SSH child's descriptors are not complete")
    relay, spawn = fds[:2]
    namespaces = Namespaces(*fds[2:])
    if not trusted or not os.path.samestat(os.fstat(trusted[0]), os.fstat(namespaces.user)):
        close_all(fds)
        raise BadMessageError("the user namespace is not this sandbox's")
    check_stream_socket(relay)
    cgroup = tuple(trusted[1:])
    return SshBirth(values, socket.socket(fileno=relay), socket.socket(fileno=spawn), namespaces, cgroup)
