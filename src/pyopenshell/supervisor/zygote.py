"""The warm parent of every supervisor, init and SSH child: imports everything once, then forks on order.

Started by the driver with an empty environment and one descriptor, its order socket, as standard input. It is
single-threaded, takes orders of fixed size (`drivers/orders.py`) and nothing else, and so never reads a byte that a
sandbox could have written, which matters because it is the only process that keeps root where the gateway is root.
Everything else that a child must know comes over the child's own socket, after the fork.

Children are reaped by the kernel (SIGCHLD ignored, sigaction(2)); whoever must know of an end holds a pidfd. It ends
when its last order socket is closed: the gateway's and those of all supervisors, so that SSH works on while a gateway
restarts.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from pyopenshell.drivers.messages import close_all, send_message
from pyopenshell.drivers.orders import Order, OrderKind, receive_order
from pyopenshell.linux import process, sealing, syscalls, title
from pyopenshell.supervisor.entries import Entry, load, settle_memory

_ORDERS_FD = 3  # the first behind the standard three
_UNUSED_FD_MAX = 2**31 - 1
_TITLE = "openshell-zygote"


@dataclass(frozen=True, slots=True)
class Admission:
    """What may be asked on an order socket: everything (`sandbox_id` empty) or SSH of one sandbox."""

    sandbox_id: str = ""
    trusted: tuple[int, ...] = ()

    def allows(self, order: Order) -> bool:
        """Whether the order may be carried out for this socket."""
        if not self.sandbox_id:
            return True
        return order.kind is OrderKind.SSH and order.sandbox_id == self.sandbox_id


class Zygote:
    """Serves order sockets until all are closed. `entries` say what each kind of child runs."""

    def __init__(self, orders: socket.socket, entries: Mapping[OrderKind, Entry]) -> None:
        self._entries = entries
        self._selector = selectors.DefaultSelector()
        self._selector.register(orders, selectors.EVENT_READ, Admission())

    def run(self) -> None:
        """Take orders until the last socket is closed. Returns in the zygote alone, never in a child."""
        while self._selector.get_map():
            for key, _events in self._selector.select():
                if isinstance(key.fileobj, socket.socket):
                    self._serve(key.fileobj, key.data)
        self._selector.close()

    def _serve(self, orders: socket.socket, admission: Admission) -> None:
        try:
            got = receive_order(orders)
        except ValueError as error:
            print(f"zygote: refused an order: {error}", file=sys.stderr, flush=True)
            return
        except OSError:  # the peer closed with something unread: as good as end of file
            got = None
        if got is None:
            self._selector.unregister(orders)
            orders.close()
            close_all(admission.trusted)
            return
        order, fds = got
        if not admission.allows(order):
            close_all(fds)
            print(
                f"zygote: refused {order.kind.name} on the socket of {admission.sandbox_id}",
                file=sys.stderr,
                flush=True,
            )
        elif order.kind is OrderKind.ADMIT:
            admitted = socket.socket(fileno=fds[0])
            self._selector.register(admitted, selectors.EVENT_READ, Admission(order.sandbox_id, tuple(fds[1:])))
        else:
            self._fork(order, fds, admission)

    def _fork(self, order: Order, fds: list[int], admission: Admission) -> None:
        with socket.socket(fileno=fds[0]) as config:
            close_all(fds[1:])
            try:
                if os.fork() == 0:
                    self._child(order.kind, config, admission)
            except OSError as error:
                failed = {"step": "fork", "errno": error.errno, "text": str(error.strerror), "hint": ""}
                with contextlib.suppress(OSError):
                    send_message(config, {"failed": failed})

    def _child(self, kind: OrderKind, config: socket.socket, admission: Admission) -> NoReturn:
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            self._let_go(admission)
            status = self._entries[kind](config, list(admission.trusted))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _let_go(self, keep: Admission) -> None:
        """Close every order socket, and every trusted descriptor of other sandboxes."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            if key.data is not keep:
                close_all(key.data.trusted)
        self._selector.close()


def settle() -> socket.socket:
    """Make this process fit to be a parent: the order socket away from standard input, nothing else open, signals
    default.
    """
    orders = socket.socket(fileno=os.dup2(0, _ORDERS_FD, inheritable=False))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    syscalls.close_range(_ORDERS_FD + 1, _UNUSED_FD_MAX)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is signal.SIG_IGN and number not in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.chdir("/")
    process.become_subreaper()
    title.set_title(_TITLE)
    return orders


def main() -> int:
    """Be the zygote until nobody can ask any more. Returns the exit status."""
    orders = settle()
    entries = load()
    sealing.warm()
    settle_memory()
    Zygote(orders, entries).run()
    return 0
