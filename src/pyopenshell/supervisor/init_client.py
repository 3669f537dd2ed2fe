"""The supervisor's side of init: everything that touches the inside of a sandbox goes through here.

`InitClient.connect` owns the sandbox: init gives it the namespaces and the table of what runs, and the owner before it
reads end of file. `SpawnClient` is the smaller half (spawn, signal, dial): it is what an SSH child gets, over a socket
that `InitClient.spawn_socket` obtained. Requests carry a number, answers repeat it, so many are under way at once; an
exit is a notice, kept by init until it is acknowledged (which `Process.wait` does).

What init sends is hostile: every message is checked by `messages.receive_message`, every descriptor by its kind, none
is read blocking, and a peer that breaks the protocol is dropped: all that waits raises UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping

from pyopenshell.drivers.messages import Message, close_all
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import descriptors
from pyopenshell.linux.namespaces import NAMES
from pyopenshell.model import ExecSpec, TcpTarget
from pyopenshell.supervisor.init_link import Link
from pyopenshell.supervisor.init_process import DialError, Exit, Process, StartError

__all__ = ["DialError", "Exit", "InitClient", "Process", "SpawnClient", "StartError"]

#: A hello is answered between two forks of init, so in milliseconds; longer means that init is broken.
HELLO_TIMEOUT = 10.0
SOCKET_NAME = "init.sock"
BYTES_MAX = 2**63 - 1  # of a figure: what a uint64 field surely takes


class SpawnClient:
    """Spawn, signal and dial in a sandbox. All methods raise UNAVAILABLE once the sandbox is lost."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes the socket over. Must be called in a running event loop."""
        self._link = Link(sock)

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done with a reason when init is gone, or when another owner took over."""
        return self._link.lost

    async def spawn(self, spec: ExecSpec, *, label: str = "", keep: bool = False) -> Process:
        """Start a command as the user `sandbox`, argv verbatim. `spec.timeout` is the caller's to keep.

        `keep` lets init hold the output's pipes too, so that they outlive this client (the main process). Raises
        StartError where it cannot run, EXHAUSTED where init has no room. Cancelled: the process, once started, gets
        SIGHUP.
        """
        size = spec.terminal
        command = {
            "argv": spec.argv,
            "env": dict(spec.env),
            "workdir": spec.workdir,
            "login": spec.login,
            "size": None if size is None else (size.cols, size.rows),
        }
        memfd = descriptors.sealed_memfd("command", json.dumps(command).encode())
        try:
            answer, fds = await self._link.ask(
                {"op": "spawn", "label": label, "keep": keep}, [memfd], late=self._unwanted
            )
        finally:
            os.close(memfd)
        return self._started(answer, fds, label)

    async def dial(self, host: str, port: int) -> socket.socket:
        """Connect to a loopback address inside; the socket is connected and non-blocking. Raises DialError, INVALID."""
        target = TcpTarget(host, port)
        _answer, fds = await self._link.ask({"op": "dial", "host": target.host, "port": target.port})
        self._expect(fds, 1, descriptors.check_stream_socket)
        sock = socket.socket(fileno=fds[0])
        sock.setblocking(False)
        return sock

    async def ports(self) -> Message:
        """What listens inside, as init says it: see `init_ports.listening`. Untrusted: `ports.snapshot` checks it."""
        answer, fds = await self._link.ask({"op": "ports"})
        close_all(fds)
        return answer

    def close(self) -> None:
        """Let go; processes run on. Idempotent."""
        self._link.close("this side let go of the sandbox")

    def _started(self, answer: Message, fds: list[int], label: str) -> Process:
        terminal = bool(answer.get("terminal"))
        if terminal:
            self._expect(fds, 1, descriptors.check_pty_master)
        else:
            self._expect(fds, 3, descriptors.check_pipe)
        return self._link.process(answer["pid"], label, fds, terminal=terminal)

    def _unwanted(self, answer: Message, fds: list[int]) -> None:
        """The asker of a spawn was cancelled before the answer: nobody will ever read from this process."""
        close_all(fds)
        if isinstance(answer.get("pid"), int):
            self._link.discard(answer["pid"])

    def _expect(self, fds: list[int], number: int, check: Callable[[int], None]) -> None:
        try:
            if len(fds) != number:
                raise OpenShellError(Code.BROKEN, f"the sandbox sent {len(fds)} descriptors in place of {number}")
            for fd in fds:
                check(fd)
        except OpenShellError as broken:
            close_all(fds)
            self._link.close(broken.message)
            raise


class InitClient(SpawnClient):
    """The owner of a sandbox. Made by `connect`."""

    #: Descriptors by name: user, mnt, net, ipc, uts, cgroup, pid. Owned by this client.
    namespaces: Mapping[str, int]
    #: What runs, or ended and was not acknowledged, by pid inside; their descriptors come by `attach`.
    processes: Mapping[int, Process]
    #: Labels that were ever spawned: "main" is in it when the main process was started once.
    ran: frozenset[str]
    #: What init knows of itself, as `Driver.start` returned it.
    facts: Mapping[str, str]

    @classmethod
    async def connect(cls, run_directory: int, *, timeout: float = HELLO_TIMEOUT) -> InitClient:
        """Connect to `init.sock` in the directory (a descriptor) and say hello. Raises UNAVAILABLE, DEADLINE."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            sock.connect(f"/proc/self/fd/{run_directory}/{SOCKET_NAME}")
        except OSError as error:
            sock.close()
            raise OpenShellError(Code.UNAVAILABLE, f"the sandbox's init is gone: {error.strerror}") from error
        client = cls(sock)
        try:
            async with asyncio.timeout(timeout):
                await client._hello()
        except TimeoutError as error:
            client.close()
            raise OpenShellError(Code.DEADLINE, f"the sandbox's init did not answer within {timeout:.0f} s") from error
        except BaseException:
            client.close()
            raise
        return client

    async def attach(self, pid: int) -> Process:
        """Get the descriptors of a process spawned with `keep`, again; its `stdin` is -1. Raises NOT_FOUND."""
        process = self.processes.get(pid)
        if process is None:
            raise OpenShellError(Code.NOT_FOUND, f"process {pid} is not in the sandbox's table")
        _answer, fds = await self._link.ask({"op": "attach", "pid": pid})
        if process.is_terminal:
            self._expect(fds, 1, descriptors.check_pty_master)
            process.terminal = fds[0]
        else:
            self._expect(fds, 2, descriptors.check_pipe)
            process.stdout, process.stderr = fds
        return process

    async def spawn_socket(self) -> socket.socket:
        """A new connection that can only spawn, signal and dial: hand it to a child, which makes a SpawnClient of it.

        When it closes, what was spawned over it and still runs gets SIGHUP, as at the end of a terminal.
        """
        _answer, fds = await self._link.ask({"op": "spawn_socket"})
        self._expect(fds, 1, descriptors.check_packet_socket)
        return socket.socket(fileno=fds[0])

    async def usage(self) -> tuple[int, int]:
        """PSS and RSS that init says it takes, in bytes. Raises UNAVAILABLE; BROKEN for what is no such figure."""
        answer, fds = await self._link.ask({"op": "usage"})
        close_all(fds)
        pss, rss = answer.get("pss"), answer.get("rss")
        if not (isinstance(pss, int) and isinstance(rss, int) and 0 <= pss <= rss <= BYTES_MAX):
            raise OpenShellError(Code.BROKEN, "the sandbox's init said what it takes in a way unknown here")
        return pss, rss

    def close(self) -> None:
        """Let go and close the namespaces; processes run on. Idempotent."""
        super().close()
        close_all(list(self.namespaces.values()))
        self.namespaces = {}

    async def _hello(self) -> None:
        self.namespaces = {}
        answer, fds = await self._link.ask({"op": "hello"})
        try:
            if answer["namespaces"] != list(NAMES) or len(fds) != len(NAMES):
                raise ValueError("not the seven namespaces")
            self.processes = {
                row["pid"]: self._link.known(row["pid"], row["label"], bool(row["terminal"]), row["exit"])
                for row in answer["processes"]
            }
            self.ran = frozenset(answer["ran"])
            self.facts = {str(key): str(value) for key, value in answer["facts"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            close_all(fds)
            raise OpenShellError(
                Code.UNAVAILABLE, f"the sandbox's init said hello in a way unknown here: {error}"
            ) from error
        self.namespaces = dict(zip(NAMES, fds, strict=True))
