"""Finds a running process again with nothing but a file: the process holds a record lock on it, and the lock names its
pid.

No pid is written down, so none can be stale: the kernel drops the lock with the process (fcntl_locking(2)) and
translates the holder's pid into the asker's pid namespace. What was found is held by pidfd, and the lock is asked a
second time afterwards, so that a pid given anew in between is not taken for the holder.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
from dataclasses import dataclass
from pathlib import Path

from pyopenshell.drivers.messages import readable
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import process

#: What the driver asks a supervisor by to end its sandbox. Not SIGTERM, by which a person ends one supervisor and the
#: sandbox goes on; as systemd(1) halts.
END_SANDBOX = signal.SIGRTMIN + 3
#: Seconds that a killed process has to be gone. The kernel takes milliseconds, or some seconds to free many gigabytes.
KILL_TIMEOUT = 20.0
_FLOCK = struct.Struct("hhqqi4x")  # struct flock with 64-bit offsets: type, whence, start, len, pid


@dataclass(slots=True, eq=False)
class Held:
    """A process that is held by pidfd; `release` it in the end."""

    pid: int
    start_time: int
    pidfd: int

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    async def ended(self) -> None:
        """Wait for its end; for PID 1 of a namespace that is the end of every process in it (pid_namespaces(7))."""
        with contextlib.closing(_Copy(self.pidfd)) as copy:  # an event loop has one reader for each descriptor
            await readable(copy.fd)

    async def end(self, grace: float = 0.0) -> None:
        """End it: END_SANDBOX and `grace` seconds where there is a grace, then SIGKILL. Returns when it is gone.

        Raises DEADLINE where it does not go: it, or a process of the pid namespace that it is process 1 of, sleeps in the
        kernel where no signal is heard, or was never reaped by a parent outside.
        """
        if grace:
            self.kill(END_SANDBOX)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self.ended()
                    return
        self.kill()
        try:
            async with asyncio.timeout(KILL_TIMEOUT):
                await self.ended()
        except TimeoutError:
            raise OpenShellError(
                Code.DEADLINE,
                f"process {self.pid} was killed and is not gone after {KILL_TIMEOUT:.0f} s: it or a process that it "
                "waits for is held in the kernel, or not reaped by its parent",
                hint="see 'ps -eo pid,ppid,stat,wchan:30,args'; asked again, this does not wait for it",
            ) from None

    def release(self) -> None:
        """Close the pidfd. Idempotent."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class _Copy:
    """A descriptor's copy that is closed at the end."""

    def __init__(self, fd: int) -> None:
        self.fd = os.dup(fd)

    def close(self) -> None:
        os.close(self.fd)


def hold(fd: int) -> None:
    """Lock the file for as long as this process lives and keeps every descriptor of it open. Raises BlockingIOError."""
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def find(path: Path) -> Held | None:
    """The process that holds the lock of the file, or None. Raises OSError where the file cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        pid = _holder(fd)
        who = process.identity(pid) if pid else None
        pidfd = process.open_pidfd(who) if who is not None else None
        if who is None or pidfd is None:
            return None
        if _holder(fd) != pid:
            os.close(pidfd)
            return None
        return Held(pid, who.start_time, pidfd)
    finally:
        os.close(fd)


def _holder(fd: int) -> int:
    """The pid that F_GETLK names; 0 where the file is not locked."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _whence, _start, _length, pid = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    return 0 if kind == fcntl.F_UNLCK else max(pid, 0)
