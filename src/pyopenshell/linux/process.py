"""Processes: named by pid and start time, held by pidfd, measured by what /proc says.

A pid alone names nothing: it is given anew. The pair (pid, start time) is never given twice in one boot.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from pyopenshell.linux import syscalls

NAME_MAX = 15  # bytes of a thread's name: TASK_COMM_LEN less its NUL, PR_SET_NAME of prctl(2)
_START_TIME = 22  # field of /proc/PID/stat, counted from 1, proc_pid_stat(5)
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """One process for ever. `start_time` is in clock ticks since boot."""

    pid: int
    start_time: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of memory of one process: its proportional share (PSS), and its resident pages (RSS)."""

    pss: int
    rss: int


def identity(pid: int) -> Identity | None:
    """The identity of the process that has `pid` now; None where there is none or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as told:
            line = told.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line[line.rindex(b")") + 2 :].split()  # the name in brackets may hold anything, so count from its end
    if fields[0] in (b"Z", b"X"):
        return None
    return Identity(pid, int(fields[_START_TIME - 3]))


def own_start_time() -> int:
    """The start time of this process, in clock ticks since boot."""
    with open("/proc/self/stat", "rb") as told:
        line = told.read()
    return int(line[line.rindex(b")") + 2 :].split()[_START_TIME - 3])


def is_alive(process: Identity) -> bool:
    """Whether exactly this process runs."""
    return identity(process.pid) == process


def open_pidfd(process: Identity) -> int | None:
    """A pidfd of exactly this process (readable once it has ended, pidfd_open(2)); None where it is gone."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if is_alive(process):  # asked after the open, so that the descriptor cannot be of a later process
        return fd
    os.close(fd)
    return None


def memory(pid: int) -> Memory:
    """What process `pid` takes now. Raises OSError where it is gone or may not be looked at."""
    sums = {b"Pss:": 0, b"Rss:": 0}
    with open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
        for line in rollup:
            fields = line.split()
            if fields[0] in sums:
                sums[fields[0]] = int(fields[1]) * _KIB
    return Memory(sums[b"Pss:"], sums[b"Rss:"])


def own_sockets() -> int:
    """How many sockets (TCP and Unix) this process holds. Raises OSError where there is no /proc."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor that listed them is closed by now
            found += stat.S_ISSOCK(os.fstat(int(name)).st_mode)
    return found


def set_name(name: str) -> None:
    """Set the name in `ps -o comm` and /proc/PID/comm: the first 15 bytes of `name`."""
    syscalls.prctl(syscalls.PR_SET_NAME, name.encode("utf-8", "replace")[:NAME_MAX])


def set_dumpable(on: bool) -> None:
    """PR_SET_DUMPABLE: where off, no other process of these ids may trace this one, read its memory or open its /proc
    files.
    """
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, int(on))


def become_subreaper() -> None:
    """Orphans below this process become its children (PR_SET_CHILD_SUBREAPER)."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
