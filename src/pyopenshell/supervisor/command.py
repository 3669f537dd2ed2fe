"""One running command of one near side: the same rules for the `exec` target, for SSH and for the main process.

    near --stdin--> PipeWriter -> process -> PipeReader --stdout, stderr--> Sink -> near

The end of a command, decided once:

- The process has ended: what is in its pipes is sent, and then the status, which is always last. Both pipes at their end is
  the usual case and costs nothing. Where a child in the background still holds a pipe, the command is over once the pipe was
  quiet for `LINGER_QUIET`, at the latest `LINGER_MAX` after the end of the process. The child in the
  background lives on. (OpenSSH waits for the pipes without a limit, so that `ssh host 'daemon &'` hangs; to end at once, as
  `docker exec` does, would lose the last words of a pipeline's tail.)
- The time is over: SIGTERM to the whole process group, SIGKILL after `KILL_GRACE`.
- The near side is gone: SIGHUP to the whole process group (what a terminal would send), SIGKILL after `KILL_GRACE`.
- Nothing ever waits for input: the end of a command drops what it did not read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable

from pyopenshell.errors import OpenShellError
from pyopenshell.model import TerminalSize
from pyopenshell.supervisor.init_client import Exit, Process
from pyopenshell.supervisor.pipes import PipeReader, PipeWriter, resize, widen

LINGER_QUIET = 0.25  # seconds without output after which a held pipe is given up; a pipeline's tail answers in less
LINGER_MAX = 5.0  # seconds after the end of the process, however much a child in the background writes
KILL_GRACE = 2.0  # seconds between the signal that asks and SIGKILL; `docker stop` gives 10, a lost client needs less

Sink = Callable[[bytes], Awaitable[None]]


class Command:
    """Pumps one process until it has ended and its output was sent."""

    def __init__(self, process: Process, stdout: Sink, stderr: Sink, *, timeout: float = 0.0) -> None:
        self._process = process
        self._timeout = timeout
        self._killer: asyncio.Task[None] | None = None
        self._exited = asyncio.Event()
        self.timed_out = False
        self.how: Exit | None = None  # how the process ended, once that is known
        self._terminal = process.terminal
        if process.terminal >= 0:
            self.stdin = PipeWriter(os.dup(process.terminal))
            self._pumps = [(PipeReader(process.terminal), stdout)]
        else:
            for fd in (process.stdin, process.stdout, process.stderr):
                widen(fd)
            self.stdin = PipeWriter(process.stdin, process.end_input)
            self._pumps = [(PipeReader(process.stdout), stdout), (PipeReader(process.stderr), stderr)]

    async def run(self) -> Exit:
        """Pump until the command is over; returns when every byte of its output was taken by the sinks.

        Cancelled, or a sink that raises (the near side is gone): the process group gets SIGHUP and, where it stays, SIGKILL;
        then the cancellation or what the sink raised goes on.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(self._wait())
                for reader, sink in self._pumps:
                    tasks.create_task(_pump(reader, sink))
            return waiting.result()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            if not self._exited.is_set() and self._killer is None:
                self._killer = asyncio.create_task(self._end(signal.SIGHUP))
            if self._killer is not None:
                await _unhindered(self._killer)
            self.close()  # last: SIGPIPE would take a process before its handler of SIGHUP has run

    def close(self) -> None:
        """Give every descriptor up. Idempotent."""
        self._terminal = -1
        self.stdin.close()
        for reader, _sink in self._pumps:
            reader.close()

    def resize(self, size: TerminalSize) -> None:
        """Tell the terminal its new size; nothing where there is none."""
        if self._terminal >= 0:
            resize(self._terminal, size)

    async def signal(self, number: int) -> None:
        """Send a signal to the process group."""
        await self._process.signal(number)

    async def _wait(self) -> Exit:
        timer = None
        if self._timeout:
            timer = asyncio.get_running_loop().call_later(self._timeout, self._time_over)
        try:
            how = self.how = await self._process.wait()
        finally:
            if timer is not None:
                timer.cancel()
        self._exited.set()
        self.stdin.close()
        for reader, _sink in self._pumps:
            reader.linger(LINGER_QUIET, LINGER_MAX)
        return how

    def _time_over(self) -> None:
        self.timed_out = True
        self._killer = asyncio.create_task(self._end(signal.SIGTERM))

    async def _end(self, first: int) -> None:
        """Ask the group to end; end what is left of it once its leader went or the grace is over. Never raises."""
        with contextlib.suppress(OpenShellError):
            await self._process.signal(first)
            await self._wait_a_moment()
            await self._process.signal(signal.SIGKILL)
            if self.how is None:
                await self._wait_a_moment()

    async def _wait_a_moment(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_GRACE):
                self.how = await self._process.wait()


async def _pump(reader: PipeReader, sink: Sink) -> None:
    while data := await reader.read():
        await sink(data)


async def _unhindered(task: asyncio.Task[None]) -> None:
    """Wait for `task` though this task is cancelled again: a process that is being ended is not forgotten."""
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
