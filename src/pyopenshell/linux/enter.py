"""Entering a sandbox: the one way in, for init's children, SSH and files alike.

The order is the point. (1) Outside: every descriptor but those meant for it is closed, the environment emptied, nobody
may look in. (2) Into the
cgroup, while its files can be reached. (3) Into the namespaces, by descriptor; then two forks: a pid namespace is for
children, and a child of a process inside becomes the child of process 1 when that ends. (4) Ids, and every capability
gone. (5) Not dumpable
again, because the change of ids reset it; limits; Landlock; the filter, last, since it forbids steps before it.
`tests/linux/test_enter.py` compares /proc/PID of a process from each door.

Whoever entered must be reaped, or process 1 of the sandbox can never end (pid_namespaces(7)); and every process outside may
be killed, after which a container's process 1 may be what inherits: many never reap. So nobody outside is its parent for
longer than the two forks take: process 1 of the sandbox is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pyopenshell.linux import confine, rlimits, sealing, syscalls
from pyopenshell.linux.ids import Ids
from pyopenshell.linux.namespaces import Namespaces
from pyopenshell.linux.process import set_dumpable

_LAST_DESCRIPTOR = 0xFFFF_FFFF  # ~0U of close_range(2)


@dataclass(frozen=True, slots=True)
class Door:
    """Who enters, and from where. `uid` and `gid` are ids inside; `keep` the descriptors that stay open.

    `namespaces` is None for a child of init: it is inside, in the cgroup, and under init's Landlock domain and filter.
    """

    ids: Ids
    uid: int
    gid: int
    keep: frozenset[int] = frozenset((0, 1, 2))
    namespaces: Namespaces | None = None
    cgroup: tuple[int, ...] = ()


def enter(door: Door) -> None:
    """Become a process of the sandbox, as user `door.uid`, without any capability.

    From outside, forks are made on the way: this returns only in the new process, which is a child of the sandbox's process
    1; the caller's ends. SIGCHLD must not be ignored. Raises OSError that names the call, in the process that failed; it
    then ends: it is half-way.
    """
    outside = door.namespaces
    needed = set(door.keep)
    if outside is not None:
        needed |= {*outside.descriptors(), *door.cgroup}
    close_all_but(needed)
    os.environ.clear()
    set_dumpable(False)
    if outside is not None:
        sealing.seal_imports()
        for fd in door.cgroup:
            os.write(fd, b"0")
        outside.join()
        _become_child_of_process_one()
        os.chdir("/")
        close_all_but(door.keep)
    _become(door)
    set_dumpable(False)
    rlimits.apply()
    if outside is not None:
        confine.fence()


def _become_child_of_process_one() -> None:
    """Return in a child of the first child, which ends at once; the kernel gives it to process 1 of the pid namespace, since
    a reaper is looked for in that namespace alone (PR_SET_CHILD_SUBREAPER of prctl(2) holds within one).
    """
    first = os.fork()
    if first != 0:
        os.waitpid(first, 0)
        os._exit(0)
    if os.fork() != 0:
        os._exit(0)
    os.setsid()


def _become(door: Door) -> None:
    confine.empty_bounding_set()
    if door.ids.many:
        os.setgroups([])
    os.setresgid(door.gid, door.gid, door.gid)
    os.setresuid(door.uid, door.uid, door.uid)
    confine.drop_capabilities()
    confine.no_new_privs()


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor of this process that is not in `keep`."""
    first = 0
    for fd in sorted(keep):
        if first < fd:
            syscalls.close_range(first, fd - 1)
        first = fd + 1
    syscalls.close_range(first, _LAST_DESCRIPTOR)
