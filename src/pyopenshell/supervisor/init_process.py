"""A process of a sandbox as its client sees it, and what can go wrong with one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from pyopenshell.errors import Code, OpenShellError


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


class Asker(Protocol):
    """What a process needs of its connection."""

    def acknowledge(self, pid: int) -> None: ...
    def end_input(self, pid: int) -> None: ...
    async def send_signal(self, pid: int, number: int, group: bool) -> None: ...


@dataclass(slots=True, eq=False)
class Process:
    """A process of the sandbox that this client started or found; it leads its own session and process group.

    `stdin`, `stdout`, `stderr` are pipe ends, or `terminal` is the PTY's master (TIOCSWINSZ on it resizes); -1 where
    there is none. They belong to the caller, are close-on-exec and in blocking mode as pipe(2) makes them: set
    O_NONBLOCK.
    """

    pid: int  #: inside the sandbox
    label: str
    is_terminal: bool
    _asker: Asker = field(repr=False)
    exited: asyncio.Future[Exit] = field(repr=False)
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    terminal: int = -1

    async def wait(self) -> Exit:
        """Wait for its end and acknowledge it, so that init may forget it; any number of times, by any number of tasks.

        Raises UNAVAILABLE where the sandbox was lost or taken over first.
        """
        how = await asyncio.shield(self.exited)
        self._asker.acknowledge(self.pid)
        return how

    def end_input(self) -> None:
        """To be called after `stdin` was closed: it reads the end of its input then, and not because its asker died.

        Init holds the pipe too until then. Of what has ended, and of a lost sandbox: nothing.
        """
        self._asker.end_input(self.pid)

    async def signal(self, number: int, *, group: bool = True) -> None:
        """Send a signal to its process group, also when only the leader has ended, or to the process alone.

        Of what has ended, and of a lost sandbox: nothing.
        """
        await self._asker.send_signal(self.pid, number, group)
