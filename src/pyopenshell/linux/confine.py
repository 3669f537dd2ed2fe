"""What a process gives up: capabilities, privileges to come, being looked into; and, for the sandbox, Landlock and the
system call filter.

init confines itself once and its children inherit it, so that all user processes are in one domain under one filter. A
process that enters from outside
builds the same fences for itself.
"""

from __future__ import annotations

import errno
import os

from pyopenshell.linux import landlock, seccomp, syscalls
from pyopenshell.linux.process import set_dumpable

CAP_CHOWN = 0  # give a terminal to `sandbox`
CAP_KILL = 5
CAP_SETGID = 6
CAP_SETUID = 7
CAP_SETPCAP = 8  # empty the bounding set of a child
CAP_SYS_PTRACE = 19  # say which process has a port open
CAPABILITIES_OF_INIT = sum(
    1 << bit for bit in (CAP_CHOWN, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_PTRACE)
)
_CAPABILITIES_END = 64  # two words of 32 bits in struct __user_cap_data_struct

WRITABLE = ("/sandbox", "/tmp", "/var/tmp", "/run", "/dev", "/proc")  # noqa: S108 - of the sandbox's own view
WRITABLE_IF_MOUNTED_SO = ("/", "/usr", "/opt", "/var/lib/dpkg")  # a tree's root; overlays of the host's view


def confine_init() -> dict[str, str]:
    """For process 1 once the view is up and its namespaces are open: few capabilities, no_new_privs, Landlock, seccomp,
    not dumpable.

    Returns `landlock` and `seccomp` as facts. Raises OSError.
    """
    empty_bounding_set()
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    syscalls.capset(CAPABILITIES_OF_INIT, CAPABILITIES_OF_INIT)
    no_new_privs()
    set_dumpable(False)
    return fence()


def fence() -> dict[str, str]:
    """Landlock, then the filter, on this process and all its children to come. Returns which of them this machine has."""
    version = landlock.abi()
    fenced = landlock.restrict(WRITABLE + tuple(filter(_is_writable, WRITABLE_IF_MOUNTED_SO)), version)
    filtered = seccomp.install()
    return {
        "landlock": f"ABI {version}" if fenced else f"none (the kernel has {'ABI 1' if version else 'no Landlock'})",
        "seccomp": "filter" if filtered else "none (the kernel has no filters)",
    }


def no_new_privs() -> None:
    """No exec gives more rights than this process has (PR_SET_NO_NEW_PRIVS)."""
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def empty_bounding_set() -> None:
    """Drop every capability that the kernel knows from the bounding set; needs CAP_SETPCAP where one is left."""
    for bit in range(_CAPABILITIES_END):
        try:
            if syscalls.prctl(syscalls.PR_CAPBSET_READ, bit):
                syscalls.prctl(syscalls.PR_CAPBSET_DROP, bit)
        except OSError as failure:
            if failure.errno == errno.EINVAL:  # one past the last capability of this kernel
                return
            raise


def drop_capabilities() -> None:
    """All sets empty but the bounding set (`empty_bounding_set`), which has to go before the right to empty it does."""
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    syscalls.capset(0, 0)


def give_root_up(uid: int, gid: int) -> None:
    """A supervisor's birth: become host id `uid`:`gid` for ever, with no group, no capability and no way back; not
    dumpable.

    Where this process is not root it stays who it is and gives up the rest. Raises OSError.
    """
    if os.geteuid() == 0:
        empty_bounding_set()
        if may_set_groups():
            os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    drop_capabilities()
    no_new_privs()
    set_dumpable(False)


def may_set_groups() -> bool:
    """Whether setgroups(2) is allowed in this user namespace at all: not where an ordinary user made it with one id."""
    with open("/proc/self/setgroups", encoding="ascii") as file:
        return file.read().strip() == "allow"


def _is_writable(path: str) -> bool:
    try:
        return not os.statvfs(path).f_flag & os.ST_RDONLY
    except FileNotFoundError:
        return False
