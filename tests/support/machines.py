"""Three machines on one: a user's, a gateway's and a sandbox host's, each with its own network, host name and processes.

A machine is a set of namespaces (net, mount, uts, ipc, pid) that hangs on its process 1, and that hangs on a pipe of ours:
when this process ends, however it ends, everything on the machines ends with it. A fourth one is the router between them;
each cable is a veth pair, so pulling it is setting the router's end down: the machine sees its carrier go and keeps its
addresses, as with a real one.

    user 10.77.1.2 ──┐
    gateway 10.77.2.2 ── router 10.77.N.1
    host 10.77.3.2 ──┘
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tests.support.world import COMMAND_TIMEOUT, Ended

T = TypeVar("T")

CLONE_NEWNET = 0x40000000  # linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)
#: The tools, and the Debian packages that have them; `make machines` installs what a bare machine lacks.
TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "ip": "iproute2", "nft": "nftables"}
#: A machine's process 1: ignores SIGCHLD, so that the kernel reaps what is left to it (sigaction(2), NOTES), and waits for
#: the end of our pipe. Not in the shell itself, whose `read` ends when a child does.
FIRST_PROCESS = """set -e
echo "$1" > /proc/sys/kernel/hostname
mount --bind "$2" /etc/hosts
ip link set lo up
echo ready
exec env --ignore-signal=CHLD cat > /dev/null
"""
#: What a careful operator gives a machine that only dials out. Refused at once and not dropped: a test needs no patience.
FIREWALL = """
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif "lo" accept
    ct state established,related accept
    meta l4proto tcp reject with tcp reset
    reject
  }
}
"""


def missing() -> str:
    """What keeps this machine from being three; empty where nothing does."""
    if os.geteuid() != 0:
        return "not root"
    absent = [f"{tool} ({package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    return f"no {', '.join(absent)}: see `make machines`" if absent else ""


class Inside(subprocess.Popen[bytes]):
    """A process on a machine. Signals go to the program, not to the nsenter(1) that waits for it."""

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            for child in children(self.pid) or [self.pid]:
                os.kill(child, sig)


def children(pid: int) -> list[int]:
    """The children of a process (proc_pid_task_children in proc(5)); none where it has ended."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class Machine:
    """One machine; `run`, `command` and `popen` are those of a `World`."""

    def __init__(self, name: str, base: Path, address: str, names: Mapping[str, str]) -> None:
        self.name = name
        self.address = address
        self.base = base / name
        self.home = self.base / "home"
        self.home.mkdir(parents=True)
        hosts = self.base / "hosts"
        lines = {"localhost": "127.0.0.1", **names}
        hosts.write_text("".join(f"{address} {host}\n" for host, address in lines.items()))
        programs = str(Path(sys.executable).parent)
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(("OPENSHELL_", "XDG_"))} | {
            "HOME": str(self.home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(self.base / "config"),
            "XDG_STATE_HOME": str(self.base / "state"),
            "XDG_RUNTIME_DIR": str(self.base / "run"),
        }
        unshare = ("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
        first = ("sh", "-c", FIRST_PROCESS, "sh", name, str(hosts))
        self._holder = subprocess.Popen([*unshare, *first], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", f"machine {name} did not come up"
        (self.pid,) = children(self._holder.pid)

    def __repr__(self) -> str:
        return f"<Machine {self.name} {self.address}>"

    def close(self) -> None:
        """End everything that runs there."""
        self._holder.communicate()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """`argv` as a process of this machine."""
        which = ("--net", "--mount", "--uts", "--ipc", "--pid")
        return ["nsenter", f"--target={self.pid}", *which, f"--wdns={self.home}", "--", *argv]

    def run(self, *arguments: str, **options: Any) -> Ended:
        """One `openshell` command, to its end."""
        return self.command(["openshell", *arguments], **options)

    def command(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = b"",
        environ: Mapping[str, str] | None = None,
        timeout: float = COMMAND_TIMEOUT,
    ) -> Ended:
        """Any command, to its end."""
        env = self.environ | dict(environ or {})
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with Inside(self.inside(argv), env=env, **pipes) as process:
            try:
                out, err = process.communicate(stdin, timeout)
            except BaseException:
                process.kill()
                raise
        return Ended(process.returncode, out, err.decode(errors="replace"))

    def popen(self, *arguments: str, **options: Any) -> Inside:
        """Start one `openshell` command and go on."""
        return self.start(["openshell", *arguments], **options)

    def start(self, argv: Sequence[str], *, environ: Mapping[str, str] | None = None, **options: Any) -> Inside:
        """Start any command and go on."""
        return Inside(self.inside(argv), env=self.environ | dict(environ or {}), **options)

    def on_its_network(self, work: Callable[[], T]) -> T:
        """Do `work` in this process, but on this machine's network: a socket that it makes stays there (setns(2))."""
        done: list[T] = []
        failed: list[BaseException] = []

        def thread() -> None:
            try:
                with open(f"/proc/{self.pid}/ns/net") as namespace:
                    if LIBC.setns(namespace.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"setns to the network of {self.name}")
                done.append(work())
            except BaseException as error:
                failed.append(error)

        running = threading.Thread(target=thread)
        running.start()
        running.join()
        if failed:
            raise failed[0]
        return done[0]

    def connect(self, address: tuple[str, int], timeout: float = COMMAND_TIMEOUT) -> socket.socket:
        """A TCP connection that a program on this machine would make; to an address, because names are read elsewhere."""
        return self.on_its_network(lambda: socket.create_connection(address, timeout))

    def listen(self, port: int = 0) -> socket.socket:
        """A TCP listener on all addresses of this machine."""
        return self.on_its_network(lambda: socket.create_server(("0.0.0.0", port)))

    def tcp_connections(self) -> list[str]:
        """The established TCP connections of this machine's network, one `LOCAL PEER` each, without those to itself."""
        ended = self.command(["ss", "-Htn", "state", "established"]).ok()
        pairs = [line.split()[-2:] for line in ended.text.splitlines()]
        return [f"{local} {peer}" for local, peer in pairs if local.startswith(self.address)]


class Machines:
    """The three, and the router with its cables."""

    NAMES = ("user", "gateway", "host")

    def __init__(self, base: Path) -> None:
        networks = {name: f"10.77.{number}" for number, name in enumerate(self.NAMES, 1)}
        #: Names under .test (RFC 2606) that every machine resolves.
        names = {f"{name}.test": f"{network}.2" for name, network in networks.items()}
        with contextlib.ExitStack() as stack:
            made: dict[str, Machine] = {}
            for name in ("router", *self.NAMES):
                address = f"{networks[name]}.2" if name in networks else ""
                made[name] = Machine(name, base, address, names)
                stack.callback(made[name].close)
            self.router = made["router"]
            self.user, self.gateway, self.host = (made[name] for name in self.NAMES)
            self._sh(self.router, "echo 1 > /proc/sys/net/ipv4/ip_forward")
            for name, network in networks.items():
                pair = ("link", "add", name, "netns", str(self.router.pid), "type", "veth")
                peer = ("peer", "name", "eth0", "netns", str(made[name].pid))
                subprocess.run(["ip", *pair, *peer], check=True)
                self._sh(self.router, f"ip address add {network}.1/24 dev {name} && ip link set {name} up")
                self._sh(made[name], f"ip address add {network}.2/24 dev eth0 && ip link set eth0 up")
                self._sh(made[name], f"ip route add default via {network}.1")
            self._ending = stack.pop_all()

    def __enter__(self) -> Machines:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def pull(self, machine: Machine) -> None:
        """Pull the machine's cable."""
        self._sh(self.router, f"ip link set {machine.name} down")

    def plug(self, machine: Machine) -> None:
        """Plug it in again."""
        self._sh(self.router, f"ip link set {machine.name} up")

    def move(self, machine: Machine, address: str) -> None:
        """Give the machine another address of its network, as a DHCP server of another mood does."""
        gateway = f"{address.rpartition('.')[0]}.1"
        self._sh(machine, f"ip address flush dev eth0 && ip address add {address}/24 dev eth0")
        self._sh(machine, f"ip route add default via {gateway}")
        machine.address = address

    def close_firewall(self, machine: Machine) -> None:
        """Refuse every inbound connection there from now on."""
        machine.command(["nft", "-f", "-"], stdin=FIREWALL.encode()).ok()

    def open_firewall(self, machine: Machine) -> None:
        """Take the rule away."""
        machine.command(["nft", "flush", "ruleset"]).ok()

    @staticmethod
    def _sh(machine: Machine, script: str) -> None:
        machine.command(["sh", "-ec", script]).ok()


@contextlib.contextmanager
def pulled(machines: Machines, machine: Machine, seconds: float) -> Iterator[None]:
    """Within the block the cable is out; it stays out for `seconds`, which are the cable's own and wait for nothing."""
    over = threading.Event()
    machines.pull(machine)
    try:
        timer = threading.Timer(seconds, over.set)
        timer.start()
        yield
        timer.join()
        over.wait()
    finally:
        machines.plug(machine)
