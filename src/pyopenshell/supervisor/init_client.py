"""The supervisor's side of init: everything that touches the inside of a sandbox goes through here.

`InitClient.connect` owns the sandbox: init gives it the namespaces and the table of what runs, and the owner before it
reads end of file. `SpawnClient` is the smaller half (spawn, signal, dial): it is what an SSH child gets, over a socket that
`InitClient.spawn_socket` obtained. Requests carry a number, answers repeat it, so many are under way at once; an exit is a
notice, kept by init until it is acknowledged (which `Process.wait` does).

What init sends is hostile: every message is checked by `messages.receive_message`, every descriptor by `check_kind`, none
is read blocking, and a peer that breaks the protocol is dropped: all that waits raises UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec


class StartError(OpenShellError):
    """The command never ran; the message is a reason fit to show: `command not found: X`. `errno` as of execve(2)."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(Code.PRECONDITION, message)
        self.errno = errno


class DialError(OpenShellError):
    """Nothing could be dialled inside the sandbox; `errno` as of connect(2) (ETIMEDOUT for our own deadline)."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(Code.UNAVAILABLE, message)
        self.errno = errno


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its exit code, or the signal that killed it (0 = none)."""

    code: int = 0
    signal: int = 0
    core_dumped: bool = False

    @property
    def status(self) -> int:
        """As a shell says it: 128+n for a signal."""
        return 128 + self.signal if self.signal else self.code


class Process:
    """A process of the sandbox that this client started or found; it leads its own session and process group.

    `stdin`, `stdout`, `stderr` are pipe ends, or `terminal` is the PTY's master (TIOCSWINSZ on it resizes); -1 where there
    is none. They belong to the caller, are close-on-exec and in blocking mode as pipe(2) makes them: set O_NONBLOCK.
    """

    pid: int  #: inside the sandbox
    label: str
    stdin: int
    stdout: int
    stderr: int
    terminal: int

    async def wait(self) -> Exit:
        """Wait for its end and acknowledge it, so that init may forget it; any number of times, by any number of tasks.

        Raises UNAVAILABLE where the sandbox was lost or taken over first.
        """

    async def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to its process group, also when only the leader has ended, or to the process alone.

        Of what has ended, and of a lost sandbox: nothing.
        """


class SpawnClient:
    """Spawn, signal and dial in a sandbox. All methods raise UNAVAILABLE once the sandbox is lost."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes the socket over. Must be called in a running event loop."""

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done with a reason when init is gone, or when another owner took over."""

    async def spawn(self, spec: ExecSpec, *, label: str = "", keep: bool = False) -> Process:
        """Start a command as the user `sandbox`, argv verbatim. `spec.timeout` is the caller's to keep.

        `keep` lets init hold the output's pipes too, so that they outlive this client (the main process). Raises StartError
        where it cannot run, EXHAUSTED where init has no room.
        """

    async def dial(self, host: str, port: int) -> socket.socket:
        """Connect to a loopback address inside; the socket is connected and non-blocking. Raises DialError."""

    def close(self) -> None:
        """Let go; processes run on. Idempotent."""


class InitClient(SpawnClient):
    """The owner of a sandbox."""

    #: Descriptors by name: user, mnt, pid, net, ipc, uts, and cgroup where there is one. Owned by this client.
    namespaces: Mapping[str, int]
    #: What runs, or ended and was not acknowledged, by pid inside; their descriptors come by `attach`.
    processes: Mapping[int, Process]
    #: Labels that were ever spawned: "main" is in it when the main process was started once.
    ran: frozenset[str]
    #: What init knows of itself, as `Driver.start` returned it.
    facts: Mapping[str, str]

    @classmethod
    async def connect(cls, run_directory: int, *, timeout: float = 10.0) -> InitClient:
        """Connect to `init.sock` in the directory (a descriptor) and say hello. Raises UNAVAILABLE, DEADLINE."""

    async def attach(self, pid: int) -> Process:
        """Get the descriptors of a process spawned with `keep`, again. Raises NOT_FOUND."""

    async def spawn_socket(self) -> socket.socket:
        """A new connection that can only spawn, signal and dial: hand it to a child, which makes a SpawnClient of it.

        When it closes, what was spawned over it and still runs gets SIGHUP, as at the end of a terminal.
        """
