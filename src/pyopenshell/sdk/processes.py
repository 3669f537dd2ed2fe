"""Processes named by (pid, start time), so that a number that was given out again never means the wrong one.

The start time is field 22 of /proc/PID/stat (proc_pid_stat(5)), clock ticks since boot. Where there is no /proc (macOS) it
is 0 and the pid alone has to do. Signals go through a pidfd (pidfd_open(2)) where the system has them: what was looked at is
what is ended.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_FIELD_STATE = 0  # of the fields behind the ')' that ends the name, which may hold spaces and parentheses itself
_FIELD_START_TIME = 19
POLL_INTERVAL = 0.02  # seconds, only where there is no pidfd to wait on


@dataclass(frozen=True, slots=True)
class ProcessName:
    """Which process is meant, beyond doubt where the system has /proc."""

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> ProcessName | None:
        """Name the process that has `pid` now; None where there is none (a zombie counts as none)."""
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return cls(pid, 0) if not PROC.joinpath("self").exists() and _exists(pid) else None
        if fields[_FIELD_STATE] in ("Z", "X"):
            return None
        return cls(pid, int(fields[_FIELD_START_TIME]))

    @property
    def alive(self) -> bool:
        return self.pid > 0 and ProcessName.of(self.pid) == self


def end(process: ProcessName, timeout: float) -> bool:
    """Send SIGTERM and wait at most `timeout` seconds; then SIGKILL. Returns whether SIGTERM was enough."""
    with _held(process) as descriptor:
        if not process.alive:
            return True
        _signal(process, descriptor, signal.SIGTERM)
        if _wait(process, descriptor, timeout):
            return True
        _signal(process, descriptor, signal.SIGKILL)
        _wait(process, descriptor, timeout)
        return False


def wait(process: ProcessName, timeout: float) -> bool:
    """Wait at most `timeout` seconds for the end of a process that somebody else has told to end; whether it has ended."""
    with _held(process) as descriptor:
        return not process.alive or _wait(process, descriptor, timeout)


def describe(pid: int) -> str:
    """`PID (command)` for people; the command is what the process calls itself, without control characters."""
    try:
        name = (PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        name = ""
    shown = "".join(c for c in name if c.isprintable())
    return f"{pid} ({shown})" if shown else str(pid)


@contextmanager
def _held(process: ProcessName) -> Iterator[int | None]:
    descriptor = None
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _signal(process: ProcessName, descriptor: int | None, number: signal.Signals) -> None:
    try:
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile, which is what was wanted


def _wait(process: ProcessName, descriptor: int | None, timeout: float) -> bool:
    if descriptor is not None:
        return bool(select.select([descriptor], [], [], timeout)[0])
    deadline = time.monotonic() + timeout
    while process.alive:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_INTERVAL)
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
