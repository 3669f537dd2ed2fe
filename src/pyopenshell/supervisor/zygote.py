"""The warm parent of every supervisor, init and SSH child: imports everything once, then forks on order.

Started by the driver with an empty environment and one descriptor, its order socket, as standard input. It is
single-threaded, takes orders of fixed size (`drivers/orders.py`) and nothing else, and so never reads a byte that a
sandbox could have written, which matters because it is the only process that keeps root where the gateway is root.
Everything else that a child must know comes over the child's own socket, after the fork.

Children are reaped by the kernel (SIGCHLD ignored, sigaction(2)); whoever must know of an end holds a pidfd. It ends
when its last order socket is closed: the gateway's and those of all supervisors, so that SSH works on while a gateway
restarts.

SSH is a third of everything there is to import, and most sandboxes never see a connection: its code is in a second
zygote, the *nursery*, forked from the first when a supervisor first asks. A supervisor's order socket, on which nothing
but SSH may be asked, is handed over to it whole, so there is one reader of each socket and no order is repeated.
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
from types import MappingProxyType
from typing import NoReturn

from pyopenshell.drivers.messages import close_all, pair, send_message
from pyopenshell.drivers.orders import Order, OrderKind, receive_order, send_order
from pyopenshell.drivers.zygote import ZYGOTE_TITLE
from pyopenshell.linux import process, sealing, syscalls, title
from pyopenshell.supervisor.entries import NURSERY_ENTRIES, Entry, load, settle_memory

_ORDERS_FD = 3  # the first behind the standard three
_UNUSED_FD_MAX = 2**31 - 1


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
    """Serves order sockets until all are closed. `entries` say what each kind of child runs, `late` what the nursery's."""

    def __init__(
        self,
        orders: socket.socket,
        entries: Mapping[OrderKind, Entry],
        late: Mapping[OrderKind, tuple[str, str]] = MappingProxyType({}),
    ) -> None:
        self._entries = entries
        self._late = late
        self._nursery: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(orders, selectors.EVENT_READ, Admission())

    def run(self) -> None:
        """Take orders until the last socket is closed. Returns in the zygote alone, never in a child."""
        while self._selector.get_map():
            for key, _events in self._selector.select():
                if not isinstance(key.fileobj, socket.socket):
                    continue
                if self._late and key.data.sandbox_id and not _at_end(key.fileobj):
                    self._hand_over(key.fileobj, key.data)
                else:
                    self._serve(key.fileobj, key.data)
        self._selector.close()

    def _hand_over(self, orders: socket.socket, admission: Admission) -> None:
        """Give a supervisor's order socket to the nursery, with the order that waits on it."""
        fds = [orders.fileno(), *admission.trusted]
        try:
            if self._nursery is None:
                self._nursery = self._start_nursery()
            try:
                send_order(self._nursery, OrderKind.ADMIT, admission.sandbox_id, fds)
            except OSError:  # it was killed: another one, once
                self._nursery.close()
                self._nursery = self._start_nursery()
                send_order(self._nursery, OrderKind.ADMIT, admission.sandbox_id, fds)
        except OSError as error:
            print(f"zygote: no nursery: {error}", file=sys.stderr, flush=True)
        self._selector.unregister(orders)
        orders.close()
        close_all(admission.trusted)

    def _start_nursery(self) -> socket.socket:
        """Fork the nursery; returns our end of its order socket. Raises OSError."""
        ours, its = pair()
        with its:
            if os.fork() == 0:
                ours.close()
                self._become_nursery(its)
        return ours

    def _become_nursery(self, orders: socket.socket) -> NoReturn:
        status = 1
        try:
            os.setsid()
            self._let_go(None)
            process.become_subreaper()
            title.set_title(f"{ZYGOTE_TITLE}: ssh")
            entries = load(self._late)
            settle_memory()
            Zygote(orders, entries).run()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

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
        elif order.kind is not OrderKind.ADMIT and order.kind not in self._entries:
            close_all(fds)
            print(f"zygote: {order.kind.name} is not served here", file=sys.stderr, flush=True)
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

    def _let_go(self, keep: Admission | None) -> None:
        """Close every order socket, and every trusted descriptor of other sandboxes."""
        if self._nursery is not None:
            self._nursery.close()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            if key.data is not keep:
                close_all(key.data.trusted)
        self._selector.close()


def _at_end(orders: socket.socket) -> bool:
    """Whether the other end of a readable order socket was closed with nothing left to read."""
    try:
        return not orders.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return True


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
    title.set_title(ZYGOTE_TITLE)
    return orders


def main() -> int:
    """Run as `python -m pyopenshell.supervisor.zygote`, by the driver alone."""
    orders = settle()
    entries = load()
    sealing.warm()
    settle_memory()
    Zygote(orders, entries, NURSERY_ENTRIES).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
