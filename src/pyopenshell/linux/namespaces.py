"""Namespaces: made for a sandbox, held as descriptors, joined by descriptor only.

The user namespace is made by a child that lives for a moment: a map must be written from outside (user_namespaces(7)),
and a descriptor of the
namespace is wanted anyway, for idmapped mounts. Then this process joins it like any other and makes the six others,
which it so owns.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from pyopenshell.linux import forks, steps, syscalls
from pyopenshell.linux.ids import Extent, Ids, Shape

_SIOCGIFFLAGS = 0x8913  # netdevice(7)
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_IFREQ = struct.Struct("16sH22x")  # struct ifreq, 40 bytes
_NS_GET_PARENT = 0xB702  # ioctl_ns(2)
_NS_GET_OWNER_UID = 0xB704
_UID = struct.Struct("I")
_ERRNO = struct.Struct("i")
_ALL_BUT_USER = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWPID
)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Descriptors of one sandbox's namespaces, in the order in which they are joined (the user namespace gives the
    right to the others).
    """

    user: int
    mnt: int
    net: int
    ipc: int
    uts: int
    cgroup: int
    pid: int

    @classmethod
    def of(cls, pid: int | str = "self") -> Namespaces:
        """Open the namespaces of process `pid`; `pid` is the one its children are born in. Raises OSError, then
        nothing stays open.
        """
        opened: list[int] = []
        try:
            for name in NAMES:
                link = "pid_for_children" if name == "pid" else name
                opened.append(os.open(f"/proc/{pid}/ns/{link}", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            for fd in opened:
                os.close(fd)
            raise
        return cls(*opened)

    @classmethod
    def from_descriptors(cls, descriptors: Sequence[int]) -> Namespaces:
        """The namespaces from seven descriptors in the order of `descriptors()`; which is which is checked by
        setns(2) itself.
        """
        return cls(*descriptors)

    def descriptors(self) -> tuple[int, ...]:
        """user, mnt, net, ipc, uts, cgroup, pid."""
        return tuple(getattr(self, name) for name in NAMES)

    def join(self) -> None:
        """setns(2) into all of them; only children are in the pid namespace. Raises OSError that names the call."""
        for name, fd in zip(NAMES, self.descriptors(), strict=True):
            syscalls.setns(fd, _KINDS[name])

    def close(self) -> None:
        """Close all descriptors."""
        for fd in self.descriptors():
            os.close(fd)


NAMES = tuple(item.name for item in fields(Namespaces))
_KINDS = {
    "user": syscalls.CLONE_NEWUSER,
    "mnt": syscalls.CLONE_NEWNS,
    "net": syscalls.CLONE_NEWNET,
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "cgroup": syscalls.CLONE_NEWCGROUP,
    "pid": syscalls.CLONE_NEWPID,
}


def is_child_of_ours(fd: int) -> bool:
    """Whether `fd` is a user namespace that our own user made directly below our own one. `fd` may be anything."""
    if not os.readlink(f"/proc/self/fd/{fd}").startswith("user:["):  # a name that nsfs alone gives; no ioctl to others
        return False
    owner = bytearray(_UID.size)
    try:
        fcntl.ioctl(fd, _NS_GET_OWNER_UID, owner)
        parent = fcntl.ioctl(fd, _NS_GET_PARENT)
    except PermissionError:  # the parent is outside of what we may know
        return False
    try:
        ours = os.path.samestat(os.fstat(parent), os.stat("/proc/self/ns/user"))
    finally:
        os.close(parent)
    return ours and _UID.unpack(owner)[0] == os.geteuid()


def make_user_namespace(ids: Ids) -> int:
    """A new user namespace with the maps of `ids`, as a descriptor. Raises SetupFailed; no process stays."""
    ready, told = os.pipe()
    hold, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(release)
        _owner(told, hold)
    os.close(told)
    os.close(hold)
    try:
        with steps.step(steps.USER_NAMESPACE):
            answer = os.read(ready, _ERRNO.size)
            number = _ERRNO.unpack(answer)[0] if len(answer) == _ERRNO.size else 0
            if number or not answer:
                raise OSError(number, f"unshare: {os.strerror(number)}" if answer else "its first process died")
        with steps.step(steps.ID_MAPS):
            _write_maps(pid, ids)
            return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(pid, 0)


def _owner(told: int, hold: int) -> None:
    """The child that makes the namespace and waits until it has been opened. Never returns."""
    number = 0
    try:
        # A change of ids before now made /proc/PID/uid_map root's: it must be the user's while the map is written.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        syscalls.unshare(syscalls.CLONE_NEWUSER)
    except OSError as failure:
        number = failure.errno or 0
    try:
        os.write(told, _ERRNO.pack(number))
        os.read(hold, 1)
    finally:
        os._exit(0)


def _write_maps(pid: int, ids: Ids) -> None:
    if ids.shape is Shape.SUBRANGE:
        for tool, extents in (("newuidmap", ids.uids), ("newgidmap", ids.gids)):
            numbers = [str(number) for item in extents for number in (item.inside, item.outside, item.count)]
            done = subprocess.run([shutil.which(tool) or tool, str(pid), *numbers], capture_output=True, check=False)
            if done.returncode:
                raise OSError(1, f"{tool}: {done.stderr.decode('utf-8', 'replace').strip()[:200]}")
        return
    if ids.shape is Shape.SINGLE:
        _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/gid_map", _lines(ids.gids))
    _write(f"/proc/{pid}/uid_map", _lines(ids.uids))


def _lines(extents: Iterable[Extent]) -> str:
    return "".join(f"{item.inside} {item.outside} {item.count}\n" for item in extents)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as failure:
        raise OSError(failure.errno, f"write {Path(path).name}: {failure.strerror}") from failure
    finally:
        os.close(fd)


def become_root_inside(userns: int, ids: Ids) -> None:
    """Join the user namespace and take init's ids in it, with every capability there. Raises SetupFailed."""
    with steps.step(steps.USER_NAMESPACE):
        syscalls.setns(userns, syscalls.CLONE_NEWUSER)
    with steps.step(steps.ID_MAPS):
        if ids.many:
            os.setgroups([])
        os.setresgid(ids.init_gid, ids.init_gid, ids.init_gid)
        os.setresuid(ids.init_uid, ids.init_uid, ids.init_uid)


def make_others() -> None:
    """Make the mount, network, IPC, UTS, cgroup and pid namespaces (the last for children). Raises SetupFailed."""
    with steps.step(steps.NAMESPACES):
        syscalls.unshare(_ALL_BUT_USER)


def set_up_network(hostname: str) -> None:
    """Name this machine and bring its loopback up (127.0.0.1 and ::1). Raises SetupFailed."""
    with steps.step(steps.HOST_NAME):
        socket.sethostname(hostname)
    with steps.step(steps.LOOPBACK), socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0))
        fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", _IFREQ.unpack(answer)[1] | _IFF_UP))


def remove_tree(ids: Ids, path: str) -> None:
    """Remove a directory of the sandbox's files, as root of its ids where the caller's own id may not. Raises OSError
    of the first failure.
    """
    if ids.shape is not Shape.SUBRANGE:
        _remove(path)
        return
    forks.call(lambda: _remove_inside(ids, path), "the removal of a tree")


def _remove_inside(ids: Ids, path: str) -> dict[str, str]:
    become_root_inside(make_user_namespace(ids), ids)
    _remove(path)
    return {}


def _remove(path: str) -> None:
    """rm -rf; a directory without permissions (the work directory of an overlay has none) is opened up first."""
    for folder, names, _ in os.walk(path):
        for name in names:
            inner = os.path.join(folder, name)
            if not os.path.islink(inner) and not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
                os.chmod(inner, 0o700)
    shutil.rmtree(path)
