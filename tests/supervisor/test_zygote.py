"""The zygote in a process of its own, with entries that say what they see."""

from __future__ import annotations

import os
import select
import signal
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


#: A zygote whose SSH is the nursery's: the children tell who their parent is and what is loaded.
WITH_NURSERY = """
import os, sys, types
from pyopenshell.drivers.messages import send_message
from pyopenshell.drivers.orders import OrderKind
from pyopenshell.supervisor.zygote import Zygote, settle
def tell(config, trusted):
    told = {"parent": os.getppid(), "trusted": len(trusted), "open": len(os.listdir("/proc/self/fd")) - 1}
    send_message(config, told)
    return 0
late = types.ModuleType("late")
late.born = tell
sys.modules["late"] = late
Zygote(settle(), {OrderKind.INIT: tell}, {OrderKind.SSH: ("late", "born")}).run()
"""


@pytest.fixture
def nursing() -> Iterator[Bench]:
    made = Bench(WITH_NURSERY)
    yield made
    made.orders.close()
    made.process.kill()
    made.process.communicate()


def admit(bench: Bench, sandbox_id: str) -> socket.socket:
    admitted, its = pair()
    with its:
        send_order(bench.orders, OrderKind.ADMIT, sandbox_id, [its.fileno(), 0])
    return admitted


def test_ssh_is_the_nurserys_and_it_is_started_once(nursing: Bench) -> None:
    first, second = new_id(), new_id()
    with admit(nursing, first) as one, admit(nursing, second) as two:
        told = [nursing.ask(one, OrderKind.SSH, first), nursing.ask(two, OrderKind.SSH, second)]
        told.append(nursing.ask(one, OrderKind.SSH, first))
        parents = {answer["parent"] for answer in told if answer}
        assert len(parents) == 1
        assert parents != {nursing.process.pid}
        assert [(answer["trusted"], answer["open"]) for answer in told if answer] == [(1, 5)] * 3
        assert nursing.ask(one, OrderKind.SSH, second) is None
        assert nursing.ask(one, OrderKind.INIT, first) is None


def test_a_supervisor_that_never_asks_starts_no_nursery(nursing: Bench) -> None:
    admit(nursing, new_id()).close()
    told = nursing.ask(nursing.orders, OrderKind.INIT, new_id())
    assert told is not None
    assert told["parent"] == nursing.process.pid
    children = subprocess.run(["ps", "--ppid", str(nursing.process.pid)], capture_output=True, text=True, check=False)
    assert "openshell-zygote" not in children.stdout


def test_a_nursery_that_was_killed_is_replaced(nursing: Bench) -> None:
    mine, other = new_id(), new_id()
    with admit(nursing, mine) as one, admit(nursing, other) as two:
        told = nursing.ask(one, OrderKind.SSH, mine)
        assert told is not None
        held = os.pidfd_open(int(str(told["parent"])))
        signal.pidfd_send_signal(held, signal.SIGKILL)
        assert select.select([held], [], [], 30)[0]
        os.close(held)
        again = nursing.ask(two, OrderKind.SSH, other)
        assert again is not None
        assert again["parent"] not in (told["parent"], nursing.process.pid)


def test_all_zygotes_end_with_the_last_socket(nursing: Bench) -> None:
    mine = new_id()
    with admit(nursing, mine) as one:
        told = nursing.ask(one, OrderKind.SSH, mine)
        assert told is not None
        held = os.pidfd_open(int(str(told["parent"])))
        nursing.orders.close()
        assert nursing.ask(one, OrderKind.SSH, mine) is not None
    assert select.select([held], [], [], 30)[0]
    os.close(held)
