"""One running command of one near side: the same rules for the `exec` target, for SSH and for the main process.

    near --stdin--> PipeWriter -> process -> PipeReader --stdout, stderr--> Sink -> near

The end of a command, decided once:

- The process has ended: what is in its pipes is sent, and then the status, which is always last. Both pipes at their end is
  the usual case and costs nothing. Where a child in the background still holds a pipe, the command is over once the pipe was
  quiet for `LINGER_QUIET`, at the latest `LINGER_MAX` after the end of the process. OpenSSH waits for the pipes without a limit,
  so that `ssh host 'daemon &'` hangs; `docker exec` ends at once and loses the last words of a pipeline's tail.
  The child in the background lives on.
- The time is over: SIGTERM to the whole process group, SIGKILL after `KILL_GRACE`.
- The near side is gone: SIGHUP to the whole process group (what a terminal would send), SIGKILL after `KILL_GRACE`.
- Nothing ever waits for input: the end of a command drops what it did not read.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pyopenshell.model import TerminalSize
from pyopenshell.supervisor.pipes import PipeReader, PipeWriter, resize, widen

LINGER_QUIET = 0.25  # seconds without output after which a held pipe is given up; a pipeline's tail answers in less
LINGER_MAX = 5.0  # seconds after the end of the process, however much a child in the background writes
KILL_GRACE = 2.0  # seconds between the signal that asks and SIGKILL; `docker stop` gives 10, a lost client needs less


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: its status, or the signal that killed it (0 = none)."""

    code: int = 0
    signal: int = 0
    core_dumped: bool = False

    @property
    def status(self) -> int:
        """As a shell says it: 128+n for a signal."""
        return 128 + self.signal if self.signal else self.code


class Process(Protocol):
    """A process that init started. Descriptors are handed over: whoever gets the process owns them. -1 is none."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> int: ...
    @property
    def stdout(self) -> int: ...
    @property
    def stderr(self) -> int: ...
    @property
    def terminal(self) -> int: ...
    async def wait(self) -> Exit: ...
    async def signal(self, number: int, *, group: bool) -> None: ...


Sink = Callable[[bytes], Awaitable[None]]


class Command:
    """Pumps one process until it has ended and its output was sent."""

    def __init__(self, process: Process, stdout: Sink, stderr: Sink, *, timeout: float = 0.0) -> None:
        self._process = process
        self._timeout = timeout
        self.timed_out = False
        self.ended = False
        self._killer: asyncio.Task[None] | None = None
        self._exited = asyncio.Event()
        self._pumps: list[tuple[PipeReader, Sink]] = []
        self._terminal = process.terminal
        if process.terminal >= 0:
            reader = PipeReader(process.terminal)
            self._pumps.append((reader, stdout))
            self.stdin = PipeWriter(_dup(process.terminal))
            return
        for fd in (process.stdin, process.stdout, process.stderr):
            widen(fd)
        self.stdin = PipeWriter(process.stdin)
        self._pumps += [(PipeReader(process.stdout), stdout), (PipeReader(process.stderr), stderr)]

    async def run(self) -> Exit:
        """Pump until the command is over; returns when every byte of its output was taken by the sinks.

        Cancelled (the near side is gone): the process group gets SIGHUP, then SIGKILL, before the cancellation goes on.
        A sink that raises has the same effect. Raises what the sink raised.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(self._wait())
                for reader, sink in self._pumps:
                    tasks.create_task(self._pump(reader, sink))
                if self._timeout:
                    timer = asyncio.get_running_loop().call_later(self._timeout, self._time_over)
                    waiting.add_done_callback(lambda _task: timer.cancel())
            return waiting.result()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            self.close()
            if not self._exited.is_set():
                await _unhindered(self._kill(signal.SIGHUP))
            elif self._killer is not None:
                await _unhindered(self._killer)

    def close(self) -> None:
        """Give every descriptor up. Idempotent."""
        self.ended = True
        self._terminal = -1
        self.stdin.close()
        for reader, _sink in self._pumps:
            reader.close()

    def resize(self, size: TerminalSize) -> None:
        """Tell the terminal its new size; nothing where there is none."""
        if self._terminal >= 0:
            resize(self._terminal, size)

    async def signal(self, number: int) -> None:
        """Send a signal to the process group; one that has ended is not signalled."""
        if not self._exited.is_set():
            await self._process.signal(number, group=True)

    async def _wait(self) -> Exit:
        how = await self._process.wait()
        self._exited.set()
        self.stdin.close()
        return how

    async def _pump(self, reader: PipeReader, sink: Sink) -> None:
        """Read to the end, or until the process has ended and its pipe is quiet."""
        watching = asyncio.create_task(self._exited.wait())
        reading: asyncio.Task[bytes | None] | None = None
        try:
            while not self._exited.is_set():
                data = await reader.read(quiet=None if reading else None)
                if not data:
                    return
                await sink(data)
        finally:
            watching.cancel()

    def _time_over(self) -> None:
        if not self._exited.is_set() and self._killer is None:
            self.timed_out = True
            self._killer = asyncio.create_task(self._kill(signal.SIGTERM))

    async def _kill(self, first: int) -> None:
        raise NotImplementedError
