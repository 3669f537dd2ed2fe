"""The zygote in a process of its own, with entries that say what they see."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyopenshell.drivers.messages import pair, receive_message
from pyopenshell.drivers.orders import Order, OrderKind, send_order
from pyopenshell.model import new_id
from pyopenshell.supervisor.zygote import Admission

#: Each child tells its kind, its trusted descriptors, its open descriptors and its signals; TASK raises.
ZYGOTE = """
import os, signal, sys
from pyopenshell.drivers.messages import send_message
from pyopenshell.drivers.orders import OrderKind
from pyopenshell.supervisor.zygote import Zygote, settle
def tell(config, trusted):
    fds = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    send_message(config, {
        "trusted": [os.fstat(fd).st_ino for fd in trusted],
        "open": len(fds) - 1,
        "leads": os.getsid(0) == os.getpid(),
        "chld": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        "cwd": os.getcwd(),
    })
    return 0
def fail(config, trusted):
    raise RuntimeError("told in the log")
orders = settle()
Zygote(orders, {OrderKind.INIT: tell, OrderKind.SUPERVISOR: tell, OrderKind.SSH: tell, OrderKind.TASK: fail}).run()
"""


class Bench:
    def __init__(self, program: str = ZYGOTE) -> None:
        self.orders, its = pair()
        command = [sys.executable, "-c", program]
        leak = os.open("/", os.O_PATH)
        os.set_inheritable(leak, True)
        self.process = subprocess.Popen(
            command, stdin=its, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[leak], env={}
        )
        os.close(leak)
        its.close()

    def ask(self, orders: socket.socket, kind: OrderKind, sandbox_id: str) -> dict[str, object] | None:
        ours, its = pair()
        with ours:
            with its:
                send_order(orders, kind, sandbox_id, [its.fileno()])
            got = receive_message(ours)
            return None if got is None else got[0]

    def end(self) -> str:
        self.orders.close()
        _out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return err.decode()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.orders.close()
    made.process.kill()
    made.process.communicate()


@pytest.mark.parametrize("kind", [OrderKind.INIT, OrderKind.SUPERVISOR, OrderKind.SSH])
def test_a_child_has_its_socket_and_nothing_else(bench: Bench, kind: OrderKind) -> None:
    told = bench.ask(bench.orders, kind, new_id())
    assert told == {"trusted": [], "open": 4, "leads": True, "chld": True, "cwd": "/"}
    assert bench.end() == ""


def test_a_child_that_fails_says_so_in_the_log(bench: Bench) -> None:
    assert bench.ask(bench.orders, OrderKind.TASK, new_id()) is None
    assert "told in the log" in bench.end()


def test_an_admitted_socket_may_ask_for_ssh_of_its_sandbox_alone(bench: Bench) -> None:
    mine, other = new_id(), new_id()
    admitted, its = pair()
    with admitted:
        with its:
            send_order(bench.orders, OrderKind.ADMIT, mine, [its.fileno(), 0])
        told = bench.ask(admitted, OrderKind.SSH, mine)
        assert told is not None
        assert told["trusted"] == [os.fstat(0).st_ino]
        assert bench.ask(admitted, OrderKind.SSH, other) is None
        for kind in (OrderKind.INIT, OrderKind.SUPERVISOR, OrderKind.TASK, OrderKind.ADMIT):
            assert bench.ask(admitted, kind, mine) is None
        assert bench.ask(bench.orders, OrderKind.INIT, mine) is not None
        admitted.send(b"rubbish")
        assert bench.ask(admitted, OrderKind.SSH, mine) is not None
    assert bench.end().count("refused") == 6


def test_it_ends_with_its_last_socket(bench: Bench) -> None:
    admitted, its = pair()
    with its:
        send_order(bench.orders, OrderKind.ADMIT, new_id(), [its.fileno()])
    told = bench.ask(bench.orders, OrderKind.INIT, new_id())
    assert told is not None
    bench.orders.close()
    pidfd = os.pidfd_open(bench.process.pid)
    assert select.select([pidfd], [], [], 0) == ([], [], [])
    admitted.close()
    assert select.select([pidfd], [], [], 30)[0] == [pidfd]
    os.close(pidfd)


def test_children_are_reaped_and_survive_it(bench: Bench) -> None:
    for _ in range(5):
        bench.ask(bench.orders, OrderKind.INIT, new_id())
    listed = subprocess.run(
        ["ps", "--ppid", str(bench.process.pid), "-o", "stat="], capture_output=True, text=True, check=False
    )
    assert "Z" not in listed.stdout


def test_what_a_socket_may_ask() -> None:
    mine, other = new_id(), new_id()
    everything = Admission()
    bound = Admission(mine)
    for kind in OrderKind:
        assert everything.allows(Order(kind, other))
        assert bound.allows(Order(kind, mine)) == (kind is OrderKind.SSH)
        assert not bound.allows(Order(kind, other))
