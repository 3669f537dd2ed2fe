"""The orders that a zygote takes: their bytes, for both ends of the socket.

An order is one SEQPACKET message of exactly 20 bytes with 1 to 8 descriptors beside it (SCM_RIGHTS, unix(7)): kind u8,
number of descriptors u8, two bytes of zero, sandbox id (16 bytes of a UUID). There is nothing else to parse in the one
process that keeps root. The first descriptor is one end of a SEQPACKET pair:

INIT        the child's own socket: its config comes there, its answer goes there
SUPERVISOR  the same
TASK        the same, for a piece of work that needs the sandbox's ids: unpack, remove, probe
SSH         the same
ADMIT       a further order socket, on which nothing but SSH of this sandbox id may be asked; the other descriptors are
            trusted and go to each SSH child as they are: the sandbox's user namespace, then its cgroup.procs files

There are no answers: the child speaks on its own socket. Where the zygote could not fork, it says so there in the
child's place; where it refuses an order it closes the descriptors, so the asker reads end of file.
"""

from __future__ import annotations

import socket
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from pyopenshell.errors import OpenShellError
from pyopenshell.linux import descriptors as passing

_ORDER = struct.Struct("!BBxx16s")
ORDER_SIZE = _ORDER.size
#: A socket, a user namespace, and a cgroup.procs for each hierarchy of version 1 that a limit uses, with room to spare.
ORDER_DESCRIPTORS_MAX = 8


class OrderKind(IntEnum):
    """What the zygote is asked for."""

    INIT = 1
    SUPERVISOR = 2
    SSH = 3
    ADMIT = 4
    TASK = 5


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `sandbox_id` is a UUID in canonical text form."""

    kind: OrderKind
    sandbox_id: str
    descriptors: int = 1

    def encode(self) -> bytes:
        """The order's 20 bytes. Raises ValueError for an id that is no UUID or a number of descriptors out of range."""
        if not 1 <= self.descriptors <= ORDER_DESCRIPTORS_MAX:
            raise ValueError(f"an order carries 1 to {ORDER_DESCRIPTORS_MAX} descriptors, not {self.descriptors}")
        return _ORDER.pack(self.kind, self.descriptors, uuid.UUID(self.sandbox_id).bytes)

    @classmethod
    def decode(cls, data: bytes) -> Order:
        """Read an order. Raises ValueError for anything but what `encode` makes."""
        if len(data) != ORDER_SIZE:
            raise ValueError(f"an order is {ORDER_SIZE} bytes, not {len(data)}")
        kind, descriptors, raw_id = _ORDER.unpack(data)
        order = cls(OrderKind(kind), str(uuid.UUID(bytes=raw_id)), descriptors)
        if order.encode() != data:
            raise ValueError("an order's padding is not zero")
        return order


def send_order(orders: socket.socket, kind: OrderKind, sandbox_id: str, descriptors: Sequence[int]) -> None:
    """Put one order with its descriptors on the socket. Raises OSError where the zygote is gone."""
    order = Order(kind, sandbox_id, len(descriptors)).encode()
    passing.send(orders, order, descriptors)


def receive_order(orders: socket.socket) -> tuple[Order, list[int]] | None:
    """Take one order and its descriptors (close-on-exec) off the socket; None at end of file.

    Raises ValueError for a malformed one (wrong size, wrong number of descriptors), whose descriptors are closed.
    """
    try:
        data, fds = passing.receive(orders, ORDER_SIZE + 1, ORDER_DESCRIPTORS_MAX)
    except OpenShellError as error:
        raise ValueError(error.message) from error
    if not data and not fds:
        return None
    try:
        order = Order.decode(data)
        if order.descriptors != len(fds):
            raise ValueError(f"an order announced {order.descriptors} descriptors and carried {len(fds)}")
    except ValueError:
        passing.close_all(fds)
        raise
    return order, fds
