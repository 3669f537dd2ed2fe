"""How a child of the zygote comes to itself: reads its config and descriptors, and gives up root.

A child starts with nothing but its own SEQPACKET socket. `receive` reads the one message that the asker put there.
A supervisor then calls `give_up_root`; an SSH child enters its sandbox instead. The other half, which sends the
message, is `drivers/children.py` for supervisors and `supervisor/ssh*.py` for SSH children.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from pyopenshell.model import SandboxSpec


@dataclass(frozen=True, slots=True)
class SupervisorBirth:
    """What a supervisor is born with. The descriptors are its own to close; `lifetime` is -1 where it outlives the gateway.

    Dial the gateway at `/proc/self/fd/<gateway_directory>/<gateway_socket>`. `orders` takes SSH orders for this sandbox
    alone (`drivers.orders.send_order`). `run_directory` is what `InitClient.connect` wants.
    """

    sandbox_id: str
    name: str
    spec: SandboxSpec
    token: str = field(repr=False)
    host_key: str = field(repr=False)
    gateway_socket: str  #: the socket's file name inside `gateway_directory`
    gateway_directory: int
    run_directory: int
    orders: socket.socket
    lifetime: int


def receive(config: socket.socket) -> SupervisorBirth:
    """Read a supervisor's config from its own socket. Raises BadMessageError, OSError, EOFError where the asker is gone."""


def give_up_root(uid: int) -> None:
    """Become `uid` for ever where this is root and `uid` is not 0: no groups, no capability, no_new_privs, not dumpable."""
